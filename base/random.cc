#include "base/random.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace theater {

void SystemRandom::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t count = getrandom(out.data(), std::min<size_t>(out.size(), 256), 0);
    CHECK(count > 0, "getrandom failed");
    out = out.subspan(static_cast<size_t>(count));
  }
}

void SeededRandom::fill(std::span<uint8_t> out) {
  std::lock_guard lock(mutex_);
  while (!out.empty()) {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    const size_t count = std::min(out.size(), sizeof z);
    std::memcpy(out.data(), &z, count);
    out = out.subspan(count);
  }
}

}  // namespace theater
