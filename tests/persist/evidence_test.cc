// Each way in which a node can contradict itself, as a real key signs it: which kind the auditor keeps, what the file
// made of it proves to somebody who has nothing else, and that nothing else proves anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "persist/evidence.h"
#include "persist/evidence_export.h"
#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "test_node.h"
#include "tests/golden/format_page.h"

namespace theater::persist {
namespace {

using Outcome = EvidenceVerdict::Outcome;
using testing::HasSubstr;

SigningKey key_of(uint8_t number) {
  SigningKey::Seed seed{};
  seed.fill(number);
  return SigningKey::from_seed(seed);
}

// A node with a real key. Its second stream is what a restart, or a second process, would send.
struct Node {
  explicit Node(uint8_t number = 1) : key(key_of(number)) {
    first = &add(static_cast<uint8_t>(number * 16 + 1));
    second = &add(static_cast<uint8_t>(number * 16 + 2));
  }
  TestStream& add(uint8_t id) { return *streams.emplace_back(std::make_unique<TestStream>(id, key.public_key())); }
  TestChain chain(uint8_t nonce = 0) const {
    TestChain::Options options;
    options.node = key.public_key();
    options.nonce = nonce;
    return TestChain(options);
  }
  // A frame that signs all before it.
  void sign(TestStream& stream) const {
    if (!stream.builder.empty()) stream.seal();
    const uint64_t time = 77;
    const Bytes statement = bus::tip_statement(stream.stream, stream.frames.size(), stream.link_hash, time);
    stream.builder.append_tip({time, key.sign(statement)});
    stream.seal();
  }
  SigningKey key;
  std::vector<std::unique_ptr<TestStream>> streams;
  TestStream *first = nullptr, *second = nullptr;
};

const schema::EncodedEvent& resume(TestChain& chain, const PublicKey& node, uint32_t incarnation) {
  chain.incarnation = incarnation;
  schema::Resumed resumed;
  resumed.node = node;
  return chain.add(schema::kTypeResumed, resumed);
}

// Stream after stream, not in turn.
std::shared_ptr<MemoryStore> recorded(const std::vector<const TestStream*>& streams, size_t frames_per_commit = 1) {
  auto store = std::make_shared<MemoryStore>();
  for (const TestStream* stream : streams) {
    const auto done = record(*store, *stream, frames_per_commit, false);
    EXPECT_TRUE(done.ok()) << done.error().message;
  }
  return store;
}

std::vector<EvidenceRow> rows_in(const Store& store) {
  std::vector<EvidenceRow> all;
  EXPECT_TRUE(walk_evidence(store, [&](uint64_t, const EvidenceRow& row) {
                all.push_back(row);
                return true;
              }).ok());
  return all;
}

EvidenceFile exported(const Store& store, const EvidenceRow& row) {
  const auto file = export_evidence(store, row);
  EXPECT_TRUE(file.ok()) << file.error().message;
  return file.ok() ? *file : EvidenceFile{};
}

// As a third party sees it: bytes.
EvidenceVerdict judged(const EvidenceFile& file) {
  const auto back = decode_evidence(encode_evidence(file));
  EXPECT_TRUE(back.ok()) << back.error().message;
  const auto verdict = check_evidence(*back);
  EXPECT_TRUE(verdict.ok()) << verdict.error().message;
  return verdict.ok() ? *verdict : EvidenceVerdict{};
}

struct Case {
  std::string name;
  EvidenceKind kind;
  Outcome outcome;
  std::string statement;
  // Puts a good event and then what contradicts it into the node's streams; events of `chain` that are taken.
  std::function<size_t(Node& node, TestChain& chain)> misbehave;
  bool stops = true;
  bool beside = true;
};

class Kinds : public testing::TestWithParam<Case> {};

TEST_P(Kinds, AreTheOnesThatTheAuditorNamesAndTheFileShows) {
  const Case& it = GetParam();
  Node node;
  TestChain chain = node.chain(), other = node.chain(1);
  const size_t taken = it.misbehave(node, chain);
  node.second->put(other.genesis());
  node.second->put(other.log("goes on"));
  for (TestStream* stream : {node.first, node.second}) node.sign(*stream);
  for (const size_t frames_per_commit : {1, 100}) {
    const auto store = recorded({node.first, node.second}, frames_per_commit);
    const auto rows = rows_in(*store);
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_STREQ(evidence_kind_name(rows[0].kind), evidence_kind_name(it.kind)) << rows[0].reason;
    EXPECT_EQ(rows[0].beside.frame != 0, it.beside);
    auto reader = make_chain_reader(store);
    EXPECT_EQ(stored_events(**reader, other.actor()), bytes_of(other)) << "only the chain concerned stops";
    EXPECT_EQ(stored_events(**reader, chain.actor()).size(), taken);
    EXPECT_EQ((*reader)->summary(chain.actor())->status == ChainStatus::kBroken, it.stops);
    const auto all = verify_all(**reader);
    ASSERT_TRUE(all.ok()) << all.error().message;
    EXPECT_THAT(all->faults, testing::IsEmpty());
    for (const VerifyReport& report : all->chains) {
      EXPECT_EQ(report.sequence.has_value(), report.summary.actor == chain.actor() && it.stops) << report.reason;
      if (report.sequence) {
        EXPECT_EQ(report.reason, rows[0].reason);
      }
    }
    const EvidenceVerdict verdict = judged(exported(*store, rows[0]));
    EXPECT_EQ(verdict.outcome, it.outcome) << verdict.statement;
    EXPECT_THAT(verdict.statement, HasSubstr(it.statement));
    EXPECT_THAT(verdict.statement, HasSubstr(node.key.public_key().hex()));
  }
}

void begin(Node& node, TestChain& chain, int logs = 3) {
  node.first->put(chain.genesis());
  for (int i = 0; i < logs; ++i) {
    node.first->put(chain.log(str_cat("line ", i)));
    node.first->seal();
  }
}

// What the chain would be if it had gone on from event `last`.
TestChain back_to(const TestChain& chain, uint64_t last) {
  TestChain out = chain;
  out.events.resize(last + 1);
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    All, Kinds,
    testing::Values(
        Case{"equivocation", EvidenceKind::kEquivocation, Outcome::kProved, "two different events 2",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain fork = back_to(chain, 1);
               node.second->put(fork.log("another story"));
               node.second->put(fork.log("that goes on"));
               return chain.events.size();
             }},
        Case{"rewind", EvidenceKind::kRewind, Outcome::kSigned, "can't be told from this file alone",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               const TestChain before = chain;
               chain.log("dropped");
               node.first->builder.append_gap({chain.actor(), 4, 4, chain.events.back().hash});
               node.first->put(chain.log("after the gap"));
               TestChain fork = before;
               node.second->put(fork.log("not what was dropped"));
               return size_t{5};
             },
             true, false},
        Case{"rollback", EvidenceKind::kRollback, Outcome::kProved, "might if nobody had acknowledged",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain older = back_to(chain, 1);
               node.second->put(resume(older, node.key.public_key(), 1));
               return chain.events.size();
             }},
        Case{"lower_incarnation", EvidenceKind::kLowerIncarnation, Outcome::kProved, "of incarnation 0 after one of",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain old = chain;
               node.first->put(resume(chain, node.key.public_key(), 1));
               old.log("the same sequence");
               node.first->put(old.log("the old run goes on"));
               return chain.events.size();
             }},
        Case{"lower_incarnation_of_another_process", EvidenceKind::kLowerIncarnation, Outcome::kSigned, "can't be told",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain old = chain;
               node.first->put(resume(chain, node.key.public_key(), 1));
               node.second->put(old.log("the old run goes on"));
               return chain.events.size();
             }},
        Case{"after_end", EvidenceKind::kAfterEnd, Outcome::kProved, "had ended with event 4",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               node.first->put(chain.end());
               const size_t taken = chain.events.size();
               node.first->put(chain.log("a ghost"));
               return taken;
             }},
        Case{"broken_link", EvidenceKind::kBrokenLink, Outcome::kProved, "names another parent",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain fork = back_to(chain, 2);
               fork.log("never shown");
               node.first->put(fork.log("on top of it"));
               return chain.events.size();
             }},
        Case{"skipped", EvidenceKind::kBrokenLink, Outcome::kSigned, "can't be told",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain on = chain;
               on.log("kept back");
               node.first->put(on.log("sent"));
               return chain.events.size();
             }},
        Case{"time", EvidenceKind::kBrokenLink, Outcome::kProved, "before its parent's",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain on = chain;
               on.time_ns -= 100'000;
               node.first->put(on.log("earlier"));
               return chain.events.size();
             }},
        Case{"wrong_genesis", EvidenceKind::kWrongGenesis, Outcome::kProved, "a genesis that names another",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain claimed({.name = "claimed", .node = key_of(9).public_key()});
               node.first->put(claimed.genesis());
               return chain.events.size();
             },
             false, false},
        Case{"resumed_for_another_key", EvidenceKind::kForeignKey, Outcome::kProved, "for another node's key",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain on = chain;
               node.first->put(resume(on, key_of(9).public_key(), 1));
               return chain.events.size();
             },
             true, false},
        Case{"missing_blob", EvidenceKind::kMissingBlob, Outcome::kSigned, "can't be told",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               TestChain on = chain;
               schema::WasmCall call;
               call.args.push_back(
                   schema::Value::reference({sha256(as_bytes("x")), 9000, schema::Value::Kind::kBytes}));
               node.first->put(on.add("theater:simple/message-server@0.1.0#handle-send", call));
               return chain.events.size();
             },
             true, false},
        Case{"malformed", EvidenceKind::kMalformed, Outcome::kSigned, "can't be told",
             [](Node& node, TestChain& chain) {
               begin(node, chain);
               const Bytes garbage(64, 0xEE);
               node.first->builder.append_event(garbage, sha256(garbage));
               return chain.events.size();
             },
             false, false}),
    [](const auto& instance) { return instance.param.name; });

TEST(Evidence, AnEventOfAnotherNodesChainIsProvedByTheChainsGenesis) {
  Node owner(1), thief(2);
  TestChain chain = owner.chain();
  begin(owner, chain);
  owner.sign(*owner.first);
  TestChain stolen = chain;
  thief.first->put(stolen.log("mine now"));
  thief.sign(*thief.first);
  const auto store = recorded({owner.first, thief.first});
  const auto rows = rows_in(*store);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].kind, EvidenceKind::kForeignKey);
  EvidenceVerdict verdict = judged(exported(*store, rows[0]));
  EXPECT_EQ(verdict.outcome, Outcome::kProved) << verdict.statement;
  EXPECT_THAT(verdict.statement, HasSubstr(thief.key.public_key().hex()));

  // The other way round: the thief came first, with a tail.
  const auto late = recorded({thief.first, owner.first});
  const auto late_rows = rows_in(*late);
  ASSERT_EQ(late_rows.size(), 1u);
  verdict = judged(exported(*late, late_rows[0]));
  EXPECT_EQ(verdict.outcome, Outcome::kProved) << verdict.statement;
  EXPECT_THAT(verdict.statement, HasSubstr(thief.key.public_key().hex()));
}

TEST(Evidence, TheSameEventsOnANewStreamAreNone) {
  for (const size_t frames_per_commit : {1, 3, 100}) {
    Node node;
    TestChain chain = node.chain();
    begin(node, chain, 200);
    for (const auto& event : chain.events) node.second->put(event);
    node.second->put(chain.log("and on"));
    node.second->seal();
    auto store = std::make_shared<MemoryStore>();
    ASSERT_TRUE(record(*store, {node.first}, frames_per_commit).ok());
    ASSERT_TRUE(record(*store, {node.second}, frames_per_commit).ok());
    EXPECT_TRUE(rows_in(*store).empty());
    auto reader = make_chain_reader(store);
    EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
    EXPECT_FALSE(verify_all(**reader)->chains.at(0).sequence);
  }
}

// What was sent a moment ago isn't in the store yet, and neither is its index.
TEST(Evidence, EventsOnTheirWayToTheDiskAreComparedToo) {
  Node node;
  TestChain chain = node.chain();
  begin(node, chain, 300);
  TestChain fork = back_to(chain, 150);
  node.first->put(chain.events[149]);  // the same: ignored
  node.first->put(fork.log("another 151"));
  node.first->seal();
  MemoryStore store;
  auto recorder = Recorder::open(store);
  std::vector<Prepared> under_way;
  std::vector<LogLine> alarms;
  for (const Bytes& bytes : node.first->frames) {
    auto outcome = (*recorder)->add(node.key.public_key(), 1, *bus::parse_frame(bytes));
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    for (const LogLine& alarm : outcome->alarms) alarms.push_back(alarm);
    under_way.push_back((*recorder)->take());
  }
  ASSERT_EQ(alarms.size(), 1u);
  EXPECT_THAT(alarms[0].text, HasSubstr("equivocation"));
  for (Prepared& prepared : under_way) ASSERT_TRUE(store.commit(*prepared.batch, prepared.tip).ok());
  const auto rows = rows_in(store);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(exported(store, rows[0]).sides.size(), 2u);
  EXPECT_EQ(judged(exported(store, rows[0])).outcome, Outcome::kUnsigned);
}

TEST(Evidence, WithoutASignatureItShowsOnlyWhatCame) {
  Node node;
  TestChain chain = node.chain();
  begin(node, chain);
  TestChain fork = back_to(chain, 1);
  node.second->put(fork.log("another story"));
  node.second->seal();
  node.sign(*node.first);
  auto store = recorded({node.first, node.second});
  EvidenceVerdict verdict = judged(exported(*store, rows_in(*store).at(0)));
  EXPECT_EQ(verdict.outcome, Outcome::kUnsigned);
  EXPECT_THAT(verdict.statement, HasSubstr("not who said it"));

  node.sign(*node.second);  // the signature comes later
  store = recorded({node.first, node.second});
  EXPECT_EQ(judged(exported(*store, rows_in(*store).at(0))).outcome, Outcome::kProved);
}

TEST(Evidence, ARefusedFrameIsExportedAsItCame) {
  Node node, other(2);
  TestChain chain = node.chain();
  begin(node, chain);
  const Bytes statement = bus::tip_statement(node.first->stream, 3, node.first->link_hash, 1);
  node.first->builder.append_tip({1, other.key.sign(statement)});
  node.first->seal();
  MemoryStore store;
  (void)record_alarms(store, *node.first);
  const auto rows = rows_in(store);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].kind, EvidenceKind::kFalseTip);
  const EvidenceFile file = exported(store, rows[0]);
  EXPECT_EQ(file.sides.at(0).bytes, node.first->frames.back());
  EXPECT_EQ(judged(file).outcome, Outcome::kUnsigned);
}

// Two auditors, two stories, one key. Each store by itself is good.
TEST(Evidence, TwoStoresThatDifferProveIt) {
  Node node;
  TestChain chain = node.chain(), same = node.chain(1), longer = node.chain(2);
  begin(node, chain);
  node.first->put(same.genesis());
  node.first->put(longer.genesis());
  node.first->put(longer.log("here only"));
  TestChain fork = back_to(chain, 1);
  fork.log("for the other auditor");
  fork.log("and on");
  fork.log("and on");
  for (const auto& event : fork.events) node.second->put(event);
  node.second->put(same.genesis());
  node.second->put(longer.genesis());
  for (TestStream* stream : {node.first, node.second}) node.sign(*stream);
  const auto one = recorded({node.first}), other = recorded({node.second});
  EXPECT_TRUE(rows_in(*one).empty() && rows_in(*other).empty());
  for (const bool swapped : {false, true}) {
    const auto a = make_chain_reader(swapped ? other : one), b = make_chain_reader(swapped ? one : other);
    const auto found = compare_stores(**a, **b);
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->at(0).actor, chain.actor());
    EXPECT_EQ(found->at(0).sequence, 2u);
    const EvidenceVerdict verdict = judged(found->at(0).proof);
    EXPECT_EQ(verdict.outcome, Outcome::kProved) << verdict.statement;
  }
  const auto a = make_chain_reader(one);
  EXPECT_TRUE(compare_stores(**a, **a)->empty());
}

// What stands behind a gap says nothing of what stands before it.
TEST(Evidence, TwoStoresThatPartBeforeAGapAreFound) {
  Node node;
  TestChain chain = node.chain();
  chain.log("1");
  chain.log("two, for one");
  TestChain fork = back_to(chain, 1);
  for (const char* text : {"two, for the other", "3", "4", "5", "6"}) fork.log(text);
  for (int i = 0; i <= 2; ++i) node.first->put(chain.events[i]);
  node.first->builder.append_gap({chain.actor(), 3, 5, fork.events[5].hash});
  node.first->put(fork.events[6]);
  for (const auto& event : fork.events) node.second->put(event);
  for (TestStream* stream : {node.first, node.second}) node.sign(*stream);
  const auto one = recorded({node.first}), other = recorded({node.second});
  for (const bool swapped : {false, true}) {
    const auto a = make_chain_reader(swapped ? other : one), b = make_chain_reader(swapped ? one : other);
    const auto found = compare_stores(**a, **b);
    ASSERT_TRUE(found.ok()) << found.error().message;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->at(0).sequence, 2u);
    EXPECT_EQ(judged(found->at(0).proof).outcome, Outcome::kProved);
  }
}

// One auditor has its event from another one: no frame of the node's stands around it there.
TEST(Evidence, AFilledEventThatDiffersIsShownUnsignedAndTheOtherChainsAsEver) {
  Node node;
  TestChain chain = node.chain(), next = node.chain(1);
  for (int i = 0; i < 5; ++i) chain.log(str_cat("line ", i));
  next.log("for one");
  node.first->put(chain.genesis());
  node.first->builder.append_gap({chain.actor(), 1, 3, chain.events[3].hash});
  for (int i : {4, 5}) node.first->put(chain.events[i]);
  for (const auto& event : next.events) node.first->put(event);
  TestChain fork = back_to(chain, 1), next_fork = back_to(next, 0);
  fork.log("other");
  next_fork.log("for the other");
  for (const auto* each : {&fork, &next_fork}) {
    for (const auto& event : each->events) node.second->put(event);
  }
  for (TestStream* stream : {node.first, node.second}) node.sign(*stream);
  const auto one = recorded({node.first}), other = recorded({node.second});
  auto recorder = Recorder::open(*one).value();
  Fill fill{test_key(9), chain.actor(), 1, {}, {}};
  for (int i = 1; i <= 3; ++i) fill.events.push_back(chain.events[i].bytes);
  ASSERT_EQ(recorder->fill(fill, 5)->outcome.events, 3u);
  Prepared prepared = recorder->take();
  ASSERT_TRUE(one->commit(*prepared.batch, prepared.tip).ok());
  const auto a = make_chain_reader(one), b = make_chain_reader(other);
  const auto found = compare_stores(**a, **b);
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->at(0).sequence, 2u);
  EXPECT_EQ(judged(found->at(0).proof).outcome, Outcome::kUnsigned);
  EXPECT_EQ(found->at(0).proof.sides.at(0).bytes, chain.events[2].bytes);
  EXPECT_EQ(judged(found->at(1).proof).outcome, Outcome::kProved);
}

EvidenceFile an_equivocation() {
  Node node;
  TestChain chain = node.chain();
  begin(node, chain, 2);
  TestChain fork = back_to(chain, 0);
  node.second->put(fork.log("2"));
  for (TestStream* stream : {node.first, node.second}) node.sign(*stream);
  const auto store = recorded({node.first, node.second});
  return exported(*store, rows_in(*store).at(0));
}

TEST(Evidence, AFlippedBitAnywhereProvesNothing) {
  const Bytes good = encode_evidence(an_equivocation());
  ASSERT_EQ(judged(*decode_evidence(good)).outcome, Outcome::kProved);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    const auto file = decode_evidence(bad);
    if (!file.ok()) continue;
    const auto verdict = check_evidence(*file);
    EXPECT_TRUE(!verdict.ok() || verdict->outcome != Outcome::kProved) << "bit " << bit << ": " << verdict->statement;
  }
  for (size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(decode_evidence(BytesView(good).first(size)).ok());
}

TEST(Evidence, RandomBytesProveNothing) {
  SeededRandom random(5);
  const Bytes good = encode_evidence(an_equivocation());
  for (int i = 0; i < 5'000; ++i) {
    Bytes bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(random.below(good.size())));
    Bytes tail(random.below(200));
    random.fill(tail);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
    const auto file = decode_evidence(bytes);
    if (!file.ok()) continue;
    const auto verdict = check_evidence(*file);
    EXPECT_TRUE(!verdict.ok() || verdict->outcome != Outcome::kProved);
  }
}

// Whatever kind somebody writes over what an honest node signed, and whichever of its items are put side by side. It
// was restarted once, and the last events of its first run were lost.
TEST(Evidence, NothingThatAnHonestNodeSignedIsProofAgainstIt) {
  Node node;
  TestChain chain = node.chain(), other = node.chain(1);
  node.first->blob(Bytes(100, 'b'));
  begin(node, chain, 2);
  node.first->put(other.genesis());
  node.first->put(other.end());
  TestChain lost = chain;
  node.first->put(lost.log("lost"));
  node.first->put(lost.log("lost too"));
  node.sign(*node.first);
  TestChain resumed = back_to(chain, 2);
  resumed.time_ns = lost.time_ns + 1;
  node.second->put(resume(resumed, node.key.public_key(), 1));
  node.second->put(resumed.log("and on"));
  node.second->put(resumed.end());
  node.sign(*node.second);
  const auto store = recorded({node.first, node.second});
  std::vector<EvidenceSide> sides;
  const auto frames = store->disk()[static_cast<size_t>(Table::kFrames)].size();
  for (uint64_t frame = 1; frame <= frames; ++frame) {
    for (uint32_t item = 14; item < 400; ++item) {
      EvidenceRow row;
      row.peer = node.key.public_key();
      row.frame = frame;
      row.item = item;
      auto file = export_evidence(*store, row);
      if (file.ok() && file->sides[0].is_signed()) sides.push_back(file->sides[0]);
    }
  }
  ASSERT_EQ(sides.size(), 10u);
  size_t rollbacks = 0;
  for (size_t kind = 1; kind <= static_cast<size_t>(EvidenceKind::kMalformed); ++kind) {
    for (const EvidenceSide& a : sides) {
      for (const EvidenceSide& b : sides) {
        const EvidenceFile file{EvidenceKind{static_cast<uint8_t>(kind)}, node.key.public_key(), {a, b}};
        const auto verdict = check_evidence(file);
        ASSERT_TRUE(verdict.ok()) << verdict.error().message;
        if (file.kind == EvidenceKind::kRollback && verdict->outcome == Outcome::kProved) {
          ++rollbacks;  // it did leave a tail behind; that the tail was acknowledged is the auditors' word
          continue;
        }
        EXPECT_NE(verdict->outcome, Outcome::kProved) << verdict->statement;
      }
    }
  }
  EXPECT_GT(rollbacks, 0u);
}

TEST(Evidence, RecordsOfOlderProgramsAreReadAndNotExported) {
  EvidenceRow row;
  row.reason = "old";
  row.frame = 1;
  Bytes old = encode_row(row);
  old.resize(old.size() - 17);  // kind, item, and the place beside
  auto back = decode_row<EvidenceRow>(old);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->kind, EvidenceKind::kUnsorted);
  EXPECT_EQ(back->reason, "old");
  EXPECT_THAT(export_evidence(MemoryStore(), *back).error().message, HasSubstr("didn't say which item"));
  const Bytes frame = to_bytes("THFR and so on");
  old.insert(old.end(), frame.begin(), frame.end());
  back = decode_row<EvidenceRow>(old);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->bytes, frame);
  EXPECT_EQ(back->kind, EvidenceKind::kUnsorted);
}

// THEATER_WRITE_GOLDEN=1 writes the file, and prints the page's example.
TEST(Evidence, TheGoldenFileIsThePagesExample) {
  const std::string path = "tests/golden/evidence-equivocation.bin";
  const Bytes bytes = encode_evidence(an_equivocation());
  if (std::getenv("THEATER_WRITE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(std::string(THEATER_SOURCE_DIR) + "/" + path, bytes).ok());
    for (size_t at = 0; at < bytes.size(); at += 8) {
      std::string line = str_cat(to_hex(Bytes{static_cast<uint8_t>(at >> 8), static_cast<uint8_t>(at)}), " ");
      for (size_t i = at; i < std::min(at + 8, bytes.size()); ++i) line += str_cat(" ", to_hex(Bytes{bytes[i]}));
      std::puts(line.c_str());
    }
  }
  EXPECT_EQ(bytes, file(path));
  EXPECT_EQ(example_in("docs/formats/evidence.md"), file(path));
  const Bytes page = file("docs/formats/evidence.md");
  for (size_t kind = 0; kind < kEvidenceKinds; ++kind) {
    EXPECT_THAT(std::string(as_text(page)), HasSubstr(str_cat("| ", kind, " `", kEvidenceKindNames[kind], "` |")));
  }
}

}  // namespace
}  // namespace theater::persist
