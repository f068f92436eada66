// Time comes in by this interface, so that a simulation or a test can own it. Nothing else in Theater reads a clock.
// All values are nanoseconds in 64 bits. Implementations may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace theater {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual uint64_t wall_ns() = 0;       // since 1970-01-01 UTC; may jump in either direction
  virtual uint64_t monotonic_ns() = 0;  // since some fixed point; never goes back
};

class SystemClock final : public Clock {
 public:
  uint64_t wall_ns() override;
  uint64_t monotonic_ns() override;
};

// Stands still until told to move.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(uint64_t start_ns = 1'700'000'000'000'000'000) : now_ns_(start_ns) {}
  uint64_t wall_ns() override { return now_ns_.load(); }
  uint64_t monotonic_ns() override { return now_ns_.load(); }
  void advance_ns(uint64_t by_ns) { now_ns_.fetch_add(by_ns); }

 private:
  std::atomic<uint64_t> now_ns_;
};

}  // namespace theater
