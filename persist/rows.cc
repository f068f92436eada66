#include "persist/rows.h"

#include <utility>

namespace theater::persist {

void put_varint(Bytes& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<uint8_t>(value));
}

void put_text(Bytes& out, std::string_view text) {
  put_u32(out, static_cast<uint32_t>(text.size()));
  out.insert(out.end(), text.begin(), text.end());
}

BytesView RowReader::take(size_t size) {
  if (rest_.size() < size) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const BytesView taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

uint8_t RowReader::u8() {
  const BytesView bytes = take(1);
  return bytes.empty() ? 0 : bytes[0];
}

uint32_t RowReader::u32() {
  uint32_t value = 0;
  int shift = 0;
  for (const uint8_t byte : take(4)) value |= uint32_t{byte} << std::exchange(shift, shift + 8);
  return value;
}

uint64_t RowReader::u64() {
  uint64_t value = 0;
  int shift = 0;
  for (const uint8_t byte : take(8)) value |= uint64_t{byte} << std::exchange(shift, shift + 8);
  return value;
}

uint64_t RowReader::be64() {
  uint64_t value = 0;
  for (const uint8_t byte : take(8)) value = value << 8 | byte;
  return value;
}

uint64_t RowReader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = u8();
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  ok_ = false;
  return 0;
}

std::string RowReader::text() { return std::string(as_text(take(u32()))); }

namespace {

Bytes tagged(char tag) { return Bytes(1, static_cast<uint8_t>(tag)); }

Bytes tagged(char tag, uint64_t number) {
  Bytes key;
  key.reserve(17);
  key.push_back(static_cast<uint8_t>(tag));
  put_be64(key, number);
  return key;
}

template <typename Id>
Bytes tagged(char tag, const Id& id) {
  Bytes key;
  key.reserve(49);
  key.push_back(static_cast<uint8_t>(tag));
  put_id(key, id);
  return key;
}

Bytes numbers(uint64_t first) {
  Bytes key;
  key.reserve(16);
  put_be64(key, first);
  return key;
}

Bytes numbers(uint64_t first, uint64_t second) {
  Bytes key = numbers(first);
  put_be64(key, second);
  return key;
}

Bytes stream_key(char tag, const PublicKey& node, const bus::StreamId& stream) {
  Bytes key = tagged(tag, node);
  key.insert(key.end(), stream.begin(), stream.end());
  return key;
}

Error bad_row() { return Error{ErrorCode::kCorrupt, "a row of the store is damaged"}; }

template <typename Row>
Result<Row> whole(const RowReader& in, Row row) {
  if (!in.done()) return bad_row();
  return row;
}

constexpr size_t kHeadRowSize = 32 + 3 * 8 + 4 + 1;
constexpr uint8_t kHasGenesis = 1, kIsNodeChain = 2;
constexpr uint8_t kEnded = 1, kStopped = 2, kGaps = 4, kAfterGap = 8;

}  // namespace

Bytes tag_prefix(char tag) { return tagged(tag); }

Bytes meta_key(std::string_view name) {
  Bytes key = tagged('m');
  key.insert(key.end(), name.begin(), name.end());
  return key;
}

Bytes actor_key(const ActorId& actor) { return tagged(kActorTag, actor); }
Bytes actor_prefix(BytesView first_bytes) {
  Bytes key = tagged(kActorTag);
  key.insert(key.end(), first_bytes.begin(), first_bytes.end());
  return key;
}
Bytes chain_key(uint64_t chain) { return tagged(kChainTag, chain); }
Bytes head_key(uint64_t chain) { return numbers(chain); }
Bytes stop_key(uint64_t chain) { return tagged(kStopTag, chain); }

Bytes name_prefix(std::string_view name) {
  Bytes key = tagged(kNameTag);
  put_text(key, name);
  return key;
}
Bytes name_key(std::string_view name, uint64_t chain) {
  Bytes key = name_prefix(name);
  put_be64(key, chain);
  return key;
}

Bytes gap_prefix(uint64_t chain) { return tagged(kGapTag, chain); }
Bytes gap_key(uint64_t chain, uint64_t first) {
  Bytes key = gap_prefix(chain);
  put_be64(key, first);
  return key;
}

Bytes fill_prefix(uint64_t chain) { return tagged(kFillTag, chain); }
Bytes fill_key(uint64_t chain, uint64_t first) {
  Bytes key = fill_prefix(chain);
  put_be64(key, first);
  return key;
}

Bytes mark_key(const PublicKey& node, const bus::StreamId& stream) { return stream_key(kMarkTag, node, stream); }
Bytes signed_tip_key(const PublicKey& node, const bus::StreamId& stream) {
  return stream_key(kSignedTipTag, node, stream);
}

Bytes holding_key(const PublicKey& node) { return tagged('h', node); }
Bytes loose_key(const Hash& blob) { return tagged('l', blob); }
Bytes blob_key(const Hash& hash) { return tagged(kBlobTag, hash); }
Bytes unfinished_key(const PublicKey& node, const Hash& hash) {
  Bytes key = tagged(kUnfinishedTag, node);
  put_id(key, hash);
  return key;
}
Bytes evidence_key(uint64_t number) { return tagged(kEvidenceTag, number); }
Bytes frame_key(uint64_t frame) { return numbers(frame); }
Bytes segment_key(uint64_t chain, uint64_t first_sequence) { return numbers(chain, first_sequence); }
Bytes segment_prefix(uint64_t chain) { return numbers(chain); }
Bytes piece_key(uint64_t blob, uint64_t offset) { return numbers(blob, offset); }
Bytes piece_prefix(uint64_t blob) { return numbers(blob); }

Bytes encode_number(uint64_t number) {
  Bytes out;
  put_u64(out, number);
  return out;
}
Result<uint64_t> decode_number(BytesView bytes) {
  RowReader in(bytes);
  const uint64_t number = in.u64();
  return whole(in, number);
}

Bytes encode_row(const StoreTip& row) {
  Bytes out;
  for (const uint64_t number : {row.commit, row.next_chain, row.next_frame, row.next_blob, row.next_evidence}) {
    put_u64(out, number);
  }
  return out;
}
template <>
Result<StoreTip> decode_row(BytesView bytes) {
  RowReader in(bytes);
  StoreTip row;
  for (uint64_t* number : {&row.commit, &row.next_chain, &row.next_frame, &row.next_blob, &row.next_evidence}) {
    *number = in.u64();
  }
  return whole(in, row);
}

Bytes encode_row(const ChainRow& row) {
  Bytes out;
  put_id(out, row.actor);
  put_id(out, row.node);
  put_u64(out, row.first_time_ns);
  out.push_back(static_cast<uint8_t>((row.has_genesis ? kHasGenesis : 0) | (row.is_node_chain ? kIsNodeChain : 0)));
  put_text(out, row.name);
  return out;
}
template <>
Result<ChainRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  ChainRow row;
  row.actor = in.id<ActorId>();
  row.node = in.id<PublicKey>();
  row.first_time_ns = in.u64();
  const uint8_t flags = in.u8();
  row.has_genesis = (flags & kHasGenesis) != 0;
  row.is_node_chain = (flags & kIsNodeChain) != 0;
  row.name = in.text();
  return whole(in, std::move(row));
}

Bytes encode_row(const HeadRow& row) {
  Bytes out;
  append_row(out, row);
  return out;
}
void append_row(Bytes& out, const HeadRow& row) {
  put_id(out, row.head);
  put_u64(out, row.next_sequence);
  put_u64(out, row.last_time_ns);
  put_u64(out, row.events);
  put_u32(out, row.incarnation);
  out.push_back(static_cast<uint8_t>((row.ended ? kEnded : 0) | (row.stopped ? kStopped : 0) | (row.gaps ? kGaps : 0) |
                                     (row.after_gap ? kAfterGap : 0)));
}
template <>
Result<HeadRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  HeadRow row;
  row.head = in.id<Hash>();
  row.next_sequence = in.u64();
  row.last_time_ns = in.u64();
  row.events = in.u64();
  row.incarnation = in.u32();
  const uint8_t flags = in.u8();
  row.ended = (flags & kEnded) != 0;
  row.stopped = (flags & kStopped) != 0;
  row.gaps = (flags & kGaps) != 0;
  row.after_gap = (flags & kAfterGap) != 0;
  return whole(in, row);
}

Bytes encode_row(const StopRow& row) {
  Bytes out;
  put_u64(out, row.sequence);
  put_text(out, row.reason);
  return out;
}
template <>
Result<StopRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  StopRow row;
  row.sequence = in.u64();
  row.reason = in.text();
  return whole(in, std::move(row));
}

Bytes encode_row(const GapRow& row) {
  Bytes out;
  put_u64(out, row.last);
  put_id(out, row.head);
  return out;
}
template <>
Result<GapRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  GapRow row;
  row.last = in.u64();
  row.head = in.id<Hash>();
  return whole(in, row);
}

Bytes encode_row(const BlobRow& row) {
  Bytes out;
  put_u64(out, row.number);
  put_u64(out, row.length);
  return out;
}
template <>
Result<BlobRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  BlobRow row;
  row.number = in.u64();
  row.length = in.u64();
  return whole(in, row);
}

Bytes encode_row(const PieceRow& row) {
  Bytes out;
  put_u64(out, row.number);
  put_u64(out, row.length);
  put_u64(out, row.next_offset);
  return out;
}
template <>
Result<PieceRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  PieceRow row;
  row.number = in.u64();
  row.length = in.u64();
  row.next_offset = in.u64();
  return whole(in, row);
}

Bytes encode_row(const TipRow& row) {
  Bytes out;
  put_u64(out, row.sequence);
  put_u64(out, row.time_ns);
  put_id(out, row.link_hash);
  out.insert(out.end(), row.signature.begin(), row.signature.end());
  return out;
}
template <>
Result<TipRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  TipRow row;
  row.sequence = in.u64();
  row.time_ns = in.u64();
  row.link_hash = in.id<Hash>();
  const BytesView signature = in.take(row.signature.size());
  std::copy(signature.begin(), signature.end(), row.signature.begin());
  return whole(in, row);
}

Bytes encode_row(const HoldingRow& row) {
  Bytes out;
  put_u64(out, row.open_chains);
  put_u64(out, row.loose_bytes);
  return out;
}
template <>
Result<HoldingRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  HoldingRow row;
  row.open_chains = in.u64();
  row.loose_bytes = in.u64();
  return whole(in, row);
}

Bytes encode_row(const LooseRow& row) {
  Bytes out;
  put_id(out, row.node);
  put_u64(out, row.length);
  return out;
}
template <>
Result<LooseRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  LooseRow row;
  row.node = in.id<PublicKey>();
  row.length = in.u64();
  return whole(in, row);
}

Bytes encode_row(const EvidenceRow& row) {
  Bytes out;
  put_u64(out, row.received_ns);
  put_id(out, row.peer);
  put_id(out, row.actor);
  put_u64(out, row.frame);
  put_u64(out, row.sequence);
  put_text(out, row.reason);
  out.push_back(static_cast<uint8_t>(row.kind));
  put_u32(out, row.item);
  put_u64(out, row.beside.frame);
  put_u32(out, row.beside.item);
  out.insert(out.end(), row.bytes.begin(), row.bytes.end());
  return out;
}
template <>
Result<EvidenceRow> decode_row(BytesView bytes) {
  RowReader in(bytes);
  EvidenceRow row;
  row.received_ns = in.u64();
  row.peer = in.id<PublicKey>();
  row.actor = in.id<ActorId>();
  row.frame = in.u64();
  row.sequence = in.u64();
  row.reason = in.text();
  // Rows of programs that knew no kinds end here, or go on with a frame, whose first byte is no kind.
  RowReader kind = in;
  const uint8_t first = kind.u8();
  if (kind.ok() && first < kEvidenceKinds) {
    in = kind;
    row.kind = EvidenceKind{first};
    row.item = in.u32();
    row.beside.frame = in.u64();
    row.beside.item = in.u32();
  }
  const BytesView rest = in.take(in.left());
  row.bytes.assign(rest.begin(), rest.end());
  return whole(in, std::move(row));
}

Bytes encode_row(const bus::StreamMark& row) {
  Bytes out;
  put_u64(out, row.sequence);
  put_id(out, row.link_hash);
  put_u64(out, row.bytes);
  return out;
}
template <>
Result<bus::StreamMark> decode_row(BytesView bytes) {
  RowReader in(bytes);
  bus::StreamMark row;
  row.sequence = in.u64();
  row.link_hash = in.id<Hash>();
  row.bytes = in.u64();
  return whole(in, row);
}

uint64_t Segment::events() const {
  uint64_t sum = 0;
  for (const Run& run : runs) sum += run.count;
  return sum;
}

void append_segment(Bytes& out, const Segment& segment) {
  put_varint(out, segment.first_sequence);
  put_varint(out, segment.frame);
  put_varint(out, segment.runs.size());
  uint32_t before = 0;
  for (const Segment::Run& run : segment.runs) {
    put_varint(out, run.offset - before);
    put_varint(out, run.count);
    before = run.offset;
  }
}

bool SegmentReader::next(Segment& segment) {
  if (in_.left() == 0) return false;
  ok_ = false;
  segment.first_sequence = in_.varint();
  segment.frame = in_.varint();
  const uint64_t runs = in_.varint();
  if (!in_.ok() || runs == 0 || runs > bus::kFrameItemsMax) return false;
  segment.runs.clear();
  uint64_t offset = 0;
  for (uint64_t i = 0; i < runs; ++i) {
    offset += in_.varint();
    const uint64_t count = in_.varint();
    if (offset > UINT32_MAX || count == 0 || count > bus::kFrameItemsMax) return false;
    segment.runs.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(count)});
  }
  return ok_ = in_.ok();
}

Bytes delta_key(uint64_t commit) { return tagged(kDeltaTag, commit); }

void append_delta(Bytes& out, const Delta& delta) {
  put_u64(out, delta.chain);
  append_row(out, delta.head);
  put_varint(out, delta.segments.size());
  out.insert(out.end(), delta.segments.begin(), delta.segments.end());
}

bool DeltaReader::next(Delta& delta) {
  if (in_.left() == 0) return false;
  delta.chain = in_.u64();
  auto head = decode_row<HeadRow>(in_.take(kHeadRowSize));
  delta.segments = in_.take(in_.varint());
  ok_ = head.ok() && in_.ok();
  if (ok_) delta.head = *head;
  return ok_;
}

Result<void> check_version(const Store& store) {
  TRY_ASSIGN(const auto version, get_row<uint64_t>(store, Table::kRows, version_key(), "its version"));
  if (!version) return Error{ErrorCode::kInvalid, "this isn't a store of Theater's: it has no version row"};
  if (*version != kStoreVersion) {
    return Error{ErrorCode::kInvalid,
                 str_cat("the store has format version ", *version, ", this program reads and writes version ",
                         kStoreVersion, "; use the program that wrote it, or another folder")};
  }
  return Ok{};
}

}  // namespace theater::persist
