// A queue between threads that can't grow without bound. A full queue is the caller's decision: try_push says no, push
// waits. close() lets consumers drain what is left and then returns nothing.
//
// Any number of producers and consumers. One mutex; fine for thousands of hand-overs a millisecond.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "base/check.h"

namespace theater {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) { CHECK(capacity > 0); }

  // False if the queue is full or closed; `item` is then untouched.
  bool try_push(T& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) return false;
      items_.push_back(std::move(item));
    }
    readable_.notify_one();
    return true;
  }
  bool try_push(T&& item) { return try_push(item); }

  // Waits for room. False if the queue is closed.
  bool push(T item) {
    {
      std::unique_lock lock(mutex_);
      writable_.wait(lock, [&] { return closed_ || items_.size() < capacity_; });
      if (closed_) return false;
      items_.push_back(std::move(item));
    }
    readable_.notify_one();
    return true;
  }

  std::optional<T> try_pop() {
    std::unique_lock lock(mutex_);
    return take(lock);
  }

  // Waits for an item. Nothing means closed and drained.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    readable_.wait(lock, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }

  // As pop(), but gives up after `wait`.
  std::optional<T> pop_for(std::chrono::nanoseconds wait) {
    std::unique_lock lock(mutex_);
    readable_.wait_for(lock, wait, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }

  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    readable_.notify_all();
    writable_.notify_all();
  }

  size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  std::optional<T> take(std::unique_lock<std::mutex>& lock) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    lock.unlock();
    writable_.notify_one();
    return item;
  }

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable readable_;
  std::condition_variable writable_;
  std::deque<T> items_;
  bool closed_ = false;
};

}  // namespace theater
