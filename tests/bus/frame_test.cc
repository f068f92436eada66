// Frames: what is written comes back, and nothing that was changed passes for what was written.
#include "bus/frame.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "base/random.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

StreamId test_stream() {
  StreamId stream;
  for (size_t i = 0; i < stream.size(); ++i) stream[i] = static_cast<uint8_t>(i);
  return stream;
}

FrameBuilder::Sealed sample_frame() {
  FrameBuilder builder;
  const auto event = test_event(1, 7, 64);
  builder.append_event(event.bytes, event.hash);
  const Bytes blob = to_bytes("forty-two");
  builder.append_blob(sha256(blob), blob.size(), 0, blob);
  builder.append_gap({test_actor(2), 3, 9, sha256(blob)});
  return builder.seal(1, 1'700'000'000'000'000'000, {}, test_stream());
}

std::vector<Hash> digests_of(const FrameView& frame) {
  std::vector<Hash> digests;
  for (const ItemView& item : frame.items) digests.push_back(item_digest(item));
  return digests;
}

TEST(Frame, comes_back_as_it_was_written) {
  const auto sealed = sample_frame();
  const FrameView frame = parse_frame(sealed.bytes).value();
  EXPECT_EQ(frame.header.sequence, 1u);
  EXPECT_EQ(frame.header.time_ns, 1'700'000'000'000'000'000u);
  EXPECT_EQ(frame.header.stream, test_stream());
  EXPECT_EQ(frame.link_hash, sealed.link_hash);
  ASSERT_EQ(frame.items.size(), 3u);
  EXPECT_EQ(test_event_number(frame.items[0].content), 7u);
  const BlobPiece piece = parse_blob_piece(frame.items[1].content).value();
  EXPECT_EQ(as_text(piece.bytes), "forty-two");
  EXPECT_EQ(piece.length, 9u);
  const Gap gap = parse_gap(frame.items[2].content).value();
  EXPECT_EQ(gap.first, 3u);
  EXPECT_EQ(gap.last, 9u);
  EXPECT_TRUE(verify_frame_digest(frame, digests_of(frame)));
}

TEST(Frame, is_the_golden_one) {
  const std::string path = std::string(THEATER_SOURCE_DIR) + "/tests/golden/frame-1.bin";
  const auto sealed = sample_frame();
  if (std::getenv("THEATER_WRITE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(path, sealed.bytes).ok());
  }
  const auto golden = read_file(path);
  ASSERT_TRUE(golden.ok()) << golden.error().message;
  EXPECT_EQ(*golden, sealed.bytes) << "the format changed";
}

TEST(Frame, links_to_the_one_before) {
  FrameBuilder builder;
  Hash previous;
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    const auto event = test_event(1, sequence);
    builder.append_event(event.bytes, event.hash);
    const auto sealed = builder.seal(sequence, 0, previous, test_stream());
    EXPECT_EQ(parse_frame(sealed.bytes)->header.previous, previous);
    previous = sealed.link_hash;
    EXPECT_TRUE(builder.empty());
  }
}

// Every flipped bit is either refused by the parser, or changes the link hash, or fails against the items' digests.
TEST(Frame, every_flipped_bit_is_found) {
  const auto sealed = sample_frame();
  for (size_t at = 0; at < sealed.bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = sealed.bytes;
      bad[at] ^= static_cast<uint8_t>(1 << bit);
      const auto frame = parse_frame(bad);
      if (!frame.ok()) continue;
      const bool found = frame->link_hash != sealed.link_hash || !verify_frame_digest(*frame, digests_of(*frame));
      // A gap record whose kind says event: the digests don't cover kinds, but no event has 80 bytes.
      EXPECT_TRUE(found || frame->items[2].kind == ItemKind::kEvent) << "byte " << at << " bit " << bit;
    }
  }
}

TEST(Frame, every_other_length_is_refused) {
  const auto sealed = sample_frame();
  for (size_t size = 0; size < sealed.bytes.size(); ++size) {
    EXPECT_FALSE(parse_frame(BytesView(sealed.bytes).first(size)).ok()) << size;
  }
  Bytes longer = sealed.bytes;
  longer.resize(longer.size() + 8);
  EXPECT_FALSE(parse_frame(longer).ok());
}

TEST(Frame, random_bytes_never_crash_the_parser) {
  SeededRandom random(5);
  const auto sealed = sample_frame();
  for (int i = 0; i < 20'000; ++i) {
    Bytes bad = sealed.bytes;
    for (uint64_t n = 1 + random.below(6); n > 0; --n)
      bad[random.below(bad.size())] = static_cast<uint8_t>(random.below(256));
    const auto frame = parse_frame(bad);
    if (frame.ok()) (void)digests_of(*frame);
  }
}

TEST(Frame, a_second_tip_is_refused) {
  FrameBuilder builder;
  builder.append_tip({1, {}});
  EXPECT_TRUE(parse_frame(builder.seal(1, 0, {}, test_stream()).bytes).ok());
  builder.append_tip({1, {}});
  builder.append_tip({2, {}});
  EXPECT_FALSE(parse_frame(builder.seal(1, 0, {}, test_stream()).bytes).ok());
}

TEST(Frame, limits_hold) {
  Bytes content(kGapSize - 1);
  EXPECT_FALSE(parse_gap(content).ok());
  EXPECT_FALSE(parse_blob_piece(Bytes(47)).ok());
  Bytes beyond = FrameBuilder::blob_content({}, 8, 4, Bytes(5));
  EXPECT_FALSE(parse_blob_piece(beyond).ok());
  const Bytes overflow = FrameBuilder::blob_content({}, 8, ~uint64_t{0}, Bytes(5));
  EXPECT_FALSE(parse_blob_piece(overflow).ok());
  FrameBuilder builder;
  const auto odd = test_event(1, 1, 9);  // an event is whole words
  builder.append_event(odd.bytes, odd.hash);
  EXPECT_FALSE(parse_frame(builder.seal(1, 0, {}, test_stream()).bytes).ok());
}

}  // namespace
}  // namespace theater::bus
