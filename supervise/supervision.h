// What a supervisor decides: the rules of OTP's `supervisor`, under OTP's names, with nothing else in it. Those rules
// are what users know and what auditors check, so they must run the same way in the node, in a replay and in a test:
// here is no thread, no clock, no actor and no I/O. What happened comes in by a method, with the time; what is to be
// done, and why, comes out as data. The caller puts each output on the chain *before* it acts on it, and reports back
// how it went.
//
// As in OTP a supervisor does one thing at a time. A start, a stop, or a restart of several children is an operation;
// what happens meanwhile (exits, calls) waits in the order of arrival. The exit of a child whose turn to be stopped
// comes in that operation is settled by it, and is no restart. Only stop() doesn't wait: it ends the operation where it
// stands.
//
// Contract:
//  - One owner, one thread at a time. After each input take the outputs and carry them out in order.
//  - Each kStartChild is answered by child_started() or child_start_failed() (the deadline of a start is the caller's),
//  each
//    kStopChild and kKillChild by child_exited(). kSetTimer asks for one call of time_passed() at deadline_ns or later;
//    an earlier timer that is still running does no harm.
//  - A report that doesn't fit (an unknown child, a life that is over, an answer nobody waits for) changes nothing and
//    returns kInvalid or kNotFound. Times are monotonic nanoseconds; one that goes back counts as the latest seen.
//  - After kEnd nothing comes but refusals of calls.
//
// Bounds: `max_children` children (default 10,000), kCallsWaitingMax calls waiting, `intensity` + 1 remembered
// restarts, one deadline and one unhandled exit per child. An input costs O(log n) for what it settles and yields at
// most 4 × (children + calls waiting) + 8 outputs.
//
// Where it differs from OTP: a stop interrupts a running operation instead of waiting for its end. `auto_shutdown` and
// a start that answers `ignore` don't exist. The limit on children and the backoff are additions: a backoff delays an
// attempt that was counted already, and never changes the counting.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "supervise/spec.h"

namespace theater::supervise {

using ChildRef =
    uint64_t;             // a child of this supervisor for good, over all its lives; ascending in start order; never 0
using CallId = uint64_t;  // the caller's own number for a call, which comes back in its kReply

struct Exit {
  enum class Kind : uint8_t { normal, shutdown, error, killed };
  Kind kind = Kind::normal;
  std::string text;  // for people
  Hash head;         // of the life that ended: the next one's genesis links to it
};

enum class What : uint8_t {
  kStartChild,  // `child`, linked to previous_head if there was a life before
  kStopChild,   // `life`, gracefully: asked now, killed at deadline_ns (0: never)
  kKillChild,   // `life`, at once
  kSetTimer,    // for deadline_ns
  kStarted,     // all children of the specification are up: start() has succeeded
  kRestart,     // decided: a restart, counted, after delay_ns; the stops and starts it needs follow
  kLeave,       // decided: no restart; the specification stays
  kDrop,        // decided: no restart; the specification is gone
  kGiveUp,      // decided: more than `intensity` restarts in the period; the stops and kEnd follow
  kReply,       // of `call`
  kEnd,         // no child lives any more, and the supervisor neither
};
const char* what_name(What what);

// Why a call was not done; the first six are OTP's words for it.
enum class Refusal : uint8_t {
  none,
  already_present,
  already_started,
  running,
  restarting,
  not_found,
  simple_one_for_one,
  start_failed,
  invalid_spec,
  limit,     // the message names the limit, its value and what was asked
  stopping,  // the supervisor is not up (any more)
};
const char* refusal_name(Refusal refusal);

enum class EndReason : uint8_t {
  stopped,       // stop() was called
  shutdown,      // OTP's reason when the maximum restart intensity was reached
  start_failed,  // a child didn't start while the supervisor itself did
};

// One decision, complete enough to be read on a chain without what came before.
struct Output {
  What what = What::kEnd;
  ChildRef child = 0;    // 0: the supervisor itself
  std::string id = {};   // of the child
  std::string why = {};  // at most kWhyMax bytes, for people
  Strategy strategy = Strategy::one_for_one;
  uint32_t restarts = 0;  // in the period that ends at at_ns, this one included
  uint32_t intensity = 0;
  uint64_t at_ns = 0;
  std::optional<Hash> life = std::nullopt;  // which one is stopped, left or dropped; in a reply, which one runs
  std::optional<Hash> previous_head = std::nullopt;  // kStartChild after a life
  uint64_t delay_ns = 0;                             // kRestart
  uint64_t deadline_ns = 0;                          // kStopChild, kSetTimer
  CallId call = 0;                                   // kReply; in a kStartChild or kStopChild, on whose behalf
  Refusal refusal = Refusal::none;                   // kReply
  EndReason end = EndReason::stopped;                // kEnd
};

enum class ChildState : uint8_t { undefined, starting, running, restarting, stopping };
struct ChildInfo {
  ChildRef child;
  std::string id;
  ChildState state;
  std::optional<Hash> life;  // while running or stopping
  bool is_supervisor;
};
struct ChildCounts {
  size_t specs = 0, active = 0, supervisors = 0, workers = 0;
};

class Supervision {
 public:
  static constexpr size_t kCallsWaitingMax = 1024;
  static constexpr size_t kWhyMax = 512;

  // kInvalid says which key is wrong; kRefused if there are more children than max_children. `random` must stay.
  static Result<Supervision> make(SupervisorSpec spec, Random& random);

  // What happened. start() once, first.
  Result<void> start(uint64_t now_ns);
  Result<void> child_started(ChildRef child, const Hash& life, uint64_t now_ns);
  Result<void> child_start_failed(ChildRef child, std::string_view reason, uint64_t now_ns);
  Result<void> child_exited(ChildRef child, const Hash& life, Exit exit, uint64_t now_ns);
  void time_passed(uint64_t now_ns);
  void stop(std::string_view why, uint64_t now_ns);  // again, or after the end: nothing

  // OTP's calls. Each is answered by exactly one kReply, at once or when it is done.
  void start_child(CallId call, ChildSpec spec, uint64_t now_ns);
  void start_child(CallId call, Bytes extra_arguments, uint64_t now_ns);  // simple_one_for_one
  void terminate_child(CallId call, std::string_view id, uint64_t now_ns);
  void terminate_child(CallId call, const Hash& life, uint64_t now_ns);  // simple_one_for_one: OTP's pid
  void restart_child(CallId call, std::string_view id, uint64_t now_ns);
  void delete_child(CallId call, std::string_view id, uint64_t now_ns);
  std::vector<ChildInfo> which_children() const;  // in start order
  ChildCounts count_children() const;

  std::vector<Output> take_outputs() { return std::exchange(outputs_, {}); }
  // Of a child that an output names; null and empty once it is gone.
  const ChildSpec* spec_of(ChildRef child) const;
  BytesView extra_arguments_of(ChildRef child) const;
  bool ended() const { return phase_ == Phase::kEnded; }
  bool is_simple() const { return simple(); }

 private:
  enum class Phase : uint8_t { kNew, kUp, kStopping, kEnded };
  enum class State : uint8_t { kDown, kStarting, kRunning, kRestarting, kStopping, kKilling };
  enum class Task : uint8_t { kBoot, kRestart, kStartChild, kRestartChild, kTerminateChild, kEnd };
  enum class Kind : uint8_t { kExit, kTryAgain, kDue, kStartChild, kTerminateChild, kRestartChild, kDeleteChild };

  struct Child {
    std::shared_ptr<const ChildSpec> spec;
    Bytes extra;
    State state = State::kDown;
    std::optional<Hash> life;  // the current one, or the last
    std::optional<Hash> head;  // of the last one that ended
    std::optional<Exit> exit;  // reported, not handled yet
    std::string last_failure;  // of its start
    uint64_t deadline_ns = 0;  // to be killed, or to be restarted; 0: none
    uint64_t waiting = 0;      // its key in waiting_; 0: none
    uint64_t started_ns = 0;
    uint64_t lived_ns = 0;  // the last life; 0 after a start that failed
    uint32_t in_a_row = 0;  // restarts, for the backoff
  };
  // Something that waits until the operation before it is over.
  struct Waiting {
    Kind kind;
    ChildRef child = 0;  // kExit, kTryAgain, kDue
    CallId call = 0;
    ChildSpec spec = {};
    Bytes extra = {};
    std::string id = {};
    std::optional<Hash> life = std::nullopt;
    bool by_arguments = false;  // start_child with extra arguments
  };
  struct Operation {
    Task task;
    std::string why;
    std::vector<ChildRef> to_stop = {};  // the last one first
    bool together = false;               // stops all at once
    ChildRef next_start = 1;             // then starts these, in order
    ChildRef last_start = 0;
    ChildRef trigger = 0;  // restarted
    ChildRef about = 0;    // of a call: started, terminated
    uint64_t delay_ns = 0;
    CallId call = 0;
    EndReason end = EndReason::stopped;
  };

  Supervision(SupervisorSpec spec, Random& random);
  static bool is_call(Kind kind) { return kind >= Kind::kStartChild; }
  static bool is_call(Task task) { return task >= Task::kStartChild && task <= Task::kTerminateChild; }
  bool simple() const { return spec_.strategy == Strategy::simple_one_for_one; }
  void at(uint64_t now_ns);
  void forget_old_restarts();
  Output& emit(What what, ChildRef ref, std::string_view why);
  void reply(CallId call, Refusal refusal, std::string_view message, ChildRef ref = 0);
  Child* find(ChildRef ref);
  ChildRef ref_of(std::string_view id) const;
  ChildRef add(std::shared_ptr<const ChildSpec> spec, Bytes extra);
  void remove(ChildRef ref);
  void set_deadline(ChildRef ref, Child& child, uint64_t deadline_ns);
  void forget_plans(ChildRef ref, Child& child);
  void enqueue(Kind kind, ChildRef ref, Child& child);
  void enqueue_call(Waiting waiting, uint64_t now_ns);

  void advance();
  bool step();
  bool stop_next();
  bool start_next();
  void finish();
  void settle(ChildRef ref, Child& child, Exit exit);
  void ask_to_stop(ChildRef ref, Child& child);
  void kill(ChildRef ref, Child& child, std::string_view why);
  void begin_end(EndReason reason, std::string why);
  void begin_start(Task task, ChildRef ref, CallId call);

  void handle(Waiting waiting);
  void handle_exit(ChildRef ref);
  void not_restarted(ChildRef ref, Child& child, std::string_view why);
  void restart(ChildRef ref, std::string why);
  void begin_restart(ChildRef ref, std::string why, uint64_t delay_ns);
  uint64_t next_delay_ns(Child& child);
  void handle_start_child(Waiting waiting);
  void handle_terminate_child(const Waiting& waiting);
  void handle_restart_child(const Waiting& waiting);
  void handle_delete_child(const Waiting& waiting);

  SupervisorSpec spec_;  // its children moved to children_, or to pattern_
  Random* random_;
  std::shared_ptr<const ChildSpec> pattern_;  // simple_one_for_one
  Phase phase_ = Phase::kNew;
  uint64_t now_ns_ = 0;
  ChildRef last_ref_ = 0;
  std::map<ChildRef, Child> children_;  // in start order
  std::unordered_map<std::string, ChildRef> by_id_;
  std::unordered_map<Hash, ChildRef> by_life_;  // simple_one_for_one
  std::deque<uint64_t> restarts_;               // when, the oldest first
  std::set<std::pair<uint64_t, ChildRef>> deadlines_;
  uint64_t armed_ns_ = 0;                // the timer that was asked for; 0: none
  std::map<uint64_t, Waiting> waiting_;  // in the order of arrival
  uint64_t last_waiting_ = 0;
  size_t calls_waiting_ = 0;
  std::optional<Operation> operation_;
  std::vector<Output> outputs_;
};

}  // namespace theater::supervise
