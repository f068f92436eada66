// A node in a simulation: real chains (node/chain) of a few actors, of all audit modes, over the real window and
// sender of each of its links. It dies at any time, and what comes up is another life: new streams, new actors.
#pragma once

#include <deque>
#include <functional>

#include "bus/keys.h"
#include "bus/memory_transport.h"
#include "bus/receipts.h"
#include "bus/sender.h"
#include "node/chain/chain.h"
#include "tests/sim/context.h"

namespace theater::sim {

// What lies between a node and an auditor.
struct Wires {
  explicit Wires(Random& random) : frames(random, {}), to_auditor(random, {}), to_node(random, {}) {}
  bus::MemoryWire frames, to_auditor, to_node;
  std::array<bus::MemoryWire*, 3> all() { return {&frames, &to_auditor, &to_node}; }
};

class SimNode {
 public:
  struct Options {
    size_t number = 0, actors = 3;
    uint64_t window_bytes = 512 << 10;
    size_t blobs_known_max = 64 << 10;
    size_t blobs_begun_max = bus::Window::kBlobsBegunMax;
    uint64_t events_max = 300;
    uint64_t pause_ns = 20 * kMs;  // between bursts, at most
    bool heavy = false;            // large events and packages, so that windows fill up
    uint64_t best_effort_permille = 200, quorum_permille = 300;
    bool signs = false;  // its streams; auditors sign receipts then, too
    struct Auditor {
      Wires* wires = nullptr;
      PublicKey key;
    };
    std::vector<Auditor> auditors;
  };
  SimNode(Context& context, const Options& options);
  ~SimNode();

  const PublicKey& identity() const { return identity_; }
  const bus::CurveKey& peer() const { return peer_; }
  bool is_up() const { return !links_.empty(); }

  void crash(uint64_t down_ns);
  void start_now() { up_ns_ = context_.now(); }
  void connection_broke(size_t auditor);
  void turn();
  uint64_t next_ns() const;

  void begin_stop();
  bool emitted_all() const { return emitted_ >= options_.events_max; }
  bool all_durable() const;
  bool finished() const;  // after begin_stop()
  std::string waits_for() const;
  uint64_t resent() const;
  uint64_t parked() const { return parked_; }
  uint64_t crashes() const { return crashes_; }

 private:
  class Link;
  struct Actor;

  void start();
  void emit();
  bool is_done_emitting() const;
  void emit_one(Actor& actor);
  void begin_event(Actor& actor);

  Context& context_;
  const Options options_;
  const SigningKey key_;
  const PublicKey identity_;
  bus::CurveKey peer_;
  std::vector<std::shared_ptr<const Bytes>> packages_;
  std::vector<Bytes> receipts_;  // on its disk: one an auditor, from before it died
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::unique_ptr<Actor>> actors_;
  schema::EncodedEvent scratch_;
  uint64_t emitted_ = 0, resent_ = 0, parked_ = 0, crashes_ = 0, lives_ = 0, emit_ns_ = 0, up_ns_ = 0;
};

}  // namespace theater::sim
