#include "node/runtime/command_queue.h"

namespace theater::node {

bool CommandQueue::try_push(Work& work) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || commands_.size() >= kCommandsMax) return false;
    commands_.push_back(std::move(work));
  }
  readable_.notify_one();
  return true;
}

void CommandQueue::push(Work work) {
  {
    std::lock_guard lock(mutex_);
    own_.push_back(std::move(work));
  }
  readable_.notify_one();
}

void CommandQueue::wake() {
  {
    std::lock_guard lock(mutex_);
    woken_ = true;
  }
  readable_.notify_one();
}

void CommandQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

std::optional<CommandQueue::Work> CommandQueue::pop(std::optional<std::chrono::nanoseconds> wait) {
  std::unique_lock lock(mutex_);
  const auto is_ready = [&] { return woken_ || !own_.empty() || !commands_.empty(); };
  if (wait) {
    readable_.wait_for(lock, *wait, is_ready);
  } else {
    readable_.wait(lock, is_ready);
  }
  woken_ = false;
  auto& queue = own_.empty() ? commands_ : own_;
  if (queue.empty()) return std::nullopt;
  std::optional<Work> work(std::move(queue.front()));
  queue.pop_front();
  return work;
}

}  // namespace theater::node
