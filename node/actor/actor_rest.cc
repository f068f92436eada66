// How an actor that has nothing to do gives up its instance, and gets one when there is something.
//
// The guest's memory is a cache of its state within one instance. Dropping it is a fact on the actor's chain, and so is
// the `_initialize` of the next instance, so that replay drops and makes its own at the same places.
#include <algorithm>

#include "base/check.h"
#include "node/actor/actor.h"
#include "schema/actor_facts.h"

namespace theater::node {

using schema::Value;

namespace {

// How often an actor asks again for an instance that the engine hasn't got.
constexpr uint64_t kAskAgainNs = 20'000'000;

}  // namespace

uint64_t Actor::passivate_after_ms() const {
  return limits().passivate_after_ms.value_or(context_->passivate_after_ms);
}

// Nothing is in progress, nothing waits, and nobody waits for anything of it.
bool Actor::is_quiet() {
  if (phase_ != Phase::kIdle || birth_ || stop_ || kill_ || shutdown_asked_ || facts_ || talk_ || answering_)
    return false;
  if (outstanding_ != nullptr) {
    std::erase_if(*outstanding_, [](const auto& each) { return each.second->answered(); });
    if (!outstanding_->empty()) return false;
    outstanding_.reset();
  }
  if (has_child_events()) return false;
  std::lock_guard lock(mutex_);
  return orders_.empty() && signals_.size() == 0 && mailbox_.is_unused();
}

// When there is nothing to do. True: the fact that says so is to be emitted; the instance goes right after it.
bool Actor::begin_rest() {
  if (!looks_idle_ || instance_ == nullptr || chain_.length() != rest_length_ || !is_quiet()) return false;
  looks_idle_ = false;
  state_fact(schema::kFactPassivated, Value::record({{"reason", Value::string("idle")}}), [this] { drop_instance(); });
  return true;
}

void Actor::drop_instance() { instance_.reset(); }

// For what waits: an instance, if it has none. False: there is nothing to do, or no instance yet.
bool Actor::activate() {
  {
    std::lock_guard lock(mutex_);
    if (!orders_.empty()) return false;
    if (signals_.size() == 0 && mailbox_.size() == 0 && !has_child_events() && !has_due_tick()) return false;
  }
  auto instance = module_->instantiate(*this, limits().instance);
  if (!instance.ok() && instance.error().code == ErrorCode::kUnavailable) {
    ask_again_ns_ = context_->clock->monotonic_ns() + kAskAgainNs;
    return false;
  }
  if (!instance.ok()) {
    fail(schema::ErrorKind::kHostFailure, std::move(instance).error().message, 0, false, {});
    return true;
  }
  ask_again_ns_ = 0;
  instance_ = std::move(instance).value();
  begin_call(wasm::initialize_function(), {}, {});
  return true;
}

// At the beginning of a turn.
void Actor::look_at_rest_timer() {
  if (!rest_due_.exchange(false, std::memory_order_acq_rel)) return;
  rest_timer_ = {};
  looks_idle_ = true;
}

// At its end. The timer isn't moved by what the actor does; whether it did anything is looked at when it is due. So it
// costs nothing while there is work, and an actor rests after one to two times the time.
void Actor::arm_rest_timer() {
  looks_idle_ = false;
  const bool may_rest = !birth_ && instance_ != nullptr && phase_ != Phase::kTerminal && phase_ != Phase::kEnded;
  if (!may_rest || rest_timer_.second != 0) return;
  const uint64_t after = passivate_after_ms();
  if (after == 0) return;
  rest_length_ = chain_.length();
  rest_timer_ = context_->timers.set(after_ms(context_->clock->monotonic_ns(), after), [weak = weak_from_this()] {
    const auto self = std::static_pointer_cast<Actor>(weak.lock());
    if (self == nullptr) return;
    self->rest_due_.store(true, std::memory_order_release);
    self->wake();
  });
}

}  // namespace theater::node
