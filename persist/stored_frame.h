// A frame as it stands in the store: when it came and from whom, and then its bytes as they were sent, but for pieces
// of blobs. Those are stored once per content in a table of their own; in the frame a stub takes their place, which
// keeps the digest that the frame's link hash covers. So a payload can be erased while every frame still verifies.
//
// A frame with the flag kFilled was made by this auditor, of what another one gave (recorder.h): its node is that
// auditor, and its events belong to whomever their chain says. No node can send one: bus::parse_frame refuses flags.
//
//   row: received_ns u64, node 32 B, frame header 112 B, items
//   stub: an item of kind 0x42 whose content is the piece's digest 32 B, blob hash 32 B, length u64, offset u64, size
//   u64
//
// What is read back is not trusted: every accessor checks its bounds. Views borrow the row.
#pragma once

#include "bus/frame.h"
#include "persist/rows.h"

namespace theater::persist {

inline constexpr uint8_t kStubKind = 0x42;
inline constexpr size_t kItemHeadSize = 8;
inline constexpr uint16_t kFilled = 1;  // in the frame's flags

struct StoredFrame {
  uint64_t received_ns = 0;
  PublicKey node;
  // From the frame's header.
  uint64_t sequence = 0;
  bool filled = false;
  uint32_t items = 0;
  Hash previous, body_digest;
  bus::StreamId stream{};
  BytesView bytes;  // header and items; offsets count from here

  BytesView header() const { return bytes.first(bus::kFrameHeaderSize); }
};
Result<StoredFrame> decode_stored_frame(BytesView row);

// What stands before the frame's bytes in the row.
Bytes stored_frame_prefix(uint64_t received_ns, const PublicKey& node);

// The stored form of a frame with pieces of blobs; `digests` are those of its items.
Bytes with_stubs(const bus::FrameView& frame, const std::vector<Hash>& digests);

// Marks a frame as filled in: changes its header, and returns its link hash.
Hash mark_filled(Bytes& frame);

struct StoredItem {
  uint8_t kind = 0;
  uint32_t offset = 0;  // of its head, in units of 8 bytes
  BytesView content;
};

// Walks over the items of a stored frame from a given offset. False at the end, and if what follows isn't an item: then
// broken() is true.
class ItemWalk {
 public:
  explicit ItemWalk(BytesView frame_bytes, uint32_t offset = bus::kFrameHeaderSize / 8)
      : bytes_(frame_bytes), at_(size_t{offset} * 8) {}
  bool next(StoredItem& item);
  bool broken() const { return broken_; }

 private:
  BytesView bytes_;
  size_t at_;
  bool broken_ = false;
};

struct Stub {
  Hash digest, blob;
  uint64_t length = 0, offset = 0, size = 0;
};
Result<Stub> decode_stub(BytesView content);

}  // namespace theater::persist
