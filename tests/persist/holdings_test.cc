// What one node can make an auditor hold is bounded, and costs other nodes nothing.
#include <gmock/gmock.h>

#include "persist/holdings.h"
#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "test_node.h"

namespace theater::persist {
namespace {

using testing::HasSubstr;

class HoldingsTest : public testing::Test {
 protected:
  HoldingsTest() { open(); }
  void open() { recorder_ = Recorder::open(*store_, {.open_chains = 3, .loose_bytes = 10'000}).value(); }

  // What the recorder says to the stream's newest frames, those it hasn't seen.
  std::string offer(TestStream& stream) {
    std::string refused;
    for (size_t& seen = seen_[stream.stream]; seen < stream.frames.size() && refused.empty(); ++seen) {
      const auto frame = bus::parse_frame(stream.frames[seen]).value();
      const auto outcome = recorder_->add(stream.node, 1, frame).value();
      EXPECT_FALSE(outcome.for_good);
      refused = outcome.refused;
      if (!refused.empty()) break;
    }
    commit();
    return refused;
  }
  void commit() {
    if (recorder_->empty()) return;
    Prepared prepared = recorder_->take();
    ASSERT_TRUE(store_->commit(*prepared.batch, prepared.tip).ok());
    recorder_->durable(prepared.tip.commit);
  }
  TestChain chain(uint8_t nonce, uint8_t node = 1) {
    TestChain::Options options;
    options.node = test_key(node);
    options.nonce = nonce;
    return TestChain(options);
  }
  HoldingRow held(uint8_t node = 1) {
    return get_row<HoldingRow>(*store_, Table::kRows, holding_key(test_key(node)), "it").value().value_or(HoldingRow{});
  }

  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
  std::unique_ptr<Recorder> recorder_;
  std::map<bus::StreamId, size_t> seen_;
};

TEST_F(HoldingsTest, OpenChainsAreBoundedForEachNode) {
  TestStream first(1), second(2, test_key(2));
  std::vector<TestChain> chains;
  for (uint8_t i = 0; i < 4; ++i) chains.push_back(chain(i));
  for (int i = 0; i < 3; ++i) first.put(chains[i].genesis());
  first.seal();
  EXPECT_EQ(offer(first), "");
  EXPECT_EQ(held().open_chains, 3u);
  first.put(chains[0].log("goes on"));
  first.seal();
  EXPECT_EQ(offer(first), "") << "what has begun goes on";
  first.put(chains[3].genesis());
  first.seal();
  EXPECT_THAT(offer(first), HasSubstr("limits.open_chains"));
  TestChain other = chain(9, 2);
  second.put(other.genesis());
  second.seal();
  EXPECT_EQ(offer(second), "") << "another node notices nothing";
}

// Seen: 8,000 frames with wrong digests, each of a new stream, were kept: 393 MiB in ten seconds.
TEST_F(HoldingsTest, RefusedFramesAreKeptAsEvidenceWithinTheSameBound) {
  uint64_t refused = 0;
  for (uint8_t i = 1; i <= 80; ++i) {
    TestStream stream(i);
    stream.put(chain(i).genesis());
    stream.seal();
    stream.frames[0].back() ^= 1;
    auto frame = bus::parse_frame(stream.frames[0]);
    if (!frame.ok()) continue;  // the padding
    const auto outcome = recorder_->add(stream.node, 1, *frame).value();
    EXPECT_TRUE(outcome.for_good);
    refused += stream.frames[0].size();
    commit();
  }
  ASSERT_GT(refused, 20'000u);
  const auto rows = store_->scan(Table::kRows, tag_prefix(kEvidenceTag), {});
  uint64_t kept = 0;
  for (; rows->valid(); rows->next()) kept += rows->value().size();
  EXPECT_GT(kept, 5'000u);
  EXPECT_LT(kept, 16'000u);
}

TEST_F(HoldingsTest, ChainsThatBeginInTheMiddleCountToo) {
  TestStream stream(1);
  TestChain late = chain(1);
  late.log("left out");
  stream.put(late.log("the first that is sent"));
  stream.put(late.log("goes on"));
  const auto gap = [&](uint8_t of) { stream.builder.append_gap({chain(of).actor(), 1, 1, sha256(Bytes(8, of))}); };
  gap(2);
  stream.seal();
  EXPECT_EQ(offer(stream), "");
  EXPECT_EQ(held().open_chains, 2u);
  gap(3);
  gap(4);
  stream.seal();
  EXPECT_THAT(offer(stream), HasSubstr("limits.open_chains")) << "four, of which three would do";
  EXPECT_EQ(held().open_chains, 2u) << "nothing of a refused frame is taken";
  TestStream other(2);
  gap(3);
  other.builder = std::move(stream.builder);
  other.put(late.log("on"));
  other.seal();
  EXPECT_EQ(offer(other), "");
  EXPECT_EQ(held().open_chains, 3u);
  TestChain another = chain(5);
  another.log("left out");
  other.put(another.log("the first that is sent"));
  other.seal();
  EXPECT_THAT(offer(other), HasSubstr("limits.open_chains"));
}

TEST_F(HoldingsTest, AnEndMakesRoomAndSoDoesAStop) {
  TestStream stream(1);
  std::vector<TestChain> chains;
  for (uint8_t i = 0; i < 5; ++i) chains.push_back(chain(i));
  for (int i = 0; i < 3; ++i) stream.put(chains[i].genesis());
  stream.put(chains[0].end());
  chains[1].log("left out");
  stream.put(chains[1].log("after a hole"));
  stream.seal();
  EXPECT_EQ(offer(stream), "");
  EXPECT_EQ(held().open_chains, 1u);
  open();  // as after a restart
  stream.put(chains[3].genesis());
  stream.put(chains[4].genesis());
  stream.seal();
  EXPECT_EQ(offer(stream), "");
  EXPECT_EQ(held().open_chains, 3u);
}

TEST_F(HoldingsTest, BlobsThatNoEventRefersToAreBounded) {
  TestStream stream(1);
  Bytes content(5'000);
  SeededRandom random(1);
  for (int i = 0; i < 2; ++i) {
    random.fill(content);
    stream.blob(content);
    EXPECT_EQ(offer(stream), "");
  }
  EXPECT_EQ(held().loose_bytes, 10'000u);
  open();
  random.fill(content);
  stream.blob(content);
  EXPECT_THAT(offer(stream), HasSubstr("limits.unreferenced"));
}

TEST_F(HoldingsTest, AnEventThatRefersToABlobTakesItOffTheCount) {
  TestStream stream(1);
  const Bytes package = to_bytes(std::string(9'000, 'p')), manifest = to_bytes(std::string(900, 'm'));
  TestChain::Options options;
  options.package = sha256(package);
  options.package_length = package.size();
  options.manifest = sha256(manifest);
  options.manifest_length = manifest.size();
  TestChain chain(options);
  stream.blob(package);
  stream.blob(manifest);
  EXPECT_EQ(offer(stream), "");
  EXPECT_EQ(held().loose_bytes, 9'900u);
  open();
  stream.put(chain.genesis());
  stream.seal();
  EXPECT_EQ(offer(stream), "");
  EXPECT_EQ(held().loose_bytes, 0u);
  EXPECT_FALSE(store_->get(Table::kRows, loose_key(sha256(package))).value().has_value());
}

TEST_F(HoldingsTest, UnfinishedBlobsCountAsFarAsTheyHaveCome) {
  TestStream stream(1);
  uint8_t number = 0;
  const auto piece = [&](const Bytes& of, uint64_t offset, size_t size) {
    stream.builder.append_blob(sha256(of), of.size(), offset, BytesView(of).subspan(offset, size));
    stream.seal();
    return offer(stream);
  };
  const auto content = [&] { return Bytes(20'000, ++number); };
  const Bytes first = content(), second = content(), third = content();
  EXPECT_EQ(piece(first, 0, 6'000), "");
  EXPECT_EQ(piece(second, 0, 3'000), "");
  EXPECT_EQ(held().loose_bytes, 9'000u);
  EXPECT_EQ(piece(second, second.size(), 0), "") << "given up";
  EXPECT_EQ(held().loose_bytes, 6'000u);
  EXPECT_EQ(piece(first, 0, 5'000), "") << "from the beginning again";
  EXPECT_EQ(held().loose_bytes, 5'000u);
  open();
  EXPECT_EQ(piece(third, 0, 6'000), "");
  EXPECT_THAT(piece(third, 6'000, 6'000), HasSubstr("limits.unreferenced"));
  EXPECT_EQ(held().loose_bytes, 11'000u);
}

TEST_F(HoldingsTest, TheSameBlobFromTwoNodesAtOnceCountsOnce) {
  TestStream fast(1), slow(2, test_key(2));
  const Bytes content(9'000, 7);
  slow.builder.append_blob(sha256(content), content.size(), 0, BytesView(content).first(4'000));
  slow.seal();
  EXPECT_EQ(offer(slow), "");
  EXPECT_EQ(held(2).loose_bytes, 4'000u);
  fast.blob(content);
  EXPECT_EQ(offer(fast), "");
  slow.builder.append_blob(sha256(content), content.size(), 4'000, BytesView(content).subspan(4'000));
  slow.seal();
  EXPECT_EQ(offer(slow), "");
  EXPECT_EQ(held(1).loose_bytes, 9'000u);
  EXPECT_EQ(held(2).loose_bytes, 0u);
}

}  // namespace
}  // namespace theater::persist
