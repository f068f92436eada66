// Waiting for an answer and for SIGINT or SIGTERM at once, on the main thread.
//
// A StopSignals must be made before any other thread is started: it blocks both signals, and threads inherit that. The
// first signal is reported, so that the program can stop cleanly; a second one ends the process at once.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/result.h"

namespace theater::cli {

class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // The signal that came, if one did.
  std::optional<int> received() const { return received_; }

  // Ends a wait() on the main thread. Callable from any thread, also when this object is gone.
  std::function<void()> waker() const;

  // Returns after the waker was called or a signal came; false if `timeout_ms` went by first. Main thread.
  bool wait(int timeout_ms);

 private:
  struct WakeFd;
  int signal_fd_;
  std::shared_ptr<WakeFd> wake_fd_;
  std::optional<int> received_;
};

// Calls `start` with a callback and waits until that was called; meanwhile calls `every_second`. Nothing if a signal
// came first; the callback may then still come, and is ignored.
template <typename T, typename Start>
std::optional<Result<T>> await(StopSignals& signals, Start&& start, const std::function<void()>& every_second = [] {}) {
  struct State {
    std::mutex mutex;
    std::optional<Result<T>> result;
  };
  const auto state = std::make_shared<State>();
  start([state, wake = signals.waker()](Result<T> result) {
    {
      std::lock_guard lock(state->mutex);
      state->result.emplace(std::move(result));
    }
    wake();
  });
  const auto signal_before = signals.received();
  while (true) {
    {
      std::lock_guard lock(state->mutex);
      if (state->result) return std::move(state->result);
    }
    if (signals.received() != signal_before) return std::nullopt;
    if (!signals.wait(1'000)) every_second();
  }
}

}  // namespace theater::cli
