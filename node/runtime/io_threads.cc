#include "node/runtime/io_threads.h"

#include "base/text.h"
#include "base/thread.h"

namespace theater::node {

IoThreads::~IoThreads() { stop(); }

bool IoThreads::try_push(Job& job) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || jobs_.size() >= kJobsMax) return false;
    jobs_.push_back(std::move(job));
    if (threads_.size() < kThreads && idle_ < jobs_.size()) {
      threads_.push_back(start_thread(str_cat("files-", threads_.size() + 1), [this] { run(); }));
    }
  }
  ready_.notify_one();
  return true;
}

void IoThreads::when_room(const void* who, std::function<void()> waker) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (jobs_.size() > kJobsMax / 2) {
      waiting_[who] = std::move(waker);
      return;
    }
  }
  waker();
}

void IoThreads::forget(const void* who) {
  std::lock_guard lock(mutex_);
  waiting_.erase(who);
}

void IoThreads::stop() {
  std::vector<std::thread> threads;
  std::deque<Job> dropped;
  decltype(waiting_) forgotten;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    dropped.swap(jobs_);
    forgotten.swap(waiting_);
  }
  ready_.notify_all();
  for (auto& thread : threads) thread.join();
}

void IoThreads::run() {
  for (;;) {
    Job job;
    decltype(waiting_) wakers;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      ready_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
      --idle_;
      if (stopped_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      if (jobs_.size() <= kJobsMax / 2) wakers.swap(waiting_);
    }
    for (const auto& [who, waker] : wakers) waker();
    job();
  }
}

}  // namespace theater::node
