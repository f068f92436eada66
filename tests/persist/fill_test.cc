// What another auditor gives for a gap: taken if it leads to the gap's end by hashes, refused and kept as evidence if
// not, and afterwards the store reads and verifies as if nothing had ever been missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "persist/evidence.h"
#include "persist/evidence_export.h"
#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "persist/stored_event.h"
#include "persist/verifier.h"
#include "tests/persist/counting_store.h"
#include "tests/persist/test_node.h"

namespace theater::persist {
namespace {

using testing::HasSubstr;

const PublicKey kPeer = test_key(9);

// A store that lacks something, and a recorder at work on it.
class FillTest : public testing::Test {
 protected:
  // Live: those of the chain's events that `held` names, with gap records in between, the end or the beginning left
  // out.
  void live(const TestChain& chain, const std::vector<SequenceRange>& held, uint64_t end) {
    uint64_t at = held.front().first;
    for (const SequenceRange& range : held) {
      if (range.first > at)
        stream_.builder.append_gap({chain.actor(), at, range.first - 1, hash(chain, range.first - 1)});
      for (at = range.first; at <= range.last; ++at) stream_.put(chain.events[at]);
      stream_.seal();
    }
    if (at < end) stream_.builder.append_gap({chain.actor(), at, end - 1, hash(chain, end - 1)});
    if (at < end) stream_.seal();
    for (; sent_ < stream_.frames.size(); ++sent_) {
      const auto added = recorder().add(stream_.node, 1, *bus::parse_frame(stream_.frames[sent_]));
      CHECK(added.ok() && added->refused.empty());
    }
    flush();
  }

  FillOutcome fill(const TestChain& chain, uint64_t gap_first, uint64_t first, uint64_t last) {
    Fill what{kPeer, chain.actor(), gap_first, {}, {}};
    for (uint64_t i = first; i <= last; ++i) what.events.push_back(chain.events[i].bytes);
    return fill(std::move(what));
  }
  FillOutcome fill(const Fill& what) {
    auto filled = recorder().fill(what, 2);
    CHECK(filled.ok(), filled.ok() ? "" : filled.error().message);
    for (const auto& alarm : filled->alarms) alarms_.push_back(alarm.text);
    flush();
    return filled->outcome;
  }

  Recorder& recorder() {
    if (recorder_ == nullptr) {
      auto opened = Recorder::open(*store_);
      CHECK(opened.ok(), opened.ok() ? "" : opened.error().message);
      recorder_ = std::move(*opened);
    }
    return *recorder_;
  }
  void flush() {
    if (recorder().empty()) return;
    Prepared prepared = recorder().take();
    CHECK(store_->commit(*prepared.batch, prepared.tip).ok());
    recorder().durable(prepared.tip.commit);
  }
  void restart() {
    recorder().settle();
    flush();
    recorder_ = nullptr;
  }

  std::unique_ptr<ChainReader> reader() {
    auto made = make_chain_reader(store_);
    CHECK(made.ok(), made.ok() ? "" : made.error().message);
    return std::move(*made);
  }
  // By the pass over everything and by the chain's index: they must agree.
  VerifyReport verified(const TestChain& chain) {
    const auto chains = reader();
    const auto all = verify_all(*chains);
    CHECK(all.ok(), all.ok() ? "" : all.error().message);
    EXPECT_THAT(all->faults, testing::IsEmpty());
    const auto one = verify_chain(*chains, chain.actor());
    CHECK(one.ok());
    for (const VerifyReport& report : all->chains) {
      if (report.summary.actor != chain.actor()) continue;
      EXPECT_EQ(report.sequence, one->sequence) << report.reason << " / " << one->reason;
      EXPECT_EQ(report.summary.status, one->summary.status) << report.reason;
      return report;
    }
    ADD_FAILURE() << "verify_all doesn't name the chain";
    return *one;
  }
  void expect_whole(const TestChain& chain, ChainStatus status = ChainStatus::kOpen) {
    const VerifyReport report = verified(chain);
    EXPECT_EQ(report.summary.status, status) << report.reason;
    EXPECT_EQ(report.summary.events, chain.events.size());
    EXPECT_EQ(report.summary.name, "counter");
    EXPECT_EQ(stored_events(*reader(), chain.actor()), bytes_of(chain));
    EXPECT_EQ(recorder().gaps(), 0u);
  }
  std::vector<EvidenceRow> evidence() {
    std::vector<EvidenceRow> all;
    CHECK(walk_evidence(*store_, [&](uint64_t, const EvidenceRow& row) {
            all.push_back(row);
            return true;
          }).ok());
    return all;
  }
  static Hash hash(const TestChain& chain, uint64_t sequence) { return chain.events[sequence].hash; }
  static TestChain chain_of(uint64_t events) {
    TestChain chain({});
    while (chain.next_sequence() < events) chain.log(str_cat("line ", chain.next_sequence()));
    return chain;
  }

  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
  std::unique_ptr<Recorder> recorder_;
  TestStream stream_{1};
  size_t sent_ = 0;
  std::vector<std::string> alarms_;
};

TEST_F(FillTest, AGapInTheMiddleIsClosed) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kPartial);
  EXPECT_EQ(recorder().gaps(), 1u);
  EXPECT_EQ(fill(chain, 5, 5, 9).events, 5u);
  expect_whole(chain);
  restart();
  expect_whole(chain);
}

TEST_F(FillTest, AGapShrinksFromItsEndWhateverComesFromWhom) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  EXPECT_EQ(fill(chain, 5, 8, 9).events, 2u);
  const VerifyReport report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial);
  ASSERT_EQ(report.summary.missing.size(), 1u);
  EXPECT_EQ(report.summary.missing[0].first, 5u);
  EXPECT_EQ(report.summary.missing[0].last, 7u);
  restart();
  EXPECT_EQ(fill(chain, 5, 7, 7).events, 1u);
  EXPECT_EQ(fill(chain, 5, 5, 6).events, 2u);
  expect_whole(chain);
}

TEST_F(FillTest, TwoGapsAndMoreLiveEventsInBetween) {
  TestChain chain = chain_of(30);
  live(chain, {{0, 4}, {10, 14}, {20, 29}}, 30);
  EXPECT_EQ(fill(chain, 15, 15, 19).events, 5u);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kPartial);
  chain.end();
  live(chain, {{30, 30}}, 31);
  EXPECT_EQ(fill(chain, 5, 5, 9).events, 5u);
  expect_whole(chain, ChainStatus::kComplete);
}

TEST_F(FillTest, AChainJoinedLateIsFilledToItsGenesis) {
  TestChain chain = chain_of(3000);
  live(chain, {{2500, 2999}}, 3000);
  EXPECT_EQ(fill(chain, 0, 1000, 2499).events, 1500u);  // more than one frame
  EXPECT_EQ(verified(chain).summary.name, "");
  EXPECT_EQ(fill(chain, 0, 0, 999).events, 1000u);
  expect_whole(chain);
  EXPECT_TRUE(reader()->resolve("counter").ok());
  restart();
  chain.log("one more");
  live(chain, {{3000, 3000}}, 3001);
  expect_whole(chain);
}

TEST_F(FillTest, AGapAtTheEndMayHoldTheEnd) {
  TestChain chain = chain_of(10);
  chain.end();
  live(chain, {{0, 4}}, 11);
  EXPECT_EQ(fill(chain, 5, 5, 10).events, 6u);
  expect_whole(chain, ChainStatus::kComplete);
}

TEST_F(FillTest, WhenTheFirstThatCameIsAGapRecordItsParentIsLearned) {
  const TestChain chain = chain_of(20);
  stream_.builder.append_gap({chain.actor(), 5, 9, hash(chain, 9)});
  stream_.seal();
  live(chain, {{10, 19}}, 20);
  EXPECT_EQ(recorder().gaps(), 1u) << "one chain";
  EXPECT_THAT(fill(chain, 0, 0, 4).left, HasSubstr("has the hash"));  // not known yet what it should be
  EXPECT_EQ(fill(chain, 5, 5, 9).events, 5u);
  EXPECT_EQ(fill(chain, 0, 0, 4).events, 5u);
  expect_whole(chain);
}

TEST_F(FillTest, WithoutSettlingAReaderSeesTheSame) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  recorder_ = nullptr;  // killed: deltas are left
  fill(chain, 5, 5, 9);
  recorder_ = nullptr;
  expect_whole(chain);
}

struct Wrong {
  std::string name;
  std::function<void(Fill&, const TestChain&)> change;
  std::string reason;
};
class RefusedFill : public FillTest, public testing::WithParamInterface<Wrong> {};

TEST_P(RefusedFill, IsKeptAsEvidenceAndChangesNothing) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  Fill what{kPeer, chain.actor(), 5, {}, {}};
  for (uint64_t i = 5; i <= 9; ++i) what.events.push_back(chain.events[i].bytes);
  GetParam().change(what, chain);
  const FillOutcome outcome = fill(what);
  EXPECT_EQ(outcome.events, 0u);
  EXPECT_THAT(outcome.refused, HasSubstr(GetParam().reason));
  ASSERT_EQ(evidence().size(), 1u);
  EXPECT_EQ(evidence()[0].peer, kPeer);
  EXPECT_EQ(evidence()[0].actor, chain.actor());
  EXPECT_THAT(evidence()[0].reason, HasSubstr(GetParam().reason));
  EXPECT_GE(evidence()[0].bytes.size(), bus::kFrameHeaderSize + what.events.back().size());
  ASSERT_EQ(alarms_.size(), 1u);
  EXPECT_THAT(alarms_[0], HasSubstr("EVIDENCE against auditor"));
  const VerifyReport report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial) << report.reason;
  EXPECT_EQ(report.summary.events, 15u);
  EXPECT_EQ(fill(chain, 5, 5, 9).events, 5u);  // another one has the right ones
  expect_whole(chain);
}

Bytes forged(const TestChain& chain, uint64_t sequence, const Hash& parent, uint64_t nanoseconds = 0) {
  schema::Header header;
  header.sequence = sequence;
  header.actor = chain.actor();
  header.parent = parent;
  header.time_ns = chain.time_ns - 1000 * (chain.next_sequence() - 1 - sequence) + nanoseconds;
  header.type = "theater:simple/runtime@0.1.0/log";
  schema::HostCall body;
  body.args.push_back(schema::Value::string("forged"));
  Bytes bytes;
  schema::encode_event(header, body, bytes);
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    Fills, RefusedFill,
    testing::Values(
        Wrong{"the_last_is_forged",
              [](Fill& fill, const TestChain& chain) { fill.events[4] = forged(chain, 9, chain.events[8].hash); },
              "what came after it says"},
        Wrong{"one_between_is_forged",
              [](Fill& fill, const TestChain& chain) { fill.events[2] = forged(chain, 7, chain.events[6].hash); },
              "its parent is"},
        Wrong{"the_first_is_forged",
              [](Fill& fill, const TestChain& chain) { fill.events[0] = forged(chain, 5, chain.events[4].hash); },
              "its parent is"},
        Wrong{"one_is_left_out", [](Fill& fill, const TestChain&) { fill.events.erase(fill.events.begin() + 1); },
              "was expected"},
        Wrong{"too_few", [](Fill& fill, const TestChain&) { fill.events.pop_back(); }, "aren't the end of a gap"},
        Wrong{"too_many_at_the_end",
              [](Fill& fill, const TestChain& chain) { fill.events.push_back(chain.events[10].bytes); },
              "aren't the end of a gap"},
        Wrong{
            "too_many_at_the_beginning",
            [](Fill& fill, const TestChain& chain) { fill.events.insert(fill.events.begin(), chain.events[4].bytes); },
            "aren't the end of a gap"},
        Wrong{"another_chain",
              [](Fill& fill, const TestChain&) {
                const TestChain other({.name = "other", .nonce = 7});
                fill.events = {other.genesis().bytes};
              },
              "another chain"},
        Wrong{"no_event", [](Fill& fill, const TestChain&) { fill.events[4] = Bytes(64, 1); }, ""}),
    [](const auto& instance) { return instance.param.name; });

TEST_F(FillTest, AnotherGenesisIsRefused) {
  const TestChain chain = chain_of(10), other({.name = "counter", .nonce = 7});
  live(chain, {{5, 9}}, 10);
  Fill what{kPeer, chain.actor(), 0, {}, {}};
  for (uint64_t i = 0; i <= 4; ++i) what.events.push_back(chain.events[i].bytes);
  what.events[0] = other.genesis().bytes;
  EXPECT_NE(fill(what).refused, "");
  EXPECT_EQ(fill(chain, 0, 0, 4).events, 5u);
  expect_whole(chain);
}

// Who sends the end of somebody else's chain has no claim to it: the genesis says so, whoever brings it.
TEST_F(FillTest, AGenesisOfAnotherNodeEndsTheClaimOfWhoSentTheChain) {
  TestChain chain({.node = test_key(2)});
  while (chain.next_sequence() < 10) chain.log("x");
  live(chain, {{5, 9}}, 10);  // by node 1
  EXPECT_THAT(fill(chain, 0, 0, 4).left, HasSubstr("another node"));
  EXPECT_TRUE(evidence().empty());
  EXPECT_EQ(fill(chain, 0, 0, 0).events, 1u);
  const VerifyReport report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kOpen) << report.reason;
  EXPECT_EQ(report.summary.node, test_key(2));
  EXPECT_EQ(report.summary.events, 1u);
  ASSERT_EQ(evidence().size(), 1u);
  EXPECT_EQ(evidence()[0].peer, test_key(1));
  EXPECT_EQ(evidence()[0].kind, EvidenceKind::kForeignKey);
  EXPECT_THAT(evidence()[0].reason, HasSubstr("another node"));
  const auto file = export_evidence(*store_, evidence()[0]);
  ASSERT_TRUE(file.ok()) << file.error().message;
  ASSERT_EQ(file->sides.size(), 2u);
  EXPECT_EQ(file->sides[0].bytes, chain.events[9].bytes) << "what the claimer sent is what is wrong";
}

// Node 1 is first with something of a chain of node 2's, at an auditor that joined late.
class SquatterTest : public FillTest, public testing::WithParamInterface<bool> {
 protected:
  void send(TestStream& stream) {
    stream.seal();
    const auto added = recorder().add(stream.node, 1, *bus::parse_frame(stream.frames.back()));
    CHECK(added.ok() && added->refused.empty());
    flush();
  }
};

TEST_P(SquatterTest, DoesNotMakeTheOwnerGuilty) {
  TestChain chain({.node = test_key(2)});
  while (chain.next_sequence() < 30) chain.log("x");
  TestStream squatter(1), owner(2, test_key(2));
  const auto put_gap = [&](TestStream& stream, uint64_t first, uint64_t last) {
    stream.builder.append_gap({chain.actor(), first, last, hash(chain, last)});
  };
  squatter.builder.append_gap({chain.actor(), 1, 1, Hash{}});
  send(squatter);
  for (uint64_t i = 5; i < 8; ++i) owner.put(chain.events[i]);
  put_gap(owner, 8, 9);
  send(owner);
  EXPECT_TRUE(evidence().empty());
  EXPECT_EQ(fill(chain, 0, 0, 4).refused, "") << "nor is another auditor that gives what is true";
  EXPECT_TRUE(evidence().empty());
  if (GetParam()) restart();

  EXPECT_EQ(fill(chain, 0, 0, 0).events, 1u);
  ASSERT_EQ(evidence().size(), 1u);
  EXPECT_EQ(evidence()[0].peer, squatter.node);
  EXPECT_EQ(recorder().gaps(), 0u) << "nothing of the squatter's is waited for";
  if (GetParam()) restart();
  uint64_t next = 20;
  if (GetParam()) {
    put_gap(owner, 20, 21);
    next = 22;
  }
  for (; next < 30; ++next) owner.put(chain.events[next]);
  send(owner);
  EXPECT_EQ(evidence().size(), 1u);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kPartial);
  const bool dropped = GetParam();
  EXPECT_EQ(dropped ? fill(chain, 20, 20, 21).events : 2, 2u);
  EXPECT_EQ(fill(chain, 1, 10, 19).events, 10u);
  restart();
  EXPECT_EQ(fill(chain, 1, 1, 9).events, 9u);
  expect_whole(chain);
  put_gap(squatter, 2, 3);
  send(squatter);
  EXPECT_EQ(evidence().size(), 2u) << "now it is known whose the chain is";
  EXPECT_EQ(evidence()[1].peer, squatter.node);
  expect_whole(chain);
}
INSTANTIATE_TEST_SUITE_P(Owners, SquatterTest, testing::Bool());

// What another auditor got before the gap isn't what this one got. It leads to what the node said after the gap: so the
// node told two stories, and who brings the other one is no liar.
TEST_F(FillTest, WhatDoesNotFollowTheEventBeforeTheGapIsEvidenceAgainstTheNode) {
  const TestChain chain = chain_of(20);
  TestChain told = chain_of(4);
  told.log("another line 4");
  for (uint64_t i = 0; i <= 4; ++i) stream_.put(told.events[i]);
  stream_.builder.append_gap({chain.actor(), 5, 9, hash(chain, 9)});
  for (uint64_t i = 10; i < 20; ++i) stream_.put(chain.events[i]);
  stream_.seal();
  live(chain, {{19, 19}}, 20);  // once more, which is ignored
  EXPECT_EQ(fill(chain, 5, 7, 9).events, 3u);
  EXPECT_EQ(fill(chain, 5, 5, 6).refused, "");
  ASSERT_EQ(evidence().size(), 1u);
  EXPECT_EQ(evidence()[0].peer, stream_.node);
  EXPECT_EQ(evidence()[0].kind, EvidenceKind::kBrokenLink);
  EXPECT_THAT(evidence()[0].reason, HasSubstr("its parent is"));
  const auto beside = read_item_at(*store_, evidence()[0].beside);
  ASSERT_TRUE(beside.ok());
  EXPECT_EQ(to_bytes(as_text(beside->content)), told.events[4].bytes);
  const VerifyReport report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kBroken);
  EXPECT_EQ(report.sequence, 5u);
  EXPECT_THAT(report.reason, HasSubstr("its parent is"));
}

// As if time ran backwards in the gap: each event is known by the hash in the next one, so the node made them.
TEST_F(FillTest, WhatBreaksARuleInTheGapIsEvidenceAgainstTheNode) {
  TestChain chain = chain_of(7);
  chain.time_ns -= 5000;
  while (chain.next_sequence() < 20) chain.log("x");
  live(chain, {{0, 4}, {10, 19}}, 20);
  EXPECT_EQ(fill(chain, 5, 5, 9).refused, "");
  ASSERT_EQ(evidence().size(), 1u);
  EXPECT_EQ(evidence()[0].peer, stream_.node);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kBroken);
}

TEST_F(FillTest, WhatComesForAChainThatStoppedMeanwhileIsNobodysFault) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  TestChain fork = chain_of(12);
  fork.log("another");
  stream_.put(fork.events[12]);
  stream_.seal();
  live(chain, {{19, 19}}, 20);
  ASSERT_EQ(evidence().size(), 1u);
  const FillOutcome outcome = fill(chain, 5, 5, 9);
  EXPECT_EQ(outcome.refused, "");
  EXPECT_THAT(outcome.left, HasSubstr("any more"));
  EXPECT_EQ(evidence().size(), 1u) << "against the node, by its two events";
  EXPECT_EQ(recorder().gaps(), 0u) << "nothing that could come would be taken";
  restart();
  EXPECT_EQ(recorder().gaps(), 0u);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kBroken);
}

TEST_F(FillTest, WhatComesForAChainThatWasReplacedMeanwhileIsNobodysFault) {
  TestChain chain({.node = test_key(2)});
  while (chain.next_sequence() < 10) chain.log("x");
  live(chain, {{5, 9}}, 10);  // by node 1
  TestStream owner(2, test_key(2));
  owner.put(chain.events[0]);
  owner.seal();
  ASSERT_TRUE(recorder().add(owner.node, 1, *bus::parse_frame(owner.frames[0])).ok());
  flush();
  ASSERT_EQ(evidence().size(), 1u);
  Fill what{kPeer, chain.actor(), 0, {}, {}, 1};  // asked for while it was chain 1
  for (uint64_t i = 0; i <= 4; ++i) what.events.push_back(chain.events[i].bytes);
  const FillOutcome outcome = fill(what);
  EXPECT_EQ(outcome.refused, "");
  EXPECT_THAT(outcome.left, HasSubstr("replaced"));
  EXPECT_EQ(evidence().size(), 1u) << "against node 1";
  EXPECT_EQ(recorder().gaps(), 0u);
  restart();
  EXPECT_EQ(recorder().gaps(), 0u);
}

TEST_F(FillTest, EventsComeAfterTheBlobsTheyReferTo) {
  const Bytes package(100'000, 7);
  TestChain chain({.package = sha256(package), .package_length = package.size()});
  while (chain.next_sequence() < 10) chain.log("x");
  live(chain, {{5, 9}}, 10);
  EXPECT_THAT(fill(chain, 0, 0, 4).left, HasSubstr("blob"));
  for (size_t at = 0; at < package.size(); at += 60'000) {
    const size_t size = std::min<size_t>(60'000, package.size() - at);
    Fill part{kPeer, chain.actor(), 0, {}, {}};
    part.part = Fill::Part{
        sha256(package), package.size(), at,
        Bytes(package.begin() + static_cast<ptrdiff_t>(at), package.begin() + static_cast<ptrdiff_t>(at + size))};
    fill(part);
    if (at == 0) restart();
  }
  EXPECT_EQ(fill(chain, 0, 0, 4).events, 5u);
  expect_whole(chain);
  const auto blob = reader()->blob(sha256(package));
  ASSERT_TRUE(blob.ok());
  EXPECT_EQ(*blob, package);
}

TEST_F(FillTest, VerifyingFindsWhatWasChangedInWhatWasFilledIn) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  fill(chain, 5, 5, 9);
  restart();
  const auto disk = store_->disk();
  const auto& frames = disk[static_cast<size_t>(Table::kFrames)];
  const auto last = std::prev(frames.end());
  std::string changed = last->second;
  changed[changed.size() - 20] ^= 1;
  store_->overwrite(Table::kFrames, as_bytes(last->first), changed);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kBroken);
  store_ = std::make_shared<MemoryStore>(disk);
  store_->overwrite(Table::kRows, fill_key(1, 5), std::nullopt);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kBroken);
  store_ = std::make_shared<MemoryStore>(disk);
  expect_whole(chain);
}

// The node left out the hash at the end of its own gap record, so that nobody can say what belongs there.
TEST_F(FillTest, AFilledGapAboveOneWithoutAHashLeavesThatAsItIs) {
  const TestChain chain = chain_of(20);
  for (uint64_t i = 0; i <= 4; ++i) stream_.put(chain.events[i]);
  stream_.builder.append_gap({chain.actor(), 5, 9, Hash{}});
  live(chain, {{10, 9}}, 15);
  live(chain, {{15, 19}}, 20);
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kPartial);
  EXPECT_EQ(fill(chain, 10, 10, 14).events, 5u);
  VerifyReport report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial) << report.reason;
  EXPECT_EQ(fill(chain, 5, 5, 9).events, 0u);
  restart();
  report = verified(chain);
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial) << report.reason;
  EXPECT_EQ(report.summary.missing.size(), 1u);
}

TEST_F(FillTest, VerifyingFindsAGapRowThatWasChanged) {
  const TestChain chain = chain_of(20);
  live(chain, {{0, 4}, {10, 19}}, 20);
  fill(chain, 5, 8, 9);
  restart();
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kPartial);
  const Bytes row = encode_row(GapRow{7, hash(chain, 6)});
  store_->overwrite(Table::kRows, gap_key(1, 5), std::string(as_text(row)));
  EXPECT_EQ(verified(chain).summary.status, ChainStatus::kBroken);
}

TEST_F(FillTest, AChainWhoseEndIsFilledInIsOpenNoLonger) {
  const auto open_chains = [&] {
    return get_row<HoldingRow>(*store_, Table::kRows, holding_key(stream_.node), "it").value()->open_chains;
  };
  TestChain chain = chain_of(10);
  chain.end();
  live(chain, {{0, 2}, {5, 6}}, chain.events.size());
  EXPECT_EQ(open_chains(), 1u);
  fill(chain, 7, 9, 10);
  EXPECT_EQ(open_chains(), 0u);
  TestChain other({.nonce = 1});
  stream_.put(other.genesis());
  stream_.seal();
  ASSERT_TRUE(recorder().add(stream_.node, 1, *bus::parse_frame(stream_.frames.back())).ok());
  ++sent_;
  EXPECT_EQ(fill(chain, 7, 7, 8).events, 2u);
  EXPECT_EQ(fill(chain, 3, 3, 4).events, 2u);
  EXPECT_EQ(open_chains(), 1u) << "what is filled in before the end isn't an end once more";
  expect_whole(chain, ChainStatus::kComplete);
}

TEST_F(FillTest, ReadingNearTheEndOfALongIndexDoesntWalkThroughIt) {
  const TestChain chain = chain_of(2'000);
  live(chain, {{0, 0}, {1'500, 1'999}}, 2'000);
  for (uint64_t i = 1'499; i > 0; --i) ASSERT_EQ(fill(chain, 1, i, i).events, 1u);
  restart();
  const auto counting = std::make_shared<CountingStore>(store_);
  const auto reader = make_chain_reader(counting).value();
  for (const uint64_t first : {1'480u, 1'500u, 1'990u, 2'000u}) {
    counting->seeks = counting->steps = 0;
    EXPECT_EQ(stored_events(*reader, chain.actor(), first).size(), 2'000 - first);
    EXPECT_LT(counting->seeks + counting->steps, 100u) << "from event " << first;
  }
  EXPECT_EQ(stored_events(*reader, chain.actor()), bytes_of(chain));
}

TEST_F(FillTest, ManyCopiesOfOldEventsReadTheirFrameOnce) {
  TestChain chain = chain_of(700);
  live(chain, {{0, 699}}, 700);
  restart();
  const auto counting = std::make_shared<CountingStore>(store_);
  recorder_ = Recorder::open(*counting).value();
  for (int round = 0; round < 50; ++round) {
    for (uint64_t i = 100; i < 110; ++i) stream_.put(chain.events[i]);
  }
  stream_.seal();
  const auto added = recorder_->add(stream_.node, 1, *bus::parse_frame(stream_.frames.back()));
  ASSERT_TRUE(added.ok());
  EXPECT_TRUE(added->alarms.empty());
  EXPECT_EQ(counting->frames, 1u);
  EXPECT_LT(counting->seeks, 50u);
}

}  // namespace
}  // namespace theater::persist
