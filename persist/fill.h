// What another auditor gave: a stretch of a chain that is missing here, or a part of a blob that it refers to. On its
// way through the auditor it takes the place of a frame, so that it meets the chains as the frames before it left them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace theater::persist {

struct Fill {
  PublicKey peer;  // who gave it
  ActorId actor;
  uint64_t gap_first = 0;     // of the gap that the events are the end of
  std::vector<Bytes> events;  // consecutive, in order; or none, and
  struct Part {
    Hash hash;
    uint64_t length = 0, offset = 0;  // of the whole blob; of this part
    Bytes bytes;
  };
  std::optional<Part> part;
  uint64_t chain = 0;  // that has the gap, by its number: another may have its actor's name by now. 0: whichever has it
};

struct FillOutcome {
  uint64_t events = 0;  // taken: durable
  std::string refused;  // not empty: what is wrong with the rest, which is kept as evidence
  std::string left;     // not empty: why the rest isn't taken, though nobody is to blame
};

// One fill under way: made by who has it, finished by the auditor when what came of it is durable. Any thread.
class FillJob {
 public:
  explicit FillJob(Fill what) : fill(std::move(what)) {}

  const Fill fill;
  FillOutcome outcome;  // read it after wait_for() said true

  void finish() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
  }
  bool wait_for(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, [&] { return done_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

}  // namespace theater::persist
