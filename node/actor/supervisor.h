// A supervisor at work: brings what happens to an actor's children before the rules (supervise/supervision.h), puts
// what happened and what was decided on the actor's chain, and only then carries it out.
//
//   report, call → fact on the chain → rules → decision as a fact → Household does it
//
// Whoever reads the chain can run the rules again (supervise/retrace.h): the facts hold all that the rules were told,
// in that order.
//
// Owned by its actor. report_…() may be called from any thread, takes one short lock, and is always taken: it is
// bounded by the number of children. All else happens in the actor's turns.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "node/actor/child_ends.h"
#include "node/actor/life.h"
#include "node/chain/child_events.h"
#include "supervise/facts.h"

namespace theater::node {

using supervise::CallId;
using supervise::ChildSpec;
using supervise::EndReason;
using supervise::Output;
using supervise::Supervision;
using supervise::SupervisorSpec;

// What a supervisor needs of the actor that it is part of.
class Household {
 public:
  virtual ~Household() = default;
  virtual uint64_t now_ns() const = 0;  // monotonic
  // A fact on the chain; `then` once it is there.
  virtual void state(std::string_view type, schema::Value value, std::function<void()> then) = 0;
  // Is answered by report_started() or report_start_failed().
  virtual void start_child(LifeRequest life) = 0;
  // Gracefully, for as long as it takes, or at once. Its end is reported by report_exit().
  virtual void stop_child(const ActorId& life, bool at_once, const std::string& why) = 0;
  // A child that won't be restarted has no names any more; one that somebody may yet start again gets back what is
  // free.
  virtual void release_names(const ActorId& life) = 0;
  virtual void forget_names(const ActorId& life) = 0;
  // Without the values of secrets that it is granted.
  virtual std::string hidden(std::string_view text) const = 0;
  // The guest's callback, if it wants to know.
  virtual void tell_guest(const ChildInfo& child, const LifeEnd& end) = 0;
};

class Supervisor {
 public:
  enum class Phase : uint8_t { kNew, kBooting, kUp, kStopping, kEnded };
  struct Ended {
    EndReason reason;
    std::string why;
  };

  // `recipe` is the supervisor's own. kInvalid if the specification is wrong.
  static Result<std::unique_ptr<Supervisor>> make(Household& household, std::shared_ptr<const Recipe> recipe,
                                                  Random& random);

  // --- any thread ---
  // False: nobody supervises any more; who was born is to be killed, who ended has no heir.
  bool report_started(ChildRef child, const ActorId& life);
  bool report_start_failed(ChildRef child, std::string why);
  bool report_exit(ChildRef child, LifeEnd end);

  // --- in turns ---
  // Before start(): kInvalid if the declared children have ids that can't stand on the chain.
  Result<void> check_ids() const;
  void start();
  void stop(const std::string& why);
  void turn();  // takes reports, looks at the time
  Phase phase() const { return phase_; }
  const Ended& ended() const { return *ended_; }
  uint64_t wake_at_ns() const;  // 0: never
  // The actor is dying: what lives is nobody's now and to be killed. Nothing is reported or decided any more.
  std::vector<ActorId> abandon();
  const SupervisorSpec& spec() const { return *spec_; }
  std::vector<ChildInfo> children() const { return rules_.which_children(); }
  size_t restarts() const { return restarts_; }

  struct LifeEndOf {
    ChildRef child;
    LifeEnd end;
  };

  // What the guest asks, one thing at a time: take_answer() until there is one.
  struct Start {
    std::shared_ptr<const Recipe> recipe;
    std::optional<Bytes> state;
    std::optional<Bytes> resumed_with = std::nullopt;  // for the next start only
  };
  bool is_asked() const { return asked_; }
  void spawn(ChildSpec spec, Start start, bool and_wait, std::optional<uint64_t> timeout_ns);
  void start_from_pattern(std::optional<Bytes> state);
  void restart_child(const std::string& id, std::optional<Bytes> state);
  void stop_child(const std::string& id_or_life);
  void delete_child(const std::string& id);
  struct Answer {
    ActorId life;  // that runs, after a start
    std::optional<Bytes> last_word;
  };
  std::optional<Result<Answer>> take_answer();

  // The package with that hash, of the supervisor itself or of a child it knows.
  std::shared_ptr<const Bytes> find_package(const Hash& package) const;
  std::optional<ActorId> life_of(const std::string& id_or_life) const;
  ChildEnds& ends() { return ends_; }
  const std::shared_ptr<ChildEvents>& events() { return events_; }
  void set_events(std::shared_ptr<ChildEvents> events) { events_ = std::move(events); }

 private:
  using Report = std::variant<supervise::ChildStarted, supervise::ChildStartFailed, LifeEndOf>;

  Supervisor(Household& household, std::shared_ptr<const Recipe> recipe, const SupervisorSpec& spec, Random& random,
             std::unique_ptr<supervise::Chance> chance, Supervision rules);
  // On the chain, then to the rules; `fed` right after that, before what they decided is looked at.
  void feed(supervise::Input input, std::function<void()> fed = {});
  void take(supervise::ChildStarted report);
  void take(supervise::ChildStartFailed report);
  void take(LifeEndOf report);
  void look_at_time();
  void pump();
  void carry_out(const Output& output);
  void note_start(const Output& output);
  void begin(const Output& output);
  void reply(const Output& output);
  void answer(Result<Answer> result);
  void forget(ChildRef child);
  void release_names(ChildRef child);
  CallId ask();
  Result<void> check_id(const std::string& id) const;
  bool refuses(const std::string& id);

  Household& household_;
  const std::shared_ptr<const Recipe> recipe_;
  const SupervisorSpec* const spec_;
  Random& random_;
  const std::unique_ptr<supervise::Chance> chance_;  // of the rules
  Supervision rules_;
  Phase phase_ = Phase::kNew;
  std::optional<Ended> ended_;
  uint64_t rules_due_ns_ = 0;  // when the rules want to be told that time has passed; 0: never
  size_t restarts_ = 0;

  std::map<ChildRef, Start> starts_;                        // what it is made from, of each that was to start once
  std::map<ChildRef, std::pair<ActorId, uint64_t>> lives_;  // the newest of each child, and how many there were
  ChildEnds ends_;                                          // that the guest is to be told of
  std::shared_ptr<ChildEvents> events_;

  bool asked_ = false;
  CallId call_ = 0;
  // Of the call in progress, until the rules take it up or it is answered.
  std::optional<Start> asked_start_;
  std::optional<Bytes> asked_state_;
  std::string asked_id_;     // whom it spawns
  bool awaits_end_ = false;  // spawn-and-wait
  uint64_t awaits_until_ns_ = 0;
  uint64_t timeout_ns_ = 0;
  std::optional<ActorId> awaited_;
  std::optional<Result<Answer>> answer_;

  std::mutex mutex_;  // guards what follows
  std::vector<Report> reports_;
  std::map<ChildRef, ActorId> newborn_;  // reported, and the rules don't know it yet
  bool abandoned_ = false;
};

}  // namespace theater::node
