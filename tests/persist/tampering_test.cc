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

// What the chain stopped for came later, at the sequence of an event that needs a blob, and had it.
TEST(Tampering, AnEventWithABlobAtWhichTheNodeLaterContradictsItselfWasTaken) {
  const Bytes content(700, 'p');
  TestStream stream(1);
  stream.blob(content);
  TestChain chain({});
  schema::HostCall call;
  call.args.push_back(schema::Value::reference({sha256(content), content.size(), schema::Value::Kind::kBytes}));
  chain.add("theater:simple/runtime@0.1.0/log", call);
  TestChain fork({});
  fork.log("another");
  for (const auto& event : chain.events) stream.put(event);
  stream.put(chain.log("two"));
  stream.put(fork.events[1]);
  stream.seal();
  auto store = std::make_shared<MemoryStore>();
  ASSERT_TRUE(record(*store, stream).ok());
  EXPECT_THAT(complaints(store), IsEmpty());
  const StoreReport report = verified(store);
  ASSERT_EQ(report.chains.size(), 1u);
  EXPECT_TRUE(report.chains[0].stopped);
  EXPECT_EQ(report.chains[0].verified, 3u);
}

// A store with something of every kind, by two nodes and another auditor.
struct Everything {
  Everything() {
    TestChain ended({.name = "ended", .nonce = 1}), claimed({.name = "claimed", .node = test_key(2), .nonce = 2});
    TestChain gappy({.name = "gappy", .nonce = 3}), late({.name = "late", .nonce = 4});
    while (gappy.next_sequence() < 12) gappy.log("x");
    while (late.next_sequence() < 9) late.log("x");
    TestStream one(1, key.public_key()), two(2, test_key(2));
    TestChain plain({.name = "of the signer", .node = key.public_key()});
    one.put(plain.genesis());
    one.put(plain.log("one"));
    one.seal();
    one.blob(Bytes(1500, 'b'));
    const Bytes statement = bus::tip_statement(one.stream, one.frames.size(), one.link_hash, 77);
    one.builder.append_tip({77, key.sign(statement)});
    one.seal();
    TestStream owner(3);
    ended.end();
    for (const auto& event : ended.events) owner.put(event);
    owner.put(ended.log("after the end"));
    owner.put(late.events[5]);
    owner.seal();
    for (int i = 0; i < 4; ++i) owner.put(gappy.events[i]);
    owner.builder.append_gap({gappy.actor(), 4, 5, gappy.events[5].hash});
    owner.builder.append_gap({gappy.actor(), 6, 8, gappy.events[8].hash});
    for (int i = 9; i < 12; ++i) owner.put(gappy.events[i]);
    owner.builder.append_event(Bytes(64, 1), sha256(Bytes(64, 1)));
    owner.put(claimed.log("claimed by another"));
    owner.seal();
    two.put(claimed.genesis());
    two.seal();
    CHECK(record(*store, one).ok() && record(*store, owner).ok() && record(*store, two).ok());
    auto recorder = Recorder::open(*store).value();
    const auto flush = [&] {
      recorder->settle();
      Prepared prepared = recorder->take();
      CHECK(store->commit(*prepared.batch, prepared.tip).ok());
      recorder->durable(prepared.tip.commit);
    };
    Fill fill{test_key(9), gappy.actor(), 6, {}, {}};
    for (int i = 6; i <= 8; ++i) fill.events.push_back(gappy.events[i].bytes);
    CHECK(recorder->fill(fill, 5)->outcome.refused.empty());
    flush();
    fill = {test_key(9), gappy.actor(), 4, {late.events[1].bytes}, {}};
    CHECK(!recorder->fill(fill, 6)->outcome.refused.empty());
    flush();
  }
  const SigningKey key = [] {
    SigningKey::Seed seed{};
    seed.fill(3);
    return SigningKey::from_seed(seed);
  }();
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
};

constexpr uint64_t kFormerChain = 5;

// What docs/formats/store.md says isn't covered: bytes of a value from `from` to `to`, or the row as a whole.
struct Uncovered {
  size_t from = 0, to = 0;
  bool whole = false;
};
Uncovered uncovered(Table table, BytesView key, BytesView value) {
  constexpr Uncovered kAll{0, SIZE_MAX, true};
  if (table == Table::kFrames) {
    const auto frame = decode_stored_frame(value);
    CHECK(frame.ok());
    if (frame->bytes[bus::kFrameHeaderSize] != kStubKind) return {};
    return {40 + bus::kFrameHeaderSize + 8 + 32, SIZE_MAX};  // of a stub all behind its digest
  }
  // Of a claim that ended when another node's genesis came, the head and the index may be older than its end.
  const bool former = RowReader(key).be64() == kFormerChain;
  if (table == Table::kHeads) return former ? kAll : Uncovered{60, 61};  // bits that mean nothing
  if (table == Table::kSegments) return former ? kAll : Uncovered{};
  if (table == Table::kBlobs) return {};
  switch (key[0]) {
    case 'b':  // that no event refers to
    case 'h':
    case 'l':
    case 'u': return kAll;
    case 'e': {
      const auto row = decode_row<EvidenceRow>(value);
      CHECK(row.ok());
      return row->frame == 0 ? Uncovered{0, SIZE_MAX} : Uncovered{88, 92 + row->reason.size()};
    }
    case 's': return {8, SIZE_MAX};  // the reason
    case 'w':
      return {40, 48};  // a count of bytes
    // The commit's number, for which there is the file TIP.
    case 'm': return as_text(key) == "mtip" ? Uncovered{0, 8} : Uncovered{};
    default: return {};
  }
}

bool is_found(const std::shared_ptr<MemoryStore>& store) {
  const auto reader = make_chain_reader(store);
  if (!reader.ok() || !verify_all(**reader).ok()) return true;
  return !complaints(store).empty();
}

TEST(Tampering, WhatIsHonestIsntHeldAgainstTheStore) {
  const Everything it;
  EXPECT_THAT(complaints(it.store), IsEmpty());
  const auto tables = it.store->disk();
  std::string tags;
  for (const auto& [key, value] : tables[0]) {
    if (tags.empty() || tags.back() != key[0]) tags += key[0];
  }
  EXPECT_EQ(tags, "abcefghlmnstw") << "of each kind one, but for deltas and unfinished blobs";
}

TEST(Tampering, ARowThatIsRemovedIsFound) {
  const Everything it;
  const auto tables = it.store->disk();
  for (size_t table = 0; table < kTables; ++table) {
    for (const auto& [key, value] : tables[table]) {
      const auto apart = uncovered(Table{static_cast<uint8_t>(table)}, as_bytes(key), as_bytes(value));
      if (apart.whole) continue;
      auto store = std::make_shared<MemoryStore>(tables);
      store->overwrite(Table{static_cast<uint8_t>(table)}, as_bytes(key), std::nullopt);
      EXPECT_TRUE(is_found(store)) << "table " << table << ", " << escape(as_bytes(key));
    }
  }
}

TEST(Tampering, AByteOfARowThatIsChangedIsFound) {
  const Everything it;
  const auto tables = it.store->disk();
  for (size_t table = 0; table < kTables; ++table) {
    for (const auto& [key, value] : tables[table]) {
      const auto apart = uncovered(Table{static_cast<uint8_t>(table)}, as_bytes(key), as_bytes(value));
      for (size_t at = 0; at < value.size(); ++at) {
        if (at >= apart.from && at < apart.to) continue;
        if (Table{static_cast<uint8_t>(table)} == Table::kFrames && at < 8) continue;  // when it arrived
        if (key == "mtip" && at >= 24 && at < 32) continue;  // the next blob's number: some may have been given up
        std::string bad = value;
        bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
        auto store = std::make_shared<MemoryStore>(tables);
        store->overwrite(Table{static_cast<uint8_t>(table)}, as_bytes(key), bad);
        EXPECT_TRUE(is_found(store)) << "table " << table << ", " << escape(as_bytes(key)) << ", byte " << at << " of "
                                     << value.size();
      }
    }
  }
}

TEST(Tampering, ARowThatIsTooManyIsFound) {
  const Everything it;
  const auto tables = it.store->disk();
  const auto with = [&](const Bytes& key, const Bytes& value) {
    auto store = std::make_shared<MemoryStore>(tables);
    store->overwrite(Table::kRows, key, std::string(as_text(value)));
    return complaints(store);
  };
  TestChain none({.nonce = 99});
  EXPECT_THAT(with(gap_key(1, 7), encode_row(GapRow{8, Hash{}})), Contains(HasSubstr("rows of gaps")));
  EXPECT_THAT(with(gap_key(77, 7), encode_row(GapRow{8, Hash{}})), Contains(HasSubstr("doesn't exist")));
  EXPECT_THAT(with(stop_key(1), encode_row(StopRow{1, "made up"})), Contains(HasSubstr("stop")));
  EXPECT_THAT(with(name_key("payments", 1), {}), Contains(HasSubstr("a name that isn't its own")));
  EXPECT_THAT(with(actor_key(none.actor()), encode_number(1)), Contains(HasSubstr("isn't one of its own")));
  EvidenceRow made_up;
  made_up.peer = test_key(2);
  made_up.frame = 1;
  made_up.kind = EvidenceKind::kEquivocation;
  EXPECT_THAT(with(evidence_key(50), encode_row(made_up)), Contains(HasSubstr("isn't what the frames give")));
  EXPECT_THAT(with(mark_key(test_key(5), {}), encode_row(bus::StreamMark{})), IsEmpty()) << "a stream of nothing";
}

TEST(Tampering, ATipRowThatCountsMoreThanThereIsEndsNoProcess) {
  for (const int which : {0, 1, 2}) {
    const Everything it;
    auto tip = get_row<StoreTip>(*it.store, Table::kRows, tip_key(), "tip").value().value();
    (which == 0 ? tip.next_chain : which == 1 ? tip.next_frame : tip.next_evidence) = uint64_t{1} << 60;
    it.store->overwrite(Table::kRows, tip_key(), std::string(as_text(encode_row(tip))));
    EXPECT_FALSE(complaints(it.store).empty()) << which;
  }
}

}  // namespace
}  // namespace theater::persist
