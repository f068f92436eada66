#include "node/supervise/supervisor.h"

#include <algorithm>

#include "base/check.h"

namespace theater::node {

using schema::Value;

namespace {

constexpr CallId kNobodysCall = 0;

constexpr std::string_view kFactChildStarted = "supervisor/child-started";
constexpr std::string_view kFactChildStartFailed = "supervisor/child-start-failed";
constexpr std::string_view kFactChildExited = "supervisor/child-exited";

// Empty for what is no decision.
std::string_view fact_of(What what) {
  switch (what) {
    case What::kStartChild: return "supervisor/start-child";
    case What::kStopChild: return "supervisor/stop-child";
    case What::kKillChild: return "supervisor/kill-child";
    case What::kStarted: return "supervisor/started";
    case What::kRestart: return "supervisor/restart";
    case What::kLeave: return "supervisor/leave";
    case What::kDrop: return "supervisor/drop";
    case What::kGiveUp: return "supervisor/give-up";
    case What::kEnd: return "supervisor/end";
    case What::kSetTimer:
    case What::kReply: break;
  }
  return {};
}

Value record_of(const Output& output) {
  std::vector<Value::Field> fields;
  if (output.child != 0) {
    fields.push_back({"child", Value::string(output.id)});
    fields.push_back({"number", Value::u64(output.child)});
  }
  if (output.life) fields.push_back({"life", Value::string(output.life->hex())});
  if (output.previous_head) fields.push_back({"previous-head", Value::string(output.previous_head->hex())});
  if (output.what == What::kRestart || output.what == What::kGiveUp) {
    fields.push_back({"strategy", Value::string(strategy_name(output.strategy))});
    fields.push_back({"restarts", Value::u32(output.restarts)});
    fields.push_back({"intensity", Value::u32(output.intensity)});
    fields.push_back({"delay-ns", Value::u64(output.delay_ns)});
  }
  if (output.what == What::kStopChild) fields.push_back({"deadline-ns", Value::u64(output.deadline_ns)});
  fields.push_back({"why", Value::string(output.why)});
  fields.push_back({"at-ns", Value::u64(output.at_ns)});
  return Value::record(std::move(fields));
}

const char* kind_name(Exit::Kind kind) {
  switch (kind) {
    case Exit::Kind::normal: return "normal";
    case Exit::Kind::shutdown: return "shutdown";
    case Exit::Kind::error: return "error";
    case Exit::Kind::killed: return "killed";
  }
  return "?";
}

Hash hash_of(const ActorId& life) { return Hash{life.bytes}; }

ErrorCode code_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::not_found: return ErrorCode::kNotFound;
    case Refusal::start_failed: return ErrorCode::kActorFailed;
    case Refusal::invalid_spec: return ErrorCode::kInvalid;
    default: return ErrorCode::kRefused;
  }
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::make(Household& household, std::shared_ptr<const Recipe> recipe,
                                                     Random& random) {
  static const SupervisorSpec defaults;  // of an actor that supervises only from code
  const auto& declared = recipe->manifest->supervisor;
  const auto& spec = declared ? *declared : defaults;
  TRY_ASSIGN(auto rules, Supervision::make(spec, random));
  return std::unique_ptr<Supervisor>(new Supervisor(household, std::move(recipe), spec, std::move(rules)));
}

Supervisor::Supervisor(Household& household, std::shared_ptr<const Recipe> recipe, const SupervisorSpec& spec,
                       Supervision rules)
    : household_(household), recipe_(std::move(recipe)), spec_(&spec), rules_(std::move(rules)) {
  for (const auto& [id, child] : recipe_->children) starts_.emplace(id, Start{child, std::nullopt});
}

// --- any thread ---

bool Supervisor::report_started(ChildRef child, const ActorId& life) {
  std::lock_guard lock(mutex_);
  if (!abandoned_) reports_.emplace_back(Started{child, life});
  return !abandoned_;
}

void Supervisor::report_start_failed(ChildRef child, std::string why) {
  std::lock_guard lock(mutex_);
  if (!abandoned_) reports_.emplace_back(StartFailed{child, std::move(why)});
}

bool Supervisor::report_exit(ChildRef child, LifeEnd end) {
  std::lock_guard lock(mutex_);
  if (!abandoned_) reports_.emplace_back(Exited{child, std::move(end)});
  return !abandoned_;
}

// --- in turns ---

void Supervisor::start() {
  phase_ = Phase::kBooting;
  CHECK(rules_.start(household_.now_ns()).ok(), "a supervisor starts once");
  pump();
}

void Supervisor::stop(const std::string& why) {
  if (phase_ == Phase::kStopping || phase_ == Phase::kEnded) return;
  phase_ = Phase::kStopping;
  rules_.stop(why, household_.now_ns());
  pump();
}

void Supervisor::turn() {
  std::vector<Report> reports;
  {
    std::lock_guard lock(mutex_);
    reports.swap(reports_);
  }
  for (auto& report : reports) std::visit([this](auto& each) { take(std::move(each)); }, report);
  const uint64_t now_ns = household_.now_ns();
  if (wake_at_ns_ == 0 || now_ns < wake_at_ns_) return;
  wake_at_ns_ = 0;
  rules_.time_passed(now_ns);
  if (awaited_ && awaits_until_ns_ != 0) {
    if (now_ns >= awaits_until_ns_) {
      const std::string id = std::exchange(new_child_, {});
      answer(Error{ErrorCode::kDeadline,
                   str_cat("child ", id, " didn't end within ", timeout_ns_ / 1'000'000, " ms; it is stopped")});
      rules_.terminate_child(kNobodysCall, id, now_ns);
    } else {
      wake_at_ns_ = awaits_until_ns_;
    }
  }
  pump();
}

void Supervisor::take(Started report) {
  const uint64_t at_ns = household_.now_ns();
  auto record = Value::record(
      {{"number", Value::u64(report.child)}, {"life", Value::string(report.life.hex())}, {"at-ns", Value::u64(at_ns)}});
  household_.state(kFactChildStarted, std::move(record), [this, report, at_ns] {
    auto& [life, lives] = lives_[report.child];
    life = report.life;
    ++lives;
    const auto taken = rules_.child_started(report.child, hash_of(report.life), at_ns);
    CHECK(taken.ok(), taken.ok() ? "" : taken.error().message);
    pump();
  });
}

void Supervisor::take(StartFailed report) {
  const uint64_t at_ns = household_.now_ns();
  auto record = Value::record(
      {{"number", Value::u64(report.child)}, {"why", Value::string(report.why)}, {"at-ns", Value::u64(at_ns)}});
  household_.state(kFactChildStartFailed, std::move(record), [this, report, at_ns] {
    const auto taken = rules_.child_start_failed(report.child, report.why, at_ns);
    CHECK(taken.ok(), taken.ok() ? "" : taken.error().message);
    pump();
  });
}

void Supervisor::take(Exited report) {
  const uint64_t at_ns = household_.now_ns();
  const auto& end = report.end;
  auto record = Value::record({{"number", Value::u64(report.child)},
                               {"life", Value::string(end.actor.hex())},
                               {"events", Value::u64(end.terminal.sequence + 1)},
                               {"head", Value::string(end.terminal.hash.hex())},
                               {"exit", Value::string(kind_name(end.kind))},
                               {"reason", Value::string(end.reason)},
                               {"at-ns", Value::u64(at_ns)}});
  household_.state(kFactChildExited, std::move(record), [this, report = std::move(report), at_ns] {
    const auto& over = report.end;
    ChildInfo child{report.child, "", ChildState::undefined, std::nullopt, false};
    if (const auto* spec = rules_.spec_of(report.child)) child.id = spec->id;
    const auto taken =
        rules_.child_exited(report.child, hash_of(over.actor), {over.kind, over.reason, over.terminal.hash}, at_ns);
    CHECK(taken.ok(), taken.ok() ? "" : taken.error().message);
    household_.tell_guest(child, over);
    if (awaited_ == over.actor) {
      new_child_.clear();
      const bool well = over.kind == Exit::Kind::normal;
      answer(well ? Result<Answer>(Answer{over.actor, over.last_word})
                  : Error{ErrorCode::kActorFailed, str_cat("child ", child.id, " ended: ", over.reason)});
    }
    pump();
  });
}

void Supervisor::pump() {
  for (auto& output : rules_.take_outputs()) {
    if (output.what == What::kSetTimer) {
      if (wake_at_ns_ == 0 || output.deadline_ns < wake_at_ns_) wake_at_ns_ = output.deadline_ns;
    } else if (output.what == What::kReply) {
      reply(output);
    } else {
      if (output.what == What::kGiveUp) phase_ = Phase::kStopping;
      auto record = record_of(output);
      household_.state(fact_of(output.what), std::move(record), [this, output] { carry_out(output); });
    }
  }
}

void Supervisor::carry_out(const Output& output) {
  switch (output.what) {
    case What::kStartChild: begin(output); break;
    case What::kStopChild: household_.stop_child(ActorId{output.life->bytes}, false, output.why); break;
    case What::kKillChild: household_.stop_child(ActorId{output.life->bytes}, true, output.why); break;
    case What::kStarted:
      if (phase_ == Phase::kBooting) phase_ = Phase::kUp;
      break;
    case What::kRestart: ++restarts_; break;
    case What::kGiveUp: break;
    case What::kLeave: release_names(output.child); break;
    case What::kDrop: forget(output.child, output.id); break;
    case What::kEnd: {
      phase_ = Phase::kEnded;
      ended_ = Ended{output.end, output.why};
      for (const auto& [child, life] : lives_) household_.release_names(life.first);
      std::lock_guard lock(mutex_);
      abandoned_ = true;
      break;
    }
    case What::kSetTimer:
    case What::kReply: break;
  }
}

void Supervisor::begin(const Output& output) {
  const auto& start = starts_.at(output.id);
  LifeRequest life;
  life.recipe = start.recipe;
  life.initial_state = start.state;
  if (const auto extra = rules_.extra_arguments_of(output.child); !extra.empty()) {
    life.initial_state = Bytes(extra.begin(), extra.end());
  }
  if (auto resumed = resumed_with_.extract(output.id)) life.initial_state = std::move(resumed.mapped());
  if (output.previous_head) life.previous_life = *output.previous_head;
  auto parent = std::make_unique<Parentage>();
  parent->child = output.child;
  parent->child_id = output.id;
  if (const auto before = lives_.find(output.child); before != lives_.end()) {
    parent->previous = before->second.first;
    parent->restarts = before->second.second;
  }
  life.parent = std::move(parent);
  household_.start_child(std::move(life));
}

void Supervisor::forget(ChildRef child, const std::string& id) {
  release_names(child);
  lives_.erase(child);
  if (spec_->strategy == Strategy::simple_one_for_one) return;
  starts_.erase(id);
  resumed_with_.erase(id);
}

void Supervisor::release_names(ChildRef child) {
  if (const auto found = lives_.find(child); found != lives_.end()) household_.release_names(found->second.first);
}

std::vector<ActorId> Supervisor::abandon() {
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
    reports_.clear();
  }
  std::vector<ActorId> living;
  for (const auto& child : rules_.which_children()) {
    if (child.life) living.push_back(ActorId{child.life->bytes});
  }
  for (const auto& [child, life] : lives_) household_.release_names(life.first);
  if (events_) events_->close();
  return living;
}

// --- what the guest asks ---

CallId Supervisor::ask() {
  asked_ = true;
  return ++call_;
}

void Supervisor::answer(Result<Answer> result) {
  answer_ = std::move(result);
  awaits_end_ = false;
  awaited_.reset();
  awaits_until_ns_ = 0;
}

std::optional<Result<Supervisor::Answer>> Supervisor::take_answer() {
  if (!answer_) return std::nullopt;
  asked_ = false;
  return std::exchange(answer_, std::nullopt);
}

void Supervisor::reply(const Output& output) {
  if (output.call != call_) return;
  if (output.refusal != Refusal::none) {
    if (!new_child_.empty()) starts_.erase(std::exchange(new_child_, {}));
    resumed_with_.erase(output.id);
    return answer(Error{code_of(output.refusal), str_cat(refusal_name(output.refusal), ": ", output.why)});
  }
  if (!output.life) {
    if (output.child != 0) release_names(output.child);
    return answer(Answer{});
  }
  const ActorId life{output.life->bytes};
  if (!awaits_end_) {
    new_child_.clear();
    return answer(Answer{life, std::nullopt});
  }
  awaited_ = life;
  if (timeout_ns_ == UINT64_MAX) return;
  awaits_until_ns_ = household_.now_ns() + std::min(timeout_ns_, UINT64_MAX / 2);
  if (wake_at_ns_ == 0 || awaits_until_ns_ < wake_at_ns_) wake_at_ns_ = awaits_until_ns_;
}

void Supervisor::spawn(ChildSpec spec, Start start, bool and_wait, std::optional<uint64_t> timeout_ns) {
  if (starts_.try_emplace(spec.id, std::move(start)).second) new_child_ = spec.id;
  if (and_wait) spec.restart = Restart::temporary;
  awaits_end_ = and_wait;
  timeout_ns_ = timeout_ns.value_or(UINT64_MAX);
  rules_.start_child(ask(), std::move(spec), household_.now_ns());
  pump();
}

void Supervisor::start_from_pattern(std::optional<Bytes> state) {
  rules_.start_child(ask(), state.value_or(Bytes{}), household_.now_ns());
  pump();
}

void Supervisor::restart_child(const std::string& id, std::optional<Bytes> state) {
  if (state) resumed_with_[id] = std::move(*state);
  rules_.restart_child(ask(), id, household_.now_ns());
  pump();
}

void Supervisor::stop_child(const std::string& id_or_life) {
  const auto life = ActorId::from_hex_text(id_or_life);
  if (life && spec_->strategy == Strategy::simple_one_for_one) {
    rules_.terminate_child(ask(), hash_of(*life), household_.now_ns());
  } else {
    rules_.terminate_child(ask(), id_or_life, household_.now_ns());
  }
  pump();
}

void Supervisor::delete_child(const std::string& id) {
  rules_.delete_child(ask(), id, household_.now_ns());
  pump();
}

std::shared_ptr<const Bytes> Supervisor::find_package(const Hash& package) const {
  if (recipe_->package_hash == package) return recipe_->package;
  for (const auto& [id, start] : starts_) {
    if (start.recipe->package_hash == package) return start.recipe->package;
  }
  return nullptr;
}

std::optional<ActorId> Supervisor::life_of(const std::string& id_or_life) const {
  const auto wanted = ActorId::from_hex_text(id_or_life);
  for (const auto& child : rules_.which_children()) {
    if (!child.life) continue;
    const ActorId life{child.life->bytes};
    if (child.id == id_or_life || wanted == life) return life;
  }
  return std::nullopt;
}

}  // namespace theater::node
