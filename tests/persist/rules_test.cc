// What an auditor does with events that break a rule: kept as evidence with a reason, only the chain concerned stops,
// and the verifier says the same afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "persist/evidence.h"
#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "test_node.h"

namespace theater::persist {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Outcome {
  std::vector<std::string> alarms;
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  std::unique_ptr<ChainReader> reader;

  VerifyReport report(const ActorId& actor) {
    const auto all = verify_all(*reader);
    CHECK(all.ok(), all.ok() ? "" : all.error().message);
    EXPECT_THAT(all->faults, IsEmpty());
    const auto one = verify_chain(*reader, actor);
    CHECK(one.ok(), one.ok() ? "" : one.error().message);
    for (const VerifyReport& it : all->chains) {
      if (it.summary.actor != actor) continue;
      EXPECT_EQ(it.sequence, one->sequence) << it.reason << " / " << one->reason;
      EXPECT_EQ(it.summary.status, one->summary.status);
      EXPECT_EQ(it.verified, one->verified);
      return it;
    }
    ADD_FAILURE() << "verify_all doesn't name the chain";
    return *one;
  }
};

Outcome record_all(const std::vector<const TestStream*>& streams) {
  Outcome out;
  for (const TestStream* stream : streams) {
    for (std::string& alarm : record_alarms(*out.store, *stream)) out.alarms.push_back(std::move(alarm));
  }
  auto reader = make_chain_reader(out.store);
  CHECK(reader.ok());
  out.reader = std::move(*reader);
  return out;
}

// An event made by hand on top of a chain, which the chain doesn't know.
schema::EncodedEvent forged(const TestChain& chain, const std::function<void(schema::Header&)>& change) {
  schema::Header header;
  header.sequence = chain.next_sequence();
  header.actor = chain.actor();
  header.parent = chain.events.back().hash;
  header.time_ns = chain.time_ns + 5;
  header.incarnation = chain.incarnation;
  header.type = "theater:simple/runtime@0.1.0/log";
  change(header);
  schema::HostCall body;
  body.args.push_back(schema::Value::string("forged"));
  schema::EncodedEvent event;
  schema::encode_event(header, body, event.bytes);
  event.hash = sha256(event.bytes);
  return event;
}

std::vector<EvidenceRow> evidence_in(const Store& store) {
  std::vector<EvidenceRow> all;
  const auto walked = walk_evidence(store, [&](uint64_t number, const EvidenceRow& row) {
    all.push_back(row);
    EXPECT_EQ(number, all.size());
    return true;
  });
  CHECK(walked.ok(), walked.ok() ? "" : walked.error().message);
  return all;
}

struct Rule {
  std::string name;
  std::function<void(schema::Header&)> change;
  std::string reason;
};

class BrokenRule : public testing::TestWithParam<Rule> {};

TEST_P(BrokenRule, StopsThisChainOnly) {
  TestStream stream(1);
  TestChain chain({}), other({.name = "other", .nonce = 1});
  stream.put(chain.genesis());
  stream.put(other.genesis());
  stream.put(chain.log("good"));
  stream.seal();
  stream.put(forged(chain, GetParam().change));
  stream.put(chain.log("never taken"));
  stream.put(other.log("goes on"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, ElementsAre(HasSubstr(GetParam().reason)));
  EXPECT_EQ(stored_events(*out.reader, chain.actor()).size(), 2u);
  EXPECT_EQ(stored_events(*out.reader, other.actor()), bytes_of(other));
  const VerifyReport report = out.report(chain.actor());
  EXPECT_EQ(report.summary.status, ChainStatus::kBroken);
  EXPECT_EQ(report.verified, 2u);
  ASSERT_TRUE(report.sequence);
  EXPECT_THAT(report.reason, HasSubstr(GetParam().reason));
  EXPECT_EQ(out.report(other.actor()).summary.status, ChainStatus::kOpen);
  const auto row = get_row<EvidenceRow>(*out.store, Table::kRows, evidence_key(1), "evidence");
  ASSERT_TRUE(row.ok() && *row);
  EXPECT_EQ((*row)->actor, chain.actor());
  EXPECT_EQ((*row)->frame, 2u);
  EXPECT_THAT((*row)->reason, HasSubstr(GetParam().reason));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, BrokenRule,
    testing::Values(Rule{"parent", [](schema::Header& h) { h.parent.bytes[3] ^= 1; }, "its parent is"},
                    Rule{"skipped", [](schema::Header& h) { h.sequence += 1; }, "where event 2 was expected"},
                    Rule{"second_child", [](schema::Header& h) { h.sequence -= 1; }, "a second event 1"},
                    Rule{"time", [](schema::Header& h) { h.time_ns = 5; }, "before its parent's"},
                    Rule{"incarnation", [](schema::Header& h) { h.incarnation = 3; },
                         "incarnation 3 after incarnation 0"}),
    [](const auto& instance) { return instance.param.name; });

TEST(Rules, NothingFollowsTheEnd) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.put(chain.end());
  stream.put(chain.log("after"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, ElementsAre(HasSubstr("after the chain's end")));
  EXPECT_EQ(out.report(chain.actor()).sequence, 2u);
}

TEST(Rules, TheSameEventTwiceIsIgnored) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.put(chain.genesis());
  stream.put(chain.log("x"));
  stream.put(chain.events.back());
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, IsEmpty());
  EXPECT_EQ(stored_events(*out.reader, chain.actor()), bytes_of(chain));
  EXPECT_FALSE(out.report(chain.actor()).sequence);
}

TEST(Rules, ANodeCannotExtendAnotherNodesChain) {
  TestStream owner(1, test_key(1)), thief(2, test_key(2));
  TestChain chain({.node = test_key(1)});
  owner.put(chain.genesis());
  owner.seal();
  thief.put(forged(chain, [](schema::Header&) {}));
  TestChain claimed({.name = "claimed", .node = test_key(1), .nonce = 9});
  thief.put(claimed.genesis());
  thief.seal();
  Outcome out = record_all({&owner, &thief});
  EXPECT_THAT(out.alarms, ElementsAre(HasSubstr("belongs to another node"), HasSubstr("names another node")));
  const auto evidence = evidence_in(*out.store);
  ASSERT_EQ(evidence.size(), 2u);
  EXPECT_THAT(evidence[0].reason, HasSubstr("belongs to another node"));
  EXPECT_THAT(evidence[1].reason, HasSubstr("names another node"));
  for (const auto& row : evidence) {
    EXPECT_EQ(row.peer, thief.node);
    EXPECT_EQ(read_evidence_frame(*out.store, row)->frame, thief.frames[0]);
  }
  const VerifyReport report = out.report(chain.actor());
  EXPECT_FALSE(report.sequence) << "the owner's chain is untouched: " << report.reason;
  EXPECT_EQ(report.verified, 1u);
  EXPECT_EQ(out.reader->summary(claimed.actor()).error().code, ErrorCode::kNotFound);
}

// A thief that comes first with a tail it invented loses the name to the owner's genesis.
TEST(Rules, AGenesisEndsAnotherNodesClaim) {
  TestStream owner(1, test_key(1)), thief(2, test_key(2));
  TestChain chain({.node = test_key(1)});
  thief.put(forged(chain, [](schema::Header& h) { h.sequence = 7; }));
  thief.seal();
  owner.put(chain.genesis());
  owner.put(chain.log("mine"));
  owner.seal();
  Outcome out = record_all({&thief, &owner});
  EXPECT_EQ(out.reader->list()->size(), 1u);
  EXPECT_EQ(stored_events(*out.reader, chain.actor()), bytes_of(chain));
  EXPECT_FALSE(out.report(chain.actor()).sequence);
}

TEST(Rules, BytesThatAreNoEventAreEvidence) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  const Bytes garbage(64, 0xEE);
  stream.builder.append_event(garbage, sha256(garbage));
  stream.put(chain.log("goes on"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_EQ(out.alarms.size(), 1u);
  EXPECT_EQ(stored_events(*out.reader, chain.actor()), bytes_of(chain));
  EXPECT_FALSE(out.report(chain.actor()).sequence);
}

TEST(Rules, AChainJoinedLateIsPartialAndVerifiesFromThere) {
  TestStream stream(1);
  TestChain chain({});
  chain.log("not sent");
  chain.log("not sent");
  stream.put(chain.log("first seen"));
  stream.put(chain.log("and on"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, IsEmpty());
  const VerifyReport report = out.report(chain.actor());
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial) << report.reason;
  EXPECT_EQ(report.verified, 2u);
  ASSERT_EQ(report.summary.missing.size(), 1u);
  EXPECT_EQ(report.summary.missing[0].first, 0u);
  EXPECT_EQ(report.summary.missing[0].last, 2u);
}

TEST(Rules, AGapIsMarkedAndTheChainVerifiesAroundIt) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.put(chain.log("1"));
  chain.log("2");
  chain.log("3");
  stream.builder.append_gap({chain.actor(), 2, 3, chain.events[3].hash});
  stream.put(chain.log("4"));
  stream.seal();
  chain.log("5");
  stream.builder.append_gap({chain.actor(), 5, 5, chain.events[5].hash});
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, IsEmpty());
  const VerifyReport report = out.report(chain.actor());
  EXPECT_FALSE(report.sequence) << report.reason;
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial);
  EXPECT_EQ(report.summary.events, 3u);
  ASSERT_EQ(report.summary.missing.size(), 2u);
  EXPECT_EQ(report.summary.missing[0].first, 2u);
  EXPECT_EQ(report.summary.missing[1].last, 5u);
}

TEST(Rules, AnEventAfterAGapMustFitTheHeadThatTheGapNamed) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  chain.log("1");
  stream.builder.append_gap({chain.actor(), 1, 1, chain.genesis().hash});
  stream.put(chain.log("2"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, ElementsAre(HasSubstr("its parent is")));
}

TEST(Rules, ResumedBeginsTheNextIncarnation) {
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  chain.incarnation = 1;
  schema::Resumed resumed;
  resumed.node = test_key(1);
  stream.put(chain.add(schema::kTypeResumed, resumed));
  stream.put(chain.log("again"));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, IsEmpty());
  EXPECT_EQ(out.report(chain.actor()).summary.incarnation, 1u);
}

TEST(Rules, AnEventWhoseBlobNeverCameStopsTheChain) {
  const Bytes content(5000, 'z');
  for (const bool sent : {true, false}) {
    TestStream stream(1);
    TestChain chain({});
    stream.put(chain.genesis());
    stream.seal();
    if (sent) stream.blob(content);
    schema::WasmCall call;
    call.args.push_back(schema::Value::reference({sha256(content), content.size(), schema::Value::Kind::kBytes}));
    stream.put(chain.add("theater:simple/message-server@0.1.0#handle-send", call));
    stream.seal();
    Outcome out = record_all({&stream});
    EXPECT_EQ(out.alarms.empty(), sent);
    const VerifyReport report = out.report(chain.actor());
    EXPECT_EQ(report.sequence.has_value(), !sent) << report.reason;
    EXPECT_THAT(report.reason, HasSubstr(sent ? "" : sha256(content).hex()));
  }
}

TEST(Rules, BlobsAreHashedBeforeTheyCount) {
  TestStream stream(1);
  const Bytes content(3000, 'q');
  const Hash wrong = sha256(as_bytes("something else"));
  stream.builder.append_blob(wrong, content.size(), 0, content);
  stream.seal();
  stream.builder.append_blob(sha256(content), content.size(), 1000, BytesView(content).subspan(1000));
  stream.seal();
  Outcome out = record_all({&stream});
  EXPECT_THAT(out.alarms, ElementsAre(HasSubstr("another hash"), HasSubstr("without those before it")));
  EXPECT_FALSE(out.reader->blob(wrong).ok());
  EXPECT_FALSE(out.reader->blob(sha256(content)).ok());
}

TEST(Rules, ABlobThatIsGivenUpLeavesNothingBehindAndCanBeginAnew) {
  TestStream stream(1);
  const Bytes content(3000, 'q');
  const Hash hash = sha256(content);
  stream.builder.append_blob(hash, content.size(), 0, BytesView(content).first(1000));
  stream.seal();
  stream.builder.append_blob(hash, content.size(), content.size(), {});
  stream.seal();
  stream.builder.append_blob(sha256(as_bytes("never begun")), 11, 11, {});
  stream.seal();
  auto store = std::make_shared<MemoryStore>();
  EXPECT_THAT(record_alarms(*store, stream), IsEmpty());
  EXPECT_FALSE(store->scan(Table::kBlobs, {}, {})->valid()) << "pieces that nobody asks for any more";
  TestStream again(2);
  again.blob(content);
  EXPECT_THAT(record_alarms(*store, again), IsEmpty());
  EXPECT_EQ(read_blob(*store, hash).value(), content);
}

// Seen: an auditor was removed and added again; the node went on from event 4, and was accused of a broken link.
TEST(Rules, AChainThatBeginsOnAnotherLinkGoesOnWhereItIs) {
  TestChain chain({});
  TestStream first(1), second(2), third(3);
  first.put(chain.genesis());
  first.put(chain.log("1"));
  first.seal();
  for (const char* text : {"2", "3", "4", "5"}) chain.log(text);
  const auto begin_at = [&](TestStream& stream, uint64_t sequence) {
    stream.builder.append_gap({chain.actor(), 0, sequence - 1, chain.events[sequence - 1].hash});
    stream.put(chain.events[sequence]);
    stream.seal();
  };
  begin_at(second, 4);
  begin_at(third, 5);
  Outcome out = record_all({&first, &second, &third});
  EXPECT_THAT(out.alarms, IsEmpty());
  const VerifyReport report = out.report(chain.actor());
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial);
  EXPECT_FALSE(report.sequence.has_value()) << report.reason;
  ASSERT_EQ(report.summary.missing.size(), 1u);
  EXPECT_EQ(report.summary.missing[0].first, 2u);
  EXPECT_EQ(report.summary.missing[0].last, 3u);

  TestStream forked(4);  // it says another event 5 is missing, and goes on from the one that is here
  forked.builder.append_gap({chain.actor(), 0, 5, sha256(as_bytes("another event 5"))});
  chain.log("6");
  forked.put(chain.events[6]);
  forked.seal();
  EXPECT_THAT(record_all({&first, &second, &third, &forked}).alarms, IsEmpty()) << "what it has, it has";
}

// Two streams of a node have as many on their way as are kept: the one that runs, and the one before it.
TEST(Rules, OfTooManyUnfinishedBlobsThoseOfTheNewestStreamStay) {
  auto store = std::make_shared<MemoryStore>();
  const auto begun_in = [&](uint8_t stream_id, size_t count, bool finish) {
    TestStream stream(stream_id);
    const auto content = [&](size_t i) { return Bytes(2000, static_cast<uint8_t>(stream_id * 70 + i)); };
    for (const uint64_t offset : {0, 1000}) {
      if (offset != 0 && !finish) break;
      for (size_t i = 0; i < count; ++i) {
        const Bytes bytes = content(i);
        stream.builder.append_blob(sha256(bytes), bytes.size(), offset, BytesView(bytes).subspan(offset, 1000));
      }
      stream.seal();
      EXPECT_THAT(record_alarms(*store, stream), IsEmpty()) << "a store that is opened again";
    }
  };
  begun_in(1, 64, false);
  begun_in(2, 64, false);
  begun_in(3, 64, true);
}

TEST(Rules, ABlobGoesOnWhereARestartCutItOff) {
  auto store = std::make_shared<MemoryStore>();
  Bytes content(10'000);
  SeededRandom(4).fill(content);
  TestStream stream(1), part(1);
  stream.blob(content, 1024);
  part.frames.assign(stream.frames.begin(), stream.frames.begin() + 4);
  ASSERT_TRUE(record(*store, part).ok());
  EXPECT_FALSE(read_blob(*store, sha256(content)).ok());
  ASSERT_TRUE(record(*store, stream).ok());  // a new recorder, which passes over the first four
  EXPECT_EQ(*read_blob(*store, sha256(content)), content);
}

TEST(Rules, AFrameWhoseBodyWasExchangedIsRefused) {
  MemoryStore store;
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.seal();
  stream.frames[0][bus::kFrameHeaderSize + 60] ^= 1;
  auto recorder = Recorder::open(store);
  const auto outcome = (*recorder)->add(stream.node, 1, *bus::parse_frame(stream.frames[0]));
  ASSERT_TRUE(outcome.ok());
  EXPECT_THAT(outcome->refused, HasSubstr("isn't what its header says"));
  Prepared prepared = (*recorder)->take();
  EXPECT_EQ(prepared.frames, 0u);
  EXPECT_EQ(prepared.evidence, 1u);
  ASSERT_TRUE(store.commit(*prepared.batch, prepared.tip).ok());
  const auto evidence = evidence_in(store);
  ASSERT_EQ(evidence.size(), 1u);
  EXPECT_EQ(read_evidence_frame(store, evidence[0])->frame, stream.frames[0]);
}

// Writing past the rules, as somebody would who wants to hide something and keeps RocksDB's checksums right.
TEST(Tampering, EveryByteOfEveryEventIsWatched) {
  TestStream stream(1);
  TestChain chain({}), other({.name = "other", .nonce = 1});
  stream.put(chain.genesis());
  stream.put(other.genesis());
  for (int i = 0; i < 3; ++i) {
    stream.put(chain.log(str_cat("line ", i)));
    stream.put(other.log("x"));
    stream.seal();
  }
  auto store = std::make_shared<MemoryStore>();
  ASSERT_TRUE(record(*store, stream).ok());
  size_t first = 0;
  for (uint64_t frame = 1; frame <= stream.frames.size(); ++frame) {
    const std::string good =
        store->disk()[static_cast<size_t>(Table::kFrames)].at(std::string(as_text(frame_key(frame))));
    for (const auto* of : {&chain, &other}) {
      for (const auto& event : of->events) {
        const size_t at = good.find(std::string(as_text(event.bytes)));
        if (at == std::string::npos) continue;
        for (size_t byte = 0; byte < event.bytes.size(); ++byte) {
          std::string bad = good;
          bad[at + byte] = static_cast<char>(bad[at + byte] ^ (1 << byte % 8));
          store->overwrite(Table::kFrames, frame_key(frame), bad);
          auto reader = make_chain_reader(store);
          const auto reports = verify_all(**reader);
          ASSERT_TRUE(reports.ok()) << reports.error().message;
          bool named = false;
          for (const VerifyReport& report : reports->chains) {
            named |= report.summary.actor == of->actor() && report.sequence == event.sequence && !report.reason.empty();
          }
          ASSERT_TRUE(named) << "frame " << frame << " event " << event.sequence << " byte " << byte;
          ++first;
        }
      }
    }
    store->overwrite(Table::kFrames, frame_key(frame), good);
  }
  EXPECT_GT(first, 1000u);
}

TEST(Tampering, AMissingFrameSegmentHeadOrBlobIsFound) {
  const Bytes package(2000, 'p');
  TestStream stream(1);
  stream.blob(package);
  TestChain chain({.package = sha256(package), .package_length = package.size()});
  stream.put(chain.genesis());
  stream.seal();
  for (int i = 0; i < 5; ++i) {
    stream.put(chain.log("x"));
    stream.seal();
  }
  auto store = std::make_shared<MemoryStore>();
  ASSERT_TRUE(record(*store, stream).ok());
  const auto disk = store->disk();
  for (const Table table : {Table::kFrames, Table::kSegments, Table::kHeads, Table::kBlobs}) {
    EXPECT_FALSE(disk[static_cast<size_t>(table)].empty());
    for (const auto& [key, value] : disk[static_cast<size_t>(table)]) {
      auto damaged = std::make_shared<MemoryStore>(disk);
      damaged->overwrite(table, as_bytes(key), std::nullopt);
      auto reader = make_chain_reader(damaged);
      const auto reports = verify_all(**reader);
      bool found = !reports.ok() || !reports->faults.empty();
      if (reports.ok()) {
        for (const VerifyReport& report : reports->chains) found |= report.sequence.has_value();
      }
      EXPECT_TRUE(found) << "table " << static_cast<int>(table) << " key " << to_hex(as_bytes(key));
    }
  }
}

}  // namespace
}  // namespace theater::persist
