#include "node/chain/child_events.h"

#include <utility>

namespace theater::node {

void ChildEvents::deliver(const schema::EncodedEvent& event) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    events_.push_back(Event{event.actor, event.sequence, event.hash, event.bytes, 0});
    bytes_ += event.bytes.size();
    while (events_.size() > kEventsMax || (bytes_ > kBytesMax && events_.size() > 1)) {
      bytes_ -= events_.front().bytes.size();
      events_.pop_front();
      ++lost_;
    }
  }
  wake_();
}

// What was dropped was older than all that is here.
std::optional<ChildEvents::Event> ChildEvents::pop() {
  std::lock_guard lock(mutex_);
  if (events_.empty()) return std::nullopt;
  std::optional<Event> event(std::move(events_.front()));
  events_.pop_front();
  bytes_ -= event->bytes.size();
  event->lost = std::exchange(lost_, 0);
  return event;
}

bool ChildEvents::empty() const {
  std::lock_guard lock(mutex_);
  return events_.empty();
}

bool ChildEvents::closed() const {
  std::lock_guard lock(mutex_);
  return closed_;
}

void ChildEvents::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  events_.clear();
}

}  // namespace theater::node
