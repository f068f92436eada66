// What the command thread has to do. Commands from outside are bounded and refused when too many wait; work of the
// node's own (an actor ended, a package is compiled, a reply is durable) is always taken, because its amount is bounded
// by the number of actors, compilations and requests in flight.
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
  static constexpr size_t kCommandsMax = 4'096;

  bool try_push(Work& work);  // a command; false, and `work` untouched, if too many wait or it is closed
  void push(Work work);       // the node's own
  void wake();                // ends a wait: the first timer has changed
  void close();               // no more commands

  // The next thing to do, waiting at most `wait` (no value: for ever). Nothing if the wait ended without one.
  std::optional<Work> pop(std::optional<std::chrono::nanoseconds> wait);

 private:
  std::mutex mutex_;
  std::condition_variable readable_;
  std::deque<Work> commands_;
  std::deque<Work> own_;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace theater::node
