#include "node/actor/limits.h"

#include "base/text.h"

namespace theater::node {
namespace {

using Unit = LimitKey::Unit;

constexpr uint64_t kDayMs = 24 * 3'600'000;

// The two functions of a row.
#define THEATER_LIMIT(member)                                                                                          \
  [](const ManifestLimits& limits) -> uint64_t { return limits.member; }, [](ManifestLimits& limits, uint64_t value) { \
    limits.member = static_cast<decltype(ManifestLimits().member)>(value);                                             \
  }

constexpr LimitKey kKeys[] = {
    {"limits.memory", Unit::kSize, "64 MiB", "The linear memory may grow to this and no further.", 64 << 10,
     uint64_t{4} << 30, THEATER_LIMIT(instance.memory_bytes)},
    {"limits.table_elements", Unit::kNumber, "100000", "Elements that a table may have.", 1, wasm::kTableElementsMax,
     THEATER_LIMIT(instance.table_elements)},
    {"limits.call_timeout", Unit::kDuration, "30 s",
     "How long one call may run and sleep before the actor is killed; waiting for an auditor doesn't count.", 1, kDayMs,
     THEATER_LIMIT(call_timeout_ms)},
    {"limits.fuel", Unit::kNumber, "(none)",
     "Fuel of all calls together, about one unit an instruction; the actor ends when it is used up.", 1, INT64_MAX,
     THEATER_LIMIT(fuel)},
    {"limits.call_fuel", Unit::kNumber, "(none)", "Fuel of one call; the actor ends when a call needs more.", 1,
     INT64_MAX, THEATER_LIMIT(call_fuel)},
    {"limits.events_per_second", Unit::kNumber, "(none)",
     "Events that the actor may leave a second, and at once after a quiet second; with more to say, it waits.", 1,
     1'000'000, THEATER_LIMIT(events_per_second)},
    {"limits.mailbox_messages", Unit::kNumber, "1000", "Messages that may wait.", 1, 1'000'000,
     THEATER_LIMIT(mailbox_messages)},
    {"limits.mailbox_bytes", Unit::kSize, "16 MiB", "Bytes of messages that may wait.", 1, uint64_t{1} << 30,
     THEATER_LIMIT(mailbox_bytes)},
    {"limits.message_bytes", Unit::kSize, "1 MiB", "The largest message that the actor takes.", 1, uint64_t{64} << 20,
     THEATER_LIMIT(message_bytes)},
    {"limits.wait_timeout", Unit::kDuration, "5 s",
     "How long this actor waits for room in a mailbox, and for an answer unless it says otherwise.", 1, kDayMs,
     THEATER_LIMIT(wait_timeout_ms)},
    {"limits.channels", Unit::kNumber, "100", "Open channels, at most 10000; one more is refused.", 1, 10'000,
     THEATER_LIMIT(channels)},
    {"limits.timers", Unit::kNumber, "100", "Timers that may wait, at most 10000; one more is refused.", 1, 10'000,
     THEATER_LIMIT(timers)},
};

#undef THEATER_LIMIT

struct Step {
  uint64_t factor;
  std::string_view unit;
};
constexpr Step kSizes[] = {{uint64_t{1} << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}, {1, " B"}};
constexpr Step kDurations[] = {{3'600'000, " h"}, {60'000, " min"}, {1'000, " s"}, {1, " ms"}};

// In the largest unit in which it is a whole number, as one would write it in a manifest.
std::string with_unit(uint64_t value, std::span<const Step> steps) {
  for (const auto& step : steps) {
    if (value >= step.factor && value % step.factor == 0) return str_cat(value / step.factor, step.unit);
  }
  return str_cat(value, steps.back().unit);
}

}  // namespace

std::span<const LimitKey> limit_keys() { return kKeys; }

std::string_view LimitKey::type() const {
  return unit == Unit::kSize ? "size" : unit == Unit::kDuration ? "duration" : "number";
}

std::string LimitKey::text(uint64_t value) const {
  if (value == kUnlimited) return "no limit";
  if (unit == Unit::kSize) return with_unit(value, kSizes);
  if (unit == Unit::kDuration) return with_unit(value, kDurations);
  return str_cat(value);
}

uint64_t LimitKey::read(const Config::Table& table, uint64_t fallback) const {
  if (unit == Unit::kSize) return table.size_bytes(name(), fallback, min, max);
  if (unit == Unit::kDuration) return table.duration_ms(name(), fallback, min, max);
  return table.number(name(), fallback, min, max);
}

ManifestLimits most_limits() {
  ManifestLimits most;
  // Where the default is none at all, none is the most.
  for (const auto& key : limit_keys()) key.set(most, key.get(most) == kUnlimited ? kUnlimited : key.max);
  return most;
}

void read_limits(const Config::Table& table, ManifestLimits& limits) {
  for (const auto& key : limit_keys()) key.set(limits, key.read(table, key.get(limits)));
  limits.mailbox_waits = table.choice("mailbox_full", {"wait", "refuse"}, "wait") == "wait";
  const uint64_t passivate_after_ms = table.duration_ms("passivate_after", kUnlimited, 0, 365 * kDayMs);
  if (passivate_after_ms != kUnlimited) limits.passivate_after_ms = passivate_after_ms;
}

}  // namespace theater::node
