// Frames through the recorder into a store, and back out by the reader and the verifier: what honest nodes send.
#include <gtest/gtest.h>

#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "test_node.h"

namespace theater::persist {
namespace {

std::unique_ptr<ChainReader> reader_of(std::shared_ptr<Store> store) {
  auto reader = make_chain_reader(std::move(store));
  EXPECT_TRUE(reader.ok()) << reader.error().message;
  return std::move(reader).value();
}

std::vector<VerifyReport> verified(ChainReader& reader) {
  auto reports = verify_all(reader);
  EXPECT_TRUE(reports.ok()) << reports.error().message;
  EXPECT_TRUE(reports->faults.empty()) << reports->faults.front();
  return std::move(reports->chains);
}

TEST(Record, OneChainComesBackAsItWasSent) {
  auto store = std::make_shared<MemoryStore>();
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  for (int i = 0; i < 100; ++i) {
    stream.put(chain.log(str_cat("line ", i)));
    if (i % 7 == 0) stream.seal();
  }
  stream.put(chain.end());
  stream.seal();
  ASSERT_TRUE(record(*store, stream, 3).ok());

  auto reader = reader_of(store);
  EXPECT_EQ(stored_events(*reader, chain.actor()), bytes_of(chain));
  EXPECT_EQ(stored_events(*reader, chain.actor(), 99).size(), 3u);
  const auto summary = reader->summary(chain.actor());
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary->events, 102u);
  EXPECT_EQ(summary->last_sequence, 101u);
  EXPECT_EQ(summary->head, chain.events.back().hash);
  EXPECT_EQ(summary->status, ChainStatus::kComplete);
  EXPECT_EQ(summary->name, "counter");
  const auto reports = verified(*reader);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].verified, 102u) << reports[0].reason;
  EXPECT_FALSE(reports[0].sequence);
  EXPECT_EQ(verify_chain(*reader, chain.actor())->verified, 102u);
}

// A stream of one chain with a tip under its first frame, signed by `signer`.
struct SignedStream {
  explicit SignedStream(const SigningKey& signer) : stream(1, node.public_key()) {
    TestChain::Options options;
    options.node = node.public_key();
    chain.emplace(options);
    stream.put(chain->genesis());
    stream.seal();
    stream.put(chain->end());
    stream.builder.append_tip({77, signer.sign(bus::tip_statement(stream.stream, 1, stream.link_hash, 77))});
    stream.seal();
  }
  static SigningKey key(uint8_t number) {
    SigningKey::Seed seed{};
    seed.fill(number);
    return SigningKey::from_seed(seed);
  }
  const SigningKey node = key(1);
  TestStream stream;
  std::optional<TestChain> chain;
};

TEST(Record, TheNewestSignedTipIsKept) {
  SignedStream sent(SignedStream::key(1));
  auto store = std::make_shared<MemoryStore>();
  ASSERT_TRUE(record(*store, sent.stream).ok());
  const Bytes key = signed_tip_key(sent.node.public_key(), sent.stream.stream);
  const auto tip = get_row<TipRow>(*store, Table::kRows, key, "a tip").value();
  ASSERT_TRUE(tip.has_value());
  EXPECT_EQ(tip->sequence, 1u);
  EXPECT_EQ(tip->time_ns, 77u);
  EXPECT_EQ(verified(*reader_of(store)).at(0).verified, 2u);

  Bytes other = encode_row(*tip);
  other.back() ^= 1;
  store->overwrite(Table::kRows, key, std::string(as_text(other)));
  const auto reader = reader_of(store);
  const auto reports = verify_all(*reader);
  ASSERT_TRUE(reports.ok()) << reports.error().message;
  ASSERT_EQ(reports->faults.size(), 1u);
  EXPECT_NE(reports->faults[0].find("signed tip"), std::string::npos) << reports->faults[0];
}

TEST(Record, ATipThatTheNodeDidntSignIsEvidenceAndStopsTheStream) {
  SignedStream sent(SignedStream::key(2));
  auto store = std::make_shared<MemoryStore>();
  record_alarms(*store, sent.stream);
  EXPECT_EQ(stored_events(*reader_of(store), sent.chain->actor()).size(), 1u) << "nothing of that frame";
  const auto row = get_row<EvidenceRow>(*store, Table::kRows, evidence_key(1), "evidence").value();
  ASSERT_TRUE(row.has_value());
  EXPECT_NE(row->reason.find("isn't signed by this node"), std::string::npos) << row->reason;
  EXPECT_EQ(row->bytes, sent.stream.frames[1]);
}

// Any interleaving of chains and any cut into frames and commits gives each chain back whole and in order.
TEST(Record, RandomInterleavingsOfManyChains) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    auto store = std::make_shared<MemoryStore>();
    TestStream first(1, test_key(1)), second(2, test_key(2));
    std::vector<TestChain> chains;
    for (uint8_t i = 0; i < 8; ++i) {
      TestChain::Options options;
      options.node = test_key(1 + i % 2);
      options.nonce = i;
      options.name = str_cat("actor-", i);
      chains.emplace_back(options);
    }
    std::vector<bool> begun(chains.size());
    for (int i = 0; i < 600; ++i) {
      const size_t which = random.below(chains.size());
      TestStream& stream = which % 2 == 0 ? first : second;
      stream.put(begun[which] ? chains[which].log(std::string(random.below(200), 'x')) : chains[which].genesis());
      begun[which] = true;
      if (random.below(10) == 0) stream.seal();
    }
    if (!first.builder.empty()) first.seal();
    if (!second.builder.empty()) second.seal();
    ASSERT_TRUE(record(*store, {&first, &second}, 1 + random.below(9), random.below(2) == 0).ok());
    auto reader = reader_of(store);
    for (size_t i = 0; i < chains.size(); ++i) {
      if (!begun[i]) continue;
      EXPECT_EQ(stored_events(*reader, chains[i].actor()), bytes_of(chains[i])) << "seed " << seed;
      const auto report = verify_chain(*reader, chains[i].actor());
      EXPECT_EQ(report->verified, chains[i].events.size()) << report->reason;
    }
    for (const VerifyReport& report : verified(*reader)) {
      EXPECT_FALSE(report.sequence) << "seed " << seed << ": " << report.reason;
      EXPECT_EQ(report.summary.status, ChainStatus::kOpen);
    }
  }
}

TEST(Record, PackageAndManifestTravelAsBlobs) {
  auto store = std::make_shared<MemoryStore>();
  TestStream stream(1);
  Bytes package(123'456);
  SeededRandom(7).fill(package);
  const Bytes manifest = to_bytes("name = \"x\"\n");
  stream.blob(package, 40'000);
  stream.blob(manifest);
  TestChain::Options options;
  options.package = sha256(package);
  options.package_length = package.size();
  options.manifest = sha256(manifest);
  options.manifest_length = manifest.size();
  TestChain chain(options);
  stream.put(chain.genesis());
  stream.put(chain.log("after"));
  stream.seal();
  ASSERT_TRUE(record(*store, stream).ok());
  auto reader = reader_of(store);
  EXPECT_EQ(*reader->blob(sha256(package)), package);
  EXPECT_EQ(*reader->blob(sha256(manifest)), manifest);
  EXPECT_EQ(reader->blob(Hash{}).error().code, ErrorCode::kNotFound);
  const auto reports = verified(*reader);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_FALSE(reports[0].sequence) << reports[0].reason;
  EXPECT_FALSE(reports[0].summary.is_node_chain);
}

}  // namespace
}  // namespace theater::persist
