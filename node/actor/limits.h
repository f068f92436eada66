// What an actor may use, as its manifest says it. One row a key, so that the parser, the page, the node's [policy] and
// the comparison of a child with its parent know the same keys. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/config.h"
#include "wasm/engine.h"

namespace theater::node {

inline constexpr uint64_t kUnlimited = UINT64_MAX;

struct ManifestLimits {
  wasm::Limits instance;
  uint64_t call_timeout_ms = 30'000;
  uint64_t fuel = kUnlimited;       // of a life
  uint64_t call_fuel = kUnlimited;  // of one call
  uint64_t events_per_second = kUnlimited;
  uint32_t mailbox_messages = 1'000;
  uint64_t mailbox_bytes = uint64_t{16} << 20;
  uint64_t message_bytes = uint64_t{1} << 20;
  bool mailbox_waits = true;                   // a full mailbox makes actors that send wait; otherwise they are refused
  uint64_t wait_timeout_ms = 5'000;            // of a send to a full mailbox, and of a request
  std::optional<uint64_t> passivate_after_ms;  // 0: never; none: what the node says
  uint32_t timers = 100;
  uint32_t channels = 100;
};

// A limit that is a quantity: more of it is more.
struct LimitKey {
  enum class Unit : uint8_t { kSize, kNumber, kDuration };

  std::string_view key;  // "limits.memory"
  Unit unit;
  std::string_view otherwise;  // the default, as one would write it
  std::string_view meaning;
  uint64_t min, max;  // what may be written
  uint64_t (*get)(const ManifestLimits&);
  void (*set)(ManifestLimits&, uint64_t);

  std::string_view name() const { return key.substr(key.find('.') + 1); }
  std::string_view type() const;           // for the page: "size", "number", "duration"
  std::string text(uint64_t value) const;  // "64 MiB", "30 s", "1000", "no limit"
  uint64_t read(const Config::Table& table, uint64_t otherwise) const;
};
std::span<const LimitKey> limit_keys();

// As much of everything as can be written.
ManifestLimits most_limits();

// The table [limits] of a manifest.
void read_limits(const Config::Table& table, ManifestLimits& limits);

}  // namespace theater::node
