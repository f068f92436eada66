// What others see of an actor: the state that it published at the end of its last turn. info() and add_to() may be
// called from any thread.
#include <algorithm>

#include "node/actor/actor.h"

namespace theater::node {

ActorInfo Actor::info() const {
  ActorInfo info;
  info.name = name();
  if (parent_ != nullptr) {
    info.parent = parent_->supervisor;
    info.child_id = parent_->child_id;
    info.restarts = parent_->restarts;
  }
  if (gate_ != nullptr) info.gate = gate_->info();
  if (supervisor_ != nullptr) info.strategy = strategy_name(supervisor_->spec().strategy);
  std::lock_guard lock(mutex_);
  info.id = published_.id;
  info.state = published_.state;
  info.waits_for = published_.waits_for;
  info.head = published_.head;
  info.events = published_.events;
  info.mailbox = mailbox_.size();
  info.mailbox_bytes = mailbox_.bytes();
  info.memory_bytes = published_.memory_bytes;
  info.fuel = published_.fuel;
  info.ended = published_.ended;
  if (published_.waiting_since_ns != 0) {
    info.waiting_ms = (context_->clock->monotonic_ns() - published_.waiting_since_ns) / 1'000'000;
  }
  if (!waits_on_.is_zero()) {  // put into words only when somebody looks
    info.waits_for = str_cat(waits_for_answer_ ? "answer of '" : "room in the mailbox of '", waits_on_name_, "' ",
                             waits_on_.short_hex());
  }
  return info;
}

// With the lock.
const char* Actor::reason_of_waiting() const {
  if (!waits_on_.is_zero()) return waits_for_answer_ ? "answer" : "mailbox";
  if (published_.waits_for == "timer") return "timer";
  if (published_.waits_for == "disk") return "disk";
  if (published_.waits_for.starts_with("content ")) return "content";
  if (published_.waits_for.starts_with("auditor")) return "auditor";
  if (published_.waits_for.starts_with("an instance")) return "instance";
  return "subscriber";
}

void Actor::add_to(RuntimeMetrics& metrics) const {
  std::lock_guard lock(mutex_);
  metrics.actors[std::string(published_.state)] += 1;
  metrics.instances += published_.has_instance ? 1 : 0;
  metrics.memory_bytes += published_.memory_bytes;
  metrics.mailbox_messages += mailbox_.size();
  metrics.mailbox_bytes += mailbox_.bytes();
  metrics.mailbox_longest = std::max<uint64_t>(metrics.mailbox_longest, mailbox_.size());
  if (published_.waiting_since_ns == 0) return;
  const char* reason = reason_of_waiting();
  auto& waiting = metrics.waiting[reason];
  waiting.actors += 1;
  waiting.longest_ms =
      std::max(waiting.longest_ms, (context_->clock->monotonic_ns() - published_.waiting_since_ns) / 1'000'000);
}

void Actor::publish() {
  std::string waits_for;
  std::string_view state = "ended";
  switch (phase_) {
    case Phase::kBirth:
    case Phase::kGenesis: state = "starting"; break;
    case Phase::kIdle:
      state = instance_ != nullptr || module_ == nullptr ? "idle" : ask_again_ns_ == 0 ? "passivated" : "waiting";
      break;
    case Phase::kTerminal: state = "stopping"; break;
    case Phase::kEnded: break;
    default: state = birth_ ? "starting" : "running"; break;
  }
  if (chain_.emitting()) waits_for = chain_.waits_for();
  if (phase_ == Phase::kBirth && ask_again_ns_ == 0) waits_for = "auditor of the node's own chain";
  if (phase_ == Phase::kRunning && wait_until_ns_ != 0) waits_for = "timer";
  if (ask_again_ns_ != 0 && phase_ != Phase::kTerminal && phase_ != Phase::kEnded)
    waits_for = "an instance: the node has no more";
  if (is_throttled()) waits_for = "limits.events_per_second";
  if (phase_ == Phase::kRunning && offload_ != nullptr) waits_for = offload_->waits_for;
  if (hold_ != nullptr) waits_for = "auditors: its intent isn't durable yet";
  const bool talks = talk_ != nullptr && talk_->to != nullptr && !talk_->has_room && !chain_.emitting();
  if ((talks || !waits_for.empty()) && state == "running") state = "waiting";
  if (stop_ && phase_ != Phase::kEnded) state = "stopping";

  std::lock_guard lock(mutex_);
  if (!talks && waits_for.empty()) {
    published_.waiting_since_ns = 0;
  } else if (published_.waiting_since_ns == 0 || waits_for != published_.waits_for ||
             chain_.length() != published_.events) {
    published_.waiting_since_ns = context_->clock->monotonic_ns();
  }
  waits_on_ = ActorId{};
  if (talks) {
    waits_on_ = talk_->to->id();
    waits_on_name_ = talk_->to->name();
    waits_for_answer_ = talk_->reply != nullptr;
  }
  published_.state = state;
  published_.waits_for = std::move(waits_for);
  published_.head = chain_.head().value_or(Hash{});
  published_.events = chain_.length();
  published_.fuel = life_fuel_ + (phase_ == Phase::kRunning ? instance_->fuel_used() : 0);
  published_.has_instance = instance_ != nullptr;
  published_.memory_bytes = instance_ == nullptr ? 0 : instance_->memory_bytes();
  published_.ended = ended_;
}

}  // namespace theater::node
