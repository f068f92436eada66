// Whole links in one thread on simulated time: nodes with their chains and windows, wires, auditors with their stores,
// and faults, all drawn from one seed. The same seed does the same thing on every machine.
//
//   faults   until the events are emitted or time is up: messages lost, doubled, late; wires cut or swallowing one way,
//            with and without either end noticing; auditors and nodes dying or stopping; disks full, slow, failing
//   calm     the wires still lose messages, all else is well: everything has to become durable
//   end      nodes say goodbye, auditors stop or die, and their stores are read from end to end
//
// Time goes to the next thing that happens. Which invariants are checked when: witness.h.
#pragma once

#include "tests/sim/sim_auditor.h"
#include "tests/sim/sim_node.h"

namespace theater::sim {

struct Outcome {
  std::optional<Broken> broken;
  uint64_t ended_ns = 0, steps = 0;  // simulated
  uint64_t events = 0, dropped = 0;  // over all links
  uint64_t resent = 0, parked = 0, node_crashes = 0, auditor_crashes = 0, failed_commits = 0;
  Hash fingerprint;  // of everything that was sealed and acknowledged
};

// `trace`: tells on stderr what happens.
Outcome simulate(uint64_t seed, bool trace);

}  // namespace theater::sim
