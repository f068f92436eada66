#include "node/runtime/scheduler.h"

#include "base/check.h"
#include "base/thread.h"

namespace theater::node {

void Task::wake() {
  auto state = state_.load(std::memory_order_acquire);
  for (;;) {
    switch (state) {
      case State::kQueued:
      case State::kWoken: {
        // Whoever runs the task must see what was changed before this wake-up.
        if (state_.compare_exchange_weak(state, state, std::memory_order_acq_rel)) return;
        break;
      }
      case State::kWaiting:
        if (state_.compare_exchange_weak(state, State::kQueued, std::memory_order_acq_rel)) {
          scheduler_.enqueue(shared_from_this());
          return;
        }
        break;
      case State::kRunning:
        if (state_.compare_exchange_weak(state, State::kWoken, std::memory_order_acq_rel)) return;
        break;
    }
  }
}

Scheduler::Scheduler(size_t workers) : workers_count_(workers) {
  CHECK(workers > 0);
  for (size_t i = 0; i < workers; ++i) {
    threads_.push_back(start_thread(str_cat("worker-", i), [this, i] { work(i); }));
  }
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  // Tasks may own what wakes other tasks: none is destroyed under the lock.
  std::deque<std::shared_ptr<Task>> left;
  {
    std::lock_guard lock(mutex_);
    left.swap(queue_);
  }
}

void Scheduler::enqueue(std::shared_ptr<Task> task) {
  bool wake_one = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
    wake_one = sleeping_ > 0;
  }
  if (wake_one) ready_.notify_one();
}

std::shared_ptr<Task> Scheduler::next() {
  std::unique_lock lock(mutex_);
  while (queue_.empty() && !stopping_) {
    ++sleeping_;
    ready_.wait(lock);
    --sleeping_;
  }
  if (stopping_) return nullptr;
  auto task = std::move(queue_.front());
  queue_.pop_front();
  return task;
}

void Scheduler::work(size_t index) {
  Worker worker;
  worker.index = index;
  while (auto task = next()) run(*task, worker);
}

void Scheduler::run(Task& task, Worker& worker) {
  task.state_.exchange(Task::State::kRunning, std::memory_order_acq_rel);
  if (task.turn(worker) == Task::Next::kWait) {
    auto running = Task::State::kRunning;
    if (task.state_.compare_exchange_strong(running, Task::State::kWaiting, std::memory_order_acq_rel)) return;
  }
  task.state_.exchange(Task::State::kQueued, std::memory_order_acq_rel);
  enqueue(task.shared_from_this());
}

}  // namespace theater::node
