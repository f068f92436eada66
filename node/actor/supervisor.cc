#include "node/actor/supervisor.h"

#include <algorithm>

#include "base/check.h"

namespace theater::node {

using supervise::Refusal;
using supervise::Strategy;
using supervise::What;

namespace {

constexpr CallId kNobodysCall = 0;

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
  auto chance = std::make_unique<supervise::Chance>();
  TRY_ASSIGN(auto rules, Supervision::make(spec, *chance));
  return std::unique_ptr<Supervisor>(
      new Supervisor(household, std::move(recipe), spec, random, std::move(chance), std::move(rules)));
}

Supervisor::Supervisor(Household& household, std::shared_ptr<const Recipe> recipe, const SupervisorSpec& spec,
                       Random& random, std::unique_ptr<supervise::Chance> chance, Supervision rules)
    : household_(household),
      recipe_(std::move(recipe)),
      spec_(&spec),
      random_(random),
      chance_(std::move(chance)),
      rules_(std::move(rules)),
      ends_(spec.max_children) {}

// --- any thread ---

bool Supervisor::report_started(ChildRef child, const ActorId& life) {
  std::lock_guard lock(mutex_);
  if (abandoned_) return false;
  newborn_.emplace(child, life);
  reports_.emplace_back(supervise::ChildStarted{child, hash_of(life)});
  return true;
}

bool Supervisor::report_start_failed(ChildRef child, std::string why) {
  std::lock_guard lock(mutex_);
  if (!abandoned_) reports_.emplace_back(supervise::ChildStartFailed{child, std::move(why)});
  return !abandoned_;
}

bool Supervisor::report_exit(ChildRef child, LifeEnd end) {
  std::lock_guard lock(mutex_);
  if (!abandoned_) reports_.emplace_back(LifeEndOf{child, std::move(end)});
  return !abandoned_;
}

// --- in turns ---

// What stands in a fact must be what the rules were told, or nobody could run them again: so a text comes to them with
// secrets hidden, and an id that would hold one can't be.
Result<void> Supervisor::check_id(const std::string& id) const {
  if (id.size() > supervise::kChildIdMax) {
    return Error{ErrorCode::kInvalid,
                 str_cat("a child's id has at most ", supervise::kChildIdMax, " bytes, and this one ", id.size())};
  }
  if (household_.hidden(id) == id) return Ok{};
  return Error{ErrorCode::kInvalid,
               str_cat("a child's id is for everybody to see, and this one holds a secret: ", household_.hidden(id))};
}

Result<void> Supervisor::check_ids() const {
  for (const auto& child : spec_->children) TRY(check_id(child.id));
  return Ok{};
}

void Supervisor::start() {
  phase_ = Phase::kBooting;
  supervise::Begin begin;
  for (const auto& child : spec_->children) {
    if (child.is_supervisor) begin.supervisors.push_back(child.id);
  }
  feed(std::move(begin));
}

void Supervisor::stop(const std::string& why) {
  if (phase_ == Phase::kStopping || phase_ == Phase::kEnded) return;
  phase_ = Phase::kStopping;
  feed(supervise::Stop{household_.hidden(why)});
}

void Supervisor::turn() {
  std::vector<Report> reports;
  {
    std::lock_guard lock(mutex_);
    reports.swap(reports_);
  }
  for (auto& report : reports) std::visit([this](auto& each) { take(std::move(each)); }, report);
  look_at_time();
}

void Supervisor::feed(supervise::Input input, std::function<void()> fed) {
  const supervise::Moment moment{household_.now_ns(), spec_->backoff ? random_.next_u64() : 0};
  auto fact = supervise::to_value(input, moment);
  const auto type = supervise::fact_type(input);
  household_.state(type, std::move(fact), [this, input = std::move(input), moment, fed = std::move(fed)] {
    const auto applied = supervise::apply(rules_, *chance_, input, moment);
    CHECK(applied.ok(), applied.ok() ? "" : applied.error().message);
    if (fed) fed();
    pump();
  });
}

void Supervisor::take(supervise::ChildStarted report) {
  feed(report, [this, report] {
    auto& [life, lives] = lives_[report.child];
    life = ActorId{report.life.bytes};
    ++lives;
    std::lock_guard lock(mutex_);
    newborn_.erase(report.child);
  });
}

void Supervisor::take(supervise::ChildStartFailed report) {
  report.why = household_.hidden(report.why);
  feed(std::move(report));
}

void Supervisor::take(LifeEndOf report) {
  const auto& end = report.end;
  supervise::ChildExited exited{
      report.child, hash_of(end.actor), {end.kind, household_.hidden(end.reason), end.terminal.hash}};
  const auto* spec = rules_.spec_of(report.child);
  ChildInfo child{report.child, spec == nullptr ? "" : spec->id, supervise::ChildState::undefined, std::nullopt, false};
  feed(std::move(exited), [this, child = std::move(child), over = std::move(report.end)] {
    household_.tell_guest(child, over);
    if (awaited_ != over.actor) return;
    const bool well = over.kind == Exit::Kind::normal;
    answer(well ? Result<Answer>(Answer{over.actor, over.last_word})
                : Error{ErrorCode::kActorFailed, str_cat("child ", child.id, " ended: ", over.reason)});
  });
}

uint64_t Supervisor::wake_at_ns() const {
  if (rules_due_ns_ == 0 || awaits_until_ns_ == 0) return std::max(rules_due_ns_, awaits_until_ns_);
  return std::min(rules_due_ns_, awaits_until_ns_);
}

void Supervisor::look_at_time() {
  const uint64_t now_ns = household_.now_ns();
  if (rules_due_ns_ != 0 && now_ns >= rules_due_ns_) {
    rules_due_ns_ = 0;
    feed(supervise::TimePassed{});
  }
  if (awaits_until_ns_ == 0 || now_ns < awaits_until_ns_) return;
  const std::string id = asked_id_;
  answer(Error{ErrorCode::kDeadline,
               str_cat("child ", id, " didn't end within ", timeout_ns_ / 1'000'000, " ms; it is stopped")});
  feed(supervise::TerminateChild{kNobodysCall, id});
}

void Supervisor::pump() {
  for (auto& output : rules_.take_outputs()) {
    if (output.what == What::kSetTimer) {
      if (rules_due_ns_ == 0 || output.deadline_ns < rules_due_ns_) rules_due_ns_ = output.deadline_ns;
    } else if (output.what == What::kReply) {
      reply(output);
    } else {
      if (output.what == What::kGiveUp) phase_ = Phase::kStopping;
      if (output.what == What::kStartChild) note_start(output);
      household_.state(supervise::fact_type(output.what), supervise::to_value(output),
                       [this, output] { carry_out(output); });
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
    case What::kDrop: forget(output.child); break;
    case What::kEnd: {
      phase_ = Phase::kEnded;
      ended_ = Ended{output.end, output.why};
      for (const auto& [child, life] : lives_) household_.forget_names(life.first);
      std::lock_guard lock(mutex_);
      abandoned_ = true;
      break;
    }
    case What::kSetTimer:
    case What::kReply: break;
  }
}

// At once, not when it is carried out: the call that it is done for may be over by then.
void Supervisor::note_start(const Output& output) {
  auto& start = starts_[output.child];
  if (output.call == call_ && asked_start_) start = *std::exchange(asked_start_, std::nullopt);
  if (output.call == call_) start.resumed_with = std::exchange(asked_state_, std::nullopt);
  if (start.recipe != nullptr) return;
  const auto declared = recipe_->children.find(output.id);
  CHECK(declared != recipe_->children.end(), "child ", output.id, " is to start, and nothing says from what");
  start.recipe = declared->second;
}

void Supervisor::begin(const Output& output) {
  auto& start = starts_.at(output.child);
  LifeRequest life;
  life.recipe = start.recipe;
  life.initial_state = start.state;
  if (const auto extra = rules_.extra_arguments_of(output.child); !extra.empty()) {
    life.initial_state = Bytes(extra.begin(), extra.end());
  }
  if (start.resumed_with) life.initial_state = std::exchange(start.resumed_with, std::nullopt);
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

void Supervisor::forget(ChildRef child) {
  if (const auto found = lives_.find(child); found != lives_.end()) household_.forget_names(found->second.first);
  lives_.erase(child);
  starts_.erase(child);
}

void Supervisor::release_names(ChildRef child) {
  if (const auto found = lives_.find(child); found != lives_.end()) household_.release_names(found->second.first);
}

std::vector<ActorId> Supervisor::abandon() {
  std::vector<ActorId> living;
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
    reports_.clear();
    for (const auto& [child, life] : newborn_) living.push_back(life);
  }
  for (const auto& life : living) household_.forget_names(life);
  for (const auto& child : rules_.which_children()) {
    if (child.life) living.push_back(ActorId{child.life->bytes});
  }
  for (const auto& [child, life] : lives_) household_.forget_names(life.first);
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
  asked_start_.reset();
  asked_state_.reset();
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
  const bool failed = output.refusal == Refusal::start_failed;
  if (failed && rules_.spec_of(output.child) == nullptr) starts_.erase(output.child);
  if (failed || (output.refusal == Refusal::none && !output.life)) release_names(output.child);
  if (output.call != call_) return;
  if (output.refusal != Refusal::none) {
    return answer(Error{code_of(output.refusal), str_cat(refusal_name(output.refusal), ": ", output.why)});
  }
  if (!output.life) return answer(Answer{});
  const ActorId life{output.life->bytes};
  if (!awaits_end_) return answer(Answer{life, std::nullopt});
  awaited_ = life;
  if (timeout_ns_ == UINT64_MAX) return;
  awaits_until_ns_ = household_.now_ns() + std::min(timeout_ns_, UINT64_MAX / 2);
}

bool Supervisor::refuses(const std::string& id) {
  auto checked = check_id(id);
  if (checked.ok()) return false;
  ask();
  answer(std::move(checked).error());
  return true;
}

void Supervisor::spawn(ChildSpec spec, Start start, bool and_wait, std::optional<uint64_t> timeout_ns) {
  if (refuses(spec.id)) return;
  asked_start_ = std::move(start);
  asked_id_ = spec.id;
  if (and_wait) spec.restart = supervise::Restart::temporary;
  awaits_end_ = and_wait;
  timeout_ns_ = timeout_ns.value_or(UINT64_MAX);
  feed(supervise::StartChild{ask(), std::move(spec)});
}

void Supervisor::start_from_pattern(std::optional<Bytes> state) {
  feed(supervise::StartFromPattern{ask(), state.value_or(Bytes{})});
}

void Supervisor::restart_child(const std::string& id, std::optional<Bytes> state) {
  if (refuses(id)) return;
  asked_state_ = std::move(state);
  feed(supervise::RestartChild{ask(), id});
}

void Supervisor::stop_child(const std::string& id_or_life) {
  if (!refuses(id_or_life)) feed(supervise::TerminateChild{ask(), id_or_life});
}

void Supervisor::delete_child(const std::string& id) {
  if (!refuses(id)) feed(supervise::DeleteChild{ask(), id});
}

std::shared_ptr<const Bytes> Supervisor::find_package(const Hash& package) const {
  if (recipe_->package_hash == package) return recipe_->package;
  for (const auto& [id, child] : recipe_->children) {
    if (child->package_hash == package) return child->package;
  }
  for (const auto& [child, start] : starts_) {
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
