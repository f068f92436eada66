#include "theater.h"

#include <stdlib.h>

#include "theater_import.h"

// --- Memory until the end of the call: a list of blocks ---

typedef struct block {
  struct block *previous;
  struct block *next;
  // The content follows, aligned to 16 bytes.
} block;

enum { kHeaderSize = 16, kAlignmentMax = 16 };
_Static_assert(sizeof(block) <= kHeaderSize, "the header of a block must fit");

static block blocks = {&blocks, &blocks};

static void *content_of(block *b) { return (char *)b + kHeaderSize; }
static block *block_of(void *content) { return (block *)((char *)content - kHeaderSize); }

// Also moves: `old` is NULL or a block that is in the list.
static void *resize(block *old, size_t size) {
  if (size > SIZE_MAX - kHeaderSize) __builtin_trap();
  block *b = realloc(old, size + kHeaderSize);
  if (b == NULL) __builtin_trap();
  if (old == NULL) {
    b->previous = &blocks;
    b->next = blocks.next;
  }
  b->previous->next = b;
  b->next->previous = b;
  return content_of(b);
}

void *theater_alloc(size_t size) { return resize(NULL, size); }

theater_view theater_copy(const void *data, size_t size) {
  void *copy = theater_alloc(size);
  if (size > 0) memcpy(copy, data, size);
  return theater_bytes(copy, size);
}

void theater_end_call_(void) {
  block *b = blocks.next;
  while (b != &blocks) {
    block *next = b->next;
    free(b);
    b = next;
  }
  blocks.previous = blocks.next = &blocks;
}

// The host asks for memory for what it passes in.
__attribute__((export_name("cabi_realloc"), used)) void *theater_cabi_realloc_(void *old, size_t old_size,
                                                                               size_t alignment, size_t size) {
  if (alignment > kAlignmentMax) __builtin_trap();
  if (size == 0) return (void *)alignment;
  return resize(old_size == 0 ? NULL : block_of(old), size);
}

// --- Answers, as the canonical ABI lays them out ---

typedef struct {
  uint32_t tag;  // 0 ok, 1 error
  union {
    theater_view error;
    struct {
      uint32_t state_present;
      theater_view state;
      uint32_t reply_present;
      theater_view reply;
    } ok;
  } as;
} return_area;

static return_area returned;

void *theater_return_state_and_reply_(theater_answer answer) {
  returned.tag = answer.failed;
  if (answer.failed) {
    returned.as.error = answer.error;
  } else {
    returned.as.ok.state_present = answer.state.present;
    returned.as.ok.state = answer.state.bytes;
    returned.as.ok.reply_present = answer.reply.present;
    returned.as.ok.reply = answer.reply.bytes;
  }
  return &returned;
}

// The first three fields are all that a function without a reply returns.
void *theater_return_state_(theater_answer answer) { return theater_return_state_and_reply_(answer); }

void *theater_return_state_and_acceptance_(theater_answer answer) {
  static struct {
    uint32_t tag;
    union {
      theater_view error;
      struct {
        uint32_t state_present;
        theater_view state;
        uint32_t accepted;
        uint32_t said_present;
        theater_view said;
      } ok;
    } as;
  } area;
  area.tag = answer.failed;
  if (answer.failed) {
    area.as.error = answer.error;
  } else {
    area.as.ok.state_present = answer.state.present;
    area.as.ok.state = answer.state.bytes;
    area.as.ok.accepted = answer.accepted;
    area.as.ok.said_present = answer.reply.present;
    area.as.ok.said = answer.reply.bytes;
  }
  return &area;
}

// --- Host functions ---

IMPORT("runtime", "log") void import_log(const char *text, size_t size);
IMPORT("runtime", "get-self") void import_get_self(theater_view *result);
IMPORT("runtime", "get-chain-head") void import_get_chain_head(tagged_view *result);
IMPORT("runtime", "shutdown") void import_shutdown(int32_t present, const char *data, size_t size, tagged_view *result);
IMPORT("timing", "now") uint64_t import_now(void);
IMPORT("timing", "sleep") void import_sleep(uint64_t duration_ns, tagged_view *result);
IMPORT("random", "bytes") void import_random_bytes(uint32_t size, tagged_view *result);
IMPORT("random", "u64") uint64_t import_random_u64(void);

IMPORT("message-server-host", "send")
void import_send(const char *target, size_t target_size, const void *data, size_t size, tagged_view *result);
IMPORT("message-server-host", "request")
void import_request(const char *target, size_t target_size, const void *data, size_t size, int32_t has_timeout,
                    uint64_t timeout_ns, void *result);
IMPORT("message-server-host", "current-request") void import_current_request(void *result);
IMPORT("message-server-host", "list-outstanding-requests") void import_outstanding_requests(void *result);
IMPORT("message-server-host", "respond-to-request")
void import_respond(uint64_t request, const void *data, size_t size, tagged_view *result);
IMPORT("message-server-host", "cancel-request") void import_cancel_request(uint64_t request, tagged_view *result);
IMPORT("environment", "get") void import_variable(const char *name, size_t size, void *result);
IMPORT("environment", "list") void import_variables(theater_view *result);
IMPORT("message-server-host", "open-channel")
void import_open_channel(const char *target, size_t target_size, const void *data, size_t size, int32_t has_timeout,
                         uint64_t timeout_ns, void *result);
IMPORT("message-server-host", "send-on-channel")
void import_send_on_channel(uint64_t channel, const void *data, size_t size, tagged_view *result);
IMPORT("message-server-host", "close-channel") void import_close_channel(uint64_t channel, tagged_view *result);
IMPORT("rpc", "call")
void import_call(const char *target, size_t target_size, const char *function, size_t function_size, const void *data,
                 size_t size, int32_t has_timeout, uint64_t timeout_ns, void *result);
IMPORT("timer", "set-interval")
void import_set_interval(uint64_t period_ns, const void *data, size_t size, void *result);
IMPORT("timer", "set-once") void import_set_once(uint64_t delay_ns, const void *data, size_t size, void *result);
IMPORT("timer", "cancel") void import_cancel_timer(uint64_t timer, tagged_view *result);
IMPORT("timer", "list") void import_timers(void *result);
IMPORT("names", "register") void import_register(const char *name, size_t size, tagged_view *result);
IMPORT("names", "unregister") void import_unregister(const char *name, size_t size, tagged_view *result);
IMPORT("names", "whereis") void import_whereis(const char *name, size_t size, tagged_view *result);

#define SPEC_PARAMETERS                                                                                  \
  const char *id, size_t id_size, const char *manifest, size_t manifest_size, int32_t has_package,       \
      const char *package, size_t package_size, int32_t has_state, const char *state, size_t state_size, \
      int32_t restart, int32_t has_shutdown, int32_t shutdown, uint64_t shutdown_ms
IMPORT("supervisor", "spawn") void import_spawn(SPEC_PARAMETERS, tagged_view *result);
IMPORT("supervisor", "spawn-and-wait")
void import_spawn_and_wait(SPEC_PARAMETERS, int32_t has_timeout, uint64_t timeout_ns, void *result);
IMPORT("supervisor", "start-child")
void import_start_child(int32_t present, const char *state, size_t size, tagged_view *result);
IMPORT("supervisor", "restart-child") void import_restart_child(const char *child, size_t size, tagged_view *result);
IMPORT("supervisor", "resume")
void import_resume_child(const char *child, size_t child_size, const char *state, size_t size, tagged_view *result);
IMPORT("supervisor", "stop-child") void import_stop_child(const char *child, size_t size, tagged_view *result);
IMPORT("supervisor", "delete-child") void import_delete_child(const char *child, size_t size, tagged_view *result);
IMPORT("supervisor", "list-children") void import_children(void *result);
IMPORT("supervisor", "get-child-state") void import_child_state(const char *child, size_t size, void *result);
IMPORT("supervisor", "subscribe-to-child") void import_subscribe(const char *child, size_t size, tagged_view *result);
IMPORT("supervisor", "unsubscribe-from-child")
void import_unsubscribe(const char *child, size_t size, tagged_view *result);
IMPORT("links", "link") void import_link(const char *target, size_t size, tagged_view *result);
IMPORT("links", "unlink") void import_unlink(const char *target, size_t size, tagged_view *result);
IMPORT("links", "monitor") void import_monitor(const char *target, size_t size, void *result);
IMPORT("links", "demonitor") int32_t import_demonitor(uint64_t monitor);

void theater_log(const char *zero_terminated) { import_log(zero_terminated, strlen(zero_terminated)); }

void theater_log_view(theater_view message) { import_log(message.data, message.size); }

theater_view theater_self(void) {
  theater_view id;
  import_get_self(&id);
  return id;
}

theater_option theater_chain_head(void) {
  tagged_view result;
  import_get_chain_head(&result);
  return (result.tag & 0xff) != 0 ? theater_some(result.content) : theater_none();
}

theater_outcome theater_shutdown(theater_option data) {
  tagged_view result;
  import_shutdown(data.present, data.bytes.data, data.bytes.size, &result);
  return outcome_of(&result, false);
}

uint64_t theater_now_ns(void) { return import_now(); }

theater_outcome theater_sleep_ns(uint64_t duration_ns) {
  tagged_view result;
  import_sleep(duration_ns, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_random_bytes(uint32_t size) {
  tagged_view result;
  import_random_bytes(size, &result);
  return outcome_of(&result, true);
}

uint64_t theater_random_u64(void) { return import_random_u64(); }

theater_outcome theater_send(theater_view target, theater_view message) {
  tagged_view result;
  import_send(target.data, target.size, message.data, message.size, &result);
  return outcome_of(&result, false);
}

static theater_request_outcome request_outcome_of(const tagged_option *result) {
  const theater_option_outcome answer = option_outcome_of(result);
  theater_request_outcome outcome = {answer.failed, answer.error, answer.value};
  return outcome;
}

static theater_request_outcome request(theater_view target, theater_view message, bool has_timeout,
                                       uint64_t timeout_ns) {
  tagged_option result;
  import_request(target.data, target.size, message.data, message.size, has_timeout, timeout_ns, &result);
  return request_outcome_of(&result);
}

static theater_request_outcome call(theater_view target, theater_view function, theater_view args, bool has_timeout,
                                    uint64_t timeout_ns) {
  tagged_option result;
  import_call(target.data, target.size, function.data, function.size, args.data, args.size, has_timeout, timeout_ns,
              &result);
  return request_outcome_of(&result);
}

theater_request_outcome theater_call(theater_view target, theater_view function, theater_view args) {
  return call(target, function, args, false, 0);
}

theater_request_outcome theater_call_within(theater_view target, theater_view function, theater_view args,
                                            uint64_t timeout_ns) {
  return call(target, function, args, true, timeout_ns);
}

theater_request_outcome theater_request(theater_view target, theater_view message) {
  return request(target, message, false, 0);
}

theater_request_outcome theater_request_within(theater_view target, theater_view message, uint64_t timeout_ns) {
  return request(target, message, true, timeout_ns);
}

bool theater_current_request(uint64_t *number) {
  struct {
    uint32_t tag;
    uint64_t number;
  } result;
  import_current_request(&result);
  *number = result.number;
  return (result.tag & 0xff) != 0;
}

size_t theater_outstanding_requests(const uint64_t **requests) {
  theater_view list;
  import_outstanding_requests(&list);
  *requests = (const uint64_t *)(const void *)list.data;
  return list.size;
}

theater_outcome theater_respond(uint64_t number, theater_view answer) {
  tagged_view result;
  import_respond(number, answer.data, answer.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_cancel_request(uint64_t number) {
  tagged_view result;
  import_cancel_request(number, &result);
  return outcome_of(&result, false);
}

static theater_channel_outcome open_channel(theater_view target, theater_view message, bool has_timeout,
                                            uint64_t timeout_ns) {
  struct {
    uint64_t tag;  // one byte, and seven that are undefined
    union {
      theater_view error;
      struct {
        uint64_t channel;
        tagged_view said;
      } ok;
    } as;
  } result;
  import_open_channel(target.data, target.size, message.data, message.size, has_timeout, timeout_ns, &result);
  theater_channel_outcome outcome = {(result.tag & 0xff) != 0, {NULL, 0}, 0, theater_none()};
  if (outcome.failed) {
    outcome.error = result.as.error;
  } else {
    outcome.channel = result.as.ok.channel;
    if ((result.as.ok.said.tag & 0xff) != 0) outcome.said = theater_some(result.as.ok.said.content);
  }
  return outcome;
}

theater_channel_outcome theater_open_channel(theater_view target, theater_view message) {
  return open_channel(target, message, false, 0);
}

theater_channel_outcome theater_open_channel_within(theater_view target, theater_view message, uint64_t timeout_ns) {
  return open_channel(target, message, true, timeout_ns);
}

theater_outcome theater_send_on_channel(uint64_t channel, theater_view message) {
  tagged_view result;
  import_send_on_channel(channel, message.data, message.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_close_channel(uint64_t channel) {
  tagged_view result;
  import_close_channel(channel, &result);
  return outcome_of(&result, false);
}

// result<u64, string>
typedef struct {
  uint64_t tag;  // one byte, and seven that are undefined
  union {
    theater_view error;
    uint64_t number;
  } as;
} tagged_number;

static theater_number_outcome number_of(const tagged_number *result) {
  theater_number_outcome outcome = {(result->tag & 0xff) != 0, {NULL, 0}, 0};
  if (outcome.failed) {
    outcome.error = result->as.error;
  } else {
    outcome.number = result->as.number;
  }
  return outcome;
}

theater_number_outcome theater_set_interval_ns(uint64_t period_ns, theater_view data) {
  tagged_number result;
  import_set_interval(period_ns, data.data, data.size, &result);
  return number_of(&result);
}

theater_number_outcome theater_set_once_ns(uint64_t delay_ns, theater_view data) {
  tagged_number result;
  import_set_once(delay_ns, data.data, data.size, &result);
  return number_of(&result);
}

theater_outcome theater_cancel_timer(uint64_t timer) {
  tagged_view result;
  import_cancel_timer(timer, &result);
  return outcome_of(&result, false);
}

size_t theater_timers(const uint64_t **timers) {
  theater_view list;
  import_timers(&list);
  *timers = (const uint64_t *)(const void *)list.data;
  return list.size;
}

theater_outcome theater_register(theater_view name) {
  tagged_view result;
  import_register(name.data, name.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_unregister(theater_view name) {
  tagged_view result;
  import_unregister(name.data, name.size, &result);
  return outcome_of(&result, false);
}

theater_option theater_whereis(theater_view name) {
  tagged_view result;
  import_whereis(name.data, name.size, &result);
  return (result.tag & 0xff) != 0 ? theater_some(result.content) : theater_none();
}

theater_option_outcome theater_variable(theater_view name) {
  tagged_option result;
  import_variable(name.data, name.size, &result);
  return option_outcome_of(&result);
}

size_t theater_variables(const theater_view **names) {
  theater_view list;
  import_variables(&list);
  *names = (const theater_view *)(const void *)list.data;
  return list.size;
}

#define SPEC_ARGUMENTS(spec)                                                                                   \
  (spec)->id.data, (spec)->id.size, (spec)->manifest.data, (spec)->manifest.size, (spec)->package.present,     \
      (spec)->package.bytes.data, (spec)->package.bytes.size, (spec)->state.present, (spec)->state.bytes.data, \
      (spec)->state.bytes.size, (int32_t)(spec)->restart, (spec)->shutdown != THEATER_DEFAULT_SHUTDOWN,        \
      (spec)->shutdown == THEATER_DEFAULT_SHUTDOWN ? 0 : (int32_t)(spec)->shutdown - 1,                        \
      (spec)->shutdown == THEATER_TIMEOUT ? (spec)->shutdown_ms : 0

theater_outcome theater_spawn(const theater_child_spec *spec) {
  tagged_view result;
  import_spawn(SPEC_ARGUMENTS(spec), &result);
  return outcome_of(&result, true);
}

theater_option_outcome theater_spawn_and_wait(const theater_child_spec *spec) {
  tagged_option result;
  import_spawn_and_wait(SPEC_ARGUMENTS(spec), 0, 0, &result);
  return option_outcome_of(&result);
}

theater_option_outcome theater_spawn_and_wait_within(const theater_child_spec *spec, uint64_t timeout_ns) {
  tagged_option result;
  import_spawn_and_wait(SPEC_ARGUMENTS(spec), 1, timeout_ns, &result);
  return option_outcome_of(&result);
}

theater_outcome theater_start_child(theater_option state) {
  tagged_view result;
  import_start_child(state.present, state.bytes.data, state.bytes.size, &result);
  return outcome_of(&result, true);
}

theater_outcome theater_restart_child(theater_view child) {
  tagged_view result;
  import_restart_child(child.data, child.size, &result);
  return outcome_of(&result, true);
}

theater_outcome theater_resume_child(theater_view child, theater_view state) {
  tagged_view result;
  import_resume_child(child.data, child.size, state.data, state.size, &result);
  return outcome_of(&result, true);
}

theater_outcome theater_stop_child(theater_view child) {
  tagged_view result;
  import_stop_child(child.data, child.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_delete_child(theater_view child) {
  tagged_view result;
  import_delete_child(child.data, child.size, &result);
  return outcome_of(&result, false);
}

size_t theater_children(const theater_child **children) {
  // As the canonical ABI lays out a record of a string, an option of a string and an enum.
  typedef struct {
    theater_view id;
    tagged_view actor;
    uint32_t state;
  } item;
  struct {
    const item *data;
    size_t size;
  } list;
  import_children(&list);
  theater_child *all = theater_alloc(list.size * sizeof(theater_child));
  for (size_t i = 0; i < list.size; i++) {
    all[i].id = list.data[i].id;
    all[i].actor = (list.data[i].actor.tag & 0xff) != 0 ? theater_some(list.data[i].actor.content) : theater_none();
    all[i].state = (theater_child_state)(list.data[i].state & 0xff);
  }
  *children = all;
  return list.size;
}

theater_option_outcome theater_child_state_of(theater_view child) {
  tagged_option result;
  import_child_state(child.data, child.size, &result);
  return option_outcome_of(&result);
}

theater_outcome theater_subscribe_to_child(theater_view child) {
  tagged_view result;
  import_subscribe(child.data, child.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_unsubscribe_from_child(theater_view child) {
  tagged_view result;
  import_unsubscribe(child.data, child.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_link(theater_view target) {
  tagged_view result;
  import_link(target.data, target.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_unlink(theater_view target) {
  tagged_view result;
  import_unlink(target.data, target.size, &result);
  return outcome_of(&result, false);
}

theater_number_outcome theater_monitor(theater_view target) {
  tagged_number result;
  import_monitor(target.data, target.size, &result);
  return number_of(&result);
}

bool theater_demonitor(uint64_t monitor) { return import_demonitor(monitor) != 0; }

// --- Decimal numbers ---

bool theater_parse_u64(theater_view text, uint64_t *value) {
  uint64_t sum = 0;
  if (text.size == 0) return false;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9') return false;
    if (__builtin_mul_overflow(sum, 10u, &sum)) return false;
    if (__builtin_add_overflow(sum, (uint64_t)(text.data[i] - '0'), &sum)) return false;
  }
  *value = sum;
  return true;
}

theater_view theater_format_u64(uint64_t value) {
  char digits[20];
  size_t start = sizeof digits;
  do {
    digits[--start] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return theater_copy(digits + start, sizeof digits - start);
}
