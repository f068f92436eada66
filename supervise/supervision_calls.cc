// OTP's calls: start_child, terminate_child, restart_child, delete_child, which_children, count_children.
#include <utility>

#include "supervise/supervision.h"

namespace theater::supervise {

void Supervision::start_child(CallId call, ChildSpec spec, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kStartChild, .call = call, .spec = std::move(spec)}, now_ns);
}
void Supervision::start_child(CallId call, Bytes extra_arguments, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kStartChild, .call = call, .extra = std::move(extra_arguments), .by_arguments = true},
               now_ns);
}
void Supervision::terminate_child(CallId call, std::string_view id, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kTerminateChild, .call = call, .id = std::string(id)}, now_ns);
}
void Supervision::terminate_child(CallId call, const Hash& life, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kTerminateChild, .call = call, .life = life}, now_ns);
}
void Supervision::restart_child(CallId call, std::string_view id, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kRestartChild, .call = call, .id = std::string(id)}, now_ns);
}
void Supervision::delete_child(CallId call, std::string_view id, uint64_t now_ns) {
  enqueue_call({.kind = Kind::kDeleteChild, .call = call, .id = std::string(id)}, now_ns);
}

void Supervision::enqueue_call(Waiting waiting, uint64_t now_ns) {
  at(now_ns);
  if (phase_ == Phase::kNew) return reply(waiting.call, Refusal::stopping, "the supervisor was not started yet");
  if (phase_ != Phase::kUp) return reply(waiting.call, Refusal::stopping, "the supervisor stops or has ended");
  if (calls_waiting_ >= kCallsWaitingMax) {
    return reply(waiting.call, Refusal::limit,
                 str_cat("calls waiting for this supervisor: the limit is ", kCallsWaitingMax, ", and ", calls_waiting_,
                         " wait already; call again when some are answered"));
  }
  ++calls_waiting_;
  waiting_.emplace(++last_waiting_, std::move(waiting));
  advance();
}

void Supervision::handle_start_child(Waiting waiting) {
  const CallId call = waiting.call;
  if (waiting.by_arguments != simple()) {
    return reply(call, Refusal::invalid_spec,
                 simple() ? "start_child of simple_one_for_one takes extra arguments, not a child specification"
                          : "extra arguments are for simple_one_for_one: start_child takes a child specification");
  }
  if (simple() && waiting.extra.size() > kStartArgumentsMax) {
    return reply(
        call, Refusal::limit,
        str_cat("extra arguments: the limit is ", kStartArgumentsMax, " bytes, ", waiting.extra.size(), " were given"));
  }
  if (!simple()) {
    if (const auto valid = check(waiting.spec); !valid.ok()) {
      return reply(call, Refusal::invalid_spec, valid.error().message);
    }
    if (const ChildRef there = ref_of(waiting.spec.id)) {
      if (children_.at(there).state == State::kRunning) {
        return reply(call, Refusal::already_started, str_cat("child ", waiting.spec.id, " is running"), there);
      }
      return reply(call, Refusal::already_present,
                   str_cat("child ", waiting.spec.id, " is specified already: restart or delete it"), there);
    }
  }
  if (children_.size() >= spec_.max_children) {
    return reply(call, Refusal::limit,
                 str_cat("max_children is ", spec_.max_children, ", ", children_.size(),
                         " are there, and 1 more was asked for"));
  }
  auto spec = simple() ? pattern_ : std::make_shared<const ChildSpec>(std::move(waiting.spec));
  begin_start(Task::kStartChild, add(std::move(spec), std::move(waiting.extra)), call);
}

void Supervision::handle_terminate_child(const Waiting& waiting) {
  if (simple() && !waiting.life) {
    return reply(waiting.call, Refusal::simple_one_for_one,
                 "a child of simple_one_for_one is terminated by its life, not by the id they all share");
  }
  ChildRef ref = 0;
  if (!waiting.life) {
    ref = ref_of(waiting.id);
  } else if (const auto found = by_life_.find(*waiting.life); found != by_life_.end()) {
    ref = found->second;
  }
  if (ref == 0) return reply(waiting.call, Refusal::not_found, "there is no such child");
  operation_ = Operation{.task = Task::kTerminateChild,
                         .why = "terminate_child was called",
                         .to_stop = {ref},
                         .about = ref,
                         .call = waiting.call};
}

void Supervision::handle_restart_child(const Waiting& waiting) {
  const ChildRef ref = ref_of(waiting.id);
  if (ref == 0) return reply(waiting.call, Refusal::not_found, str_cat("there is no child ", waiting.id));
  const State state = children_.at(ref).state;
  if (state == State::kRestarting) {
    return reply(waiting.call, Refusal::restarting, str_cat("child ", waiting.id, " is about to be restarted"), ref);
  }
  if (state != State::kDown)
    return reply(waiting.call, Refusal::running, str_cat("child ", waiting.id, " is running"), ref);
  begin_start(Task::kRestartChild, ref, waiting.call);
}

void Supervision::handle_delete_child(const Waiting& waiting) {
  const ChildRef ref = ref_of(waiting.id);
  if (ref == 0) return reply(waiting.call, Refusal::not_found, str_cat("there is no child ", waiting.id));
  const State state = children_.at(ref).state;
  if (state == State::kRestarting) {
    return reply(waiting.call, Refusal::restarting, str_cat("child ", waiting.id, " is about to be restarted"), ref);
  }
  if (state != State::kDown) {
    return reply(waiting.call, Refusal::running, str_cat("child ", waiting.id, " is running: terminate it first"), ref);
  }
  emit(What::kDrop, ref, "delete_child was called");
  remove(ref);
  reply(waiting.call, Refusal::none, {});
}

std::vector<ChildInfo> Supervision::which_children() const {
  std::vector<ChildInfo> all;
  all.reserve(children_.size());
  for (const auto& [ref, child] : children_) {
    ChildInfo info{ref, child.spec->id, ChildState::undefined, std::nullopt, child.spec->is_supervisor};
    switch (child.state) {
      case State::kDown: break;
      case State::kStarting: info.state = ChildState::starting; break;
      case State::kRunning: info.state = ChildState::running; break;
      case State::kRestarting: info.state = ChildState::restarting; break;
      case State::kStopping:
      case State::kKilling: info.state = ChildState::stopping; break;
    }
    if (info.state == ChildState::running || info.state == ChildState::stopping) info.life = child.life;
    all.push_back(std::move(info));
  }
  return all;
}

ChildCounts Supervision::count_children() const {
  ChildCounts counts;
  for (const auto& [ref, child] : children_) {
    ++(child.spec->is_supervisor ? counts.supervisors : counts.workers);
    const bool lives =
        child.state == State::kRunning || child.state == State::kStopping || child.state == State::kKilling;
    if (lives && !child.exit) ++counts.active;
  }
  counts.specs = simple() ? 1 : children_.size();
  return counts;
}

const ChildSpec* Supervision::spec_of(ChildRef ref) const {
  const auto found = children_.find(ref);
  return found == children_.end() ? nullptr : found->second.spec.get();
}

BytesView Supervision::extra_arguments_of(ChildRef ref) const {
  const auto found = children_.find(ref);
  return found == children_.end() ? BytesView{} : BytesView(found->second.extra);
}

const char* what_name(What what) {
  switch (what) {
    case What::kStartChild: return "start_child";
    case What::kStopChild: return "stop_child";
    case What::kKillChild: return "kill_child";
    case What::kSetTimer: return "set_timer";
    case What::kStarted: return "started";
    case What::kRestart: return "restart";
    case What::kLeave: return "leave";
    case What::kDrop: return "drop";
    case What::kGiveUp: return "give_up";
    case What::kReply: return "reply";
    case What::kEnd: return "end";
  }
  return "?";
}

const char* refusal_name(Refusal refusal) {
  switch (refusal) {
    case Refusal::none: return "ok";
    case Refusal::already_present: return "already_present";
    case Refusal::already_started: return "already_started";
    case Refusal::running: return "running";
    case Refusal::restarting: return "restarting";
    case Refusal::not_found: return "not_found";
    case Refusal::simple_one_for_one: return "simple_one_for_one";
    case Refusal::start_failed: return "start_failed";
    case Refusal::invalid_spec: return "invalid_spec";
    case Refusal::limit: return "limit";
    case Refusal::stopping: return "stopping";
  }
  return "?";
}

}  // namespace theater::supervise
