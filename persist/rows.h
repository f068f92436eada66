// The rows of a store: what their keys and values are made of. docs/formats/store.md is the page to this; keep them
// together.
//
// Numbers in keys are big-endian, so that they sort; numbers in values little-endian. Chains, frames, blobs and records
// of evidence have numbers in order of arrival, from 1: short keys that grow are what makes the store as fast for ten
// thousand actors in turn as for one.
//
// Encoders return what put() takes. Decoders never read past the row and refuse (kCorrupt) one of the wrong size.
#pragma once

#include <bit>
#include <cstring>
#include <optional>
#include <string>

#include "bus/messages.h"
#include "persist/evidence_kind.h"
#include "persist/store.h"

namespace theater::persist {

inline constexpr uint32_t kStoreVersion = 1;

// --- writing and reading bytes

static_assert(std::endian::native == std::endian::little,
              "numbers are copied as they are; a big-endian host needs swaps");

template <typename T>
void put_number(Bytes& out, T value) {
  const size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}
inline void put_u32(Bytes& out, uint32_t value) { put_number(out, value); }
inline void put_u64(Bytes& out, uint64_t value) { put_number(out, value); }
inline void put_be64(Bytes& out, uint64_t value) { put_number(out, __builtin_bswap64(value)); }
void put_varint(Bytes& out, uint64_t value);
template <typename Id>
void put_id(Bytes& out, const Id& id) {
  out.insert(out.end(), id.bytes.begin(), id.bytes.end());
}
void put_text(Bytes& out, std::string_view text);  // length u32, bytes

// Reads on until something is missing; then everything is zero and ok() is false.
class RowReader {
 public:
  explicit RowReader(BytesView bytes) : rest_(bytes) {}
  uint8_t u8();
  uint32_t u32();
  uint64_t u64();
  uint64_t be64();
  uint64_t varint();
  BytesView take(size_t size);
  std::string text();
  template <typename Id>
  Id id() {
    return Id::from_view(take(Id::kSize)).value_or(Id{});
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  size_t left() const { return rest_.size(); }

 private:
  BytesView rest_;
  bool ok_ = true;
};

// --- kRows

struct StoreTip {  // one row: where the numbers stand
  uint64_t commit = 0;
  uint64_t next_chain = 1, next_frame = 1, next_blob = 1, next_evidence = 1;
};
struct ChainRow {  // what never changes
  ActorId actor;
  PublicKey node;  // the only one that may extend it
  std::string name;
  uint64_t first_time_ns = 0;
  bool has_genesis = false;  // false: joined late
  bool is_node_chain = false;
};
struct HeadRow {  // how far it has come
  Hash head;
  uint64_t next_sequence = 0;
  uint64_t last_time_ns = 0;
  uint64_t events = 0;  // stored
  uint32_t incarnation = 0;
  bool ended = false;
  bool stopped = false;    // an event of it failed verification: StopRow says why
  bool gaps = false;       // there are gap rows
  bool after_gap = false;  // what came last is a gap
};
struct StopRow {  // why nothing is added to a chain any more
  uint64_t sequence = 0;
  std::string reason;
};
struct GapRow {  // events that never came: key (chain, first)
  uint64_t last = 0;
  Hash head;  // of the last one; what the next event's parent has to be
};
struct BlobRow {
  uint64_t number = 0;
  uint64_t length = 0;
};
struct PieceRow {  // a blob of which not all pieces have come
  uint64_t number = 0;
  uint64_t length = 0;
  uint64_t next_offset = 0;
};
struct TipRow {  // a node's newest signature under a stream (bus/frame.h)
  uint64_t sequence = 0;
  uint64_t time_ns = 0;
  Hash link_hash;
  Signature signature{};
};
struct HoldingRow {  // what a node makes the auditor hold: persist/holdings.h
  uint64_t open_chains = 0;
  uint64_t loose_bytes = 0;
};
struct LooseRow {  // a blob that no event refers to yet
  PublicKey node;  // that sent it
  uint64_t length = 0;
};
struct EventPlace {    // of one item
  uint64_t frame = 0;  // its number; 0: none
  uint32_t item = 0;   // offset of its head in the stored frame's bytes, in units of 8
};
struct EvidenceRow {
  uint64_t received_ns = 0;
  PublicKey peer;
  ActorId actor;          // zero if it can't be said
  uint64_t frame = 0;     // where it is stored; 0: the frame isn't
  uint64_t sequence = 0;  // as claimed
  std::string reason;
  EvidenceKind kind = EvidenceKind::kUnsorted;
  uint32_t item = 0;  // in `frame`, as in EventPlace; 0: not known
  EventPlace beside;  // of the event that this one contradicts
  Bytes bytes;        // what failed, if it stands in no stored frame; else empty
};

Bytes meta_key(std::string_view name);
inline Bytes version_key() { return meta_key("version"); }
inline Bytes tip_key() { return meta_key("tip"); }
Bytes actor_key(const ActorId& actor);  // → chain number
Bytes actor_prefix(BytesView first_bytes);
Bytes chain_key(uint64_t chain);                        // → ChainRow
Bytes stop_key(uint64_t chain);                         // → StopRow
Bytes name_key(std::string_view name, uint64_t chain);  // → nothing
Bytes name_prefix(std::string_view name);
Bytes gap_key(uint64_t chain, uint64_t first);  // → GapRow
Bytes gap_prefix(uint64_t chain);
Bytes fill_key(uint64_t chain, uint64_t first);  // → Segment, of events that another auditor gave
Bytes fill_prefix(uint64_t chain);
Bytes mark_key(const PublicKey& node, const bus::StreamId& stream);        // → bus::StreamMark
Bytes signed_tip_key(const PublicKey& node, const bus::StreamId& stream);  // → TipRow
Bytes holding_key(const PublicKey& node);                                  // → HoldingRow
Bytes loose_key(const Hash& blob);                                         // → LooseRow
Bytes blob_key(const Hash& hash);                                          // → BlobRow
Bytes unfinished_key(const PublicKey& node, const Hash& hash);             // → PieceRow
Bytes evidence_key(uint64_t number);                                       // → EvidenceRow
inline constexpr char kActorTag = 'a', kChainTag = 'c', kBlobTag = 'b', kEvidenceTag = 'e', kMarkTag = 'w',
                      kGapTag = 'g', kDeltaTag = 'd', kUnfinishedTag = 'u', kSignedTipTag = 't', kFillTag = 'f',
                      kStopTag = 's', kNameTag = 'n';
Bytes tag_prefix(char tag);

Bytes encode_row(const StoreTip& row);
Bytes encode_row(const ChainRow& row);
Bytes encode_row(const HeadRow& row);
void append_row(Bytes& out, const HeadRow& row);  // the same, into a buffer that is used again
Bytes encode_row(const StopRow& row);
Bytes encode_row(const GapRow& row);
Bytes encode_row(const BlobRow& row);
Bytes encode_row(const PieceRow& row);
Bytes encode_row(const TipRow& row);
Bytes encode_row(const HoldingRow& row);
Bytes encode_row(const LooseRow& row);
Bytes encode_row(const EvidenceRow& row);
Bytes encode_row(const bus::StreamMark& row);
Bytes encode_number(uint64_t number);

// decode_row<HeadRow>(bytes)
template <typename Row>
Result<Row> decode_row(BytesView bytes);
template <>
Result<StoreTip> decode_row(BytesView bytes);
template <>
Result<ChainRow> decode_row(BytesView bytes);
template <>
Result<HeadRow> decode_row(BytesView bytes);
template <>
Result<StopRow> decode_row(BytesView bytes);
template <>
Result<GapRow> decode_row(BytesView bytes);
template <>
Result<BlobRow> decode_row(BytesView bytes);
template <>
Result<PieceRow> decode_row(BytesView bytes);
template <>
Result<TipRow> decode_row(BytesView bytes);
template <>
Result<HoldingRow> decode_row(BytesView bytes);
template <>
Result<LooseRow> decode_row(BytesView bytes);
template <>
Result<EvidenceRow> decode_row(BytesView bytes);
template <>
Result<bus::StreamMark> decode_row(BytesView bytes);
Result<uint64_t> decode_number(BytesView bytes);

// --- the other tables

Bytes head_key(uint64_t chain);                              // kHeads → HeadRow
Bytes frame_key(uint64_t frame);                             // kFrames → stored_frame.h
Bytes segment_key(uint64_t chain, uint64_t first_sequence);  // kSegments → Segment
Bytes segment_prefix(uint64_t chain);
Bytes piece_key(uint64_t blob, uint64_t offset);  // kBlobs → the piece's bytes
Bytes piece_prefix(uint64_t blob);

// Events of one chain with consecutive sequences in one frame: runs of neighbouring items. A value in kSegments is any
// number of them, one after the other.
struct Segment {
  uint64_t first_sequence = 0;
  uint64_t frame = 0;
  struct Run {
    uint32_t offset = 0;  // of the first item's head in the stored frame's bytes, in units of 8
    uint32_t count = 0;
  };
  std::vector<Run> runs;
  uint64_t events() const;
};
void append_segment(Bytes& out, const Segment& segment);

// Takes segments off the front of a value. False at the end, and where it is damaged: then ok() is false.
class SegmentReader {
 public:
  explicit SegmentReader(BytesView bytes) : in_(bytes) {}
  bool next(Segment& segment);
  bool ok() const { return ok_; }

 private:
  RowReader in_;
  bool ok_ = true;
};

// What one commit did to a chain's head and segments, if they weren't written themselves (recorder.h): a value under
// delta_key() is any number of these.
struct Delta {
  uint64_t chain = 0;
  HeadRow head;
  BytesView segments;  // borrowed
};
Bytes delta_key(uint64_t commit);
void append_delta(Bytes& out, const Delta& delta);
class DeltaReader {
 public:
  explicit DeltaReader(BytesView bytes) : in_(bytes) {}
  bool next(Delta& delta);
  bool ok() const { return ok_; }

 private:
  RowReader in_;
  bool ok_ = true;
};

// get() and decode_row() in one. kCorrupt names the row by `what`.
template <typename Row>
Result<std::optional<Row>> get_row(const Store& store, Table table, BytesView key, std::string_view what) {
  TRY_ASSIGN(std::optional<Bytes> bytes, store.get(table, key));
  if (!bytes) return std::optional<Row>();
  auto row = decode_row<Row>(*bytes);
  if (!row.ok()) return Error{ErrorCode::kCorrupt, str_cat("the store's row of ", what, " is damaged")};
  return std::optional<Row>(std::move(row).value());
}
template <>
inline Result<uint64_t> decode_row<uint64_t>(BytesView bytes) {
  return decode_number(bytes);
}

// kInvalid if the store is another version's, or none at all.
Result<void> check_version(const Store& store);

}  // namespace theater::persist
