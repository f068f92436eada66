#include "node/runtime/command_queue.h"

namespace theater::node {

void CommandQueue::push(Work work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  readable_.notify_one();
}

size_t CommandQueue::size() const {
  std::lock_guard lock(mutex_);
  return queue_.size();
}

void CommandQueue::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  readable_.notify_one();
}

std::optional<CommandQueue::Work> CommandQueue::pop(std::optional<std::chrono::nanoseconds> wait) {
  std::unique_lock lock(mutex_);
  const auto is_ready = [&] { return woken_ || !queue_.empty(); };
  if (wait) {
    readable_.wait_for(lock, *wait, is_ready);
  } else {
    readable_.wait(lock, is_ready);
  }
  woken_ = false;
  if (queue_.empty()) return std::nullopt;
  std::optional<Work> work(std::move(queue_.front()));
  queue_.pop_front();
  return work;
}

}  // namespace theater::node
