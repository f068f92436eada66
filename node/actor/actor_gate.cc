// Where a gated actor waits for its auditors: before a call to the outside, and before an answer goes out.
#include "node/actor/actor.h"

namespace theater::node {

using schema::Value;
using wasm::HostStatus;

// Its intent has just been emitted. The time isn't the guest's.
void Actor::close_gate() {
  auto hold = std::make_shared<Hold>();
  hold->gate = gate_;
  hold->began_ns = context_->clock->monotonic_ns();
  hold->up_to = chain_.length();
  gate_->held.fetch_add(1, std::memory_order_relaxed);
  hold_ = hold;
  links_->when_durable(gate_->durable_to.load(std::memory_order_relaxed), [hold, wake = waker()] {
    hold->open.store(true, std::memory_order_release);
    wake();
  });
}

HostStatus Actor::pass_gate() {
  if (!hold_->open.load(std::memory_order_acquire)) {
    wait_for_room();
    return HostStatus::kParked;
  }
  const uint64_t held_ns = context_->clock->monotonic_ns() - hold_->began_ns;
  gate_->release(hold_->up_to, held_ns);
  count(Count::kReleased);
  count(Count::kHeldMicros, held_ns / 1'000);
  hold_.reset();
  return HostStatus::kDone;
}

// What the record says of an answer that came too late to be given.
void Actor::answer_discarded(uint64_t request, uint64_t held_ns) {
  state_fact(kFactAnswerDiscarded,
             Value::record({{"request", Value::u64(request)}, {"held-ms", Value::u64(held_ns / 1'000'000)}}));
}

void Actor::hold_answer(std::shared_ptr<Reply> reply, Result<std::optional<Bytes>> result, bool claimed) {
  auto held = std::make_shared<Held>(Held{std::move(reply), std::move(result), gate_, id(), call_sequence_,
                                          chain_.length(), context_->clock->monotonic_ns(), claimed});
  if (gate_ != nullptr) {
    gate_->held.fetch_add(1, std::memory_order_relaxed);
    held->counted = true;
  }
  const uint64_t from = gate_ == nullptr ? call_sequence_ : gate_->durable_to.load(std::memory_order_relaxed);
  links_->when_durable(
      from, [held, context = context_] { context->commands.push([held, context] { release(*held, *context); }); });
}

// On the command thread. Counted before it is given, so that whoever has the answer sees that.
void Actor::release(Held& held, ActorContext& context) {
  const bool in_time = (held.claimed || held.reply->claim()) && held.reply->give_up();
  if (held.gate != nullptr) {
    const uint64_t held_ns = context.clock->monotonic_ns() - held.began_ns;
    held.no_longer_counts();
    context.counters.add_outside(in_time ? Count::kReleased : Count::kDiscarded);
    context.counters.add_outside(Count::kHeldMicros, held_ns / 1'000);
    if (in_time) {
      held.gate->release(held.up_to, held_ns);
    } else {
      held.gate->discarded.fetch_add(1, std::memory_order_relaxed);
      if (const auto actor = context.directory.find(held.actor)) {  // else its chain has ended
        actor->post_always([request = held.request, held_ns](Actor& self) { self.answer_discarded(request, held_ns); });
      }
    }
  }
  if (in_time) held.reply->deliver(std::move(held.result));
}

}  // namespace theater::node
