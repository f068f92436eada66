#include "node/chain/queue_subscriber.h"

#include "base/check.h"

namespace theater::node {

QueueSubscriber::QueueSubscriber(size_t capacity, Overflow overflow) : capacity_(capacity), overflow_(overflow) {
  CHECK(capacity > 0);
}

std::optional<schema::EncodedEvent> QueueSubscriber::pop(std::chrono::nanoseconds wait) {
  std::unique_lock lock(mutex_);
  readable_.wait_for(lock, wait, [&] { return closed_ || !events_.empty(); });
  if (events_.empty()) return std::nullopt;
  std::optional<schema::EncodedEvent> event(std::move(events_.front()));
  events_.pop_front();
  wake_all(lock);
  return event;
}

void QueueSubscriber::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  readable_.notify_all();
  wake_all(lock);
}

size_t QueueSubscriber::size() const {
  std::lock_guard lock(mutex_);
  return events_.size();
}

uint64_t QueueSubscriber::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

bool QueueSubscriber::ended(const ActorId& actor) const {
  std::lock_guard lock(mutex_);
  return ended_.contains(actor);
}

bool QueueSubscriber::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool QueueSubscriber::try_reserve(size_t) {
  if (overflow_ == Overflow::kBestEffort) return true;
  std::lock_guard lock(mutex_);
  if (closed_) return true;  // evicted at the next emission; nobody has to wait for it
  if (events_.size() + reserved_ >= capacity_) return false;
  ++reserved_;
  return true;
}

void QueueSubscriber::release(size_t) {
  if (overflow_ == Overflow::kBestEffort) return;
  std::unique_lock lock(mutex_);
  if (reserved_ > 0) --reserved_;
  wake_all(lock);
}

void QueueSubscriber::when_room(const ActorId& actor, std::function<void()> waker) {
  std::lock_guard lock(mutex_);
  wakers_[actor] = std::move(waker);
}

void QueueSubscriber::forget_waker(const ActorId& actor) {
  std::lock_guard lock(mutex_);
  wakers_.erase(actor);
}

void QueueSubscriber::deliver(const schema::EncodedEvent& event) {
  {
    std::lock_guard lock(mutex_);
    if (reserved_ > 0) --reserved_;
    if (closed_) return;
    if (events_.size() >= capacity_) {
      CHECK(overflow_ == Overflow::kBestEffort, "an event without a reservation");
      events_.pop_front();
      ++dropped_;
    }
    events_.push_back(event);
  }
  readable_.notify_one();
}

void QueueSubscriber::end_of_chain(const ActorId& actor) {
  std::lock_guard lock(mutex_);
  ended_[actor] = true;
  wakers_.erase(actor);
}

void QueueSubscriber::wake_all(std::unique_lock<std::mutex>& lock) {
  auto wakers = std::exchange(wakers_, {});
  lock.unlock();
  for (auto& [actor, waker] : wakers) waker();
}

}  // namespace theater::node
