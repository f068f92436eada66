#include "persist/stored_frame.h"

#include <algorithm>

#include "base/crypto.h"

namespace theater::persist {
namespace {

constexpr size_t kPrefixSize = 8 + PublicKey::kSize;
// Offsets in a frame's header (docs/formats/frame.md).
constexpr size_t kFlagsAt = 6, kSequenceAt = 8, kItemsAt = 16, kPreviousAt = 32, kDigestAt = 64, kStreamAt = 96;
constexpr size_t kStubSize = 32 + 32 + 3 * 8;

size_t padded(size_t size) { return (size + 7) / 8 * 8; }

void append_item(Bytes& out, uint8_t kind, BytesView content) {
  const size_t begin = out.size();
  out.resize(begin + kItemHeadSize);
  out[begin] = kind;
  for (int i = 0; i < 4; ++i) out[begin + 4 + i] = static_cast<uint8_t>(content.size() >> (8 * i));
  out.insert(out.end(), content.begin(), content.end());
  out.resize(begin + kItemHeadSize + padded(content.size()));
}

}  // namespace

Bytes stored_frame_prefix(uint64_t received_ns, const PublicKey& node) {
  Bytes out;
  out.reserve(kPrefixSize);
  put_u64(out, received_ns);
  put_id(out, node);
  return out;
}

Result<StoredFrame> decode_stored_frame(BytesView row) {
  if (row.size() < kPrefixSize + bus::kFrameHeaderSize) {
    return Error{ErrorCode::kCorrupt, str_cat("the frame is cut short: ", row.size(), " bytes")};
  }
  RowReader prefix(row.first(kPrefixSize));
  StoredFrame frame;
  frame.received_ns = prefix.u64();
  frame.node = prefix.id<PublicKey>();
  frame.bytes = row.subspan(kPrefixSize);
  frame.filled = frame.bytes[kFlagsAt] == kFilled && frame.bytes[kFlagsAt + 1] == 0;
  frame.sequence = RowReader(frame.bytes.subspan(kSequenceAt)).u64();
  frame.items = RowReader(frame.bytes.subspan(kItemsAt)).u32();
  frame.previous = RowReader(frame.bytes.subspan(kPreviousAt)).id<Hash>();
  frame.body_digest = RowReader(frame.bytes.subspan(kDigestAt)).id<Hash>();
  std::copy_n(frame.bytes.begin() + kStreamAt, frame.stream.size(), frame.stream.begin());
  return frame;
}

Bytes with_stubs(const bus::FrameView& frame, const std::vector<Hash>& digests) {
  CHECK(digests.size() == frame.items.size());
  Bytes out(frame.bytes.begin(), frame.bytes.begin() + bus::kFrameHeaderSize);
  for (size_t i = 0; i < frame.items.size(); ++i) {
    const bus::ItemView& item = frame.items[i];
    const auto piece = item.kind == bus::ItemKind::kBlob ? bus::parse_blob_piece(item.content)
                                                         : Result<bus::BlobPiece>(Error{ErrorCode::kInvalid, {}});
    if (!piece.ok()) {
      append_item(out, static_cast<uint8_t>(item.kind), item.content);
      continue;
    }
    Bytes stub;
    put_id(stub, digests[i]);
    put_id(stub, piece->hash);
    for (const uint64_t number : {piece->length, piece->offset, uint64_t{piece->bytes.size()}}) put_u64(stub, number);
    append_item(out, kStubKind, stub);
  }
  return out;
}

Hash mark_filled(Bytes& frame) {
  frame[kFlagsAt] = kFilled;
  return sha256(BytesView(frame).first(bus::kFrameHeaderSize));
}

bool ItemWalk::next(StoredItem& item) {
  if (at_ == bytes_.size()) return false;
  broken_ = true;
  if (at_ > bytes_.size() || bytes_.size() - at_ < kItemHeadSize) return false;
  const uint8_t* head = bytes_.data() + at_;
  const size_t size = head[4] | head[5] << 8 | head[6] << 16 | size_t{head[7]} << 24;
  const size_t room = bytes_.size() - at_ - kItemHeadSize;
  if (size > room || padded(size) > room) return false;
  if ((head[1] | head[2] | head[3]) != 0) return false;
  item = {head[0], static_cast<uint32_t>(at_ / 8), bytes_.subspan(at_ + kItemHeadSize, size)};
  for (size_t i = size; i < padded(size); ++i) {
    if (head[kItemHeadSize + i] != 0) return false;
  }
  at_ += kItemHeadSize + padded(size);
  broken_ = false;
  return true;
}

Result<Stub> decode_stub(BytesView content) {
  if (content.size() != kStubSize) return Error{ErrorCode::kCorrupt, "the stub of a piece has the wrong size"};
  RowReader in(content);
  Stub stub;
  stub.digest = in.id<Hash>();
  stub.blob = in.id<Hash>();
  stub.length = in.u64();
  stub.offset = in.u64();
  stub.size = in.u64();
  return stub;
}

}  // namespace theater::persist
