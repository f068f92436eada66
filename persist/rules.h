// What an auditor makes of the items of a frame: which chain each belongs to, whether it may be added, and what happens
// if not. The recorder (recorder.h) runs these rules when a frame arrives; the verifier runs the same ones over
// everything that is stored, and compares.
//
//   An event that isn't one, or belongs to another node's chain     evidence against the sender; no chain is touched
//   An event of this node's chain that breaks a rule                evidence; the chain stops, nothing is added any
//   more An event that the chain has already, the same bytes             ignored The first event of a chain isn't
//   genesis                        the chain is partial: joined late
//
// What is missing may come later, from another auditor (on_fill). A gap is filled from its end: the hash of its last
// event is known from what came after, and by parents every event before that. So nothing has to be believed, however
// little of the gap comes at a time. And whoever gave what leads to that hash is no liar, whatever is in it: if it
// breaks a rule, or doesn't fit what is stored beside the gap, that is evidence against the node, which told both.
//
// A chain belongs to the key in its genesis. The actor's id is the hash of that event, so nothing else shows whose
// chain it is, and nothing else is needed: whoever brings it. As long as it isn't here, the first node that sent
// something of the chain is taken at its word, no more. What another node sends meanwhile is passed over, and what
// another auditor gives and doesn't lead to that word is left: neither is evidence, because it may be the first one who
// lies. When the genesis comes and names another node, that is evidence against the first one, and a new chain takes
// the place of its claim. If another auditor brought it, it is asked for alone, and the next that the owner sends says
// what is missing in between.
#pragma once

#include <span>

#include "bus/frame.h"
#include "persist/references.h"
#include "persist/stored_event.h"
#include "persist/verifier.h"

namespace theater::persist {

// A chain as far as it was taken.
struct ChainEntry {
  uint64_t number = 0;
  ChainRow row;
  ChainState state;
  uint64_t events = 0;  // taken
  bool gaps = false;
  std::optional<StopRow> stop;

  // For whoever implements Rules.
  uint64_t gap_commit = 0;   // newest commit that brought a gap of it
  uint64_t touched = 0;      // newest commit that holds something of it
  uint64_t segment_run = 0;  // to which `segment` belongs
  size_t segment = 0;        // its open segment
  uint64_t index_sum = 0;    // of its segments
  Bytes segments;            // not yet in the table of segments,
  size_t segments_kept = 0;  // of which this much stands in deltas
  bool unsettled = false;    // its head isn't in the table of heads
};
HeadRow head_row(const ChainEntry& entry);
ChainEntry entry_of(uint64_t number, ChainRow row, const HeadRow& head, std::optional<StopRow> stop);

// Not noexcept, so that the table keeps the hashes: walking a bucket then touches no other chain's memory.
struct ActorHash {
  size_t operator()(const ActorId& actor) const { return std::hash<ActorId>()(actor); }
};

struct FillEvent {
  BytesView bytes;
  Hash hash;
};
struct OpenGap {
  uint64_t first = 0, last = 0;
  Hash head;  // of the last missing event; zero if unknown
};
// What is wrong, in words, and the stored event that it contradicts: `beside` of `chain`.
struct Finding {
  EvidenceKind kind;
  std::string reason;
  ChainEntry* chain = nullptr;  // none: it speaks for itself
  uint64_t beside = 0;
};
struct Misfit {
  uint64_t sequence = 0;  // of the event that doesn't follow the one before it
  Finding finding;
};

// What became of events that another auditor gave.
struct FillVerdict {
  enum class Kind : uint8_t {
    kTaken,  // they belong into the store: the chain has them, or its node stands accused by them
    kLeft,   // the chain can't use them now, for which whoever gave them isn't to blame
    kFalse,  // they don't lead to what the chain's node said
  };
  Kind kind = Kind::kTaken;
  std::string reason;  // why they aren't taken
};

class Rules {
 public:
  virtual ~Rules() = default;

  // `hash` is the SHA-256 of `bytes`; `offset` is handed on. Errors only if the store can't be read.
  Result<void> on_event(const PublicKey& node, BytesView bytes, const Hash& hash, uint32_t offset);
  Result<void> on_gap(const PublicKey& node, const bus::Gap& gap);

  // Consecutive events of one chain, in order, that end where one of its gaps ends. Unless kTaken nothing has changed.
  Result<FillVerdict> on_fill(std::span<const FillEvent> events);

 protected:
  virtual Result<ChainEntry*> find(const ActorId& actor) = 0;  // null if there is none
  // Makes a chain; an older one of the same actor loses the name.
  virtual ChainEntry& begin(ChainRow row) = 0;
  virtual Result<bool> has_blob(const BlobNeed& need) = 0;
  // The entry already counts the event.
  virtual void taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) = 0;
  virtual void missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) = 0;  // `gaps` is as before
  virtual void stopped(ChainEntry& entry) = 0;

  // For on_fill: the gap that a missing event is in, or nothing.
  virtual Result<std::optional<OpenGap>> gap_around(const ChainEntry& entry, uint64_t sequence) = 0;
  // Whether `last`, the state after the new events, and `first`, the first of them, fit what is stored on both sides.
  virtual Result<std::optional<Misfit>> misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                               const ChainState& last) = 0;
  virtual void narrowed(ChainEntry& entry, const OpenGap& gap) = 0;        // the same gap, with another end
  virtual Result<bool> closed(ChainEntry& entry, const OpenGap& gap) = 0;  // whether the chain has others
  virtual void filled(ChainEntry& entry, uint64_t first, uint32_t count) = 0;
  virtual void identified(ChainEntry& entry) = 0;  // its row has learned from genesis

  virtual Result<void> evidence(const PublicKey& node, const ActorId& actor, uint64_t sequence,
                                const Finding& finding) = 0;
  // What the chain has at a sequence below its next one; nothing if that is missing. Rare.
  virtual Result<std::optional<StoredEvent>> stored(const ChainEntry& entry, uint64_t sequence) = 0;

 private:
  Result<void> on_genesis(const PublicKey& node, BytesView bytes, const schema::EventView& view, const Hash& hash,
                          uint32_t offset);
  Result<void> on_next(ChainEntry& entry, const PublicKey& node, BytesView bytes, const schema::EventView& view,
                       const Hash& hash, uint32_t offset);
  Result<void> on_older(ChainEntry& entry, const PublicKey& node, const schema::EventView& view, const Hash& hash);
  Result<void> stop(ChainEntry& entry, const PublicKey& node, uint64_t sequence, const Finding& finding);
  Result<std::string> step(ChainState& state, const ChainEntry& entry, const FillEvent& event,
                           const schema::EventView& view);
  Result<FillVerdict> on_owner(ChainEntry& entry, const FillEvent& event, const schema::EventView& view,
                               const schema::Genesis& genesis);
  Result<void> end_claim(ChainEntry& entry);
  void join(ChainEntry& entry, uint64_t sequence, const Hash& parent);
  // Takes what has been checked.
  Result<void> fill(ChainEntry& entry, const OpenGap& gap, const schema::EventView& first, const ChainState& last,
                    size_t count);
  // Empty, or what is missing.
  Result<std::string> missing_blob(BytesView bytes, schema::BodyKind kind);
};

}  // namespace theater::persist
