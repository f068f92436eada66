// What is counted of an actor while it runs, and what its chain says when there is no more: fuel ends it, memory is
// refused to its guest, events make it wait, messages from outside are refused to whoever sent them.
#include <algorithm>

#include "node/actor/actor.h"

namespace theater::node {

using schema::ErrorKind;
using schema::Value;

namespace {

constexpr uint64_t kRefusedIntervalNs = 1'000'000'000;  // between two facts about refused messages

}  // namespace

// --- fuel ---

// Of the call that begins: where the engine is to stop it. The record says where it was, and replay stops there.
uint64_t Actor::fuel_left() const {
  const uint64_t of_life = limits().fuel == kUnlimited  ? kUnlimited
                           : limits().fuel > life_fuel_ ? limits().fuel - life_fuel_
                                                        : 1;  // 0 would be none
  return std::min(of_life, limits().call_fuel);
}

void Actor::out_of_fuel(const wasm::CallOutcome& outcome) {
  const bool of_call = outcome.fuel >= limits().call_fuel;
  std::string message = of_call ? str_cat(function_->type_name, " needs more than limits.call_fuel, ",
                                          limits().call_fuel, "; it was stopped after ", outcome.fuel)
                                : str_cat(function_->type_name, " used up limits.fuel, ", limits().fuel,
                                          " for all calls together: ", life_fuel_ + outcome.fuel);
  chain_.cancel();  // it may have been inside a host call
  fail(ErrorKind::kLimit, std::move(message), outcome.fuel, true, {});
}

// A call that returned may have used the last of it.
bool Actor::end_if_out_of_fuel() {
  if (limits().fuel == kUnlimited || life_fuel_ < limits().fuel) return false;
  fail(ErrorKind::kLimit, str_cat("limits.fuel, ", limits().fuel, " for all calls together, is used up: ", life_fuel_),
       0, false, {});
  return true;
}

// --- events ---

bool Actor::may_emit() {
  if (throttle_ == nullptr || throttle_->allows(chain_.length(), context_->clock->monotonic_ns())) return true;
  if (throttle_->tell()) {
    state_fact(kFactThrottled, Value::record({{"limit", Value::string("limits.events_per_second")},
                                              {"value", Value::u64(limits().events_per_second)}}));
  }
  return false;
}

bool Actor::may_begin_message() {
  if (throttle_ == nullptr) return true;
  {
    std::lock_guard lock(mutex_);
    if (mailbox_.size() == 0 && signals_.size() == 0 && !has_news_of_children() && !has_due_tick()) return true;
  }
  return may_emit();
}

bool Actor::is_throttled() const {
  return throttle_ != nullptr && throttle_->ready_ns() > context_->clock->monotonic_ns();
}

// --- memory ---

// memory.grow answered -1: the guest goes on, and nothing else would tell. Once a call, before its result.
void Actor::state_refused_growth(wasm::CallOutcome outcome) {
  const auto fact = [&](std::string_view limit, uint64_t value, uint64_t asked, std::function<void()> then) {
    state_fact(kFactLimit,
               Value::record({{"asked", Value::u64(asked)},
                              {"call", Value::string(function_->type_name)},
                              {"limit", Value::string(std::string(limit))},
                              {"value", Value::u64(value)}}),
               std::move(then));
  };
  const auto refused = outcome.refused;
  auto kept = std::make_shared<wasm::CallOutcome>(std::move(outcome));
  auto go_on = [this, kept] { call_over(std::move(*kept)); };
  if (refused.table_elements != 0) {
    fact("limits.table_elements", limits().instance.table_elements, refused.table_elements,
         refused.memory_bytes == 0 ? go_on : std::function<void()>());
  }
  if (refused.memory_bytes != 0) {
    fact("limits.memory", limits().instance.memory_bytes, refused.memory_bytes, go_on);
  }
}

// --- messages from outside; another actor's send has its refusal as an answer ---

// With the lock. At most one fact a second, which counts.
void Actor::note_refused(const Error& why) {
  if (refused_ == nullptr) refused_ = std::make_unique<RefusedMessages>();
  ++refused_->count;
  refused_->reason = why.message;
}

void Actor::state_refused_messages() {
  refused_next_ns_ = 0;
  Value value = Value::none();
  {
    std::lock_guard lock(mutex_);
    if (refused_ == nullptr || refused_->count == 0 || (phase_ != Phase::kIdle && phase_ != Phase::kRunning)) return;
    const uint64_t now_ns = context_->clock->monotonic_ns();
    if (now_ns < refused_->next_ns) {
      refused_next_ns_ = refused_->next_ns;
      return;
    }
    value = Value::record(
        {{"messages", Value::u64(std::exchange(refused_->count, 0))}, {"reason", Value::string(refused_->reason)}});
    refused_->next_ns = now_ns + kRefusedIntervalNs;
  }
  state_fact(kFactRefused, std::move(value));
}

}  // namespace theater::node
