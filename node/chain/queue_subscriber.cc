#include "node/chain/queue_subscriber.h"

#include "base/check.h"

namespace theater::node {

QueueSubscriber::QueueSubscriber(size_t capacity, Overflow overflow) : capacity_(capacity), overflow_(overflow) {
  CHECK(capacity > 0);
}

std::optional<schema::EncodedEvent> QueueSubscriber::pop(std::chrono::nanoseconds wait) {
  std::optional<schema::EncodedEvent> event;
  std::function<void()> waker;
  {
    std::unique_lock lock(mutex_);
    readable_.wait_for(lock, wait, [&] { return closed_ || !events_.empty(); });
    if (events_.empty()) return std::nullopt;
    event = std::move(events_.front());
    events_.pop_front();
    waker = next_waker();
  }
  if (waker) waker();
  return event;
}

void QueueSubscriber::close() {
  decltype(wakers_) wakers;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    wakers.swap(wakers_);
    waker_of_.clear();
  }
  readable_.notify_all();
  for (auto& [number, waker] : wakers) waker.second();
}

size_t QueueSubscriber::size() const {
  std::lock_guard lock(mutex_);
  return events_.size();
}

uint64_t QueueSubscriber::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

bool QueueSubscriber::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

bool QueueSubscriber::try_reserve(const ActorId&, size_t) {
  if (overflow_ == Overflow::kBestEffort) return true;
  std::lock_guard lock(mutex_);
  if (closed_) return true;  // evicted at the next emission; nobody has to wait for it
  if (events_.size() + reserved_ >= capacity_) return false;
  ++reserved_;
  return true;
}

void QueueSubscriber::release(const ActorId&, size_t) {
  if (overflow_ == Overflow::kBestEffort) return;
  std::function<void()> waker;
  {
    std::lock_guard lock(mutex_);
    if (reserved_ > 0) --reserved_;
    waker = next_waker();
  }
  if (waker) waker();
}

bool QueueSubscriber::when_room(const ActorId& actor, std::function<void()> waker) {
  std::lock_guard lock(mutex_);
  const auto [found, is_new] = waker_of_.try_emplace(actor, last_waker_ + 1);
  if (is_new) ++last_waker_;
  wakers_[found->second] = {actor, std::move(waker)};
  return false;
}

// Whoever stops waiting may have been woken already for the room that there is: that goes to the next one.
void QueueSubscriber::forget_waker(const ActorId& actor) {
  std::function<void()> waker;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = waker_of_.find(actor); found != waker_of_.end()) {
      wakers_.erase(found->second);
      waker_of_.erase(found);
    }
    waker = next_waker();
  }
  if (waker) waker();
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
  if (const auto found = waker_of_.find(actor); found != waker_of_.end()) {
    wakers_.erase(found->second);
    waker_of_.erase(found);
  }
}

// Takes the oldest one out if there is room for it. Called with the lock, used without.
std::function<void()> QueueSubscriber::next_waker() {
  if (wakers_.empty() || !has_room()) return nullptr;
  auto [actor, waker] = std::move(wakers_.begin()->second);
  wakers_.erase(wakers_.begin());
  waker_of_.erase(actor);
  return std::move(waker);
}

}  // namespace theater::node
