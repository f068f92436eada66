// Workers and what they run. A Task is something that takes turns: an actor, or the node's own chain. It is never run
// by two workers at once, and while it waits it stands in no queue and costs no thread.
//
// wake() may be called from any thread, any number of times: a task that waits is queued, one that is queued already
// stays where it is, one that runs right now gets another turn afterwards. So whoever changes something that a task
// should look at changes it first and then calls wake(); no wake-up is ever lost.
//
// The run queue holds each task at most once: it is bounded by the number of tasks.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
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
    kAgain,  // has more to do; lets others go first
    kWait,   // until wake()
  };

  explicit Task(Scheduler& scheduler) : scheduler_(scheduler) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  void wake();

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
  explicit Scheduler(size_t workers);
  ~Scheduler();  // as stop()

  // Lets turns in progress end and joins the workers. Tasks still queued are dropped. Idempotent.
  void stop();
  size_t workers() const { return workers_count_; }

 private:
  friend class Task;
  void enqueue(std::shared_ptr<Task> task);
  void work(size_t index);
  std::shared_ptr<Task> next();
  void run(Task& task, Worker& worker);

  const size_t workers_count_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::shared_ptr<Task>> queue_;
  size_t sleeping_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace theater::node
