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
// How soon one that has none tries again to be laid down, when somebody held it.
constexpr uint64_t kLayDownAgainMs = 1'000;

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
  if (has_news_of_children() || has_news_.load(std::memory_order_relaxed)) return false;
  std::lock_guard lock(mutex_);
  return orders_.empty() && signals_.size() == 0 && mailbox_.is_unused();
}

void Actor::ask_to_rest() {
  rest_asked_.store(true, std::memory_order_release);
  wake();
}

// When there is nothing to do. True: the fact that says so is to be emitted; the instance goes right after it.
bool Actor::begin_rest() {
  const bool asked = rest_asked_.exchange(false, std::memory_order_acq_rel);
  if (instance_ == nullptr) return false;
  const bool idle = looks_idle_ && chain_.length() == rest_length_;
  if ((!asked && !idle) || !is_quiet()) {
    if (asked) context_->instances.declines(*this);
    return false;
  }
  looks_idle_ = false;
  state_fact(schema::kFactPassivated,
             Value::record({{"reason", Value::string(idle ? "idle" : "others want an instance")}}), [this] {
               drop_instance();
               count(Count::kPassivations);
             });
  return true;
}

// At the end of a turn: who was asked and didn't come to begin_rest() has work, perhaps for long.
void Actor::decline_rest() {
  if (!rest_asked_.load(std::memory_order_relaxed) || !rest_asked_.exchange(false, std::memory_order_acq_rel)) return;
  context_->instances.declines(*this);
}

void Actor::drop_instance() {
  if (instance_ == nullptr) return;
  instance_.reset();
  context_->instances.remove(*this);
}

// False: the engine has none, and it is asked again; at a birth, not for longer than wait_timeout and not in vain.
Result<bool> Actor::take_instance() {
  auto instance = module_->instantiate(*this, limits().instance);
  if (instance.ok()) {
    instance_ = std::move(instance).value();
    ask_again_ns_ = 0;
    context_->instances.add(*this);
    return true;
  }
  if (instance.error().code != ErrorCode::kUnavailable) return std::move(instance).error();
  const uint64_t now_ns = context_->clock->monotonic_ns();
  if (ask_again_ns_ == 0) asks_since_ns_ = now_ns;
  const bool may_come = context_->instances.want(shared_from_this());
  if (birth_ && (!may_come || now_ns >= after_ms(asks_since_ns_, limits().wait_timeout_ms))) {
    return std::move(instance).error();
  }
  ask_again_ns_ = now_ns + kAskAgainNs;
  return false;
}

// For what waits: an instance, if it has none. False: there is nothing to do, or no instance yet.
bool Actor::activate() {
  {
    std::lock_guard lock(mutex_);
    if (!orders_.empty()) return false;
    if (signals_.size() == 0 && mailbox_.size() == 0 && !has_news_of_children() && !has_due_tick()) return false;
  }
  const auto taken = take_instance();
  if (!taken.ok()) {
    fail(schema::ErrorKind::kHostFailure, taken.error().message, 0, false, {});
    return true;
  }
  if (!*taken) return false;
  count(Count::kActivations);
  begin_call(wasm::initialize_function(), {}, {});
  return true;
}

// What would be lost with the object. Whatever is added to an actor and isn't in Resting is looked at here.
bool Actor::may_be_laid_down() {
  if (timers_ != nullptr && !timers_->empty()) return false;
  return instance_ == nullptr && supervisor_ == nullptr && is_quiet() && ended_waiters_.empty() && !abandoned_ &&
         !chain_.emitting();
}

// True: the directory has what is left of this actor, and this object is nothing any more.
bool Actor::lay_down() {
  if (!may_be_laid_down()) return false;
  const bool done = context_->directory.lay_down(id(), [this]() -> std::optional<Resting> {
    std::lock_guard lock(mutex_);
    if (!orders_.empty() || signals_.size() != 0 || !mailbox_.is_unused()) return std::nullopt;
    if (has_news_.load(std::memory_order_relaxed)) return std::nullopt;
    if (refused_ != nullptr && refused_->count != 0) return std::nullopt;  // not stated yet
    laid_down_ = true;
    Resting resting;
    resting.manifest = manifest_;
    resting.module = module_;
    resting.tip = chain_.tip();
    resting.fuel = life_fuel_;
    resting.auditors_step = auditors_step_;
    resting.gate = gate_;
    if (manifest_->audit_mode == schema::AuditMode::kQuorum) resting.links = links_;
    resting.parent = std::move(parent_);
    resting.relations = std::move(relations_);
    resting.timers = std::move(timers_);
    if (channels_ != nullptr && !channels_->all.empty()) {
      resting.channels = std::make_unique<std::map<uint64_t, std::shared_ptr<Channel>>>(std::move(channels_->all));
    }
    resting.labels = std::move(labels_);
    if (const auto& payload = state_.get<Value::Option>()->payload) {
      resting.state.emplace(payload->get<Bytes>()->begin(), payload->get<Bytes>()->end());  // no spare room in it
    }
    auto subscribers = chain_.take_subscribers();
    std::erase(subscribers, std::shared_ptr<Subscriber>(links_));
    if (!subscribers.empty()) {
      resting.subscribers = std::make_unique<std::vector<std::shared_ptr<Subscriber>>>(std::move(subscribers));
    }
    return resting;
  });
  if (done) phase_ = Phase::kEnded;
  return done;
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
  const bool could_rest =
      phase_ == Phase::kIdle && instance_ != nullptr && !birth_ && !stop_ && !outstanding_ && passivate_after_ms() != 0;
  idle_since_ns_.store(could_rest ? chain_.time_ns() : 0, std::memory_order_relaxed);
  const bool may_rest = !birth_ && phase_ != Phase::kTerminal && phase_ != Phase::kEnded;
  if (!may_rest || rest_timer_.second != 0) return;
  uint64_t after = passivate_after_ms();
  if (instance_ == nullptr) after = after == 0 ? kLayDownAgainMs : std::min(after, kLayDownAgainMs);
  if (after == 0) return;
  rest_length_ = chain_.length();
  // Whoever is raised isn't in a turn: this one's first may begin as soon as the timer is set.
  rest_timer_ = context_->timers.make_id(after_ms(context_->clock->monotonic_ns(), after));
  context_->timers.set(rest_timer_, [weak = weak_from_this()] {
    const auto self = std::static_pointer_cast<Actor>(weak.lock());
    if (self == nullptr) return;
    self->rest_due_.store(true, std::memory_order_release);
    self->wake();
  });
}

}  // namespace theater::node
