// The timers that one actor set. Host state, and a fold over its chain: set-interval, set-once and cancel are events, a
// tick is a call. They end with the life.
//
// A tick that is due waits in its timer until the actor has time for it. So at most one of each timer waits, what was
// missed comes as one, and whoever cancels gets none any more. An interval's ticks keep to the grid that began when it
// was set. What is due first goes first.
//
// Not synchronized: in the actor's turns only. Bounds: limits.timers; what they carry, limits.message_bytes each and
// limits.mailbox_bytes together.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/actor/manifest.h"
#include "schema/event.h"

namespace theater::node {

class ActorTimers {
 public:
  static constexpr uint64_t kPeriodMinNs = 1'000'000;

  struct Tick {
    uint64_t timer = 0;
    Bytes data;
    schema::Origin origin;
  };

  // Times are monotonic. Returns the timer's number: 1, 2, 3, … A delay that nobody lives to see is fine. kRefused
  // names the limit.
  Result<uint64_t> set(uint64_t now_ns, uint64_t delay_ns, bool repeats, BytesView data, const ManifestLimits& limits);
  // The event that set the newest timer, as soon as it was emitted.
  void set_by(const schema::Cause& event);
  // kNotFound if it isn't there, any more or at all.
  Result<void> cancel(uint64_t timer);

  std::vector<uint64_t> numbers() const;  // ascending
  bool empty() const { return timers_.empty(); }
  std::optional<uint64_t> next_due_ns() const;
  std::optional<Tick> take_due(uint64_t now_ns);

 private:
  struct Timer {
    uint64_t due_ns = 0;
    uint64_t period_ns = 0;  // 0: once
    Bytes data;
    schema::Origin origin;
  };

  std::map<uint64_t, Timer> timers_;
  std::set<std::pair<uint64_t, uint64_t>> due_;  // when, timer
  uint64_t last_number_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace theater::node
