#include "node/runtime/scheduler.h"

#include <algorithm>

#include "base/check.h"
#include "base/thread.h"

namespace theater::node {

namespace {

// One worker without work looks around this often before it sleeps, and lets other threads run in between: some tens of
// microseconds, which is what waking a sleeper costs.
constexpr int kLooksBeforeSleep = 200;
// Without progress of another worker, before it takes what that one would have come to soon.
constexpr int kLooksBeforeStealing = 8;

// Which worker this thread is, if it is one.
thread_local const Scheduler* this_scheduler = nullptr;
thread_local size_t this_worker = 0;

}  // namespace

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
          scheduler_.enqueue(shared_from_this(), Scheduler::Why::kWoken);
          return;
        }
        break;
      case State::kRunning:
        if (state_.compare_exchange_weak(state, State::kWoken, std::memory_order_acq_rel)) return;
        break;
    }
  }
}

Scheduler::Scheduler(size_t workers) {
  CHECK(workers > 0);
  for (size_t i = 0; i < workers; ++i) {
    queues_.push_back(std::make_unique<RunQueue>());
    queues_.back()->seen.resize(workers);
  }
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
  // Tasks may own what wakes other tasks: none is destroyed under a lock, and what is queued by that goes the same way.
  for (auto& queue : queues_) {
    {
      std::lock_guard wait_for_who_is_in_enqueue(queue->mutex);
    }
    while (const auto dropped = queue->take()) {
    }
  }
}

size_t Scheduler::queued() const {
  size_t queued = 0;
  for (const auto& queue : queues_) queued += queue->size.load(std::memory_order_relaxed);
  return queued;
}

std::shared_ptr<Task> Scheduler::RunQueue::take() {
  if (size.load(std::memory_order_seq_cst) == 0) return nullptr;
  std::lock_guard lock(mutex);
  const bool next_slice = woken.empty() || (woken_in_a_row >= kWokenInARow && !used_their_turn.empty());
  auto& from = next_slice ? used_their_turn : woken;
  if (from.empty()) return nullptr;
  woken_in_a_row = next_slice ? 0 : woken_in_a_row + 1;
  auto task = std::move(from.front());
  from.pop_front();
  size.fetch_sub(1, std::memory_order_seq_cst);
  taken.fetch_add(1, std::memory_order_relaxed);
  return task;
}

// A worker looks at its own queue when its turn is over, so one task there needs nobody else. Counting first and
// looking for sleepers then, while a sleeper announces itself first and looks at the counts then: one of them sees the
// other.
void Scheduler::enqueue(std::shared_ptr<Task> task, Why why) {
  const bool by_worker = this_scheduler == this;
  const size_t index = by_worker ? this_worker : next_queue_.fetch_add(1, std::memory_order_relaxed) % queues_.size();
  RunQueue& queue = *queues_[index];
  size_t waiting;
  {
    std::lock_guard lock(queue.mutex);
    if (stopping_) return;  // whoever drains the queues comes after this
    (why == Why::kWoken ? queue.woken : queue.used_their_turn).push_back(std::move(task));
    waiting = queue.size.fetch_add(1, std::memory_order_seq_cst) + 1;
  }
  if (by_worker && waiting == 1) return;
  if (!searching_.load(std::memory_order_seq_cst)) wake_sleeper();
}

void Scheduler::wake_sleeper() {
  if (sleeping_.load(std::memory_order_seq_cst) == 0) return;
  std::lock_guard lock(mutex_);
  ready_.notify_one();
}

std::shared_ptr<Task> Scheduler::next(size_t index) {
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (auto task = queues_[index]->take()) return task;
    if (auto task = search(index)) return task;
    if (!sleep()) return nullptr;
  }
  return nullptr;
}

// While one searches, nobody wakes sleepers: so whoever finds something looks whether there is more.
std::shared_ptr<Task> Scheduler::search(size_t index) {
  if (searching_.exchange(true, std::memory_order_seq_cst)) return steal(index);
  std::shared_ptr<Task> task;
  for (int i = 0; i < kLooksBeforeSleep && task == nullptr; ++i) {
    task = queues_[index]->take();
    if (task == nullptr) task = steal(index);
    if (task == nullptr) std::this_thread::yield();
  }
  searching_.store(false, std::memory_order_seq_cst);
  if (task != nullptr && !is_idle()) wake_sleeper();
  return task;
}

std::shared_ptr<Task> Scheduler::steal(size_t index) {
  auto& all_seen = queues_[index]->seen;
  for (size_t i = 1; i < queues_.size(); ++i) {
    const size_t at = (index + i) % queues_.size();
    RunQueue& other = *queues_[at];
    auto& [seen, looks] = all_seen[at];
    const uint64_t taken = other.taken.load(std::memory_order_relaxed);
    looks = taken == seen ? looks + 1 : 0;
    seen = taken;
    if (other.size.load(std::memory_order_relaxed) < 2 && looks < kLooksBeforeStealing) continue;
    looks = 0;
    if (auto task = other.take()) return task;
  }
  return nullptr;
}

bool Scheduler::is_idle() const {
  return std::all_of(queues_.begin(), queues_.end(),
                     [](const auto& queue) { return queue->size.load(std::memory_order_seq_cst) == 0; });
}

bool Scheduler::sleep() {
  std::unique_lock lock(mutex_);
  sleeping_.fetch_add(1, std::memory_order_seq_cst);
  if (is_idle() && !stopping_) ready_.wait(lock);
  sleeping_.fetch_sub(1, std::memory_order_seq_cst);
  return !stopping_;
}

void Scheduler::work(size_t index) {
  this_scheduler = this;
  this_worker = index;
  Worker worker;
  worker.index = index;
  while (auto task = next(index)) run(*task, worker);
}

void Scheduler::run(Task& task, Worker& worker) {
  task.state_.exchange(Task::State::kRunning, std::memory_order_acq_rel);
  const auto next = task.turn(worker);
  if (next == Task::Next::kWait) {
    auto running = Task::State::kRunning;
    if (task.state_.compare_exchange_strong(running, Task::State::kWaiting, std::memory_order_acq_rel)) return;
  }
  task.state_.exchange(Task::State::kQueued, std::memory_order_acq_rel);
  enqueue(task.shared_from_this(), next == Task::Next::kAgain ? Why::kUsedItsTurn : Why::kWoken);
}

}  // namespace theater::node
