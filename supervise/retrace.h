// Runs a recorded supervisor's rules again: takes the facts of its chain in their order, feeds the rules what the
// supervisor was told, and holds each recorded decision against theirs. So whoever holds the chain can tell whether a
// restart, a stop or a giving-up was what the manifest's rules demanded, nothing left out and nothing added.
//
// Decisions may stand later than the inputs that follow their cause: they are compared in order. What the rules decided
// and the chain doesn't say (yet) is no difference: the supervisor may have died before.
//
// One owner, one thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "supervise/facts.h"

namespace theater::supervise {

class Retrace {
 public:
  // As it stands in the recorded manifest.
  explicit Retrace(SupervisorSpec spec) : spec_(std::move(spec)) {}

  // The next fact. Anything that isn't a supervisor's is ignored. Returns what the rules say otherwise, in words;
  // nothing more may be taken after that. kCorrupt if the fact can't be read.
  Result<std::optional<std::string>> take(std::string_view type, const schema::Value& value);
  uint64_t decisions() const { return decisions_; }  // that were compared

 private:
  Result<std::optional<std::string>> feed(const ReadInput& read);
  std::optional<std::string> compare(std::string_view type, const schema::Value& value);
  void collect();

  SupervisorSpec spec_;
  std::unique_ptr<Chance> chance_ = std::make_unique<Chance>();
  std::optional<Supervision> rules_;  // from the first input on
  std::deque<Output> expected_;
  uint64_t decisions_ = 0;
};

}  // namespace theater::supervise
