// Everything a store holds, in one pass over its frames in order of arrival: each byte is read once and hashed once.
// The pass runs the auditor's own rules again (rules.h) and then compares what comes out with every row that can be
// computed: docs/formats/store.md says which. Where frames are damaged it goes on as well as it can, and says nothing
// about what the damage makes unknowable.
//
// What is wrong is said of a chain where one can be named, and of the store where not. Reads only; one thread. Memory:
// a state for each chain.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "persist/deltas.h"
#include "persist/segments.h"
#include "persist/store_reader.h"
#include "persist/stored_frame.h"
#include "persist/verifier.h"

namespace theater::persist {

// Of a set of segments, in any order: what the frames give is compared with what is stored.
uint64_t segment_sum(const Segment& segment);

class StorePass final : private Rules {
 public:
  StorePass(const Store& store, const Deltas& deltas) : store_(store), deltas_(deltas) {}

  Result<void> run();

  // After run().
  std::string fault(const ActorId& actor, uint64_t number, const HeadRow& head) const;  // empty if all agrees
  const std::vector<std::string>& store_faults() const { return store_faults_; }
  const std::unordered_map<ActorId, ChainEntry, ActorHash>& chains() const { return entries_; }
  // It began where something is damaged, so that it may seem another than it is.
  bool doubtful(const ChainEntry& entry) const { return is_bad(entry.touched); }
  // Its events didn't come in order, so that only a reader of the chain sees whether they follow each other.
  bool out_of_order(const ActorId& actor) const { return filled_.contains(actor); }

 private:
  using Gaps = std::map<uint64_t, OpenGap>;  // by first sequence
  // A claim to a chain that ended when its genesis came from another node.
  struct Former {
    ChainEntry entry;
    Gaps gaps;
  };
  struct Stream {
    uint64_t sequence = 0, began_in = 0;  // frame of the stream; of the store
    Hash link_hash;
    Bytes tip;  // the newest one, as its row should be
  };
  struct BadFrames {
    uint64_t last = 0;
    std::string why;
  };
  struct Expected {
    EvidenceRow row;
    bool certain = true;
  };

  // store_pass.cc: the frames.
  Result<void> read_frames(uint64_t end);
  Result<void> on_frame(uint64_t number, BytesView row);
  Result<std::string> read_items(const StoredFrame& frame);
  std::string check_link(const StoredFrame& frame);
  std::string check_items(const StoredFrame& frame) const;
  std::string check_tip(const StoredFrame& frame, BytesView content);
  void bad_frames(uint64_t first, uint64_t last, std::string why);
  std::map<uint64_t, BadFrames>::const_iterator bad_at(uint64_t frame) const;  // end() if that one isn't
  bool is_bad(uint64_t frame) const { return bad_at(frame) != bad_frames_.end(); }
  Result<bool> came_too_late();
  void flush_segments();
  void store_fault(std::string what);

  // store_pass_rows.cc: what the rows say.
  Result<void> read_numbers();
  Result<void> read_stops();
  void check_evidence(bool good);
  void check_evidence_row(uint64_t number, const EvidenceRow& row, bool good, size_t& at);
  bool is_disputed(const ActorId& actor) const;
  void lacks_evidence(size_t from, size_t to);
  void check_no_more_evidence(uint64_t next);
  void index_chains();
  bool has_row(uint64_t chain) const;
  void read_index();
  void read_segments(uint64_t chain, BytesView value);
  void check_streams();
  void check_chain_rows(uint64_t next);
  void check_names();
  void check_gaps_and_stops();
  void check_blobs(uint64_t next);
  void chain_fault(uint64_t chain, std::string what);

  Result<ChainEntry*> find(const ActorId& actor) override;
  ChainEntry& begin(ChainRow row) override;
  Result<bool> has_blob(const BlobNeed& need) override;
  void taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) override;
  void missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) override;
  void stopped(ChainEntry&) override {}
  Result<std::optional<OpenGap>> gap_around(const ChainEntry& entry, uint64_t sequence) override;
  Result<std::optional<Misfit>> misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                       const ChainState& last) override;
  void narrowed(ChainEntry& entry, const OpenGap& gap) override;
  Result<bool> closed(ChainEntry& entry, const OpenGap& gap) override;
  void filled(ChainEntry& entry, uint64_t first, uint32_t count) override;
  void identified(ChainEntry&) override {}
  Result<void> evidence(const PublicKey& node, const ActorId& actor, uint64_t sequence,
                        const Finding& finding) override;
  Result<std::optional<StoredEvent>> stored(const ChainEntry& entry, uint64_t sequence) override;

  const Store& store_;
  const Deltas& deltas_;

  // What the rows say, as far as the pass goes by it.
  std::vector<std::pair<ActorId, uint64_t>> numbers_;  // of the chains of each actor, sorted
  std::unordered_map<uint64_t, uint64_t> stops_;       // by chain: the sequence at which it stopped
  std::unordered_map<uint64_t, uint64_t> found_sums_;  // by chain: of its segments
  std::unique_ptr<Cursor> evidence_;                   // up to the frame in hand
  uint64_t next_evidence_ = 1, evidence_waits_for_ = 0;

  // What the frames give.
  std::unordered_map<ActorId, ChainEntry, ActorHash> entries_;
  std::unordered_map<ActorId, Gaps> gaps_;
  std::map<uint64_t, Former> former_;  // by number
  std::set<ActorId> filled_;           // got something from another auditor
  std::map<std::pair<PublicKey, bus::StreamId>, Stream> streams_;
  std::unordered_map<Hash, uint64_t> blobs_;  // length; UINT64_MAX: not here, or damaged
  std::map<uint64_t, BadFrames> bad_frames_;  // by the first of them
  std::set<uint64_t> blamed_;                 // those of them that hold something of a chain

  // Of the frame in hand.
  ChainEntry* last_ = nullptr;
  SegmentBuilder segments_;
  std::vector<Hash> digests_;
  std::vector<Expected> expected_;  // evidence
  size_t item_ = 0;
  uint32_t offset_ = 0;
  uint64_t frame_ = 0, received_ns_ = 0;
  bool filled_frame_ = false;

  std::unordered_map<uint64_t, const ChainEntry*> by_number_;
  std::unordered_map<uint64_t, std::string> faults_;  // by chain
  std::vector<std::string> store_faults_;
};

}  // namespace theater::persist
