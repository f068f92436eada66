#include "node/runtime/timers.h"

namespace theater::node {

Timers::Id Timers::set(uint64_t deadline_ns, std::function<void()> callback) {
  const Id id = make_id(deadline_ns);
  set(id, std::move(callback));
  return id;
}

Timers::Id Timers::make_id(uint64_t deadline_ns) {
  std::lock_guard lock(mutex_);
  return {deadline_ns, ++last_number_};
}

void Timers::set(Id id, std::function<void()> callback) {
  bool earlier = false;
  {
    std::lock_guard lock(mutex_);
    earlier = timers_.empty() || id < timers_.begin()->first;
    timers_.emplace(id, std::move(callback));
  }
  if (earlier) on_earlier_();
}

void Timers::cancel(Id id) {
  std::function<void()> dropped;  // destroyed without the lock: it may own much
  std::lock_guard lock(mutex_);
  const auto found = timers_.find(id);
  if (found == timers_.end()) return;
  dropped = std::move(found->second);
  timers_.erase(found);
}

std::optional<uint64_t> Timers::next_deadline_ns() const {
  std::lock_guard lock(mutex_);
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

size_t Timers::size() const {
  std::lock_guard lock(mutex_);
  return timers_.size();
}

void Timers::run_due(uint64_t now_ns) {
  for (;;) {
    std::function<void()> callback;
    {
      std::lock_guard lock(mutex_);
      if (timers_.empty() || timers_.begin()->first.first > now_ns) return;
      callback = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    callback();
  }
}

}  // namespace theater::node
