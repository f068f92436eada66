// CONTRACT. A frame: what one PUSH message carries, and the unit that is stored, linked and acknowledged. Layout, rules
// and a worked example: docs/formats/frame.md. All numbers little-endian.
//
//   header (112 bytes): magic "THFR", version, flags, sequence, item count, body bytes, node time, previous link hash,
//                       body digest, stream id
//   body: items, each 8 bytes of head {kind u8, 3 zero bytes, length u32} and content padded with zeros to 8 bytes
//
// A stream is one node process's numbering of frames to one auditor; its id is 16 random bytes. The link hash of a
// frame is the SHA-256 of its header, which holds the previous frame's link hash and, by the body digest, every item:
// SHA-256 over the item digests in order. An event's digest is its own hash, so that linking frames costs no second
// pass over the events.
//
// A tip is the node's signature under the stream as it was before the frame that carries it: whoever holds it can show
// to others what this node said. A frame with nothing but a tip is a checkpoint.
//
// FrameView borrows the bytes it was parsed from. parse_frame checks layout, bounds and padding, not hashes:
// verify_frame_digest does that given the item digests.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/crypto.h"
#include "base/ids.h"
#include "base/result.h"

namespace theater::bus {

using StreamId = std::array<uint8_t, 16>;

inline constexpr size_t kFrameHeaderSize = 112;
inline constexpr size_t kFrameBodyMax = 160 * 1024;  // a frame is sealed at kFrameBodyTarget; one item may overshoot it
inline constexpr size_t kFrameBodyTarget = 64 * 1024;
inline constexpr size_t kFrameItemsMax = 1024;

enum class ItemKind : uint8_t {
  kEvent = 1,  // canonical event bytes
  kBlob = 2,   // hash 32, length u64, offset u64, then the piece
  kGap = 3,    // actor 32, first sequence u64, last sequence u64, head after it 32: dropped in best-effort mode
  kTip = 4,    // node time u64, signature 64: under tip_statement() of the frame before
};

struct FrameHeader {
  uint64_t sequence = 0;  // 1 for the first frame of a stream
  uint32_t items = 0;
  uint32_t body_bytes = 0;
  uint64_t time_ns = 0;
  Hash previous;  // link hash of the frame before; zero for the first
  Hash body_digest;
  StreamId stream{};
};

struct ItemView {
  ItemKind kind;
  BytesView content;
};

struct BlobPiece {
  Hash hash;
  uint64_t length = 0, offset = 0;
  BytesView bytes;
  // No more of the blob comes: what came of it is of no use.
  bool gives_up() const { return bytes.empty() && length != 0; }
};

struct Gap {
  ActorId actor;
  uint64_t first = 0, last = 0;
  Hash head;
};

struct Tip {
  uint64_t time_ns = 0;
  Signature signature{};
};

struct FrameView {
  FrameHeader header;
  Hash link_hash;
  std::vector<ItemView> items;
  BytesView bytes;
};

Result<FrameView> parse_frame(BytesView bytes);
Result<BlobPiece> parse_blob_piece(BytesView content);
Result<Gap> parse_gap(BytesView content);
Result<Tip> parse_tip(BytesView content);
// What a node signs: that its stream's frame `sequence` has this link hash, which covers all frames before.
Bytes tip_statement(const StreamId& stream, uint64_t sequence, const Hash& link_hash, uint64_t time_ns);
// Whether `node` signed the stream up to the frame before the one with this header.
bool verify_tip(const PublicKey& node, const FrameHeader& header, const Tip& tip);
Hash item_digest(const ItemView& item);  // SHA-256 of the content; of an event: its hash
// True if the header's body digest is that of these item digests, in the items' order.
bool verify_frame_digest(const FrameView& frame, std::span<const Hash> item_digests);

// Bytes that an item with `content` bytes takes in a body.
constexpr size_t item_size(size_t content) { return 8 + (content + 7) / 8 * 8; }
inline constexpr size_t kBlobHeadSize = 48;
inline constexpr size_t kGapSize = 80;
inline constexpr size_t kTipSize = 72;

// Builds bodies: append items, then seal with the link's numbers.
class FrameBuilder {
 public:
  void append_event(BytesView event, const Hash& hash);
  void append_blob(const Hash& hash, uint64_t length, uint64_t offset, BytesView piece);
  // The same in two steps, so that hashing the piece needs no lock around the builder.
  static Bytes blob_content(const Hash& hash, uint64_t length, uint64_t offset, BytesView piece);
  void append_blob_content(BytesView content, const Hash& digest);
  void append_gap(const Gap& gap);
  void append_tip(const Tip& tip);
  bool empty() const { return items_ == 0; }
  uint32_t items() const { return items_; }
  size_t body_bytes() const { return bytes_.empty() ? 0 : bytes_.size() - kFrameHeaderSize; }
  // The finished frame and its link hash; the builder is empty again.
  struct Sealed {
    Bytes bytes;
    Hash link_hash;
  };
  Sealed seal(uint64_t sequence, uint64_t time_ns, const Hash& previous, const StreamId& stream);

 private:
  void append_item(ItemKind kind, BytesView content, const Hash& digest);
  Bytes bytes_;  // room for the header first
  Bytes digests_;
  uint32_t items_ = 0;
};

}  // namespace theater::bus
