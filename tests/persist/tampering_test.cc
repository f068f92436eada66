// Stores whose rows somebody changed who keeps RocksDB's checksums right: what the frames give is compared with every
// row, and one thing that is wrong hides no other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "persist/memory_store.h"
#include "persist/rocks_store.h"
#include "persist/store_reader.h"
#include "persist/tip_file.h"
#include "persist/verifier.h"
#include "temp_folder.h"
#include "test_node.h"

namespace theater::persist {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

StoreReport verified(std::shared_ptr<Store> store) {
  const auto reader = make_chain_reader(std::move(store));
  CHECK(reader.ok(), reader.ok() ? "" : reader.error().message);
  auto report = verify_all(**reader);
  CHECK(report.ok(), report.ok() ? "" : report.error().message);
  return std::move(*report);
}

// All that is said of it, but for the chain that the node itself broke.
std::vector<std::string> complaints(std::shared_ptr<Store> store) {
  const StoreReport report = verified(std::move(store));
  std::vector<std::string> out = report.faults;
  for (const VerifyReport& chain : report.chains) {
    if (chain.sequence && (!chain.stopped || chain.reason.find("besides") != std::string::npos))
      out.push_back(chain.reason);
  }
  return out;
}

// Three chains of one node, of which it broke one: only the node is to blame for that, and the store is as it should
// be.
class OneBroken : public testing::Test {
 protected:
  OneBroken() {
    blob_frame_ = stream_.frames.size() + 1;
    stream_.blob(Bytes(500, 'b'));
    for (TestChain* chain : {&broken_, &good_, &other_}) stream_.put(chain->genesis());
    for (TestChain* chain : {&broken_, &good_, &other_}) stream_.put(chain->log("one"));
    stream_.seal();
    TestChain fork({.node = key_.public_key(), .nonce = 1});
    stream_.put(fork.log("another"));
    stream_.seal();
    stream_.put(good_.log("two"));
    const Bytes statement = bus::tip_statement(stream_.stream, stream_.frames.size(), stream_.link_hash, 77);
    stream_.builder.append_tip({77, key_.sign(statement)});
    stream_.seal();
    CHECK(record(*store_, stream_).ok());
  }
  static SigningKey make_key() {
    SigningKey::Seed seed{};
    seed.fill(3);
    return SigningKey::from_seed(seed);
  }
  uint64_t number_of(const TestChain& chain) const {
    return get_row<uint64_t>(*store_, Table::kRows, actor_key(chain.actor()), "an actor").value().value();
  }
  void remove(BytesView key, Table table = Table::kRows) { store_->overwrite(table, key, std::nullopt); }
  template <typename Row>
  void put(BytesView key, const Row& row) {
    store_->overwrite(Table::kRows, key, std::string(as_text(encode_row(row))));
  }
  template <typename Row>
  Row row_at(BytesView key) const {
    return get_row<Row>(*store_, Table::kRows, key, "it").value().value();
  }
  // As disk() has it, with one byte of a frame's items changed.
  void flip_in_frame(uint64_t frame, size_t from_end) {
    std::string row = store_->disk()[static_cast<size_t>(Table::kFrames)].at(std::string(as_text(frame_key(frame))));
    row[row.size() - from_end] ^= 1;
    store_->overwrite(Table::kFrames, frame_key(frame), row);
  }

  const SigningKey key_ = make_key();
  TestChain broken_{{.node = key_.public_key(), .nonce = 1}}, good_{{.node = key_.public_key(), .nonce = 2}},
      other_{{.name = "other", .node = key_.public_key(), .nonce = 3}};
  TestStream stream_{1, key_.public_key()};
  uint64_t blob_frame_ = 0;
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

TEST_F(OneBroken, IsNoFaultOfTheStore) {
  EXPECT_THAT(complaints(store_), IsEmpty());
  const StoreReport report = verified(store_);
  ASSERT_EQ(report.chains.size(), 3u);
  EXPECT_TRUE(report.chains[0].stopped);
  EXPECT_FALSE(report.chains[1].sequence) << report.chains[1].reason;
}

TEST_F(OneBroken, DoesntHideAChainWithoutRows) {
  const uint64_t number = number_of(good_);
  remove(actor_key(good_.actor()));
  remove(chain_key(number));
  remove(name_key("counter", number));
  EXPECT_THAT(complaints(store_), Contains(HasSubstr("rows are missing from the store; the frames hold 3 events")));
  const StoreReport report = verified(store_);
  ASSERT_EQ(report.chains.size(), 3u) << "the one that the frames hold is named among the others";
  EXPECT_EQ(report.chains[2].summary.actor, good_.actor());
}

TEST_F(OneBroken, DoesntHideAnAlteredStreamMark) {
  const Bytes key = mark_key(stream_.node, stream_.stream);
  auto mark = row_at<bus::StreamMark>(key);
  --mark.sequence;
  put(key, mark);
  EXPECT_THAT(complaints(store_), Contains(HasSubstr("was acknowledged to frame")));
}

TEST_F(OneBroken, DoesntHideAnAlteredTip) {
  const Bytes key = signed_tip_key(stream_.node, stream_.stream);
  auto tip = row_at<TipRow>(key);
  ++tip.time_ns;
  put(key, tip);
  EXPECT_THAT(complaints(store_), Contains(HasSubstr("signed tip")));
}

TEST_F(OneBroken, DoesntHideADamagedFrameWithoutEvents) {
  flip_in_frame(blob_frame_, 88);
  EXPECT_THAT(complaints(store_), Contains(HasSubstr("which holds no events, is damaged")));
}

TEST_F(OneBroken, DoesntHideThatItsOwnFrameIsDamaged) {
  flip_in_frame(blob_frame_ + 1, 10);
  const auto said = complaints(store_);
  EXPECT_THAT(said, Contains(HasSubstr("is damaged")));
  for (const std::string& each : said) EXPECT_THAT(each, testing::Not(HasSubstr("rows are missing")));
}

TEST_F(OneBroken, DoesntHideCommitsThatAreMissing) {
  TempFolder folder;
  const std::string path = folder.at("store");
  uint64_t commits = 0;
  {
    auto store = open_rocks_store(path, {});
    ASSERT_TRUE(store.ok()) << store.error().message;
    ASSERT_TRUE(record(**store, stream_).ok());
    commits = (*store)->promised()->commit;
    ASSERT_TRUE((*store)->close().ok());
  }
  TipNote promised{commits + 2, {}};
  ASSERT_TRUE(TipFile::open(path)->write(promised).ok());
  const auto reader = open_chain_reader(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  const auto report = verify_all(**reader);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->chains.size(), 3u);
  EXPECT_THAT(report->faults, Contains(HasSubstr("lacks commits")));
}

// The auditor lacked a blob when the event came; by the time of verifying it is here.
TEST(Tampering, AChainThatStoppedForABlobThatCameLaterIsntHeldAgainstTheStore) {
  const Bytes package(700, 'p');
  TestStream stream(1);
  TestChain chain({.package = sha256(package), .package_length = package.size()});
  stream.put(chain.genesis());
  stream.put(chain.log("x"));
  stream.seal();
  stream.blob(package);
  auto store = std::make_shared<MemoryStore>();
  ASSERT_TRUE(record(*store, stream).ok());
  const StoreReport report = verified(store);
  EXPECT_THAT(report.faults, IsEmpty());
  ASSERT_EQ(report.chains.size(), 1u);
  EXPECT_TRUE(report.chains[0].stopped) << report.chains[0].reason;
  EXPECT_THAT(report.chains[0].reason, testing::StartsWith("it refers to a blob"));
  EXPECT_THAT(complaints(store), IsEmpty());
}

}  // namespace
}  // namespace theater::persist
