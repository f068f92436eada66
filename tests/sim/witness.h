// The simulation's own account of what was emitted, sealed, acknowledged and stored, and the invariants that it holds
// the real code to. It learns only from the outside: what goes through an Outbox, over a wire, onto a disk.
//
//   acknowledged-is-durable   an ACK or WELCOME never claims more than the disk holds, and after any crash it is there
//   acknowledged-never-taken-back   nor does a later one claim less, or another frame
//   emitted-to-enough         a strict actor's event goes to all auditors, one with a quorum of k to k of them
//   held-somewhere            a node lets go of an event only when its auditor acknowledged it
//   stored-once               the store holds the frames of a stream from the first on, each once, in order
//   stored-as-emitted         a chain in the store is what was emitted, with gaps exactly where the window had no room
//   verifies                  the verifier finds nothing wrong with a store
//   no-evidence, no-refusal   honest nodes aren't accused, and no link stops
//   node-bound, auditor-bound what isn't acknowledged fits the window on either side
//   everything-becomes-durable   once faults end
//
// One thread. Keeps everything: a simulation is short.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/messages.h"
#include "persist/chain_reader.h"
#include "persist/store.h"
#include "schema/event.h"

namespace theater::sim {

struct Broken {
  std::string invariant, detail;
};

// One link of one life of a node.
struct StreamAccount {
  std::string name;  // for people
  size_t auditor = 0;
  PublicKey node;
  bus::StreamId id{};
  bool alive = true;  // the node has it yet

  struct Event {
    ActorId actor;
    uint64_t sequence = 0;
    Hash hash;
  };
  std::vector<Event> appended;
  std::map<ActorId, std::vector<uint64_t>> dropped;
  struct Frame {
    Hash link_hash;
    uint64_t end_bytes = 0, end_content = 0, end_events = 0;  // of the stream, up to and with this one
  };
  std::vector<Frame> frames;     // as sealed; the first has sequence 1
  bus::StreamMark acknowledged;  // the furthest that the auditor said
};

class Witness {
 public:
  StreamAccount& begin_stream(StreamAccount account);
  const std::deque<StreamAccount>& streams() const { return streams_; }

  void break_invariant(const std::string& invariant, const std::string& detail) {
    if (!broken_) broken_ = Broken{invariant, detail};
  }
  const std::optional<Broken>& broken() const { return broken_; }

  void sealed(StreamAccount& stream, uint64_t sequence, const StreamAccount::Frame& frame);
  // A node's window says how much is durable.
  void released(const StreamAccount& stream, uint64_t durable_content, uint64_t durable_events);
  // An auditor is about to send this.
  void auditor_says(size_t auditor, const persist::Store& disk, BytesView message);
  void node_says(BytesView message);
  // Of everything that this auditor accepted, at any time.
  void auditor_holds(size_t auditor, const PublicKey& node, const bus::StreamMark& accepted, const persist::Store& disk,
                     uint64_t window_bytes);

  // What an auditor would find after dying now. `deep` also runs the verifier and reads every chain.
  void check_store(size_t auditor, const std::shared_ptr<persist::Store>& store, bool deep);

 private:
  struct Chain {  // as an auditor should have it
    std::vector<uint64_t> events;
    const std::vector<uint64_t>* dropped = nullptr;
  };
  StreamAccount* find(size_t auditor, const bus::StreamId& id);
  void check_mark(StreamAccount& stream, const bus::StreamMark& mark, const persist::Store& disk);
  std::map<bus::StreamId, uint64_t> check_frames(size_t auditor, const persist::Store& store);
  void check_chains(size_t auditor, const std::shared_ptr<persist::Store>& store,
                    const std::map<bus::StreamId, uint64_t>& stored);
  void check_chain(persist::ChainReader& reader, const persist::ChainSummary& summary, const Chain& chain);

  std::deque<StreamAccount> streams_;  // references stay valid
  std::map<std::pair<size_t, bus::StreamId>, StreamAccount*> by_id_;
  std::optional<Broken> broken_;
};

}  // namespace theater::sim
