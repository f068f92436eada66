// Spawns that the node refused, on its own chain: what somebody asked for and wasn't given is part of the record. A
// storm of them must not push out what else the node has to state: kEachMax a second are facts of their own, the others
// are counted in one that follows, when the node's chain has room.
//
// Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "node/runtime/node_chain.h"
#include "node/runtime/timers.h"

namespace theater::node {

inline constexpr std::string_view kFactRefusedSpawn = "node/refused-spawn";

class Refusals {
 public:
  static constexpr uint64_t kEachMax = 10;  // facts a second

  // All must outlive the timers' last call.
  Refusals(NodeChain& chain, Timers& timers, Clock& clock) : chain_(chain), timers_(timers), clock_(clock) {}
  ~Refusals() { timers_.cancel(timer_); }

  // `name` may be empty: the manifest couldn't be read.
  void note(const std::string& name, const schema::Origin& asked_by, const Error& why);
  // States what was only counted up to now, room or not: at the end.
  void flush();

 private:
  void state_counted();  // with the lock, as the next
  void state_later();

  NodeChain& chain_;
  Timers& timers_;
  Clock& clock_;
  std::mutex mutex_;  // guards what follows
  uint64_t second_ends_ns_ = 0;
  uint64_t stated_ = 0;   // in this second
  uint64_t counted_ = 0;  // beyond them
  std::string last_;      // reason of those
  Timers::Id timer_{};
};

}  // namespace theater::node
