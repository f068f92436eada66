// What turns frames into commits: recomputes every hash, runs the rules, and fills a batch with everything that belongs
// together: frames, segments, heads, blobs, marks, evidence. Nothing here is on disk yet; the batch is (auditor.h's
// commit thread), and only then is anything acknowledged.
//
// Heads and segments of the chains that a commit touched are not written one by one: with ten thousand actors in turn
// that would be two rows for each event, which cost more than all else. A commit holds one row with all of them, its
// delta; now and then ("settling") each chain touched since the last time gets its head and its segments, and the
// deltas go. Who opens a store lays the deltas over the tables (deltas.h).
//
// Frames of one stream come in order. A frame that is already in an earlier batch, durable or on its way, is passed
// over.
//
// What another auditor gave (fill.h) goes into frames of the recorder's own, one stream for each such auditor. Segments
// of those events have rows of their own, since they don't come in order: a reader merges the two.
//
// Threads: one (verify), but for durable() and gaps(), which any may call. Memory: about kEntriesMax chains' states,
// and those that a batch on its way to the disk still holds. Errors of add() mean that the store can't be read, or
// isn't what it should be: the recorder is of no use any more.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <unordered_map>

#include "base/log.h"
#include "persist/blob_intake.h"
#include "persist/fill.h"
#include "persist/rules.h"
#include "persist/segments.h"
#include "persist/stored_frame.h"

namespace theater::persist {

struct Prepared {  // for one commit
  std::unique_ptr<Batch> batch;
  TipNote tip;
  uint64_t frames = 0, events = 0, bytes = 0, evidence = 0;
  uint64_t filled = 0;  // of the events: from other auditors
  std::array<uint64_t, kEvidenceKinds> evidence_by_kind{};
};

class Recorder final : private Rules {
 public:
  static constexpr size_t kEntriesMax = 65'536;
  static constexpr size_t kStreamsMax = 1024;
  static constexpr size_t kDeltasMax = 128;           // commits between settling,
  static constexpr size_t kDeltaBytesMax = 8u << 20;  // or bytes in their deltas
  static constexpr size_t kEvidencePerFrameMax = 16;

  // Makes the first rows if the store is empty; kInvalid if it is another version's.
  static Result<std::unique_ptr<Recorder>> open(Store& store, HoldingLimits limits = {});

  struct Outcome {
    std::string refused;          // not empty: nothing of the frame is stored, and the stream can't go on
    bool for_good = false;        // trying again can't help
    std::vector<LogLine> alarms;  // what became evidence
  };
  Result<Outcome> add(const PublicKey& node, uint64_t received_ns, const bus::FrameView& frame);

  // One at a time: what came of the last one is durable before the next.
  struct Filled {
    FillOutcome outcome;
    std::vector<LogLine> alarms;
  };
  Result<Filled> fill(const Fill& fill, uint64_t received_ns);

  bool empty() const { return prepared_.batch == nullptr; }
  size_t pending_bytes() const { return prepared_.batch ? prepared_.batch->bytes() : 0; }
  Prepared take();  // not when empty
  void settle();    // what take() returns next leaves no deltas; empty() is false then unless there were none

  // Everything up to this commit is on disk. Any thread.
  void durable(uint64_t commit) { durable_.store(commit, std::memory_order_release); }
  // Chains that lack events which may still come: joined late, or with gaps. Not those that are stopped, and thus none
  // that was replaced. Any thread.
  uint64_t gaps() const { return gaps_.load(std::memory_order_relaxed); }

 private:
  Recorder(Store& store, HoldingLimits limits)
      : store_(store), holdings_(store, limits), blobs_(store, tip_.next_blob, holdings_), stored_(store) {}

  struct StreamKey {
    PublicKey node;
    bus::StreamId stream;
    auto operator<=>(const StreamKey&) const = default;
  };
  struct Stream {
    bus::StreamMark mark;
    uint64_t commit = 0;  // newest that touched it
  };

  Result<std::string> beyond_limits(const PublicKey& node, const bus::FrameView& frame);
  Result<uint64_t> chains_begun_by(const PublicKey& node, const bus::FrameView& frame);
  Result<Stream*> stream_of(const StreamKey& key);
  Result<void> add_items(const PublicKey& node, const bus::FrameView& frame, const std::vector<Hash>& digests,
                         BytesView stored);
  void refuse(const PublicKey& node, uint64_t received_ns, const bus::FrameView& frame, EvidenceKind kind,
              const std::string& reason);
  void keep(const EvidenceRow& row);
  void count(EvidenceKind kind);
  // For fills: a frame of this recorder's in the stream of `fill_->peer`.
  using Builder = bus::FrameBuilder;
  Result<FillVerdict> fill_events(std::span<const FillEvent> events);
  Result<std::string> fill_part(const Fill::Part& part);
  Result<void> put_filled(Builder& builder);
  void refuse_fill(std::span<const FillEvent> events, const std::string& reason);
  Result<void> count_gaps();
  Batch& batch();
  void touch(ChainEntry& entry);
  void close_segments();
  void write_delta(Batch& out);
  void write_settled(Batch& out);
  Result<void> settle_what_was_left();
  void evict();

  Result<ChainEntry*> find(const ActorId& actor) override;
  ChainEntry& begin(ChainRow row) override;
  Result<bool> has_blob(const BlobNeed& need) override { return blobs_.has(need, batch()); }
  void taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) override;
  void missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) override;
  void stopped(ChainEntry& entry) override;
  Result<std::optional<OpenGap>> gap_around(const ChainEntry& entry, uint64_t sequence) override;
  Result<std::optional<Misfit>> misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                       const ChainState& last) override;
  void narrowed(ChainEntry& entry, const OpenGap& gap) override;
  Result<bool> closed(ChainEntry& entry, const OpenGap& gap) override;
  void filled(ChainEntry& entry, uint64_t first, uint32_t count) override;
  void identified(ChainEntry& entry) override;
  Result<void> evidence(const PublicKey& node, const ActorId& actor, uint64_t sequence,
                        const Finding& finding) override;
  Result<std::optional<StoredEvent>> stored(const ChainEntry& entry, uint64_t sequence) override;

  // Events that the store doesn't show yet.
  struct Recent {
    uint64_t chain = 0, sequence = 0;
    StoredEvent event;
  };

  Store& store_;
  StoreTip tip_;
  Holdings holdings_;
  BlobIntake blobs_;
  StoredEvents stored_;
  std::atomic<uint64_t> durable_{0};

  std::unordered_map<ActorId, ChainEntry, ActorHash> entries_;
  ChainEntry* last_ = nullptr;
  std::map<StreamKey, Stream> streams_;

  // Of the batch in the making.
  Prepared prepared_;
  std::vector<ChainEntry*> touched_;
  std::vector<std::pair<const StreamKey, Stream>*> marked_;
  std::vector<Recent> recent_now_;

  std::deque<std::pair<uint64_t, std::vector<Recent>>> recent_;  // by commit, until that is durable

  // Since settling.
  std::vector<ChainEntry*> unsettled_;
  std::vector<uint64_t> deltas_;  // commits
  size_t delta_bytes_ = 0;
  bool settle_now_ = false;

  // Of the fill in hand, and what it did to gaps: their rows in the store aren't changed yet.
  const Fill* fill_ = nullptr;
  std::map<uint64_t, std::optional<OpenGap>> gaps_changed_;  // by first sequence
  std::atomic<uint64_t> gaps_{0};

  // Of the frame in hand.
  uint64_t frame_ = 0, received_ns_ = 0;
  size_t item_ = 0, evidence_in_frame_ = 0;
  uint32_t offset_ = 0;  // of the item
  SegmentBuilder segments_;
  std::vector<LogLine> alarms_;
};

}  // namespace theater::persist
