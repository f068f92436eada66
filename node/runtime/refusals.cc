#include "node/runtime/refusals.h"

#include "base/text.h"

namespace theater::node {

using schema::Value;

namespace {

constexpr size_t kReasonMax = 1'000;  // bytes; some quote what was asked for
constexpr uint64_t kSecondNs = 1'000'000'000;

// Who asked, as people and `chain show` know them.
std::string name_of(const schema::Origin& origin) {
  if (const auto* from = std::get_if<schema::Operator>(&origin)) return "operator " + from->key.hex();
  if (const auto* cause = std::get_if<schema::Cause>(&origin)) return "actor " + cause->actor.hex();
  return "the node";
}

}  // namespace

void Refusals::note(const std::string& name, const schema::Origin& asked_by, const Error& why) {
  std::lock_guard lock(mutex_);
  const uint64_t now_ns = clock_.monotonic_ns();
  if (now_ns >= second_ends_ns_) {
    if (chain_.has_room()) state_counted();
    second_ends_ns_ = now_ns + kSecondNs;
    stated_ = 0;
  }
  if (stated_ < kEachMax && chain_.has_room()) {
    ++stated_;
    chain_.add(kFactRefusedSpawn, Value::record({{"asked_by", Value::string(name_of(asked_by))},
                                                 {"name", Value::string(name)},
                                                 {"reason", Value::string(shortened(why.message, kReasonMax))}}));
    return;
  }
  last_ = shortened(why.message, kReasonMax);
  if (counted_++ == 0) state_later();
}

void Refusals::state_later() {
  timer_ = timers_.set(second_ends_ns_, [this] {
    std::lock_guard lock(mutex_);
    if (chain_.has_room()) return state_counted();
    second_ends_ns_ = clock_.monotonic_ns() + kSecondNs;
    state_later();
  });
}

void Refusals::flush() {
  std::lock_guard lock(mutex_);
  state_counted();
}

void Refusals::state_counted() {
  if (counted_ == 0) return;
  timers_.cancel(timer_);
  chain_.add(kFactRefusedSpawn,
             Value::record({{"reason", Value::string(last_)}, {"spawns", Value::u64(std::exchange(counted_, 0))}}));
}

}  // namespace theater::node
