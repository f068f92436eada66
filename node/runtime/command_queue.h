// What the command thread has to do: go on where a package is compiled, or an answer is durable, and what would hold up
// the bus. Always taken, because its amount is bounded by the compilations and requests in flight.
//
// Any thread pushes; one thread pops.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

namespace theater::node {

class CommandQueue {
 public:
  using Work = std::function<void()>;

  void push(Work work);
  size_t size() const;
  void wake();  // ends a wait: the first timer has changed

  // The next thing to do, waiting at most `wait` (no value: for ever). Nothing if the wait ended without one.
  std::optional<Work> pop(std::optional<std::chrono::nanoseconds> wait);

 private:
  mutable std::mutex mutex_;
  std::condition_variable readable_;
  std::deque<Work> queue_;
  bool woken_ = false;
};

}  // namespace theater::node
