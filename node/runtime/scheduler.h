// Workers and what they run. A Task is something that takes turns: an actor, or the node's own chain. It is never run
// by two workers at once, and while it waits it stands in no queue and costs no thread.
//
// wake() may be called from any thread, any number of times: a task that waits is queued, one that is queued already
// stays where it is, one that runs right now gets another turn afterwards. So whoever changes something that a task
// should look at changes it first and then calls wake(); no wake-up is ever lost.
//
// Each worker has a run queue of its own, and steals from the others when it is empty. Whoever is woken by a worker
// goes to that worker's queue: two actors that talk stay on one core, because a single task is stolen only from a
// worker that doesn't come to it. What was woken runs before what used up its turn, but kWokenInARow of those are
// followed by one that waits for its next slice, so that neither starves the other: whoever is only busy with messages
// leaves a fifth of the worker, or more, to whoever computes.
//
// The queues hold each task at most once: they are bounded by the number of tasks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "schema/event.h"

namespace theater::node {

// What a turn may use of the worker that runs it. Buffers keep their size between turns.
struct Worker {
  size_t index = 0;
  schema::EncodedEvent scratch;
};

class Scheduler;

class Task : public std::enable_shared_from_this<Task> {
 public:
  enum class Next : uint8_t {
    kAgain,  // used up its turn in the middle of something; lets others go first
    kMore,   // did what it was woken for and has been given more: as if it had been woken again
    kWait,   // until wake()
  };

  explicit Task(Scheduler& scheduler) : scheduler_(scheduler) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void wake();
  // wake(), for whoever may outlive the task.
  std::function<void()> waker() {
    return [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->wake();
    };
  }

 protected:
  virtual Next turn(Worker& worker) = 0;

 private:
  friend class Scheduler;
  enum class State : uint8_t { kWaiting, kQueued, kRunning, kWoken };
  Scheduler& scheduler_;
  std::atomic<State> state_{State::kWaiting};
};

class Scheduler {
 public:
  static constexpr int kWokenInARow = 16;

  explicit Scheduler(size_t workers);
  ~Scheduler();  // as stop()

  // Lets turns in progress end and joins the workers. Tasks still queued are dropped. Idempotent.
  void stop();
  size_t workers() const { return queues_.size(); }
  size_t queued() const;  // tasks that could run and wait for a worker

 private:
  friend class Task;
  enum class Why : uint8_t { kWoken, kUsedItsTurn };
  struct RunQueue {
    std::mutex mutex;
    std::deque<std::shared_ptr<Task>> woken, used_their_turn;
    std::atomic<size_t> size{0};
    int woken_in_a_row = 0;
    // What this queue's worker saw of the others' when it searched: their `taken`, and for how many looks.
    std::vector<std::pair<uint64_t, int>> seen;
    std::atomic<uint64_t> taken{0};  // tells whether its worker gets on
    std::shared_ptr<Task> take();
  };

  void enqueue(std::shared_ptr<Task> task, Why why);
  void work(size_t index);
  std::shared_ptr<Task> next(size_t index);
  std::shared_ptr<Task> search(size_t index);  // in the others' queues, for a while
  std::shared_ptr<Task> steal(size_t index);
  bool is_idle() const;
  void wake_sleeper();
  bool sleep();  // false: it is over
  void run(Task& task, Worker& worker);

  std::vector<std::unique_ptr<RunQueue>> queues_;
  std::atomic<size_t> next_queue_{0};  // for what comes from other threads
  std::atomic<size_t> sleeping_{0};
  std::atomic<bool> searching_{false};  // one worker looks around before it sleeps
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // of the sleepers
  std::condition_variable ready_;
  std::vector<std::thread> threads_;
};

}  // namespace theater::node
