// A subscriber inside the process: events wait in a bounded queue until somebody takes them.
//
// Strict: when the queue is full, the actors whose events it takes wait. Best-effort: it takes everything at line rate
// and drops the oldest when it is full, counted. Either way it never holds more than `capacity` events.
//
// One queue may serve many chains. Producers are workers; pop() and close() may be called from any thread. Wakers run
// on the thread that pops or closes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "node/chain/subscriber.h"

namespace theater::node {

class QueueSubscriber final : public Subscriber {
 public:
  enum class Overflow : uint8_t { kStrict, kBestEffort };
  QueueSubscriber(size_t capacity, Overflow overflow);

  // The next event, waiting at most `wait`; nothing then, or at once when it is closed and drained.
  std::optional<schema::EncodedEvent> pop(std::chrono::nanoseconds wait = {});
  // No more events are wanted. Chains evict it at their next emission; those that wait for it go on.
  void close();
  size_t size() const;
  uint64_t dropped() const;  // best-effort: events lost to the bound

  std::string name() const override { return "a subscriber in this process"; }
  bool closed() const override;
  bool try_reserve(const ActorId&, size_t bytes) override;
  void release(const ActorId&, size_t bytes) override;
  bool when_room(const ActorId& actor, std::function<void()> waker) override;
  void forget_waker(const ActorId& actor) override;
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId& actor) override;

 private:
  bool has_room() const { return closed_ || events_.size() + reserved_ < capacity_; }
  std::function<void()> next_waker();

  const size_t capacity_;
  const Overflow overflow_;
  mutable std::mutex mutex_;
  std::condition_variable readable_;
  std::deque<schema::EncodedEvent> events_;
  size_t reserved_ = 0;
  // Producers that wait, oldest first; at most one entry for each chain. Room for one event wakes one of them.
  std::map<uint64_t, std::pair<ActorId, std::function<void()>>> wakers_;
  std::map<ActorId, uint64_t> waker_of_;
  uint64_t last_waker_ = 0;
  uint64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace theater::node
