// What a supervisor is told to do: OTP's supervisor flags and child specifications, under OTP's names and with OTP's
// defaults. Kept apart from the rules (supervision.h), so that a manifest and a handler can build one without them.
//
// Plain values, any thread. check() is called by Supervision for whatever it is given; bad values are errors, never
// crashes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "base/text.h"

namespace theater::supervise {

enum class Strategy : uint8_t { one_for_one, one_for_all, rest_for_one, simple_one_for_one };
enum class Restart : uint8_t { permanent, transient, temporary };
const char* strategy_name(Strategy strategy);
const char* restart_name(Restart restart);

struct Shutdown {
  enum class Kind : uint8_t { brutal_kill, timeout, infinity };
  Kind kind = Kind::timeout;
  uint64_t timeout_ms = 5000;  // of `timeout` only
};

struct ChildSpec {
  std::string id;  // 1 to 255 bytes, unique in the supervisor
  Bytes start;     // what to start: the caller's business, kept for it
  Restart restart = Restart::permanent;
  std::optional<Shutdown> shutdown = std::nullopt;  // none: 5,000 ms for a worker, infinity for a supervisor
  bool is_supervisor = false;
};

// The wait before the n-th restart in a row of one child is initial × 2^(n-1), at most max, less up to jitter_percent
// of it by chance. A life of at least the period, and at least max, ends the row.
struct Backoff {
  uint64_t initial_ms = 100;
  uint64_t max_ms = 10'000;
  uint32_t jitter_percent = 20;
};

struct SupervisorSpec {
  Strategy strategy = Strategy::one_for_one;
  uint32_t intensity = 1;
  uint64_t period_ms = 5000;
  std::optional<Backoff> backoff = std::nullopt;
  size_t max_children = 10'000;
  std::vector<ChildSpec> children = {};  // in start order; simple_one_for_one: exactly one, the pattern of all
};

// Why a supervisor ended that had more restarts than its intensity allows: OTP's words.
inline constexpr const char* kGaveUp = "reached_max_restart_intensity";

inline constexpr size_t kChildIdMax = 255;
inline constexpr size_t kStartArgumentsMax = 64 * 1024;  // bytes of ChildSpec::start, and of extra arguments
inline constexpr uint32_t kIntensityMax = 100'000;
inline constexpr uint64_t kSuperviseMsMax = 10'000'000'000;  // of a period, a time-out, a backoff: 115 days
inline constexpr size_t kSupervisedChildrenMax = 1'000'000;  // of max_children

// kInvalid says which key is wrong, in OTP's word for it. The second one looks at the children too, and is kRefused if
// there are more of them than max_children.
Result<void> check(const ChildSpec& spec);
Result<void> check(const SupervisorSpec& spec);

// From a manifest's [supervisor] and [[child]] tables; none without [supervisor]. A child's `start` is its manifest's
// path. Errors go to the tables.
std::optional<SupervisorSpec> read_spec(const Config::Table& root);

}  // namespace theater::supervise
