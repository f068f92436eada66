// Who gets an event in which audit mode, who misses it, and for whom an actor waits.
#include "node/chain/audit_links.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "node/chain/chain.h"
#include "node/chain/durable.h"
#include "tests/node/node_test_util.h"

namespace theater::node {
namespace {

using bus::Outbox;
using schema::AuditMode;
using schema::Value;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kLog = "theater:simple/runtime@0.1.0/log";

// A link with so much room, which keeps what it was given. Its wakers are called when it is given more.
class ModelOutbox final : public Outbox {
 public:
  explicit ModelOutbox(std::string name, size_t room = SIZE_MAX / 2) : name_(std::move(name)), room_(room) {}

  std::set<uint64_t> has, missed;  // sequences
  std::map<Hash, size_t> blobs;    // bytes of each, from its beginning
  size_t reserved = 0;
  std::map<ActorId, bus::Waker> wakers;
  std::vector<bus::DurabilityWaker> durable_wakers;
  std::optional<uint64_t> began_at;  // late

  size_t room() const { return room_; }
  void give_room(size_t bytes) {
    room_ = bytes;
    wake(wakers);
  }
  void make_durable() {
    for (auto& waker : std::exchange(durable_wakers, {})) waker(bus::Durability::kDurable);
  }
  void close() {
    closed_ = true;
    wake(wakers);
    nobody_waits();
  }
  bool has_blob(const Hash& hash, size_t length) const {
    const auto found = blobs.find(hash);
    return found != blobs.end() && found->second == length;
  }

  bool try_reserve_blob(const ActorId& actor, const Hash&, size_t bytes) override { return try_reserve(actor, bytes); }
  void give_up_blob(const ActorId&) override {}
  bool try_reserve(const ActorId&, size_t bytes) override {
    if (closed_ || bytes > room_) return false;
    room_ -= bytes;
    reserved += bytes;
    return true;
  }
  void release(const ActorId&, size_t bytes) override {
    ASSERT_GE(reserved, bytes);
    room_ += bytes;
    reserved -= bytes;
  }
  void when_room(const ActorId& actor, bus::Waker waker) override {
    if (demoted_ || closed_) return waker();
    wakers[actor] = std::move(waker);
  }
  void forget_waker(const ActorId& actor) override { wakers.erase(actor); }
  void append(const schema::EncodedEvent& event) override {
    take(event_room(event.bytes.size()));
    if (!closed_) has.insert(event.sequence);
  }
  void drop(const schema::EncodedEvent& event) override { missed.insert(event.sequence); }
  bool needs_blob(const Hash& hash) override { return !complete_.contains(hash); }
  void append_blob(const ActorId&, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override {
    take(blob_room(piece.size()));
    if (offset == 0) blobs[hash] = 0;
    ASSERT_EQ(blobs[hash], offset) << "a piece is missing";
    blobs[hash] += piece.size();
    if (blobs[hash] == length) complete_.insert(hash);
  }
  void when_durable(bus::DurabilityWaker waker) override {
    if (demoted_ || closed_) waker(bus::Durability::kNotWaitedFor);
    durable_wakers.push_back(std::move(waker));
  }
  void begin_late(const ActorId&, uint64_t length, const Hash&) override { began_at = length; }
  void demote(bool demoted) override {
    demoted_ = demoted;
    if (!demoted) return;
    wake(wakers);
    nobody_waits();
  }
  bool demoted() const override { return demoted_; }
  bool closed() const override { return closed_; }
  void fetch_blob(const Hash&, uint64_t, bus::FetchDone) override {}
  Status status() const override {
    Status status;
    status.auditor = name_;
    return status;
  }

 private:
  void nobody_waits() {
    for (const auto& waker : std::vector(durable_wakers)) waker(bus::Durability::kNotWaitedFor);
  }
  void take(size_t bytes) {
    ASSERT_GE(reserved, bytes) << "without a reservation";
    reserved -= bytes;
  }
  static void wake(std::map<ActorId, bus::Waker>& wakers) {
    for (auto& [actor, waker] : std::exchange(wakers, {})) waker();
  }

  const std::string name_;
  size_t room_;
  bool demoted_ = false, closed_ = false;
  std::set<Hash> complete_;
};

// A chain over some of these.
class Audited {
 public:
  Audited(AuditMode mode, size_t k, size_t auditors) : links(std::make_shared<AuditLinks>(mode, k)) {
    for (size_t i = 0; i < auditors; ++i) {
      outboxes.push_back(std::make_shared<ModelOutbox>(std::string(1, static_cast<char>('a' + i))));
      links->add(outboxes.back());
    }
    chain_.add(links);
    schema::Genesis body;
    body.name = "test";
    chain_.begin(schema::kTypeGenesis, body);
    EXPECT_EQ(step(), Chain::Step::kDone);
  }

  ModelOutbox& operator[](size_t i) { return *outboxes[i]; }
  void begin(const std::vector<Blob>& blobs = {}) {
    chain_.begin(kLog, schema::HostCall{schema::Effect::kNone, {Value::string("line")}, {}}, blobs);
  }
  Chain::Step step() { return chain_.step(scratch_); }
  Chain::Step log() {
    begin();
    return step();
  }
  Chain& chain() { return chain_; }

  std::vector<std::shared_ptr<ModelOutbox>> outboxes;
  const std::shared_ptr<AuditLinks> links;
  int woken = 0;

 private:
  ManualClock clock_;
  schema::EncodedEvent scratch_;
  Chain chain_{clock_, [this] { return [this] { ++woken; }; }};
};

Blob blob_of(size_t bytes, uint8_t fill = 1) {
  auto content = std::make_shared<const Bytes>(bytes, fill);
  return {sha256(*content), content};
}

TEST(AuditLinksTest, StrictWaitsForEachThatIsFullAndKeepsWhatItHasTaken) {
  Audited actor(AuditMode::kStrict, 0, 2);
  actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kParked);
  EXPECT_EQ(actor.chain().waits_for(), "auditor b");
  EXPECT_GT(actor[0].reserved, 0u);
  EXPECT_THAT(actor[0].has, ElementsAre(0)) << "nothing is delivered to some";
  EXPECT_EQ(actor.woken, 0);
  actor[1].give_room(100'000);
  EXPECT_EQ(actor.woken, 1);
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[0].has, ElementsAre(0, 1));
  EXPECT_THAT(actor[1].has, ElementsAre(0, 1));
  EXPECT_EQ(actor[0].reserved + actor[1].reserved, 0u);
}

TEST(AuditLinksTest, BestEffortNeverWaitsAndMissesAnEventWithItsPayload) {
  Audited actor(AuditMode::kBestEffort, 0, 2);
  actor[0].give_room(60'000);
  const auto blob = blob_of(100'000);
  actor.begin({blob});
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[0].missed, ElementsAre(1)) << "it has room for the event, and not for all that it refers to";
  EXPECT_THAT(actor[1].has, ElementsAre(0, 1));
  EXPECT_TRUE(actor[1].has_blob(blob.hash, 100'000));
  actor[0].give_room(1'000'000);
  actor.begin({blob});
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[0].has, ElementsAre(0, 2));
  EXPECT_TRUE(actor[0].has_blob(blob.hash, 100'000)) << "from its beginning again";
}

TEST(AuditLinksTest, AQuorumGoesOnWithoutTheOthersAndWaitsForAnyOfThemWhenTheyAreTooFew) {
  Audited actor(AuditMode::kQuorum, 2, 3);
  actor[2].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  EXPECT_THAT(actor[0].has, ElementsAre(0, 1));
  EXPECT_THAT(actor[1].has, ElementsAre(0, 1));
  EXPECT_THAT(actor[2].missed, ElementsAre(1));

  actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kParked);
  EXPECT_EQ(actor.chain().waits_for(), "auditor b or c");
  EXPECT_EQ(actor[0].reserved, 0u) << "who waits holds nothing that others need";
  actor[2].give_room(100'000);
  EXPECT_EQ(actor.woken, 1);
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[1].missed, ElementsAre(2));
  EXPECT_THAT(actor[2].has, ElementsAre(0, 2));
  EXPECT_THAT(actor[1].wakers, IsEmpty()) << "it isn't waited for any more";
}

TEST(AuditLinksTest, AQuorumNeedsAnEventsPayloadsAtAsManyToo) {
  Audited actor(AuditMode::kQuorum, 2, 3);
  const auto blob = blob_of(100'000);
  actor[0].give_room(60'000);  // the first piece
  actor[1].give_room(60'000);
  actor.begin({blob});
  EXPECT_EQ(actor.step(), Chain::Step::kParked) << "one of them may go without, the other not";
  actor[1].give_room(1'000'000);
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[0].missed, ElementsAre(1));
  EXPECT_TRUE(actor[1].has_blob(blob.hash, 100'000) && actor[2].has_blob(blob.hash, 100'000));
}

TEST(AuditLinksTest, NobodyWaitsForWhoIsDemotedAndEverybodyForWhoIsPromoted) {
  Audited actor(AuditMode::kStrict, 0, 2);
  actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kParked);
  actor[1].demote(true);
  EXPECT_EQ(actor.woken, 1);
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(actor[1].missed, ElementsAre(1));
  actor[1].give_room(100'000);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  EXPECT_THAT(actor[1].has, ElementsAre(0, 2)) << "it gets what it has room for";
  actor[1].demote(false);
  actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kParked);
  EXPECT_EQ(actor.chain().waits_for(), "auditor b");
}

TEST(AuditLinksTest, WhoIsHungUpIsLetGoOfAndWhoIsAddedSeesTheTail) {
  Audited actor(AuditMode::kStrict, 0, 2);
  actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kParked);
  actor[1].close();
  EXPECT_EQ(actor.woken, 1);
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_EQ(actor.links->size(), 1u);
  const auto late = std::make_shared<ModelOutbox>("late");
  actor.links->add(late);
  actor.links->add(late);
  EXPECT_EQ(actor.links->size(), 2u);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  EXPECT_THAT(late->has, ElementsAre(2));
  EXPECT_THAT(late->missed, IsEmpty());
}

TEST(AuditLinksTest, WhatIsGivenUpIsGivenBack) {
  for (const auto mode : {AuditMode::kStrict, AuditMode::kQuorum}) {
    Audited actor(mode, 2, 2);
    actor[1].give_room(60'000);
    actor.begin({blob_of(100'000)});
    EXPECT_EQ(actor.step(), Chain::Step::kParked);
    actor.chain().cancel();
    EXPECT_EQ(actor[0].reserved + actor[1].reserved, 0u);
    EXPECT_THAT(actor[1].wakers, IsEmpty());
    actor[1].give_room(100'000);
    EXPECT_EQ(actor.log(), Chain::Step::kDone);
    EXPECT_THAT(actor[1].has, ElementsAre(0, 1));
  }
}

TEST(AuditLinksTest, DurableIsWhatIsDurableAtAsManyAsTheModeAsksFor) {
  int done = 0;
  Audited strict(AuditMode::kStrict, 0, 2);
  strict.links->when_durable(0, [&] { ++done; });
  strict[0].make_durable();
  EXPECT_EQ(done, 0);
  strict[1].make_durable();
  EXPECT_EQ(done, 1);

  Audited quorum(AuditMode::kQuorum, 2, 3);
  quorum.links->when_durable(0, [&] { ++done; });
  quorum[2].make_durable();
  EXPECT_EQ(done, 1);
  quorum[0].make_durable();
  EXPECT_EQ(done, 2);
  quorum[1].make_durable();
  EXPECT_EQ(done, 2) << "told once";

  Audited lax(AuditMode::kBestEffort, 0, 2);
  lax.links->when_durable(0, [&] { ++done; });
  EXPECT_EQ(done, 3);
}

TEST(AuditLinksTest, WhoMissedAnEventHasNoSayInItsDurability) {
  Audited actor(AuditMode::kQuorum, 2, 3);
  actor[2].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  int done = 0;
  actor.links->when_durable(1, [&] { ++done; });
  actor[2].make_durable();
  actor[0].make_durable();
  EXPECT_EQ(done, 0) << "c has acknowledged all that it got, and event 1 isn't in it";
  actor[1].make_durable();
  EXPECT_EQ(done, 1);

  // Of two events, a misses one and b another: only all three together have each of them twice.
  actor[2].give_room(SIZE_MAX / 2);
  actor[0].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  actor[0].give_room(SIZE_MAX / 2), actor[1].give_room(0);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  actor.links->when_durable(2, [&] { ++done; });
  actor[0].make_durable();
  actor[2].make_durable();
  EXPECT_EQ(done, 1);
  actor[1].make_durable();
  EXPECT_EQ(done, 2);
}

TEST(AuditLinksTest, WhoIsDemotedOrHungUpWhileOneWaitsForDurabilityDoesntCount) {
  int done = 0;
  Audited strict(AuditMode::kStrict, 0, 2);
  strict.links->when_durable(0, [&] { ++done; });
  strict[1].demote(true);
  EXPECT_EQ(done, 0) << "the other one still counts";
  strict[0].make_durable();
  EXPECT_EQ(done, 1);

  Audited quorum(AuditMode::kQuorum, 2, 3);
  quorum.links->when_durable(0, [&] { ++done; });
  quorum[0].close();
  quorum[1].make_durable();
  EXPECT_EQ(done, 1) << "two are left, and two are needed";
  quorum[2].make_durable();
  EXPECT_EQ(done, 2);
}

TEST(AuditLinksTest, DemotingTheLastWhoHasSomethingMakesItDurableNowhere) {
  int done = 0;
  Audited quorum(AuditMode::kQuorum, 2, 4);
  quorum[2].give_room(0), quorum[3].give_room(0);
  EXPECT_EQ(quorum.log(), Chain::Step::kDone);
  quorum[2].give_room(SIZE_MAX / 2), quorum[3].give_room(SIZE_MAX / 2);
  quorum.links->when_durable(1, [&] { ++done; });
  quorum[0].demote(true);
  quorum[1].demote(true);
  quorum[2].make_durable();
  quorum[3].make_durable();
  EXPECT_EQ(done, 0) << "event 1 is with a and b only";
  quorum[0].demote(false);
  EXPECT_EQ(done, 0) << "promoted isn't durable";
  quorum[0].make_durable();
  EXPECT_EQ(done, 1) << "each of those who count has said so, and one of them has it all";

  Audited one(AuditMode::kQuorum, 1, 2);
  one[1].give_room(0);
  EXPECT_EQ(one.log(), Chain::Step::kDone);
  one.links->when_durable(1, [&] { ++done; });
  one[0].close();
  one[1].make_durable();
  EXPECT_EQ(done, 1);
  one[0].make_durable();
  EXPECT_EQ(done, 2) << "in the time that a removed auditor is given";
}

TEST(AuditLinksTest, WhatComesAfterADemotionAsksOnlyThoseWhoAreLeft) {
  int done = 0;
  Audited actor(AuditMode::kStrict, 0, 1);
  const auto late = std::make_shared<ModelOutbox>("late");
  actor.links->when_durable(0, [&] { ++done; });
  actor.links->add(late);
  actor[0].demote(true);
  EXPECT_EQ(actor.log(), Chain::Step::kDone);
  EXPECT_THAT(late->has, ElementsAre(1));
  actor.links->when_durable(0, [&] { done += 10; });
  EXPECT_EQ(done, 0);
  late->make_durable();
  EXPECT_EQ(done, 10) << "the first goes on waiting for a";
  actor[0].make_durable();
  EXPECT_EQ(done, 11);
}

// Seen: an actor waited for room at a; b was added and a demoted; the event that waited went to nobody.
TEST(AuditLinksTest, AnEventThatWaitsGoesToThoseWhoTakeTheChainByThen) {
  Audited actor(AuditMode::kStrict, 0, 1);
  const auto late = std::make_shared<ModelOutbox>("late");
  AuditLinks::Outboxes others;
  actor.links->find_others_by([&](const ActorId& id) {
    EXPECT_EQ(id, actor.chain().id());
    return others;
  });
  actor[0].give_room(60'000);
  const auto blob = blob_of(100'000);
  actor.begin({blob});
  EXPECT_EQ(actor.step(), Chain::Step::kParked);
  actor[0].demote(true);
  EXPECT_EQ(actor.step(), Chain::Step::kParked) << "there is nobody yet";
  others = {actor.outboxes[0], late};
  EXPECT_EQ(actor.step(), Chain::Step::kDone);
  EXPECT_THAT(late->has, ElementsAre(1));
  EXPECT_TRUE(late->has_blob(blob.hash, 100'000)) << "all of it, though a had a part";
  EXPECT_EQ(late->began_at, 1u) << "the gap before it is marked";
  EXPECT_EQ(actor[0].reserved + late->reserved, 0u);
}

// Seen: the second try found somebody else full than the first, who was asked for a call; room there woke nobody.
TEST(AuditLinksTest, WhoeverIsFullAtTheLastTryIsAskedForACall) {
  class Fickle final : public Subscriber {
   public:
    bool closed() const override { return false; }
    bool try_reserve(const ActorId&, size_t) override {
      full = ++tries == 1 ? 0 : 1;
      return false;
    }
    void release(const ActorId&, size_t) override {}
    bool when_room(const ActorId&, std::function<void()>) override {
      const bool is_new = !asked.contains(full);
      asked = {full};
      return is_new;
    }
    void forget_waker(const ActorId&) override { asked.clear(); }
    void deliver(const schema::EncodedEvent&) override {}
    void end_of_chain(const ActorId&) override {}
    int tries = 0, full = 0;
    std::set<int> asked;
  };
  const auto fickle = std::make_shared<Fickle>();
  ManualClock clock;
  Chain chain(clock, [] { return [] {}; });
  chain.add(fickle);
  schema::Genesis body;
  body.name = "test";
  chain.begin(schema::kTypeGenesis, body);
  schema::EncodedEvent scratch;
  EXPECT_EQ(chain.step(scratch), Chain::Step::kParked);
  EXPECT_EQ(fickle->asked, std::set<int>{fickle->full});
  EXPECT_EQ(fickle->tries, 3);
}

// Whatever happens to the auditors: each event is at as many as it needs, with all that it refers to, and whoever
// hasn't got it knows that it missed it. An actor waits only if it has to, and is woken when it doesn't have to any
// more.
TEST(AuditLinksTest, RandomAuditorsNeverLoseAnEventBelowItsQuorum) {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
    const size_t auditors = 1 + below(5);
    const auto mode = static_cast<AuditMode>(below(3));
    const size_t k = 1 + below(auditors);
    Audited actor(mode, k, auditors);
    SCOPED_TRACE(str_cat("seed ", seed, ", ", schema::audit_mode_name(mode), " ", k, " of ", auditors));
    const auto is_last = [&](const ModelOutbox& outbox) {  // who may not be demoted or removed
      return std::ranges::none_of(actor.outboxes, [&](const auto& other) {
        return other.get() != &outbox && !other->demoted() && !other->closed();
      });
    };
    std::vector<Blob> blobs;
    for (uint64_t event = 1; event <= 60; ++event) {
      blobs.clear();
      if (below(3) == 0) blobs.push_back(blob_of(1 + below(150'000), static_cast<uint8_t>(below(4))));
      actor.begin(blobs);
      while (actor.step() == Chain::Step::kParked) {
        const int woken = actor.woken;
        ASSERT_NE(actor.chain().waits_for(), "");
        ASSERT_NE(mode, AuditMode::kBestEffort);
        // Something happens to somebody until the actor is woken.
        for (int tries = 0; actor.woken == woken && tries < 1'000; ++tries) {
          auto& outbox = actor[below(auditors)];
          if (below(20) == 0 && !is_last(outbox)) outbox.demote(true);
          if (outbox.wakers.empty()) continue;
          outbox.give_room(below(3) == 0 ? 2'000 : 120'000);
        }
        ASSERT_GT(actor.woken, woken) << "it waits for ever";
        for (auto& outbox : actor.outboxes) {
          if (below(4) == 0) outbox->give_room(200'000);
        }
      }
      size_t waited_for = 0, at = 0;
      for (auto& outbox : actor.outboxes) {
        ASSERT_EQ(outbox->reserved, 0u);
        ASSERT_TRUE(outbox->wakers.empty());
        if (outbox->closed()) continue;
        ASSERT_NE(outbox->has.contains(event), outbox->missed.contains(event));
        if (!outbox->demoted()) ++waited_for;
        if (!outbox->has.contains(event)) continue;
        if (!outbox->demoted()) ++at;
        for (const auto& blob : blobs) ASSERT_TRUE(outbox->has_blob(blob.hash, blob.bytes->size()));
      }
      ASSERT_GE(at, needed_auditors(mode, k, waited_for));
      auto& outbox = actor[below(auditors)];
      switch (below(12)) {
        case 0:
          if (outbox.demoted() || !is_last(outbox)) outbox.demote(!outbox.demoted());
          break;
        case 1: outbox.give_room(0); break;
        case 2:
        case 3: outbox.give_room(below(200'000)); break;
        case 4:
          if (below(10) == 0 && !is_last(outbox)) outbox.close();
          break;
        default: break;
      }
    }
    ASSERT_FALSE(HasFailure());
  }
}

}  // namespace
}  // namespace theater::node
