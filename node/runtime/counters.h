// What has happened on this node since it started, as numbers for /metrics. Each worker counts in a cache line of its
// own, which only it writes, so that counting costs a load and a store; all other threads share one more. A sum is read
// while the others go on counting: each number is right, but two of them need not be of the same moment.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "schema/event.h"

namespace theater::node {

enum class Count : uint8_t {
  kSpawnRequests,  // from outside
  kSpawned,        // genesis is emitted
  kRestarts,
  kUnborn,  // ended before there was a chain
  kAbandoned,
  kPassivations,  // instances given up by actors that had nothing to do
  kActivations,   // and made for them again
  kEvents,        // of actors
  kCalls,         // into guests
  kHostCalls,     // out of guests
  kFuel,
  kSent,          // by an actor, into a mailbox
  kSendsRefused,  // to an actor
  kTaken,         // from outside, into a mailbox
  kTakesRefused,
  kReleased,    // of gated actors: calls and answers that went out,
  kDiscarded,   // answers that nobody waited for any more,
  kHeldMicros,  // and how long they were held
  kShutdowns,   // actors that ended without an error
  kErrors,      // those that ended with one, in the order of schema::ErrorKind: trap,
  kKilled,
  kDeadline,
  kLimit,
  kHostFailure,
  kGuestError,
  kCounts,
};

class Counters {
 public:
  explicit Counters(size_t workers) : slots_(std::make_unique<Slot[]>(workers + 1)), workers_(workers) {}

  // By that worker only.
  void add(size_t worker, Count what, uint64_t n = 1) {
    auto& count = slots_[worker + 1].counts[static_cast<size_t>(what)];
    count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  // By any thread.
  void add_outside(Count what, uint64_t n = 1) {
    slots_[0].counts[static_cast<size_t>(what)].fetch_add(n, std::memory_order_relaxed);
  }
  uint64_t sum(Count what) const {
    uint64_t sum = 0;
    for (size_t i = 0; i <= workers_; ++i) {
      sum += slots_[i].counts[static_cast<size_t>(what)].load(std::memory_order_relaxed);
    }
    return sum;
  }
  static Count error(schema::ErrorKind kind) {
    static_assert(static_cast<int>(Count::kGuestError) - static_cast<int>(Count::kErrors) ==
                  static_cast<int>(schema::ErrorKind::kGuestError));
    return static_cast<Count>(static_cast<uint8_t>(Count::kErrors) + static_cast<uint8_t>(kind));
  }

 private:
  struct alignas(64) Slot {
    std::array<std::atomic<uint64_t>, static_cast<size_t>(Count::kCounts)> counts{};
  };
  const std::unique_ptr<Slot[]> slots_;
  const size_t workers_;
};

}  // namespace theater::node
