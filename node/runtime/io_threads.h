// The threads that wait for disks, so that no worker does: *files-N*. They begin with the first job; a node whose
// actors use no files has none. A job may block as long as the disk does: then others wait behind it, and actors run
// into their call deadlines, but no worker and no other actor is held up.
//
// Any thread may push. At most kJobsMax jobs wait: a full queue refuses, and tells by when_room() when it is worth
// trying again. Jobs run once, in the order in which they came, several at a time. stop() lets those that began finish,
// drops the others, and joins; nothing is taken after it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace theater::node {

class IoThreads {
 public:
  using Job = std::function<void()>;
  static constexpr size_t kThreads = 4;
  static constexpr size_t kJobsMax = 1'000;

  IoThreads() = default;
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  bool try_push(Job& job);  // `job` is untouched if it is refused
  // `waker` is called once, on an I/O thread, when half of the queue is free; at once if it is now. One for each `who`:
  // the last one counts.
  void when_room(const void* who, std::function<void()> waker);
  void forget(const void* who);  // it doesn't wait any more
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  std::unordered_map<const void*, std::function<void()>> waiting_;
  bool stopped_ = false;
  size_t idle_ = 0;  // threads that wait for a job
  std::vector<std::thread> threads_;
};

}  // namespace theater::node
