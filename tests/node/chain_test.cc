// The rules of the chain (ARCHITECTURE.md), each a test of its own.
#include "node/chain/chain.h"

#include <gmock/gmock.h>

#include "tests/node/node_test_util.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using Overflow = QueueSubscriber::Overflow;

constexpr std::string_view kLog = "theater:simple/runtime@0.1.0/log";

class ChainTest : public testing::Test {
 protected:
  ChainTest() : chain_(clock_, [this] { return [this] { ++woken_; }; }) {}

  Chain::Step genesis() {
    schema::Genesis body;
    body.name = "test";
    chain_.begin(schema::kTypeGenesis, body);
    return chain_.step(scratch_);
  }
  void begin_log(std::string text) {
    std::vector<Value> args;
    args.push_back(Value::string(std::move(text)));
    chain_.begin(kLog, schema::HostCall{schema::Effect::kNone, std::move(args), {}});
  }
  Chain::Step log(std::string text) {
    begin_log(std::move(text));
    return chain_.step(scratch_);
  }
  Chain::Step shutdown() {
    chain_.begin(schema::kTypeShutdown, schema::Shutdown{"stop", {}, {}});
    return chain_.step(scratch_);
  }
  static std::vector<uint64_t> sequences(QueueSubscriber& queue) {
    std::vector<uint64_t> sequences;
    while (auto event = queue.pop()) sequences.push_back(event->sequence);
    return sequences;
  }

  ManualClock clock_;
  int woken_ = 0;
  schema::EncodedEvent scratch_;
  Chain chain_;
};

TEST_F(ChainTest, NoHeadBeforeTheFirstEvent) {
  EXPECT_FALSE(chain_.head());
  schema::Genesis body;
  body.name = "test";
  chain_.begin(schema::kTypeGenesis, body);
  EXPECT_FALSE(chain_.head());
  EXPECT_FALSE(chain_.id().is_zero()) << "the id is known before genesis is emitted";
  ASSERT_EQ(chain_.step(scratch_), Chain::Step::kDone);
  ASSERT_TRUE(chain_.head());
  EXPECT_EQ(*chain_.head(), sha256(scratch_.bytes));
  EXPECT_EQ(chain_.id(), actor_id_of(*chain_.head()));
}

TEST_F(ChainTest, TheHashCoversTheParentAndEveryByteOfTheEvent) {
  auto record = std::make_shared<RecordingSubscriber>();  // checks hash, parent, sequence and time of each event
  chain_.add(record);
  genesis();
  log("one");
  const auto one = scratch_;
  log("one");
  EXPECT_NE(one.hash, scratch_.hash) << "the same call has another parent";
  EXPECT_EQ(schema::check_event(scratch_.bytes)->header.parent, one.hash);
  for (size_t i = 0; i < one.bytes.size(); ++i) {
    auto changed = one.bytes;
    changed[i] ^= 1;
    EXPECT_NE(sha256(changed), one.hash);
  }
  EXPECT_EQ(record->chain(chain_.id()).size(), 3u);
}

TEST_F(ChainTest, TimeNeverGoesBack) {
  genesis();
  clock_.advance_ns(1'000);
  log("later");
  const uint64_t later = chain_.time_ns();
  clock_.advance_ns(-500);  // wraps: the clock was set back
  log("earlier by the clock");
  EXPECT_EQ(chain_.time_ns(), later);
}

TEST_F(ChainTest, SubscribersAreTailOnly) {
  genesis();
  log("before");
  auto late = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  chain_.add(late);
  log("after");
  EXPECT_THAT(sequences(*late), ElementsAre(2));
}

TEST_F(ChainTest, AddingASubscriberTwiceDeliversOnce) {
  auto queue = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  chain_.add(queue);
  chain_.add(queue);
  genesis();
  EXPECT_THAT(sequences(*queue), ElementsAre(0));
}

TEST_F(ChainTest, AClosedSubscriberIsEvictedAtTheNextEmission) {
  auto queue = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  chain_.add(queue);
  genesis();
  queue->close();
  EXPECT_EQ(chain_.subscribers(), 1u);
  log("next");
  EXPECT_EQ(chain_.subscribers(), 0u);
}

TEST_F(ChainTest, RemovingIsIdempotentAndTells) {
  auto record = std::make_shared<RecordingSubscriber>();
  chain_.add(record);
  genesis();
  EXPECT_TRUE(chain_.remove(*record));
  EXPECT_FALSE(chain_.remove(*record));
  log("unseen");
  EXPECT_EQ(record->chain(chain_.id()).size(), 1u);
  EXPECT_EQ(record->ends(chain_.id()), 1);
}

TEST_F(ChainTest, RemovingFromAnEndedChainIsHarmless) {
  auto queue = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  chain_.add(queue);
  genesis();
  shutdown();
  EXPECT_FALSE(chain_.remove(*queue));
}

TEST_F(ChainTest, TheTerminalEventIsFollowedByTheEndOfTheChain) {
  auto record = std::make_shared<RecordingSubscriber>();
  chain_.add(record);
  genesis();
  EXPECT_EQ(record->ends(chain_.id()), 0);
  shutdown();
  EXPECT_EQ(record->chain(chain_.id()).back().kind, schema::BodyKind::kShutdown);
  EXPECT_EQ(record->ends(chain_.id()), 1);
  EXPECT_TRUE(chain_.ended());
  EXPECT_EQ(chain_.subscribers(), 0u);
}

TEST_F(ChainTest, ASubscriberThatComesAfterTheEndIsToldSo) {
  genesis();
  shutdown();
  auto late = std::make_shared<RecordingSubscriber>();
  chain_.add(late);
  EXPECT_EQ(late->ends(chain_.id()), 1);
}

TEST_F(ChainTest, AChainThatIsGivenUpTellsItsSubscribersAndEmitsNothing) {
  auto record = std::make_shared<RecordingSubscriber>();
  auto full = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
  chain_.add(record);
  chain_.add(full);
  genesis();
  EXPECT_EQ(shutdown(), Chain::Step::kParked);
  chain_.give_up();
  EXPECT_EQ(record->ends(chain_.id()), 1);
  EXPECT_EQ(record->chain(chain_.id()).size(), 1u);
  EXPECT_FALSE(chain_.emitting());
}

TEST_F(ChainTest, AFullStrictSubscriberParksTheProducerUntilThereIsRoom) {
  auto queue = std::make_shared<QueueSubscriber>(2, Overflow::kStrict);
  chain_.add(queue);
  genesis();
  log("one");
  EXPECT_EQ(log("two"), Chain::Step::kParked);
  EXPECT_EQ(chain_.length(), 2u);
  EXPECT_EQ(chain_.waits_for(), "a subscriber in this process");
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kParked);
  EXPECT_EQ(woken_, 0);
  EXPECT_EQ(queue->pop()->sequence, 0u);
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kDone);
  EXPECT_THAT(sequences(*queue), ElementsAre(1, 2));
}

TEST_F(ChainTest, AFullSubscriberThatClosesLetsTheProducerGoOn) {
  auto queue = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
  chain_.add(queue);
  genesis();
  EXPECT_EQ(log("one"), Chain::Step::kParked);
  queue->close();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kDone);
  EXPECT_EQ(chain_.subscribers(), 0u);
}

TEST_F(ChainTest, NobodyGetsAnEventBeforeAllHaveRoom) {
  auto roomy = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  auto full = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
  chain_.add(roomy);
  chain_.add(full);
  genesis();
  EXPECT_EQ(log("one"), Chain::Step::kParked);
  EXPECT_THAT(sequences(*roomy), ElementsAre(0));
  full->pop();
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kDone);
  EXPECT_THAT(sequences(*roomy), ElementsAre(1));
  EXPECT_THAT(sequences(*full), ElementsAre(1));
}

TEST_F(ChainTest, ASubscriberAddedDuringAnEmissionThatWaitsGetsItToo) {
  auto full = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
  chain_.add(full);
  genesis();
  EXPECT_EQ(log("one"), Chain::Step::kParked);
  auto late = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  chain_.add(late);
  full->pop();
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kDone);
  EXPECT_THAT(sequences(*late), ElementsAre(1));
}

TEST_F(ChainTest, ABestEffortSubscriberDropsAndCounts) {
  auto ring = std::make_shared<QueueSubscriber>(3, Overflow::kBestEffort);
  chain_.add(ring);
  genesis();
  for (int i = 0; i < 9; ++i) EXPECT_EQ(log("x"), Chain::Step::kDone);
  EXPECT_EQ(ring->dropped(), 7u);
  EXPECT_THAT(sequences(*ring), ElementsAre(7, 8, 9));
}

TEST_F(ChainTest, WhatWasCancelledWhileItReservedWasNeverEmitted) {
  auto roomy = std::make_shared<QueueSubscriber>(2, Overflow::kStrict);
  auto full = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
  chain_.add(roomy);
  chain_.add(full);
  genesis();
  const auto head = chain_.head();
  EXPECT_EQ(log("never"), Chain::Step::kParked);
  chain_.cancel();
  EXPECT_EQ(chain_.head(), head);
  EXPECT_EQ(chain_.length(), 1u);
  full->pop();
  EXPECT_EQ(woken_, 0) << "the waker was forgotten";
  // The room that it held is given back: roomy has one event and takes one more.
  EXPECT_EQ(log("instead"), Chain::Step::kDone);
  EXPECT_THAT(sequences(*roomy), ElementsAre(0, 1));
}

TEST_F(ChainTest, OneSubscriberServesManyChains) {
  auto record = std::make_shared<RecordingSubscriber>();
  Chain other(clock_, [] { return [] {}; });
  chain_.add(record);
  other.add(record);
  genesis();
  schema::Genesis body;
  body.name = "other";
  other.begin(schema::kTypeGenesis, body);
  ASSERT_EQ(other.step(scratch_), Chain::Step::kDone);
  log("x");
  EXPECT_EQ(record->chain(chain_.id()).size(), 2u);
  EXPECT_EQ(record->chain(other.id()).size(), 1u);
}

TEST_F(ChainTest, LargeValuesTravelAsBlobsBeforeTheirEvent) {
  auto record = std::make_shared<RecordingSubscriber>();
  chain_.add(record);
  genesis();
  const std::string large(200'000, 'x');
  ASSERT_EQ(log(large), Chain::Step::kDone);
  EXPECT_LT(scratch_.bytes.size(), 1'000u);
  const auto decoded = schema::decode_event(scratch_.bytes);
  const auto* reference = std::get<schema::HostCall>(decoded->body).args[0].get<Value::Reference>();
  ASSERT_NE(reference, nullptr);
  EXPECT_EQ(reference->length, large.size());
  EXPECT_EQ(record->blobs()[reference->hash], to_bytes(large));
  EXPECT_EQ(*chain_.take_args()[0].get<std::string>(), large) << "the caller gets back what it gave";
}

TEST_F(ChainTest, AnEventThatIsTooLargeIsNotEmitted) {
  genesis();
  std::vector<Value> args;
  for (int i = 0; i < 40; ++i) args.push_back(Value::string(std::string(3'000, 'x')));
  chain_.begin(kLog, schema::HostCall{schema::Effect::kNone, std::move(args), {}});
  EXPECT_EQ(chain_.step(scratch_), Chain::Step::kTooLarge);
  EXPECT_EQ(chain_.length(), 1u);
  EXPECT_FALSE(chain_.emitting());
  EXPECT_EQ(log("small"), Chain::Step::kDone);
}

}  // namespace
}  // namespace theater::node
