// The seeded twin of the ZeroMQ transport: one direction of a connection inside a simulation, which drops, doubles,
// delays and so reorders messages as a seed says, and loses everything in flight when it is cut. Worse than ZeroMQ on
// purpose: what a link survives here it survives there.
//
// One thread. Time is whatever the simulation passes in. Bound: `capacity` messages in flight; a full wire takes no
// more.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "base/random.h"
#include "base/text.h"

namespace theater::bus {

class MemoryWire {
 public:
  struct Faults {
    uint32_t drop_permille = 0;
    uint32_t double_permille = 0;
    uint32_t delay_permille = 0;  // these take up to delay_max_ns, and so arrive after later ones
    uint64_t latency_ns = 50'000;
    uint64_t delay_max_ns = 5'000'000;
    size_t capacity = 4096;
  };

  MemoryWire(Random& random, Faults faults) : random_(random), faults_(faults) {}

  // False if the wire is full or cut: nothing was taken.
  bool send(std::shared_ptr<const Bytes> message, uint64_t now_ns);
  bool send(Bytes message, uint64_t now_ns) { return send(std::make_shared<const Bytes>(std::move(message)), now_ns); }
  // What has arrived by now, in the order of arrival.
  std::shared_ptr<const Bytes> receive(uint64_t now_ns);

  // When receive() gives something next; the end of time if nothing flies.
  uint64_t next_arrival_ns() const { return flying_.empty() ? UINT64_MAX : flying_.begin()->first; }

  void cut();  // loses what is in flight; until mend(), send says no
  void mend() { is_cut_ = false; }
  void set_faults(const Faults& faults) { faults_ = faults; }
  size_t in_flight() const { return flying_.size(); }

 private:
  bool chance(uint32_t permille) { return permille != 0 && random_.below(1000) < permille; }
  void launch(std::shared_ptr<const Bytes> message, uint64_t now_ns);

  Random& random_;
  Faults faults_;
  std::multimap<uint64_t, std::shared_ptr<const Bytes>> flying_;  // by arrival time; equal times in order of sending
  bool is_cut_ = false;
};

}  // namespace theater::bus
