// Randomness comes in by this interface: the operating system's in production, a seed's in tests and simulations.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

namespace theater {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;  // any thread

  uint64_t next_u64() {
    uint64_t value;
    fill({reinterpret_cast<uint8_t*>(&value), sizeof value});
    return value;
  }
  // Uniform enough for tests and jitter (the modulo's bias is below 2^-32 for bounds below 2^32); bound > 0.
  uint64_t below(uint64_t bound) { return next_u64() % bound; }
};

// getrandom(2). A failure is a bug of the machine and stops the process.
class SystemRandom final : public Random {
 public:
  void fill(std::span<uint8_t> out) override;
};

// SplitMix64: the same seed gives the same bytes on every machine. Not for keys.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  void fill(std::span<uint8_t> out) override;

 private:
  std::mutex mutex_;
  uint64_t state_;
};

}  // namespace theater
