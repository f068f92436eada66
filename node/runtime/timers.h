// What is to happen at a time: sleeps, deadlines, graces, timeouts of callers. One ordered set for the node, served by
// the command thread.
//
// set() and cancel() from any thread. Callbacks run on the thread that calls run_due(), must not block, and may set and
// cancel. A cancelled timer is never called after cancel() returned, unless it is running at that moment.
// Bounds: two timers for each actor, for what it waits for and for its rest, one for each request in flight, and a few
// of the node's own.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace theater::node {

inline constexpr uint64_t kLongestWaitMs = uint64_t{365} * 24 * 3'600'000;  // whoever asks for more gets this

inline uint64_t after_ms(uint64_t now_ns, uint64_t wait_ms) {
  return now_ns + std::min(wait_ms, kLongestWaitMs) * 1'000'000;
}

class Timers {
 public:
  using Id = std::pair<uint64_t, uint64_t>;  // deadline, number; {0, 0} is none

  // `on_earlier` is called, on the setter's thread, when a timer becomes the first one.
  explicit Timers(std::function<void()> on_earlier) : on_earlier_(std::move(on_earlier)) {}

  Id set(uint64_t deadline_ns, std::function<void()> callback);
  // The same in two steps, for whoever needs the id before the callback can run.
  Id make_id(uint64_t deadline_ns);
  void set(Id id, std::function<void()> callback);
  void cancel(Id id);

  std::optional<uint64_t> next_deadline_ns() const;
  void run_due(uint64_t now_ns);
  size_t size() const;

 private:
  const std::function<void()> on_earlier_;
  mutable std::mutex mutex_;
  std::map<Id, std::function<void()>> timers_;
  uint64_t last_number_ = 0;
};

}  // namespace theater::node
