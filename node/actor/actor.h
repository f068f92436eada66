// One actor's life: the record that stays small, and the state machine that drives its guest.
//
//   birth → genesis → (_initialize, init, then message after message) → terminal event → ended
//
// An actor that has nothing to do gives up its instance after a while, keeps its state, and says so on its chain; what
// comes next brings it back with another `_initialize` (actor_rest.cc).
//
// A call into the guest is three things: the event of the call, the run, the event of its result. Whatever has to wait
// (room at a subscriber, a timer, the next message) ends the actor's turn, so that a waiting actor occupies no worker.
//
// Threads: turn(), all of Host and Services, and orders run on the worker that has the actor; nothing else touches its
// chain and its instance. offer(), signal(), post() and info() may be called from any thread and take one short lock.
//
// How it ends: a trap, a deadline or a kill cuts off what runs, and `WasmError` says so with the fuel consumed, so that
// replay stops at the same instruction; stop and the guest's own shutdown let the call finish first. The instance is
// freed at once. If the terminal event finds no room it waits here, and is emitted when there is room, or abandon()
// gives up.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/outbox.h"
#include "node/actor/actor_timers.h"
#include "node/actor/auditors.h"
#include "node/actor/channel.h"
#include "node/actor/directory.h"
#include "node/actor/gate.h"
#include "node/actor/instances.h"
#include "node/actor/life.h"
#include "node/actor/mailbox.h"
#include "node/actor/relations.h"
#include "node/actor/resting.h"
#include "node/actor/signals.h"
#include "node/actor/supervisor.h"
#include "node/actor/throttle.h"
#include "node/chain/audit_links.h"
#include "node/chain/chain.h"
#include "node/handlers/content.h"
#include "node/handlers/handlers.h"
#include "node/runtime/command_queue.h"
#include "node/runtime/counters.h"
#include "node/runtime/io_threads.h"
#include "node/runtime/runtime.h"
#include "node/runtime/scheduler.h"
#include "node/runtime/timers.h"

namespace theater::node {

class Actor;

// Facts on an actor's own chain about limits that didn't end it and that no answer of the host tells of.
inline constexpr std::string_view kFactLimit = "actor/limit";          // the guest asked for more memory than it has
inline constexpr std::string_view kFactThrottled = "actor/throttled";  // a burst of events that it may not have
inline constexpr std::string_view kFactRefused = "actor/refused";      // messages from outside that it doesn't take

// Who is told about an actor's life. Called on workers; only enqueues.
class ActorListener {
 public:
  virtual ~ActorListener() = default;
  // Before genesis: on_born() or not_born() follows. False: the actor is woken when it is worth asking again.
  virtual bool may_be_born(Actor& actor) = 0;
  virtual void not_born(Actor& actor, bool was_allowed) = 0;
  virtual void on_born(Actor& actor, const Hash& package) = 0;              // genesis is emitted
  virtual void on_ended(const ActorInfo& info) = 0;                         // nothing of it will be emitted any more
  virtual void spawn_life(LifeRequest life, Callback<ActorInfo> done) = 0;  // as Runtime::spawn
};

// What all actors of a runtime share. Owned by the runtime and by each of them: a waker on another thread may be the
// last to hold an actor, after the runtime is gone. Clock, randomness and listener are used in turns only.
struct ActorContext : std::enable_shared_from_this<ActorContext> {
  static constexpr size_t kNodeLabelsMax = 100'000;

  explicit ActorContext(size_t workers)
      : counters(workers), timers([this] { commands.wake(); }), scheduler(workers), directory(*this) {}

  Counters counters;
  CommandQueue commands;
  Timers timers;
  Scheduler scheduler;
  Directory directory;
  Instances instances;
  std::atomic<uint64_t> channels{0};  // ever made: the newest one's number
  IoThreads io;
  const std::shared_ptr<Content> content = std::make_shared<Content>();
  Labels labels{kNodeLabelsMax};
  Clock* clock = nullptr;
  Random* random = nullptr;
  ActorListener* listener = nullptr;
  uint64_t passivate_after_ms = 0;  // unless a manifest says otherwise; 0: never
  Log log;                          // may be empty
  std::map<std::string, std::string> environment;
  Auditors auditors;
  std::vector<const HandlerEntry*> handlers;  // in the order of wasm::host_functions()
};

// What is needed until init has returned, and freed then.
struct Birth {
  schema::Genesis genesis;
  std::vector<Blob> blobs;  // package and manifest
  std::optional<Bytes> initial_state;
  Callback<ActorInfo> done;
  bool allowed = false;  // by the listener
};

class Actor final : public Task, private wasm::Host, private Services, private Household {
 public:
  // `module` is null for a supervisor without code. `life` is what it begins with; the recipe stays with supervisors
  // only.
  Actor(std::shared_ptr<ActorContext> context, std::shared_ptr<wasm::Module> module, LifeRequest life,
        std::unique_ptr<Birth> birth);
  // Again, of what was laid down.
  Actor(std::shared_ptr<ActorContext> context, const ActorId& id, Resting resting);
  ~Actor() override;

  const ActorId& id() const { return chain_.id(); }  // from on_begun on
  const std::string& name() const { return manifest_->name; }

  // Into the mailbox, or refused with words.
  Result<void> offer(Message message);
  // The same in two steps, for other actors (mailbox.h). Room that was taken is used or given back.
  Result<Mailbox::Room> reserve_room(const ActorId& sender, size_t bytes, bool again,
                                     const std::function<Mailbox::Waker()>& make_waker);
  void give_back_room(size_t bytes);
  void forget_sender(const ActorId& sender);
  void put(Message message);
  // The host's own calls (signals.h). To an actor that is ending nothing is delivered.
  void signal(Signal signal);
  // The word that the other side of a channel has closed it: behind what it sent, without need of room.
  void put_close(const std::shared_ptr<Channel>& channel, const schema::Origin& origin);
  // Whom it waits for: an answer, or room in a mailbox.
  std::optional<ActorId> waits_on() const;
  // Done on the actor's worker at its next turn. False if too many orders wait.
  using Order = std::function<void(Actor&)>;
  bool post(Order order);
  // The same for what must not be refused, because nobody would ask again: at most a few for each actor that is
  // related.
  void post_always(Order order);
  ActorInfo info() const;
  const Parentage* parent() const { return parent_.get(); }
  void add_to(RuntimeMetrics& metrics) const;  // what is so at the moment

  // Orders.
  void stop(const schema::Origin& origin, const std::string& reason, uint64_t grace_ms);
  void kill(const schema::Origin& origin, const std::string& reason);
  bool is_ending() const { return stop_ || kill_ || phase_ == Phase::kTerminal || phase_ == Phase::kEnded; }
  void abandon_when_terminal();  // gives up on a terminal event, now or as soon as it has to wait
  void when_ended(Callback<ActorInfo> done);
  Chain& chain() { return chain_; }
  // What the host itself does about this actor is an event too, between two of the guest's; `then` runs when it is
  // emitted. `type` is a constant. In turns only; what a chain's end overtakes is dropped.
  void state_fact(std::string_view type, schema::Value value, std::function<void()> then = {});
  void raised() { arm_rest_timer(); }  // by the directory, before anybody else can have it
  // Others want an instance: it is to give its own up early, if it has nothing to do. Any thread, as is the next.
  void ask_to_rest();
  // The time of its newest event, if it could give up its instance now; else 0.
  uint64_t idle_since_ns() const { return idle_since_ns_.load(std::memory_order_relaxed); }

 protected:
  Next turn(Worker& worker) override;

 private:
  Actor(std::shared_ptr<ActorContext> context, std::shared_ptr<const Manifest> manifest,
        std::shared_ptr<wasm::Module> module, std::unique_ptr<const Parentage> parent,
        std::shared_ptr<AuditLinks> links = nullptr);

  enum class Phase : uint8_t { kBirth, kGenesis, kCall, kRunning, kResult, kIdle, kTerminal, kEnded };
  enum class Turn : uint8_t { kChildEvent, kTick, kMessage };
  static constexpr int kTurns = 3;
  enum class HostStep : uint8_t { kBegin, kPrepare, kIntent, kGate, kRun, kOutcome };

  static constexpr size_t kLabelsMax = 1'000;
  static constexpr size_t kOrdersMax = 1'000;
  static constexpr int kMessagesATurn = 32;
  static constexpr int kHostCallsATurn = 1'000;  // fuel doesn't count what the host does

  // actor.cc: the state machine
  Next advance();
  void run_orders();
  bool be_born();
  bool step();  // of the emission in progress; false: wait
  void emitted();
  void too_large();
  void begin_call(const wasm::ExportFunction& function, std::vector<schema::Value> args, schema::Origin origin);
  bool exports(const wasm::ExportFunction& function) const { return module_ != nullptr && module_->exports(function); }
  bool begin_message();
  bool has_due_tick() const;
  std::optional<Signal> due_tick();
  void begin_export(const wasm::ExportFunction& function, std::vector<schema::Value> params, schema::Origin origin);
  void call_returned();
  void call_over(wasm::CallOutcome outcome);
  void result_emitted();
  void answer(std::shared_ptr<Reply> reply, Result<std::optional<Bytes>> result, bool claimed = false);
  schema::Cause newest_event() const { return {id(), chain_.length() - 1, *chain_.head()}; }
  bool has_fact() const;
  bool begin_fact();
  bool step_fact();
  void wait_for_room();
  void room_came();
  Next run_guest();
  void arm_timer();
  void publish();
  const char* reason_of_waiting() const;
  void log(std::string text) const;                                                            // about the newest event
  void count(Count what, uint64_t n = 1) { context_->counters.add(worker_->index, what, n); }  // in turns only

  // actor_audit.cc: who takes its chain
  Result<void> find_auditors();
  void catch_up_with_auditors();

  // actor_gate.cc: what is held until its auditors have it
  void close_gate();
  wasm::HostStatus pass_gate();
  void hold_answer(std::shared_ptr<Reply> reply, Result<std::optional<Bytes>> result, bool claimed);
  void answer_discarded(uint64_t request, uint64_t held_ns);
  struct Held {
    std::shared_ptr<Reply> reply;
    Result<std::optional<Bytes>> result;
    std::shared_ptr<Gate> gate;  // null: not gated, but asked for as durable
    ActorId actor;
    uint64_t request = 0, up_to = 0, began_ns = 0;
    bool claimed = false;
    bool counted = false;  // as held

    ~Held() { no_longer_counts(); }  // perhaps for ever held: its auditor is gone
    void no_longer_counts() {
      if (std::exchange(counted, false)) gate->held.fetch_sub(1, std::memory_order_relaxed);
    }
  };
  static void release(Held& held, ActorContext& context);

  // actor_rest.cc: the instance goes and comes
  uint64_t passivate_after_ms() const;
  bool is_quiet();
  bool begin_rest();
  void decline_rest();
  void drop_instance();
  Result<bool> take_instance();
  bool activate();
  bool may_be_laid_down();
  bool lay_down();
  void look_at_rest_timer();
  void arm_rest_timer();

  // actor_supervise.cc: its children, and whose child it is
  bool supervise();  // false: wait
  void born();
  uint64_t now_ns() const override { return context_->clock->monotonic_ns(); }
  void state(std::string_view type, schema::Value value, std::function<void()> then) override;
  void start_child(LifeRequest life) override;
  void stop_child(const ActorId& life, bool at_once, const std::string& why) override;
  void release_names(const ActorId& life) override { context_->directory.release_names(life); }
  void forget_names(const ActorId& life) override { context_->directory.forget_names(life); }
  std::string hidden(std::string_view text) const override { return chain_.hidden(text); }
  void tell_guest(const ChildInfo& child, const LifeEnd& end) override;
  void leave_family(bool unborn);
  bool has_news_of_children() const;
  std::optional<ChildEvents::Event> next_child_event();
  static Signal signal_of(const ChildEvents::Event& event);
  Supervisor* supervisor() override { return supervisor_.get(); }
  Result<void> may_spawn(const Manifest& child) const override;
  bool is_descendant(const Actor& other) const;
  Result<void> watch_child(const ActorId& child, bool watch) override;
  bool ask_for_state(const ActorId& actor) override;

  // actor_links.cc: links and monitors
  Result<void> relate(size_t more);  // with the lock: room for them
  Result<void> link(std::string_view target) override;
  Result<void> unlink(std::string_view target) override;
  Result<uint64_t> monitor(std::string_view target) override;
  bool demonitor(uint64_t number) override;
  Result<void> reserve_relation();
  void give_back_relation();
  void make_link(Actor& other);
  Result<void> linked_by(const ActorId& other);
  void unlinked_by(const ActorId& other);
  void state_news_of_links();
  Result<void> watched_by(const ActorId& other, uint64_t number);
  void unwatched_by(const ActorId& other, uint64_t number);
  void linked_ended(const LifeEnd& end);
  void watched_ended(uint64_t number, const LifeEnd& end);
  void cut_relations();

  // actor_limits.cc: what is counted
  uint64_t fuel_left() const;
  void out_of_fuel(const wasm::CallOutcome& outcome);
  bool end_if_out_of_fuel();
  bool may_emit();
  bool may_begin_message();
  bool is_throttled() const;
  void state_refused_growth(wasm::CallOutcome outcome);
  void note_refused(const Error& why);
  void state_refused_messages();

  // actor_end.cc: how it ends
  bool cut_off_if_due();
  void cut_off(schema::ErrorKind kind, std::string message, schema::Origin origin);
  void fail(schema::ErrorKind kind, std::string message, uint64_t fuel, bool in_call, schema::Origin origin);
  void note_end(Exit::Kind kind, const schema::Origin& origin);
  void shut_down(std::string reason, std::vector<schema::Value> data, schema::Origin origin);
  void close_mailbox(const Error& why);
  void vanish(Error why);
  void abandon();
  void end();

  // actor_host.cc: Host and Services
  wasm::HostStatus call(wasm::HostCall& call) override;
  wasm::HostStatus resume(wasm::HostCall& call) override;
  const HandlerEntry* handler_of(const wasm::HostFunction& function) const;
  wasm::HostStatus run_function(wasm::HostCall& call);
  wasm::HostStatus emit_on_guest_stack(wasm::HostCall& call);
  uint64_t wall_ns() override { return guest_time_ns_; }
  uint64_t monotonic_ns() override { return guest_time_ns_ - chain_.genesis_time_ns(); }
  const ActorId& self() const override { return chain_.id(); }
  void with_event(std::function<void(bool emitted)> what) override;
  std::optional<Hash> chain_head() const override { return chain_.head(); }
  void log_line(std::string_view text) override;
  void random_bytes(std::span<uint8_t> out) override;
  bool wait_ns(uint64_t duration_ns) override;
  void end_after_call(std::optional<Bytes> data) override;

  // actor_messages.cc: between actors
  Result<void> accepts(const wasm::ExportFunction& function) const;
  Result<void> take_in(Message message);
  Result<const wasm::ExportFunction*> callable(std::string_view name) const;
  Result<std::shared_ptr<Actor>> resolve_other(std::string_view target) const;
  void begin_talk(std::shared_ptr<Actor> to, const wasm::ExportFunction& function, size_t bytes,
                  std::optional<uint64_t> timeout_ns);
  Result<bool> take_room();
  void keep_favour(const std::shared_ptr<Actor>& of);
  bool may_go(Result<bool> has_room);
  void hand_over();
  void drop_talk();
  void drop_with_event();
  std::string waiting_cycle() const;
  std::shared_ptr<Reply> expect_answer();
  void keep_outstanding(std::shared_ptr<Reply> reply);
  Result<bool> send_with_event(std::string_view target, BytesView message) override;
  bool request_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) override;
  bool call_with_event(std::string_view target, std::string_view function, BytesView args,
                       std::optional<uint64_t> timeout_ns) override;
  bool asks() const override { return talk_ != nullptr; }
  std::optional<Result<std::optional<Bytes>>> take_answer() override;
  std::optional<uint64_t> current_request() const override;
  std::vector<uint64_t> outstanding_requests() const override;
  Result<void> answer_with_event(uint64_t request, Result<std::optional<Bytes>> answer) override;

  // actor_channels.cc: likewise
  Result<void> room_for_channel();
  void keep_channel(const std::shared_ptr<Channel>& channel);
  void forget_channel(uint64_t number);
  Result<std::shared_ptr<Channel>> find_channel(uint64_t number) const;
  bool take_up(const Message& message);
  bool has_offer() const { return channels_ != nullptr && channels_->offered != nullptr; }
  void answer_offer(const std::shared_ptr<Reply>& reply, const schema::Value& answer);
  void refuse_offer();
  void close_channel(const std::shared_ptr<Channel>& channel, const std::string& why, const schema::Cause& cause);
  void hand_over_close(const std::shared_ptr<Channel>& channel);
  void end_channels();
  bool open_channel_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) override;
  std::optional<Result<OpenedChannel>> take_channel() override;
  Result<bool> send_on_channel_with_event(uint64_t number, BytesView message) override;
  Result<void> close_channel_with_event(uint64_t number) override;

  Result<uint64_t> set_timer(uint64_t delay_ns, bool repeats, BytesView data) override;
  Result<void> cancel_timer(uint64_t timer) override;
  std::vector<uint64_t> timers() const override;
  Directory& directory() override { return context_->directory; }
  const Manifest& manifest() const override { return *manifest_; }
  std::optional<schema::Value> offload(const std::function<IoJob()>& make_job) override;
  std::optional<schema::Value> await_answer(
      const std::function<void(std::function<void(schema::Value)>)>& start) override;
  std::optional<schema::Value> take_offloaded();
  void drop_offload();
  Content& content() override { return *context_->content; }
  Labels& labels() override;
  bool holds_secret(const std::vector<schema::Value>& values) const override { return chain_.holds_secret(values); }
  const std::string* variable(const std::string& name) const override;
  const ManifestLimits& limits() const { return manifest_->limits; }

  const std::shared_ptr<ActorContext> context_;
  const std::shared_ptr<const Manifest> manifest_;
  const std::shared_ptr<wasm::Module> module_;  // none: a supervisor without code
  std::unique_ptr<const Parentage> parent_;     // none: nobody's child
  std::unique_ptr<Supervisor> supervisor_;      // none: it can have no children; made once, by the constructor
  const bool answers_later_;                    // it imports respond-to-request
  const std::shared_ptr<AuditLinks> links_;     // of its chain
  uint64_t auditors_step_ = 0;                  // that they are at
  std::shared_ptr<Gate> gate_;                  // none: effects aren't gated

  Phase phase_ = Phase::kBirth;
  HostStep host_step_ = HostStep::kRun;
  int host_calls_ = 0;           // in this turn
  bool turn_over_ = false;       // the guest is parked only to let others run
  bool no_room_ = false;         // the guest waits for room at a subscriber
  bool shutdown_asked_ = false;  // by the guest
  bool stating_ = false;         // the first of facts_ is being emitted
  bool abandoned_ = false;
  Turn had_turn_ = Turn::kMessage;      // what came last, ends of others apart
  Worker* worker_ = nullptr;            // during a turn
  std::shared_ptr<Actor> favoured_by_;  // likewise: its mailbox has more room set aside for this one
  std::unique_ptr<Birth> birth_;
  std::unique_ptr<wasm::Instance> instance_;
  schema::Value state_ = schema::Value::none();

  const wasm::ExportFunction* function_ = nullptr;  // of the call in progress
  std::shared_ptr<Reply> reply_;                    // of the request in progress
  uint64_t call_sequence_ = 0;                      // of the call in progress: a request's number
  uint64_t call_fuel_ = 0;                          // of a call whose result isn't emitted yet
  uint64_t life_fuel_ = 0;                          // of all calls that returned
  std::unique_ptr<Throttle> throttle_;              // none: as many events as it likes
  std::optional<schema::Value> last_word_;
  std::unique_ptr<std::string> said_;  // by the guest in the host call in progress: logged when that is an event
  uint64_t guest_time_ns_ = 0;         // what the guest's clocks say
  uint64_t wait_until_ns_ = 0;         // monotonic, as all that follow; 0: none
  uint64_t deadline_ns_ = 0;           // of the call in progress
  uint64_t no_room_since_ns_ = 0;
  uint64_t grace_until_ns_ = 0;   // a stop that becomes a kill
  uint64_t ask_again_ns_ = 0;     // for an instance, when the engine had none,
  uint64_t asks_since_ns_ = 0;    // the first time
  uint64_t refused_next_ns_ = 0;  // when messages that were refused may be stated
  uint64_t turn_ns_ = 0;          // when the turn in progress began
  Timers::Id timer_{};
  Timers::Id rest_timer_{};
  std::atomic<bool> rest_due_{false};  // it has fired
  bool looks_idle_ = false;            // it has, before this turn
  std::atomic<bool> rest_asked_{false};
  std::atomic<bool> has_news_{false};  // of its links, to be stated
  std::atomic<uint64_t> idle_since_ns_{0};
  uint64_t rest_length_ = 0;  // of the chain when it was set

  // A message on its way to another actor, from the first attempt to take room until it is handed over, or answered.
  struct Talk {
    std::shared_ptr<Actor> to;
    bool waits = false;  // for room
    bool has_room = false;
    Message message;
    std::shared_ptr<Reply> reply;  // handed over; an answer is awaited
    uint64_t until_ns = 0;
    uint64_t timeout_ms = 0;
    std::optional<Error> answer;       // of a request that couldn't be made
    std::shared_ptr<Channel> channel;  // that it opens
    std::shared_ptr<Channel> closes;   // instead of all this: the next event closes it
  };
  std::unique_ptr<Talk> talk_;
  struct Answering {
    std::shared_ptr<Reply> reply;
    Result<std::optional<Bytes>> result;
  };
  std::optional<Answering> answering_;                             // goes with the next event
  std::unique_ptr<std::function<void(bool emitted)>> with_event_;  // likewise
  std::unique_ptr<std::map<uint64_t, std::shared_ptr<Reply>>> outstanding_;
  uint64_t talks_ = 0;  // requests made: tells their answers apart

  // A job on an I/O thread, or an answer from elsewhere; may outlive its actor.
  struct Offload {
    IoJob job;
    bool queued = false;   // of the actor, as the next ones
    bool refused = false;  // by a full queue
    const char* waits_for = "disk";
    std::mutex mutex;  // guards what follows
    bool dropped = false;
    std::optional<schema::Value> answer;
  };
  std::shared_ptr<Offload> offload_;
  // An intent that isn't durable yet; may outlive its actor.
  struct Hold {
    ~Hold() { gate->held.fetch_sub(1, std::memory_order_relaxed); }
    std::shared_ptr<Gate> gate;
    uint64_t began_ns = 0, up_to = 0;
    std::atomic<bool> open{false};
  };
  std::shared_ptr<Hold> hold_;
  std::unique_ptr<Labels> labels_;  // its own; most actors have none

  struct Fact {
    std::string_view type;
    schema::Value value;
    std::function<void()> then;
  };
  std::unique_ptr<std::deque<Fact>> facts_;  // most actors have none
  std::unique_ptr<ActorTimers> timers_;      // likewise
  struct Channels {
    std::map<uint64_t, std::shared_ptr<Channel>>
        all;                           // also those that the other side has closed, until this one knows
    std::shared_ptr<Channel> offered;  // by the call in progress
  };
  std::unique_ptr<Channels> channels_;  // likewise

  struct Ending {
    schema::Origin origin;
    std::string reason;
  };
  std::optional<Ending> stop_, kill_;
  std::optional<Error> failure_;  // for who waits for the call or the birth that was cut off
  std::string ended_;             // why, for people
  std::unique_ptr<LifeEnd> end_;  // from the decision to end on
  std::vector<Callback<ActorInfo>> ended_waiters_;

  mutable std::mutex mutex_;  // guards what follows
  Mailbox mailbox_;
  Signals signals_;
  std::vector<Order> orders_;
  std::optional<Error> closed_;           // why no message is taken
  bool laid_down_ = false;                // another object is this actor, or will be
  std::unique_ptr<Relations> relations_;  // most actors have none
  struct RefusedMessages {
    uint64_t count = 0;  // not stated yet
    std::string reason;  // of the last one
    uint64_t next_ns = 0;
  };
  std::unique_ptr<RefusedMessages> refused_;  // none up to now
  struct Answer {
    uint64_t number = 0;
    Result<std::optional<Bytes>> result;
  };
  std::optional<Answer> answer_;  // to this actor's own request
  ActorId waits_on_;              // zero: nobody
  std::string waits_on_name_;
  bool waits_for_answer_ = false;  // or for room in its mailbox
  // What others see of the rest, as of the last turn.
  struct Published {
    ActorId id;
    std::string_view state = "starting";  // a constant
    std::string waits_for, ended;
    uint64_t waiting_since_ns = 0;  // monotonic; 0: it doesn't wait
    Hash head;
    uint64_t events = 0, memory_bytes = 0, fuel = 0;
    bool has_instance = false;
  };
  Published published_;

  Chain chain_;  // last: its end calls subscribers
};

}  // namespace theater::node
