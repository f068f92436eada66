#include "supervise/supervision.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace theater::supervise {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;
constexpr ChildRef kLastOfAll = std::numeric_limits<ChildRef>::max();

std::string short_text(std::string_view text) { return shortened(text, Supervision::kWhyMax); }

std::string exit_text(const Exit& exit) {
  const char* how = "exited normally";
  if (exit.kind == Exit::Kind::shutdown) how = "exited with shutdown";
  if (exit.kind == Exit::Kind::error) how = "exited with an error";
  if (exit.kind == Exit::Kind::killed) how = "was killed from outside";
  return exit.text.empty() ? std::string(how) : str_cat(how, ": ", exit.text);
}

bool abnormal(const Exit& exit) { return exit.kind == Exit::Kind::error || exit.kind == Exit::Kind::killed; }

Shutdown shutdown_of(const ChildSpec& spec) {
  if (spec.shutdown) return *spec.shutdown;
  return spec.is_supervisor ? Shutdown{Shutdown::Kind::infinity, 0} : Shutdown{};
}

}  // namespace

Result<Supervision> Supervision::make(SupervisorSpec spec, Random& random) {
  TRY(check(spec));
  return Supervision(std::move(spec), random);
}

Supervision::Supervision(SupervisorSpec spec, Random& random) : spec_(std::move(spec)), random_(&random) {
  for (ChildSpec& child : std::exchange(spec_.children, {})) {
    auto shared = std::make_shared<const ChildSpec>(std::move(child));
    if (simple()) {
      pattern_ = std::move(shared);
    } else {
      add(std::move(shared), {});
    }
  }
}

// --- What happened ---

Result<void> Supervision::start(uint64_t now_ns) {
  if (phase_ != Phase::kNew) return Error{ErrorCode::kInvalid, "the supervisor was started or stopped before"};
  at(now_ns);
  phase_ = Phase::kUp;
  operation_ = Operation{.task = Task::kBoot, .why = "the supervisor starts", .last_start = kLastOfAll};
  advance();
  return Ok{};
}

Result<void> Supervision::child_started(ChildRef ref, const Hash& life, uint64_t now_ns) {
  Child* child = find(ref);
  if (child == nullptr)
    return Error{ErrorCode::kNotFound, str_cat("there is no child ", ref, " that could have started")};
  if (child->state != State::kStarting) {
    return Error{ErrorCode::kInvalid, str_cat("child ", ref, " was not told to start, or answered before")};
  }
  if (simple() && !by_life_.emplace(life, ref).second) {
    return Error{ErrorCode::kInvalid,
                 str_cat("life ", life.short_hex(), " belongs to another child or an earlier life")};
  }
  at(now_ns);
  if (simple() && child->life) by_life_.erase(*child->life);
  child->state = State::kRunning;
  child->life = life;
  child->started_ns = now_ns_;
  child->last_failure.clear();
  advance();
  return Ok{};
}

Result<void> Supervision::child_start_failed(ChildRef ref, std::string_view reason, uint64_t now_ns) {
  Child* child = find(ref);
  if (child == nullptr)
    return Error{ErrorCode::kNotFound, str_cat("there is no child ", ref, " whose start could have failed")};
  if (child->state != State::kStarting) {
    return Error{ErrorCode::kInvalid, str_cat("child ", ref, " was not told to start, or answered before")};
  }
  at(now_ns);
  child->state = State::kDown;
  child->lived_ns = 0;
  child->last_failure = short_text(reason);
  const std::string what = str_cat("child ", child->spec->id, " failed to start: ", child->last_failure);
  const Task task = operation_->task;  // a start is always part of an operation
  const CallId call = operation_->call;
  switch (task) {
    case Task::kBoot: begin_end(EndReason::start_failed, what); break;
    case Task::kRestart:
      operation_.reset();
      child->state = State::kRestarting;
      enqueue(Kind::kTryAgain, ref, *child);
      break;
    case Task::kStartChild:
      operation_.reset();
      reply(call, Refusal::start_failed, what, ref);
      remove(ref);
      break;
    case Task::kRestartChild:
      operation_.reset();
      reply(call, Refusal::start_failed, what, ref);
      break;
    case Task::kTerminateChild:
    case Task::kEnd: break;
  }
  advance();
  return Ok{};
}

Result<void> Supervision::child_exited(ChildRef ref, const Hash& life, Exit exit, uint64_t now_ns) {
  Child* child = find(ref);
  if (child == nullptr)
    return Error{ErrorCode::kNotFound, str_cat("there is no child ", ref, " that could have exited")};
  const bool lives =
      child->state == State::kRunning || child->state == State::kStopping || child->state == State::kKilling;
  if (!lives || child->exit || child->life != life) {
    return Error{ErrorCode::kInvalid, str_cat("child ", ref, " doesn't run life ", life.short_hex(), " (any more)")};
  }
  at(now_ns);
  exit.text = short_text(exit.text);
  child->lived_ns = now_ns_ - child->started_ns;
  if (child->state == State::kRunning) {
    child->exit = std::move(exit);
    enqueue(Kind::kExit, ref, *child);
  } else {
    settle(ref, *child, std::move(exit));
  }
  advance();
  return Ok{};
}

void Supervision::time_passed(uint64_t now_ns) {
  at(now_ns);
  if (armed_ns_ <= now_ns_) armed_ns_ = 0;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ns_) {
    const ChildRef ref = deadlines_.begin()->second;
    Child& child = children_.at(ref);
    set_deadline(ref, child, 0);
    if (child.state == State::kRestarting) {
      enqueue(Kind::kDue, ref, child);
    } else {
      kill(ref, child, "it did not stop within its shutdown time");
    }
  }
  advance();
}

void Supervision::stop(std::string_view why, uint64_t now_ns) {
  if (phase_ == Phase::kStopping || phase_ == Phase::kEnded) return;
  at(now_ns);
  begin_end(EndReason::stopped, short_text(why));
  advance();
}

// --- One thing at a time ---

void Supervision::advance() {
  while (phase_ != Phase::kEnded) {
    if (operation_) {
      if (!step()) break;
    } else if (!waiting_.empty()) {
      handle(std::move(waiting_.extract(waiting_.begin()).mapped()));
    } else {
      break;
    }
  }
  if (!deadlines_.empty() && (armed_ns_ == 0 || deadlines_.begin()->first < armed_ns_)) {
    armed_ns_ = deadlines_.begin()->first;
    emit(What::kSetTimer, 0, "the next deadline").deadline_ns = armed_ns_;
  }
}

// False: a report has to come first.
bool Supervision::step() {
  if (!stop_next()) return false;
  Operation& operation = *operation_;
  if (operation.delay_ns > 0) {
    set_deadline(operation.trigger, children_.at(operation.trigger), now_ns_ + operation.delay_ns);
    operation_.reset();
    return true;
  }
  if (!start_next()) return false;
  finish();
  return true;
}

bool Supervision::stop_next() {
  Operation& operation = *operation_;
  if (std::exchange(operation.together, false)) {
    for (const ChildRef ref : operation.to_stop) {
      Child& child = children_.at(ref);
      if (child.state == State::kRunning && !child.exit) ask_to_stop(ref, child);
    }
  }
  for (; !operation.to_stop.empty(); operation.to_stop.pop_back()) {
    const ChildRef ref = operation.to_stop.back();
    Child& child = children_.at(ref);
    if (child.exit) settle(ref, child, *std::exchange(child.exit, std::nullopt));
    if (child.state == State::kRunning) ask_to_stop(ref, child);
    if (child.state == State::kRestarting && ref != operation.trigger) {
      child.state = State::kDown;
      forget_plans(ref, child);
    }
    if (child.state != State::kDown && child.state != State::kRestarting) return false;
    const bool kept = child.spec->restart != Restart::temporary && !simple();
    if (operation.task == Task::kEnd || kept) continue;
    emit(What::kDrop, ref, simple() ? "it was terminated" : "it is temporary, and was terminated");
    remove(ref);
  }
  return true;
}

bool Supervision::start_next() {
  Operation& operation = *operation_;
  const auto next = children_.lower_bound(operation.next_start);
  if (operation.next_start > 1) {  // the one before has to be up
    const auto before = children_.find(operation.next_start - 1);
    if (before != children_.end() && before->second.state == State::kStarting) return false;
  }
  if (next == children_.end() || next->first > operation.last_start) return true;
  Child& child = next->second;
  CHECK(child.state == State::kDown || child.state == State::kRestarting, "child ", next->first, " would live twice");
  operation.next_start = next->first + 1;
  child.state = State::kStarting;
  set_deadline(next->first, child, 0);
  Output& output = emit(What::kStartChild, next->first, operation.why);
  output.life.reset();
  output.previous_head = child.head;
  output.call = operation.call;
  return false;
}

void Supervision::finish() {
  const Operation done = *std::exchange(operation_, std::nullopt);
  switch (done.task) {
    case Task::kBoot: emit(What::kStarted, 0, "all children of the specification are up"); break;
    case Task::kRestart: break;
    case Task::kStartChild:
    case Task::kRestartChild:
    case Task::kTerminateChild: reply(done.call, Refusal::none, {}, done.about); break;
    case Task::kEnd:
      phase_ = Phase::kEnded;
      emit(What::kEnd, 0, done.why).end = done.end;
      children_.clear();
      by_id_.clear();
      by_life_.clear();
      deadlines_.clear();
      break;
  }
}

// Its exit needs no decision: it was being stopped.
void Supervision::settle(ChildRef ref, Child& child, Exit exit) {
  child.state = State::kDown;
  child.head = exit.head;
  forget_plans(ref, child);
}

void Supervision::ask_to_stop(ChildRef ref, Child& child) {
  const Shutdown shutdown = shutdown_of(*child.spec);
  if (shutdown.kind == Shutdown::Kind::brutal_kill) return kill(ref, child, operation_->why);
  child.state = State::kStopping;
  Output& output = emit(What::kStopChild, ref, operation_->why);
  output.call = operation_->call;
  if (shutdown.kind == Shutdown::Kind::infinity) return;
  output.deadline_ns = now_ns_ + shutdown.timeout_ms * kNsPerMs;
  set_deadline(ref, child, output.deadline_ns);
}

void Supervision::kill(ChildRef ref, Child& child, std::string_view why) {
  child.state = State::kKilling;
  emit(What::kKillChild, ref, why);
}

void Supervision::begin_end(EndReason reason, std::string why) {
  phase_ = Phase::kStopping;
  if (operation_ && is_call(operation_->task)) reply(operation_->call, Refusal::stopping, why);
  for (const auto& [number, waiting] : waiting_) {
    if (is_call(waiting.kind)) reply(waiting.call, Refusal::stopping, why);
  }
  waiting_.clear();
  calls_waiting_ = 0;
  operation_ = Operation{.task = Task::kEnd, .why = std::move(why), .together = simple(), .end = reason};
  operation_->to_stop.reserve(children_.size());
  for (auto& [ref, child] : children_) {
    child.waiting = 0;
    operation_->to_stop.push_back(ref);
  }
}

void Supervision::begin_start(Task task, ChildRef ref, CallId call) {
  const char* why = task == Task::kStartChild ? "start_child was called" : "restart_child was called";
  operation_ = Operation{.task = task, .why = why, .next_start = ref, .last_start = ref, .about = ref, .call = call};
}

// --- Exits and restarts ---

void Supervision::handle(Waiting waiting) {
  if (!is_call(waiting.kind)) {
    Child& child = children_.at(waiting.child);
    child.waiting = 0;
    if (waiting.kind == Kind::kExit) return handle_exit(waiting.child);
    const std::string who = str_cat("child ", child.spec->id);
    if (waiting.kind == Kind::kDue) return begin_restart(waiting.child, str_cat(who, " is due after its backoff"), 0);
    return restart(waiting.child, str_cat(who, " failed to start: ", child.last_failure));
  }
  --calls_waiting_;
  if (waiting.kind == Kind::kStartChild) return handle_start_child(std::move(waiting));
  if (waiting.kind == Kind::kTerminateChild) return handle_terminate_child(waiting);
  if (simple()) {
    return reply(waiting.call, Refusal::simple_one_for_one,
                 "a simple_one_for_one supervisor starts and terminates only");
  }
  if (waiting.kind == Kind::kRestartChild) return handle_restart_child(waiting);
  handle_delete_child(waiting);
}

void Supervision::handle_exit(ChildRef ref) {
  Child& child = children_.at(ref);
  const Exit exit = *std::exchange(child.exit, std::nullopt);
  const Restart kind = child.spec->restart;
  child.state = State::kDown;
  child.head = exit.head;
  const std::string what = str_cat("child ", child.spec->id, " (", restart_name(kind), ") ", exit_text(exit));
  if (kind == Restart::permanent || (kind == Restart::transient && abnormal(exit))) return restart(ref, what);
  not_restarted(ref, child, what);
}

// The specification of a temporary child goes; that of the others stays, as restart_child() may be called.
void Supervision::not_restarted(ChildRef ref, Child& child, std::string_view why) {
  const bool dropped = simple() || child.spec->restart == Restart::temporary;
  emit(dropped ? What::kDrop : What::kLeave, ref, why);
  if (dropped) remove(ref);
}

void Supervision::restart(ChildRef ref, std::string why) {
  restarts_.push_back(now_ns_);
  Child& child = children_.at(ref);
  if (restarts_.size() > spec_.intensity) {
    emit(What::kGiveUp, ref, str_cat(kGaveUp, ": ", why));
    child.state = State::kDown;
    return begin_end(EndReason::shutdown, kGaveUp);
  }
  const uint64_t delay_ns = next_delay_ns(child);
  emit(What::kRestart, ref, why).delay_ns = delay_ns;
  begin_restart(ref, std::move(why), delay_ns);
}

// Stops whom the strategy takes along, waits if it has to, and starts the child and whoever was taken along.
void Supervision::begin_restart(ChildRef ref, std::string why, uint64_t delay_ns) {
  Child& child = children_.at(ref);
  child.state = State::kRestarting;
  operation_ = Operation{.task = Task::kRestart,
                         .why = short_text(str_cat(strategy_name(spec_.strategy), ": ", why)),
                         .next_start = spec_.strategy == Strategy::one_for_all ? 1 : ref,
                         .last_start = ref,
                         .trigger = ref,
                         .delay_ns = delay_ns};
  if (spec_.strategy == Strategy::one_for_one || simple()) return;
  operation_->last_start = kLastOfAll;
  for (auto other = children_.lower_bound(operation_->next_start); other != children_.end(); ++other) {
    if (other->first != ref) operation_->to_stop.push_back(other->first);
  }
}

uint64_t Supervision::next_delay_ns(Child& child) {
  if (!spec_.backoff) return 0;
  const Backoff& backoff = *spec_.backoff;
  if (child.lived_ns >= std::max(spec_.period_ms, backoff.max_ms) * kNsPerMs) child.in_a_row = 0;
  uint64_t delay_ns = backoff.initial_ms * kNsPerMs;
  const uint64_t most_ns = backoff.max_ms * kNsPerMs;
  for (uint32_t i = 0; i < child.in_a_row && delay_ns < most_ns; ++i) delay_ns *= 2;
  delay_ns = std::min(delay_ns, most_ns);
  ++child.in_a_row;
  return delay_ns - random_->below(delay_ns / 100 * backoff.jitter_percent + 1);
}

// --- Books ---

void Supervision::at(uint64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  forget_old_restarts();
}

// A restart exactly one period ago still counts, as in OTP.
void Supervision::forget_old_restarts() {
  while (!restarts_.empty() && now_ns_ - restarts_.front() > spec_.period_ms * kNsPerMs) restarts_.pop_front();
}

Output& Supervision::emit(What what, ChildRef ref, std::string_view why) {
  Output& output = outputs_.emplace_back();
  output.what = what;
  output.child = ref;
  output.why = short_text(why);
  output.strategy = spec_.strategy;
  output.restarts = static_cast<uint32_t>(restarts_.size());
  output.intensity = spec_.intensity;
  output.at_ns = now_ns_;
  if (const Child* child = find(ref)) {
    output.id = child->spec->id;
    output.life = child->life;
  }
  return output;
}

void Supervision::reply(CallId call, Refusal refusal, std::string_view message, ChildRef ref) {
  Output& output = emit(What::kReply, ref, message);
  output.call = call;
  output.refusal = refusal;
  const Child* child = find(ref);
  if (child == nullptr || child->state != State::kRunning) output.life.reset();
}

Supervision::Child* Supervision::find(ChildRef ref) {
  const auto found = children_.find(ref);
  return found == children_.end() ? nullptr : &found->second;
}

ChildRef Supervision::ref_of(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? 0 : found->second;
}

ChildRef Supervision::add(std::shared_ptr<const ChildSpec> spec, Bytes extra) {
  const ChildRef ref = ++last_ref_;
  if (!simple()) by_id_.emplace(spec->id, ref);
  Child& child = children_[ref];
  child.spec = std::move(spec);
  child.extra = std::move(extra);
  return ref;
}

void Supervision::remove(ChildRef ref) {
  Child& child = children_.at(ref);
  forget_plans(ref, child);
  if (!simple()) by_id_.erase(child.spec->id);
  if (simple() && child.life) by_life_.erase(*child.life);
  children_.erase(ref);
}

// Each child waits for one thing at most: its exit to be handled, its next attempt, or the end of its backoff.
void Supervision::enqueue(Kind kind, ChildRef ref, Child& child) {
  CHECK(child.waiting == 0, "child ", ref, " would wait twice");
  child.waiting = ++last_waiting_;
  waiting_.emplace(child.waiting, Waiting{.kind = kind, .child = ref});
}

void Supervision::forget_plans(ChildRef ref, Child& child) {
  set_deadline(ref, child, 0);
  if (child.waiting != 0) waiting_.erase(std::exchange(child.waiting, 0));
}

void Supervision::set_deadline(ChildRef ref, Child& child, uint64_t deadline_ns) {
  if (child.deadline_ns != 0) deadlines_.erase({child.deadline_ns, ref});
  child.deadline_ns = deadline_ns;
  if (deadline_ns != 0) deadlines_.insert({deadline_ns, ref});
}

}  // namespace theater::supervise
