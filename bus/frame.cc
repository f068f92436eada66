#include "bus/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/crypto.h"
#include "schema/event.h"

namespace theater::bus {

namespace {

constexpr uint8_t kMagic[4] = {'T', 'H', 'F', 'R'};
constexpr uint16_t kVersion = 1;
constexpr size_t kItemHeadSize = 8;
constexpr size_t kPieceMax = 48 * 1024;

static_assert(std::endian::native == std::endian::little, "frames are written as the machine holds numbers");

template <typename T>
T load(BytesView bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <typename T>
void store(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

Hash hash_at(BytesView bytes, size_t offset) { return *Hash::from_view(bytes.subspan(offset, Hash::kSize)); }

Error bad(const std::string& what) { return Error{ErrorCode::kCorrupt, str_cat("frame: ", what)}; }

Result<FrameHeader> parse_header(BytesView bytes) {
  if (bytes.size() < kFrameHeaderSize) return bad(str_cat(bytes.size(), " bytes, less than a header's 112"));
  if (!std::equal(std::begin(kMagic), std::end(kMagic), bytes.begin())) return bad("doesn't begin with THFR");
  if (load<uint16_t>(bytes, 4) != kVersion) {
    return bad(str_cat("version ", load<uint16_t>(bytes, 4), "; this program reads version 1"));
  }
  if (load<uint16_t>(bytes, 6) != 0) return bad("unknown flags at byte 6");
  FrameHeader header;
  header.sequence = load<uint64_t>(bytes, 8);
  header.items = load<uint32_t>(bytes, 16);
  header.body_bytes = load<uint32_t>(bytes, 20);
  header.time_ns = load<uint64_t>(bytes, 24);
  header.previous = hash_at(bytes, 32);
  header.body_digest = hash_at(bytes, 64);
  std::copy_n(bytes.begin() + 96, header.stream.size(), header.stream.begin());
  if (header.sequence == 0) return bad("sequence 0; the first frame of a stream is 1");
  if (header.previous.is_zero() != (header.sequence == 1)) {
    return bad("the previous link hash must be zero in the first frame of a stream and nowhere else");
  }
  if (header.items == 0 || header.items > kFrameItemsMax)
    return bad(str_cat(header.items, " items; 1 to 1024 are allowed"));
  if (header.body_bytes > kFrameBodyMax) return bad(str_cat("a body of ", header.body_bytes, " bytes is too long"));
  if (header.body_bytes != bytes.size() - kFrameHeaderSize) {
    return bad(
        str_cat("the header says ", header.body_bytes, " bytes of body, there are ", bytes.size() - kFrameHeaderSize));
  }
  return header;
}

Result<void> check_content(const ItemView& item, size_t at) {
  switch (item.kind) {
    case ItemKind::kEvent:
      if (item.content.empty() || item.content.size() % 8 != 0 || item.content.size() > schema::kEventSizeMax) {
        return bad(str_cat("the event at byte ", at, " has an impossible length of ", item.content.size()));
      }
      return Ok{};
    case ItemKind::kBlob: {
      const auto piece = parse_blob_piece(item.content);
      if (!piece.ok()) return piece.error();
      return Ok{};
    }
    case ItemKind::kGap: {
      const auto gap = parse_gap(item.content);
      if (!gap.ok()) return gap.error();
      return Ok{};
    }
    case ItemKind::kTip: {
      const auto tip = parse_tip(item.content);
      if (!tip.ok()) return tip.error();
      return Ok{};
    }
  }
  return bad(str_cat("unknown item kind ", static_cast<int>(item.kind), " at byte ", at));
}

}  // namespace

Result<FrameView> parse_frame(BytesView bytes) {
  TRY_ASSIGN(const FrameHeader header, parse_header(bytes));
  FrameView frame{header, {}, {}, bytes};
  frame.items.reserve(header.items);
  bool has_tip = false;  // one is enough, and checking it takes long
  size_t at = kFrameHeaderSize;
  while (at < bytes.size()) {
    if (frame.items.size() == header.items) return bad(str_cat("more bytes after the last item, at byte ", at));
    if (bytes.size() - at < kItemHeadSize) return bad(str_cat("cut short inside the item head at byte ", at));
    if (bytes[at + 1] != 0 || bytes[at + 2] != 0 || bytes[at + 3] != 0) {
      return bad(str_cat("the item head at byte ", at, " isn't zero where it must be"));
    }
    const size_t length = load<uint32_t>(bytes, at + 4);
    if (length > kFrameBodyMax || item_size(length) > bytes.size() - at) {
      return bad(str_cat("the item at byte ", at, " is longer than the frame"));
    }
    const ItemView item{static_cast<ItemKind>(bytes[at]), bytes.subspan(at + kItemHeadSize, length)};
    TRY(check_content(item, at));
    if (item.kind == ItemKind::kTip && std::exchange(has_tip, true)) return bad("two tips");
    const BytesView padding = bytes.subspan(at + kItemHeadSize + length, item_size(length) - kItemHeadSize - length);
    if (std::any_of(padding.begin(), padding.end(), [](uint8_t b) { return b != 0; })) {
      return bad(str_cat("the padding of the item at byte ", at, " isn't zero"));
    }
    frame.items.push_back(item);
    at += item_size(length);
  }
  if (frame.items.size() != header.items) {
    return bad(str_cat("the header says ", header.items, " items, there are ", frame.items.size()));
  }
  frame.link_hash = sha256(bytes.first(kFrameHeaderSize));
  return frame;
}

Result<BlobPiece> parse_blob_piece(BytesView content) {
  if (content.size() < kBlobHeadSize)
    return bad(str_cat("a blob piece of ", content.size(), " bytes; its head has 48"));
  const BlobPiece piece{hash_at(content, 0), load<uint64_t>(content, 32), load<uint64_t>(content, 40),
                        content.subspan(kBlobHeadSize)};
  if (piece.bytes.size() > kPieceMax)
    return bad(str_cat("a blob piece of ", piece.bytes.size(), " bytes; at most 49152"));
  if (piece.offset > piece.length || piece.bytes.size() > piece.length - piece.offset) {
    return bad("a blob piece that reaches beyond its blob");
  }
  if (piece.bytes.empty() && piece.length != piece.offset) return bad("an empty blob piece");
  return piece;
}

Result<Gap> parse_gap(BytesView content) {
  if (content.size() != kGapSize) return bad(str_cat("a gap record of ", content.size(), " bytes; it has 80"));
  Gap gap;
  gap.actor = *ActorId::from_view(content.first(32));
  gap.first = load<uint64_t>(content, 32);
  gap.last = load<uint64_t>(content, 40);
  gap.head = hash_at(content, 48);
  if (gap.first > gap.last) return bad("a gap record whose first sequence is after its last");
  return gap;
}

Result<Tip> parse_tip(BytesView content) {
  if (content.size() != kTipSize) return bad(str_cat("a tip of ", content.size(), " bytes; it has 72"));
  Tip tip;
  tip.time_ns = load<uint64_t>(content, 0);
  std::copy_n(content.begin() + 8, tip.signature.size(), tip.signature.begin());
  return tip;
}

Bytes tip_statement(const StreamId& stream, uint64_t sequence, const Hash& link_hash, uint64_t time_ns) {
  Bytes statement = to_bytes("theater frame tip 1\n");
  statement.insert(statement.end(), stream.begin(), stream.end());
  const size_t at = statement.size();
  statement.resize(at + 16 + Hash::kSize);
  store(statement.data() + at, sequence);
  store(statement.data() + at + 8, time_ns);
  std::memcpy(statement.data() + at + 16, link_hash.bytes.data(), Hash::kSize);
  return statement;
}

bool verify_tip(const PublicKey& node, const FrameHeader& header, const Tip& tip) {
  return header.sequence > 1 &&
         verify_signature(node, tip_statement(header.stream, header.sequence - 1, header.previous, tip.time_ns),
                          tip.signature);
}

Hash item_digest(const ItemView& item) { return sha256(item.content); }

bool verify_frame_digest(const FrameView& frame, std::span<const Hash> item_digests) {
  if (item_digests.size() != frame.items.size()) return false;
  static_assert(sizeof(Hash) == Hash::kSize);
  const BytesView all(reinterpret_cast<const uint8_t*>(item_digests.data()), item_digests.size() * sizeof(Hash));
  return sha256(all) == frame.header.body_digest;
}

void FrameBuilder::append_item(ItemKind kind, BytesView content, const Hash& digest) {
  CHECK(items_ < kFrameItemsMax);
  if (bytes_.empty()) {
    bytes_.reserve(kFrameHeaderSize + kFrameBodyTarget + 8 * 1024);
    bytes_.resize(kFrameHeaderSize);
  }
  uint8_t head[kItemHeadSize] = {static_cast<uint8_t>(kind)};
  store(head + 4, static_cast<uint32_t>(content.size()));
  bytes_.insert(bytes_.end(), head, head + sizeof head);
  bytes_.insert(bytes_.end(), content.begin(), content.end());
  bytes_.resize((bytes_.size() + 7) / 8 * 8);
  CHECK(body_bytes() <= kFrameBodyMax);
  digests_.insert(digests_.end(), digest.bytes.begin(), digest.bytes.end());
  ++items_;
}

void FrameBuilder::append_event(BytesView event, const Hash& hash) { append_item(ItemKind::kEvent, event, hash); }

Bytes FrameBuilder::blob_content(const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) {
  CHECK(piece.size() <= kPieceMax);
  Bytes content(kBlobHeadSize + piece.size());
  std::memcpy(content.data(), hash.bytes.data(), Hash::kSize);
  store(content.data() + 32, length);
  store(content.data() + 40, offset);
  if (!piece.empty()) std::memcpy(content.data() + kBlobHeadSize, piece.data(), piece.size());
  return content;
}

void FrameBuilder::append_blob_content(BytesView content, const Hash& digest) {
  append_item(ItemKind::kBlob, content, digest);
}

void FrameBuilder::append_blob(const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) {
  const Bytes content = blob_content(hash, length, offset, piece);
  append_blob_content(content, sha256(content));
}

void FrameBuilder::append_gap(const Gap& gap) {
  uint8_t content[kGapSize];
  std::memcpy(content, gap.actor.bytes.data(), 32);
  store(content + 32, gap.first);
  store(content + 40, gap.last);
  std::memcpy(content + 48, gap.head.bytes.data(), 32);
  append_item(ItemKind::kGap, content, sha256(content));
}

void FrameBuilder::append_tip(const Tip& tip) {
  uint8_t content[kTipSize];
  store(content, tip.time_ns);
  std::memcpy(content + 8, tip.signature.data(), tip.signature.size());
  append_item(ItemKind::kTip, content, sha256(content));
}

FrameBuilder::Sealed FrameBuilder::seal(uint64_t sequence, uint64_t time_ns, const Hash& previous,
                                        const StreamId& stream) {
  CHECK(items_ > 0 && sequence > 0 && previous.is_zero() == (sequence == 1));
  uint8_t* header = bytes_.data();
  std::memcpy(header, kMagic, sizeof kMagic);
  store(header + 4, kVersion);
  store(header + 6, uint16_t{0});
  store(header + 8, sequence);
  store(header + 16, items_);
  store(header + 20, static_cast<uint32_t>(body_bytes()));
  store(header + 24, time_ns);
  std::memcpy(header + 32, previous.bytes.data(), Hash::kSize);
  std::memcpy(header + 64, sha256(digests_).bytes.data(), Hash::kSize);
  std::memcpy(header + 96, stream.data(), stream.size());

  Sealed sealed;
  sealed.link_hash = sha256({header, kFrameHeaderSize});
  if (bytes_.size() < kFrameBodyTarget / 4) {
    sealed.bytes.assign(bytes_.begin(), bytes_.end());  // a small frame doesn't hold a large buffer
    bytes_.clear();
  } else {
    sealed.bytes = std::move(bytes_);
    bytes_ = {};
  }
  digests_.clear();
  items_ = 0;
  return sealed;
}

}  // namespace theater::bus
