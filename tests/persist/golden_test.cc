// The rows of a small store against tests/golden/store-rows.txt, which docs/formats/store.md explains. A change here is
// a new format version. THEATER_WRITE_GOLDEN=1 writes the file.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "persist/memory_store.h"
#include "persist/rows.h"
#include "persist/stored_frame.h"
#include "test_node.h"

namespace theater::persist {
namespace {

std::string dump(const MemoryStore& store) {
  constexpr const char* kNames[kTables] = {"rows", "heads", "frames", "segments", "blobs"};
  const auto disk = store.disk();
  std::string out;
  for (size_t table = 0; table < kTables; ++table) {
    for (const auto& [key, value] : disk[table]) {
      out += str_cat(kNames[table], " ", to_hex(as_bytes(key)), " ", to_hex(as_bytes(value)), "\n");
    }
  }
  return out;
}

TEST(Golden, TheRowsOfASmallStore) {
  const Bytes package = to_bytes("not really a module");
  TestStream stream(7);
  stream.blob(package);
  TestChain chain({.package = sha256(package), .package_length = package.size()});
  stream.put(chain.genesis());
  stream.put(chain.log("hello"));
  stream.seal();
  MemoryStore store;
  ASSERT_TRUE(record(store, stream).ok());
  const std::string path = std::string(THEATER_SOURCE_DIR) + "/tests/golden/store-rows.txt";
  const std::string rows = dump(store);
  if (std::getenv("THEATER_WRITE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(path, as_bytes(rows)).ok());
  }
  const auto golden = read_file(path);
  ASSERT_TRUE(golden.ok()) << golden.error().message;
  EXPECT_EQ(rows, as_text(*golden));
}

template <typename Row>
void expect_strict(const Row& row) {
  const Bytes bytes = encode_row(row);
  const auto back = decode_row<Row>(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(encode_row(*back), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto shorter = decode_row<Row>(BytesView(bytes).first(size));
    EXPECT_TRUE(!shorter.ok() || encode_row(*shorter) != bytes) << size;
  }
}

TEST(Rows, ComeBackAsTheyWereAndNeverShorter) {
  ChainRow chain;
  chain.name = "näme";
  chain.has_genesis = true;
  chain.first_time_ns = 77;
  expect_strict(chain);
  HeadRow head;
  head.next_sequence = 1u << 20;
  head.stopped = head.gaps = true;
  expect_strict(head);
  expect_strict(StopRow{5, "why"});
  expect_strict(StoreTip{1, 2, 3, 4, 5});
  expect_strict(GapRow{9, Hash{test_key(3).bytes}});
  expect_strict(BlobRow{4, 1000});
  expect_strict(PieceRow{4, 1000, 500});
  EvidenceRow evidence;
  evidence.reason = "because";
  evidence.bytes = {1, 2, 3};
  expect_strict(evidence);
}

TEST(Rows, SegmentsAndDeltasComeBack) {
  const Segment segment{70'000, 300, {{14, 1}, {90, 200}, {7000, 3}}};
  Bytes segments;
  append_segment(segments, segment);
  append_segment(segments, {70'204, 301, {{14, 9}}});
  HeadRow head;
  head.next_sequence = 70'213;
  Bytes value;
  append_delta(value, {5, head, segments});
  append_delta(value, {6, head, {}});
  for (size_t size = 0; size < value.size(); ++size) {
    DeltaReader cut(BytesView(value).first(size));
    Delta delta;
    size_t count = 0;
    while (cut.next(delta)) ++count;
    EXPECT_TRUE(!cut.ok() || count < 2) << size;
  }
  DeltaReader in(value);
  Delta delta;
  ASSERT_TRUE(in.next(delta));
  EXPECT_EQ(delta.chain, 5u);
  EXPECT_EQ(delta.head.next_sequence, 70'213u);
  SegmentReader reader(delta.segments);
  Segment back;
  ASSERT_TRUE(reader.next(back));
  EXPECT_EQ(back.first_sequence, 70'000u);
  EXPECT_EQ(back.events(), 204u);
  EXPECT_EQ(back.runs[2].offset, 7000u);
  ASSERT_TRUE(reader.next(back));
  EXPECT_EQ(back.frame, 301u);
  EXPECT_FALSE(reader.next(back));
  EXPECT_TRUE(reader.ok());
  ASSERT_TRUE(in.next(delta));
  EXPECT_TRUE(delta.segments.empty());
  EXPECT_FALSE(in.next(delta));
}

TEST(Rows, RandomBytesNeverBreakADecoder) {
  SeededRandom random(11);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random.below(300));
    random.fill(bytes);
    (void)decode_row<ChainRow>(bytes).ok();
    (void)decode_row<EvidenceRow>(bytes).ok();
    SegmentReader segments(bytes);
    for (Segment segment; segments.next(segment);) EXPECT_GT(segment.events(), 0u);
    DeltaReader deltas(bytes);
    for (Delta delta; deltas.next(delta);) EXPECT_LE(delta.segments.size(), bytes.size());
    (void)decode_stub(bytes).ok();
    const auto frame = decode_stored_frame(bytes);
    if (!frame.ok()) continue;
    ItemWalk walk(frame->bytes);
    StoredItem item;
    while (walk.next(item)) EXPECT_LE(item.content.size(), bytes.size());
  }
}

}  // namespace
}  // namespace theater::persist
