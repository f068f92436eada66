// A node within this process, with or without an auditor in another one, and the few things that benchmarks do with it:
// spawn `burst`, ask it for log calls, and wait until they are acknowledged. The real runtime, engine and bus.
//
// Used by one thread. The destructor stops everything, actors first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/auditor_process.h"
#include "node/runtime/runtime.h"

namespace theater::bench {

// An example guest: examples/NAME of the build folder that this program stands in.
struct Package {
  std::string manifest;
  Bytes module;
  std::optional<Bytes> initial_state;
};
Result<Package> load_example(const std::string& name);

class NodeRig {
 public:
  struct Options {
    AuditorProcess* auditor = nullptr;         // none: nothing is audited
    AuditorProcess* second_auditor = nullptr;  // of the same node's keys; strict actors wait for both
    uint32_t instances_max = 12'000;
    std::string modules_folder = {};  // compiled packages are kept there; empty: nowhere
  };
  static Result<std::unique_ptr<NodeRig>> start(const Options& options);
  ~NodeRig();

  node::Runtime& runtime() { return *runtime_; }
  wasm::Engine& engine() { return *engine_; }
  Clock& clock() { return clock_; }
  bus::Outbox& outbox() { return *outbox_; }  // only with an auditor
  const std::shared_ptr<bus::Outbox>& shared_outbox() { return outbox_; }

  // `subscriber` (may be null) sees the chain from genesis on.
  // `told_ns`, if given: when the runtime said that init has returned.
  Result<ActorId> spawn(const Package& package, std::shared_ptr<node::Subscriber> subscriber,
                        uint64_t* told_ns = nullptr);
  Result<ActorId> spawn(node::Bundle bundle);
  // `calls` log calls, and its answer; with `durable`, once all is acknowledged.
  Result<void> burst(const ActorId& actor, uint64_t calls, bool durable);
  // One burst of each, at most `in_flight` at a time, in this order; the answers count, not their durability.
  Result<void> burst_in_turn(const std::vector<ActorId>& actors, uint64_t calls, size_t in_flight);
  // `told_ns`, if given: when the answer came.
  Result<std::optional<Bytes>> request(const ActorId& actor, const std::string& message, uint64_t* told_ns = nullptr);
  // Spawns `count` actors, `in_flight` at a time, and kills each as soon as its init has returned, unless they are to
  // stay. The time it took.
  Result<double> spawn_many(const Package& package, size_t count, size_t in_flight, bool stay = false);
  // Until every actor is passivated, and laid down.
  Result<void> wait_until_at_rest();
  Result<node::GateInfo> gate_of(const ActorId& actor);  // a gated one
  Result<void> kill(const ActorId& actor);
  // Until everything that was emitted up to now is acknowledged, by each auditor.
  Result<void> wait_durable();

 private:
  NodeRig() = default;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<wasm::Engine> engine_;
  std::unique_ptr<bus::Loop> loop_;
  std::shared_ptr<bus::Outbox> outbox_, second_outbox_;
  std::unique_ptr<node::Runtime> runtime_;
};

}  // namespace theater::bench
