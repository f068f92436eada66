// What the parts of one simulation share: time, chance, the account of what happened, and the trace. One thread.
#pragma once

#include <cstdio>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/random.h"
#include "base/text.h"
#include "tests/sim/witness.h"

namespace theater::sim {

inline constexpr uint64_t kUs = 1'000, kMs = 1'000'000, kSecond = 1'000'000'000;

// Simulated time. The wall's clock may jump, as real ones do.
class SimClock final : public Clock {
 public:
  uint64_t wall_ns() override { return now_ns_ + wall_ahead_ns_; }
  uint64_t monotonic_ns() override { return now_ns_; }
  void advance_to(uint64_t now_ns) { now_ns_ = now_ns; }
  void wall_jumps_to(uint64_t ahead_ns) { wall_ahead_ns_ = ahead_ns; }

 private:
  uint64_t now_ns_ = kSecond;
  uint64_t wall_ahead_ns_ = 1'700'000'000 * kSecond;
};

struct Context {
  Context(uint64_t seed, bool traced) : random(seed), trace(traced) {}

  SeededRandom random;
  SimClock clock;
  Witness witness;
  const bool trace;

  uint64_t now() { return clock.monotonic_ns(); }
  bool chance(uint64_t permille) { return random.below(1000) < permille; }
  // Up to `most`, but mostly far less: faults of all lengths.
  uint64_t some(uint64_t most) { return random.below(1 + (most >> random.below(8))); }
  template <typename... Parts>
  void say(const Parts&... parts) {
    if (!trace) return;
    std::fprintf(stderr, "%12.6f  %s\n", static_cast<double>(now()) / kSecond, str_cat(parts...).c_str());
  }
};

inline SigningKey signing_key(Random& random) {
  SigningKey::Seed seed;
  random.fill(seed);
  return SigningKey::from_seed(seed);
}

}  // namespace theater::sim
