// limits.events_per_second: a bucket that holds one second's worth of events and is filled at that rate. An actor that
// finds it empty waits before it goes on; what it has begun it may finish, so the bucket may owe an event or two.
//
// One owner: the actor, in its turns.
#pragma once

#include <cstdint>
#include <utility>

namespace theater::node {

class Throttle {
 public:
  // `events` were emitted before and don't count.
  explicit Throttle(uint64_t events_per_second, uint64_t events = 0)
      : interval_ns_(kSecondNs / events_per_second), events_(events) {}

  // True if the actor, which has emitted `events` in all, may go on at `now_ns`; otherwise it waits until ready_ns().
  bool allows(uint64_t events, uint64_t now_ns) {
    if (full_at_ns_ <= now_ns) {  // a quiet second ends a burst
      full_at_ns_ = now_ns;
      told_ = false;
    }
    full_at_ns_ += (events - events_) * interval_ns_;
    events_ = events;
    const uint64_t next_ns = full_at_ns_ + interval_ns_;
    ready_ns_ = next_ns <= now_ns + kSecondNs ? 0 : next_ns - kSecondNs;
    return ready_ns_ == 0;
  }
  uint64_t ready_ns() const { return ready_ns_; }  // 0: it doesn't wait
  // True once for each burst.
  bool tell() { return !std::exchange(told_, true); }

 private:
  static constexpr uint64_t kSecondNs = 1'000'000'000;

  const uint64_t interval_ns_;
  uint64_t events_;          // counted up to now
  uint64_t full_at_ns_ = 0;  // if nothing more were emitted
  uint64_t ready_ns_ = 0;
  bool told_ = false;
};

}  // namespace theater::node
