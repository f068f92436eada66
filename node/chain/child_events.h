// A supervisor's view of its children's chains: what they emit waits here until the supervisor has a turn for it. Never
// makes a child wait: when the ring is full the oldest event is dropped, and the next one says how many are missing
// before it. So a supervisor that waits for a child to stop never holds up that child's events.
//
// Any thread; one short lock. `wake` only enqueues and may be called after its actor is gone.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "node/chain/subscriber.h"

namespace theater::node {

class ChildEvents final : public Subscriber {
 public:
  static constexpr size_t kEventsMax = 256;
  static constexpr size_t kBytesMax = size_t{1} << 20;

  struct Event {
    ActorId actor;
    uint64_t sequence = 0;
    Hash hash;
    Bytes bytes;
    uint64_t lost = 0;  // events of all subscribed chains that were dropped between this one and the one before
  };

  explicit ChildEvents(std::function<void()> wake) : wake_(std::move(wake)) {}

  std::optional<Event> pop();
  bool empty() const;
  void close();  // chains let go of it at their next emission

  std::string name() const override { return "a supervisor"; }
  bool closed() const override;
  bool try_reserve(const ActorId&, size_t) override { return true; }
  void release(const ActorId&, size_t) override {}
  bool when_room(const ActorId&, std::function<void()>) override { return false; }
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId&) override {}

 private:
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  size_t bytes_ = 0;
  uint64_t lost_ = 0;
  bool closed_ = false;
};

}  // namespace theater::node
