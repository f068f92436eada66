// What a supervisor is told and what it decides, as facts on its chain. Each input stands there before the rules see
// it, and each decision before it is carried out, so that whoever holds the chain can run the rules again and hold
// every decision against them (retrace.h). The live supervisor and the retracing one use the same apply().
//
// Plain values and pure functions; any thread. docs/supervision.md lists the facts.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "schema/value.h"
#include "supervise/supervision.h"

namespace theater::supervise {

// --- inputs ---

struct Begin {
  std::vector<std::string> supervisors;  // ids of children that are supervisors themselves
};
struct Stop {
  std::string why;
};
struct TimePassed {};  // a deadline of the rules is due
struct StartChild {    // `spec.start` isn't recorded: the child's genesis says what it was made from
  CallId call = 0;
  ChildSpec spec;
};
struct StartFromPattern {
  CallId call = 0;
  Bytes extra;  // only its size is recorded
};
struct TerminateChild {
  CallId call = 0;
  std::string child;  // an id, or a life in hexadecimal digits
};
struct RestartChild {
  CallId call = 0;
  std::string child;
};
struct DeleteChild {
  CallId call = 0;
  std::string child;
};
struct ChildStarted {
  ChildRef child = 0;
  Hash life;
};
struct ChildStartFailed {
  ChildRef child = 0;
  std::string why;
};
struct ChildExited {
  ChildRef child = 0;
  Hash life;
  Exit exit;
};
using Input = std::variant<Begin, Stop, TimePassed, StartChild, StartFromPattern, TerminateChild, RestartChild,
                           DeleteChild, ChildStarted, ChildStartFailed, ChildExited>;

// When it came, and what chance says for it: the jitter of a backoff.
struct Moment {
  uint64_t at_ns = 0;
  uint64_t chance = 0;
};

// The rules' randomness: whatever was drawn, and recorded, for the input in progress.
class Chance final : public Random {
 public:
  void set(uint64_t value) { value_ = value; }
  void fill(std::span<uint8_t> out) override;

 private:
  uint64_t value_ = 0;
};

// Feeds the rules. An error means that the input doesn't fit; nothing has changed then.
Result<void> apply(Supervision& rules, Chance& chance, const Input& input, const Moment& moment);

// --- as facts ---

inline constexpr std::string_view kFactPrefix = "supervisor/";

std::string_view fact_type(const Input& input);
schema::Value to_value(const Input& input, const Moment& moment);

// Empty for what is no decision: kSetTimer and kReply.
std::string_view fact_type(What what);
schema::Value to_value(const Output& output);

struct ReadInput {
  Input input;
  Moment moment;
};
// Nothing if `type` is no input's. kCorrupt if it is one that can't be read.
Result<std::optional<ReadInput>> read_input(std::string_view type, const schema::Value& value);

}  // namespace theater::supervise
