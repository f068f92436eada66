// Everything a Theater actor in C or C++ needs, without a code generator: the host functions of the package
// theater:simple@0.1.0 (sdk/wit/theater.wit), and macros that export an actor's own functions under the names the host
// looks for. Compile theater.c with it, once per actor. The handlers `filesystem` and
// `store` have a header and a source of their own, theater_files.
//
//   static theater_answer on_request(theater_option state, theater_view sender, theater_view message) {
//     return theater_reply(state, message);
//   }
//   THEATER_INIT(theater_keep_state)
//   THEATER_HANDLE_REQUEST(on_request)
//
// Memory: what the host passes in, what host functions return and what theater_alloc() gives lives until the host has
// read the answer of the current call; then it is freed. So an answer may point at any of these, at literals and at
// static storage, but not at local variables. Nothing has to be freed by hand. The stack and malloc() are yours as
// usual.
//
// Text is UTF-8 and not terminated by a zero byte. Text that isn't UTF-8 is a trap: the host refuses it.
// An actor has one thread, and its functions are never entered twice at the same time.
#ifndef THEATER_H
#define THEATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
// --- What the host tells an actor of its own accord ---

#define THEATER_CALLBACK_(name, identifier, parameters, call)                                         \
  THEATER_EXPORT_("theater:simple/" name)                                                             \
  void *theater_export_##identifier##_ parameters {                                                   \
    theater_option option = {present != 0, {state, state_size}};                                      \
    return theater_return_state_(call);                                                               \
  }                                                                                                   \
  THEATER_EXPORT_("cabi_post_theater:simple/" name) void theater_post_##identifier##_(void *answer) { \
    (void)answer;                                                                                     \
    theater_end_call_();                                                                              \
  }

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_view why)
#define THEATER_HANDLE_CHILD_ERROR(function)                                                                      \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-error", child_error,                                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, const char *why, size_t why_size),                     \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             theater_bytes(why, why_size)))

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_option last_word)
#define THEATER_HANDLE_CHILD_EXIT(function)                                                                       \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-exit", child_exit,                                      \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, int32_t has_word, const char *word, size_t word_size), \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             has_word != 0 ? theater_some(theater_bytes(word, word_size)) : theater_none()))

// theater_answer function(theater_option state, theater_view child, theater_view actor)
#define THEATER_HANDLE_CHILD_EXTERNAL_STOP(function)                                                              \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-external-stop", child_external_stop,                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size),                                                       \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size)))

// theater_answer function(theater_option state, theater_view actor, uint64_t sequence, theater_view type,
//                         theater_view event, uint64_t lost)
#define THEATER_HANDLE_CHILD_EVENT(function)                                                                           \
  THEATER_CALLBACK_(                                                                                                   \
      "supervisor-client@0.1.0#handle-child-event", child_event,                                                       \
      (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, uint64_t sequence, \
       const char *type, size_t type_size, const char *event, size_t event_size, uint64_t lost),                       \
      function(option, theater_bytes(actor, actor_size), sequence, theater_bytes(type, type_size),                     \
               theater_bytes(event, event_size), lost))

// theater_answer function(theater_option state, theater_view actor, theater_view why): a linked actor has ended.
// Whoever has this isn't killed by links.
#define THEATER_HANDLE_EXIT(function)                                                                             \
  THEATER_CALLBACK_("links-client@0.1.0#handle-exit", exit,                                                       \
                    (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, \
                     const char *why, size_t why_size),                                                           \
                    function(option, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))

// theater_answer function(theater_option state, uint64_t monitor, theater_view actor, theater_view why)
#define THEATER_HANDLE_DOWN(function)                                                                            \
  THEATER_CALLBACK_("links-client@0.1.0#handle-down", down,                                                      \
                    (int32_t present, const char *state, size_t state_size, uint64_t monitor, const char *actor, \
                     size_t actor_size, const char *why, size_t why_size),                                       \
                    function(option, monitor, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))

#endif

// Bytes, or text, that somebody else owns.
typedef struct {
  const char *data;
  size_t size;
} theater_view;

// Bytes that may be absent, which is not the same as empty.
typedef struct {
  bool present;
  theater_view bytes;
} theater_option;

// What an actor's function returns. Made by the functions below.
typedef struct {
  bool failed;
  theater_view error;    // if failed
  theater_option state;  // if not: what the next call gets as its state
  theater_option reply;  // if not, and the call was a request: the answer
  bool accepted;         // if not, and the call was about a channel
} theater_answer;

static inline theater_view theater_bytes(const void *data, size_t size) {
  theater_view view = {(const char *)data, size};
  return view;
}
static inline theater_view theater_text(const char *zero_terminated) {
  return theater_bytes(zero_terminated, strlen(zero_terminated));
}
static inline theater_option theater_some(theater_view bytes) {
  theater_option option = {true, bytes};
  return option;
}
static inline theater_option theater_none(void) {
  theater_option option = {false, {NULL, 0}};
  return option;
}

// Memory until the end of the current call, aligned for anything. Never NULL: an actor that is out of memory traps.
void *theater_alloc(size_t size);
// A copy that lives until the end of the current call.
theater_view theater_copy(const void *data, size_t size);

// Success, without and with a reply.
static inline theater_answer theater_ok(theater_option state) {
  theater_answer answer = {false, {NULL, 0}, state, {false, {NULL, 0}}, false};
  return answer;
}
static inline theater_answer theater_reply(theater_option state, theater_view reply) {
  theater_answer answer = {false, {NULL, 0}, state, {true, reply}, false};
  return answer;
}
// A channel is accepted or refused. The opener gets what is said, if anything.
static inline theater_answer theater_accept(theater_option state, theater_option said) {
  theater_answer answer = {false, {NULL, 0}, state, said, true};
  return answer;
}
static inline theater_answer theater_refuse(theater_option state, theater_option said) {
  theater_answer answer = {false, {NULL, 0}, state, said, false};
  return answer;
}
// Failure: the caller gets the message, and the actor's state stays what it was.
static inline theater_answer theater_fail(const char *message) {
  theater_answer answer = {true, theater_text(message), {false, {NULL, 0}}, {false, {NULL, 0}}, false};
  return answer;
}

// An init function for actors that have nothing to do there.
static inline theater_answer theater_keep_state(theater_option state, theater_view self) {
  (void)self;
  return theater_ok(state);
}

// Decimal numbers without sign: false if `text` is anything else or doesn't fit. The text lives until the end of the
// call.
bool theater_parse_u64(theater_view text, uint64_t *value);
theater_view theater_format_u64(uint64_t value);

// --- Host functions. Each handler has to be granted by the actor's manifest. ---

// What the host answers where it may refuse: `failed` and why, or else the value (empty where there is none).
typedef struct {
  bool failed;
  theater_view error;
  theater_view value;
} theater_outcome;

// Handler `runtime`.
void theater_log(const char *zero_terminated);
void theater_log_view(theater_view message);
theater_view theater_self(void);                        // this actor's id, 64 hexadecimal digits
theater_option theater_chain_head(void);                // the hash of the newest event, 64 hexadecimal digits
theater_outcome theater_shutdown(theater_option data);  // the actor ends when the current call has returned

// Handler `timing`.
uint64_t theater_now_ns(void);  // since 1970-01-01 UTC; stands still within a call, except across calls that wait
theater_outcome theater_sleep_ns(uint64_t duration_ns);

// Handler `random`.
theater_outcome theater_random_bytes(uint32_t size);
uint64_t theater_random_u64(void);

// Handler `message-server`: messages to other actors of the node. A target is an actor's id or a registered name.
theater_outcome theater_send(theater_view target, theater_view message);

typedef struct {
  bool failed;
  theater_view error;     // if failed
  theater_option answer;  // if not
} theater_request_outcome;
// Waits for the answer, at most the manifest's limits.wait_timeout, or `timeout_ns`.
theater_request_outcome theater_request(theater_view target, theater_view message);
theater_request_outcome theater_request_within(theater_view target, theater_view message, uint64_t timeout_ns);

// Requests that wait for this actor's answer. One that uses theater_respond() may return theater_ok() from its request
// function and answer later.
bool theater_current_request(uint64_t *request);  // false outside of a request
size_t theater_outstanding_requests(const uint64_t **requests);
theater_outcome theater_respond(uint64_t request, theater_view answer);
theater_outcome theater_cancel_request(uint64_t request);

// Channels: messages both ways, in order, until either side closes it or ends.
typedef struct {
  bool failed;
  theater_view error;   // if failed
  uint64_t channel;     // if not
  theater_option said;  // likewise: by the other side, when it accepted
} theater_channel_outcome;
theater_channel_outcome theater_open_channel(theater_view target, theater_view message);
theater_channel_outcome theater_open_channel_within(theater_view target, theater_view message, uint64_t timeout_ns);
theater_outcome theater_send_on_channel(uint64_t channel, theater_view message);
theater_outcome theater_close_channel(uint64_t channel);

// Handler `rpc`: calls a function that another actor exports by THEATER_CALLABLE and whose manifest grants that. Waits
// as theater_request() does.
theater_request_outcome theater_call(theater_view target, theater_view function, theater_view args);
theater_request_outcome theater_call_within(theater_view target, theater_view function, theater_view args,
                                            uint64_t timeout_ns);

// Handler `timer`. A tick calls what THEATER_HANDLE_TICK names.
typedef struct {
  bool failed;
  theater_view error;  // if failed
  uint64_t number;     // if not
} theater_number_outcome;
theater_number_outcome theater_set_interval_ns(uint64_t period_ns, theater_view data);
theater_number_outcome theater_set_once_ns(uint64_t delay_ns, theater_view data);
theater_outcome theater_cancel_timer(uint64_t timer);
size_t theater_timers(const uint64_t **timers);

// Handler `names`.
theater_outcome theater_register(theater_view name);
theater_outcome theater_unregister(theater_view name);
theater_option theater_whereis(theater_view name);  // the actor's id

// An answer that may be absent.
typedef struct {
  bool failed;
  theater_view error;    // if failed
  theater_option value;  // if not
} theater_option_outcome;

// Handler `environment`: the node's variables that the manifest names.
theater_option_outcome theater_variable(theater_view name);
size_t theater_variables(const theater_view **names);  // those that are granted and set

// Handler `supervisor`: children, by OTP's rules. A child is called by the id of its specification; those of a
// simple_one_for_one supervisor by their actor ids.
typedef enum { THEATER_PERMANENT, THEATER_TRANSIENT, THEATER_TEMPORARY } theater_restart;
typedef enum { THEATER_DEFAULT_SHUTDOWN, THEATER_BRUTAL_KILL, THEATER_TIMEOUT, THEATER_INFINITY } theater_shutdown_kind;
typedef struct {
  theater_view id;
  theater_view manifest;   // TOML; grants no more than this actor has
  theater_option package;  // absent: one that this actor or a child has, named by the manifest as "sha256:…"
  theater_option state;    // absent: the manifest's initial_state
  theater_restart restart;
  theater_shutdown_kind shutdown;
  uint64_t shutdown_ms;  // of THEATER_TIMEOUT
} theater_child_spec;
theater_outcome theater_spawn(const theater_child_spec *spec);  // the value is the child's actor id
// Starts a child that isn't restarted, and waits for its end: the answer is its last word.
theater_option_outcome theater_spawn_and_wait(const theater_child_spec *spec);
theater_option_outcome theater_spawn_and_wait_within(const theater_child_spec *spec, uint64_t timeout_ns);
theater_outcome theater_start_child(theater_option state);  // of simple_one_for_one
theater_outcome theater_restart_child(theater_view child);
theater_outcome theater_resume_child(theater_view child, theater_view state);
theater_outcome theater_stop_child(theater_view child);
theater_outcome theater_delete_child(theater_view child);
typedef enum {
  THEATER_CHILD_UNDEFINED,
  THEATER_CHILD_STARTING,
  THEATER_CHILD_RUNNING,
  THEATER_CHILD_RESTARTING,
  THEATER_CHILD_STOPPING
} theater_child_state;
typedef struct {
  theater_view id;
  theater_option actor;  // its actor id, while it runs
  theater_child_state state;
} theater_child;
size_t theater_children(const theater_child **children);
theater_option_outcome theater_child_state_of(theater_view child);
theater_outcome theater_subscribe_to_child(theater_view child);
theater_outcome theater_unsubscribe_from_child(theater_view child);

// Handler `links`: a link shares an actor's end, a monitor tells of it. A target is an actor's id or a registered name.
theater_outcome theater_link(theater_view target);
theater_outcome theater_unlink(theater_view target);
theater_number_outcome theater_monitor(theater_view target);
bool theater_demonitor(uint64_t monitor);

// --- Exports. Each macro stands once in the whole actor, at file scope, after the function that it names. ---

// Used by the macros only: puts an answer where the host reads it, and ends the call.
void *theater_return_state_(theater_answer answer);
void *theater_return_state_and_reply_(theater_answer answer);
void *theater_return_state_and_acceptance_(theater_answer answer);
void theater_end_call_(void);

#ifdef __cplusplus
}
#define THEATER_EXTERN_C_ extern "C"
#else
#define THEATER_EXTERN_C_
// --- What the host tells an actor of its own accord ---

#define THEATER_CALLBACK_(name, identifier, parameters, call)                                         \
  THEATER_EXPORT_("theater:simple/" name)                                                             \
  void *theater_export_##identifier##_ parameters {                                                   \
    theater_option option = {present != 0, {state, state_size}};                                      \
    return theater_return_state_(call);                                                               \
  }                                                                                                   \
  THEATER_EXPORT_("cabi_post_theater:simple/" name) void theater_post_##identifier##_(void *answer) { \
    (void)answer;                                                                                     \
    theater_end_call_();                                                                              \
  }

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_view why)
#define THEATER_HANDLE_CHILD_ERROR(function)                                                                      \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-error", child_error,                                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, const char *why, size_t why_size),                     \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             theater_bytes(why, why_size)))

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_option last_word)
#define THEATER_HANDLE_CHILD_EXIT(function)                                                                       \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-exit", child_exit,                                      \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, int32_t has_word, const char *word, size_t word_size), \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             has_word != 0 ? theater_some(theater_bytes(word, word_size)) : theater_none()))

// theater_answer function(theater_option state, theater_view child, theater_view actor)
#define THEATER_HANDLE_CHILD_EXTERNAL_STOP(function)                                                              \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-external-stop", child_external_stop,                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size),                                                       \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size)))

// theater_answer function(theater_option state, theater_view actor, uint64_t sequence, theater_view type,
//                         theater_view event, uint64_t lost)
#define THEATER_HANDLE_CHILD_EVENT(function)                                                                           \
  THEATER_CALLBACK_(                                                                                                   \
      "supervisor-client@0.1.0#handle-child-event", child_event,                                                       \
      (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, uint64_t sequence, \
       const char *type, size_t type_size, const char *event, size_t event_size, uint64_t lost),                       \
      function(option, theater_bytes(actor, actor_size), sequence, theater_bytes(type, type_size),                     \
               theater_bytes(event, event_size), lost))

// theater_answer function(theater_option state, theater_view actor, theater_view why): a linked actor has ended.
// Whoever has this isn't killed by links.
#define THEATER_HANDLE_EXIT(function)                                                                             \
  THEATER_CALLBACK_("links-client@0.1.0#handle-exit", exit,                                                       \
                    (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, \
                     const char *why, size_t why_size),                                                           \
                    function(option, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))

// theater_answer function(theater_option state, uint64_t monitor, theater_view actor, theater_view why)
#define THEATER_HANDLE_DOWN(function)                                                                            \
  THEATER_CALLBACK_("links-client@0.1.0#handle-down", down,                                                      \
                    (int32_t present, const char *state, size_t state_size, uint64_t monitor, const char *actor, \
                     size_t actor_size, const char *why, size_t why_size),                                       \
                    function(option, monitor, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))

#endif

#define THEATER_EXPORT_(name) THEATER_EXTERN_C_ __attribute__((export_name(name), used, visibility("default")))

// theater_answer function(theater_option state, theater_view self): the first call of the actor's life. Every actor has
// it. `state` is the manifest's `initial_state`, `self` the actor's id.
#define THEATER_INIT(function)                                                                         \
  THEATER_EXPORT_("theater:simple/actor@0.1.0#init")                                                   \
  void *theater_export_init_(int32_t present, const char *state, size_t state_size, const char *self,  \
                             size_t self_size) {                                                       \
    theater_option option = {present != 0, {state, state_size}};                                       \
    return theater_return_state_(function(option, theater_bytes(self, self_size)));                    \
  }                                                                                                    \
  THEATER_EXPORT_("cabi_post_theater:simple/actor@0.1.0#init") void theater_post_init_(void *answer) { \
    (void)answer;                                                                                      \
    theater_end_call_();                                                                               \
  }

// theater_answer function(theater_option state, theater_view sender, theater_view message): a message that expects no
// answer. `sender` is an actor's id, or `operator`.
#define THEATER_HANDLE_SEND(function)                                                                   \
  THEATER_EXPORT_("theater:simple/message-server-client@0.1.0#handle-send")                             \
  void *theater_export_send_(int32_t present, const char *state, size_t state_size, const char *sender, \
                             size_t sender_size, const char *message, size_t message_size) {            \
    theater_option option = {present != 0, {state, state_size}};                                        \
    return theater_return_state_(                                                                       \
        function(option, theater_bytes(sender, sender_size), theater_bytes(message, message_size)));    \
  }                                                                                                     \
  THEATER_EXPORT_("cabi_post_theater:simple/message-server-client@0.1.0#handle-send")                   \
  void theater_post_send_(void *answer) {                                                               \
    (void)answer;                                                                                       \
    theater_end_call_();                                                                                \
  }

// The same for a message that expects an answer: return theater_reply(state, reply).
#define THEATER_HANDLE_REQUEST(function)                                                                   \
  THEATER_EXPORT_("theater:simple/message-server-client@0.1.0#handle-request")                             \
  void *theater_export_request_(int32_t present, const char *state, size_t state_size, const char *sender, \
                                size_t sender_size, const char *message, size_t message_size) {            \
    theater_option option = {present != 0, {state, state_size}};                                           \
    return theater_return_state_and_reply_(                                                                \
        function(option, theater_bytes(sender, sender_size), theater_bytes(message, message_size)));       \
  }                                                                                                        \
  THEATER_EXPORT_("cabi_post_theater:simple/message-server-client@0.1.0#handle-request")                   \
  void theater_post_request_(void *answer) {                                                               \
    (void)answer;                                                                                          \
    theater_end_call_();                                                                                   \
  }

// --- What the host tells an actor of its own accord ---

#define THEATER_CALLBACK_(name, identifier, parameters, call)                                         \
  THEATER_EXPORT_("theater:simple/" name)                                                             \
  void *theater_export_##identifier##_ parameters {                                                   \
    theater_option option = {present != 0, {state, state_size}};                                      \
    return theater_return_state_(call);                                                               \
  }                                                                                                   \
  THEATER_EXPORT_("cabi_post_theater:simple/" name) void theater_post_##identifier##_(void *answer) { \
    (void)answer;                                                                                     \
    theater_end_call_();                                                                              \
  }

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_view why)
#define THEATER_HANDLE_CHILD_ERROR(function)                                                                      \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-error", child_error,                                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, const char *why, size_t why_size),                     \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             theater_bytes(why, why_size)))

// theater_answer function(theater_option state, theater_view child, theater_view actor, theater_option last_word)
#define THEATER_HANDLE_CHILD_EXIT(function)                                                                       \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-exit", child_exit,                                      \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size, int32_t has_word, const char *word, size_t word_size), \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size),          \
                             has_word != 0 ? theater_some(theater_bytes(word, word_size)) : theater_none()))

// theater_answer function(theater_option state, theater_view child, theater_view actor)
#define THEATER_HANDLE_CHILD_EXTERNAL_STOP(function)                                                              \
  THEATER_CALLBACK_("supervisor-client@0.1.0#handle-child-external-stop", child_external_stop,                    \
                    (int32_t present, const char *state, size_t state_size, const char *child, size_t child_size, \
                     const char *actor, size_t actor_size),                                                       \
                    function(option, theater_bytes(child, child_size), theater_bytes(actor, actor_size)))

// theater_answer function(theater_option state, theater_view actor, uint64_t sequence, theater_view type,
//                         theater_view event, uint64_t lost)
#define THEATER_HANDLE_CHILD_EVENT(function)                                                                           \
  THEATER_CALLBACK_(                                                                                                   \
      "supervisor-client@0.1.0#handle-child-event", child_event,                                                       \
      (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, uint64_t sequence, \
       const char *type, size_t type_size, const char *event, size_t event_size, uint64_t lost),                       \
      function(option, theater_bytes(actor, actor_size), sequence, theater_bytes(type, type_size),                     \
               theater_bytes(event, event_size), lost))

// theater_answer function(theater_option state, theater_view actor, theater_view why): a linked actor has ended.
// Whoever has this isn't killed by links.
#define THEATER_HANDLE_EXIT(function)                                                                             \
  THEATER_CALLBACK_("links-client@0.1.0#handle-exit", exit,                                                       \
                    (int32_t present, const char *state, size_t state_size, const char *actor, size_t actor_size, \
                     const char *why, size_t why_size),                                                           \
                    function(option, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))

// theater_answer function(theater_option state, uint64_t monitor, theater_view actor, theater_view why)
#define THEATER_HANDLE_DOWN(function)                                                                            \
  THEATER_CALLBACK_("links-client@0.1.0#handle-down", down,                                                      \
                    (int32_t present, const char *state, size_t state_size, uint64_t monitor, const char *actor, \
                     size_t actor_size, const char *why, size_t why_size),                                       \
                    function(option, monitor, theater_bytes(actor, actor_size), theater_bytes(why, why_size)))
// theater_answer function(theater_option state, uint64_t timer, theater_view data): a timer is due. `timer` is its
// number, `data` what it was set with.
#define THEATER_HANDLE_TICK(function)                                                                                 \
  THEATER_EXPORT_("theater:simple/timer-client@0.1.0#handle-tick")                                                    \
  void *theater_export_tick_(int32_t present, const char *state, size_t state_size, uint64_t timer, const char *data, \
                             size_t data_size) {                                                                      \
    theater_option option = {present != 0, {state, state_size}};                                                      \
    return theater_return_state_(function(option, timer, theater_bytes(data, data_size)));                            \
  }                                                                                                                   \
  THEATER_EXPORT_("cabi_post_theater:simple/timer-client@0.1.0#handle-tick") void theater_post_tick_(void *answer) {  \
    (void)answer;                                                                                                     \
    theater_end_call_();                                                                                              \
  }

// theater_answer function(theater_option state, theater_view opener, uint64_t channel, theater_view message): somebody
// wants a channel. Return theater_accept() or theater_refuse(). Use the channel's number when this has returned.
#define THEATER_HANDLE_CHANNEL_OPEN(function)                                                                          \
  THEATER_EXPORT_("theater:simple/message-server-client@0.1.0#handle-channel-open")                                    \
  void *theater_export_channel_open_(int32_t present, const char *state, size_t state_size, const char *opener,        \
                                     size_t opener_size, uint64_t channel, const char *message, size_t message_size) { \
    theater_option option = {present != 0, {state, state_size}};                                                       \
    return theater_return_state_and_acceptance_(                                                                       \
        function(option, theater_bytes(opener, opener_size), channel, theater_bytes(message, message_size)));          \
  }                                                                                                                    \
  THEATER_EXPORT_("cabi_post_theater:simple/message-server-client@0.1.0#handle-channel-open")                          \
  void theater_post_channel_open_(void *answer) {                                                                      \
    (void)answer;                                                                                                      \
    theater_end_call_();                                                                                               \
  }

// theater_answer function(theater_option state, uint64_t channel, theater_view message): a message on a channel.
#define THEATER_HANDLE_CHANNEL_MESSAGE(function)                                                                 \
  THEATER_EXPORT_("theater:simple/message-server-client@0.1.0#handle-channel-message")                           \
  void *theater_export_channel_message_(int32_t present, const char *state, size_t state_size, uint64_t channel, \
                                        const char *message, size_t message_size) {                              \
    theater_option option = {present != 0, {state, state_size}};                                                 \
    return theater_return_state_(function(option, channel, theater_bytes(message, message_size)));               \
  }                                                                                                              \
  THEATER_EXPORT_("cabi_post_theater:simple/message-server-client@0.1.0#handle-channel-message")                 \
  void theater_post_channel_message_(void *answer) {                                                             \
    (void)answer;                                                                                                \
    theater_end_call_();                                                                                         \
  }

// theater_answer function(theater_option state, uint64_t channel, theater_view reason): the other side closed it, or
// ended.
#define THEATER_HANDLE_CHANNEL_CLOSE(function)                                                                 \
  THEATER_EXPORT_("theater:simple/message-server-client@0.1.0#handle-channel-close")                           \
  void *theater_export_channel_close_(int32_t present, const char *state, size_t state_size, uint64_t channel, \
                                      const char *reason, size_t reason_size) {                                \
    theater_option option = {present != 0, {state, state_size}};                                               \
    return theater_return_state_(function(option, channel, theater_bytes(reason, reason_size)));               \
  }                                                                                                            \
  THEATER_EXPORT_("cabi_post_theater:simple/message-server-client@0.1.0#handle-channel-close")                 \
  void theater_post_channel_close_(void *answer) {                                                             \
    (void)answer;                                                                                              \
    theater_end_call_();                                                                                       \
  }

// theater_answer function(theater_option state, theater_view args): what `rpc` may call under `name`, a literal
// "INTERFACE#FUNCTION" like "my:shop/till@1.0.0#sell". May stand more than once, for other functions.
#define THEATER_CALLABLE(name, function)                                                                      \
  THEATER_EXPORT_(name)                                                                                       \
  void *theater_export_##function##_(int32_t present, const char *state, size_t state_size, const char *args, \
                                     size_t args_size) {                                                      \
    theater_option option = {present != 0, {state, state_size}};                                              \
    return theater_return_state_and_reply_(function(option, theater_bytes(args, args_size)));                 \
  }                                                                                                           \
  THEATER_EXPORT_("cabi_post_" name) void theater_post_##function##_(void *answer) {                          \
    (void)answer;                                                                                             \
    theater_end_call_();                                                                                      \
  }

#endif
