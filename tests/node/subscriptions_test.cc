// A node's auditors change while it runs: who hears of it, from when on the new one sees what, and who waits for whom.
#include "node/runtime/subscriptions.h"

#include <gmock/gmock.h>

#include "tests/node/fake_bus.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SubscriptionsTest : public testing::Test {
 protected:
  SubscriptionsTest() : first_(node_.auditor("a")) { node_.options().bus = &bus_; }
  ~SubscriptionsTest() override { node_.stop(0); }

  Runtime& runtime() { return node_.runtime(); }
  static Auditor auditor(const std::string& name, const std::string& actors = "all", uint8_t key = 1) {
    Auditor made;
    made.link.name = name;
    made.link.data_endpoint = "tcp://there:1";
    made.link.control_endpoint = "tcp://there:2";
    made.link.server.emplace();
    made.link.server->identity.bytes[0] = made.link.server->curve.bytes[0] = key;
    made.actors = *ActorFilter::parse(actors);
    return made;
  }
  Result<bool> add(Auditor which) {
    return await<bool>(
        [&](Callback<bool> done) { runtime().add_auditor(std::move(which), operator_, std::move(done)); });
  }
  Result<RemovedAuditor> remove(const std::string& name) {
    return await<RemovedAuditor>(
        [&](Callback<RemovedAuditor> done) { runtime().remove_auditor(name, operator_, std::move(done)); });
  }
  Result<bool> demote(const std::string& name, bool demoted = true) {
    return await<bool>(
        [&](Callback<bool> done) { runtime().demote_auditor(name, demoted, operator_, std::move(done)); });
  }
  FakeOutbox& dialed(const std::string& name) { return *bus_.dialed.at(name); }
  static std::vector<std::string> types(FakeOutbox& outbox, const ActorId& actor) {
    return outbox.record().types(actor);
  }
  // Facts are stated when their chain gets to it.
  static bool will_have(FakeOutbox& outbox, const ActorId& chain, const std::string& type) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (std::chrono::steady_clock::now() < until) {
      if (std::ranges::count(types(outbox, chain), type) != 0) return true;
      std::this_thread::yield();
    }
    return false;
  }
  // The record of the newest fact of that type.
  static std::string newest(FakeOutbox& outbox, const ActorId& chain, std::string_view type) {
    std::string found;
    for (const auto& event : outbox.record().chain(chain)) {
      const auto decoded = schema::decode_event(event.bytes);
      if (decoded->header.type == type) found = schema::to_json(std::get<schema::Fact>(decoded->body).value);
    }
    return found;
  }
  // Done with all that it was woken for.
  void settle(const ActorId& actor) { ASSERT_TRUE(request(runtime(), actor, "settle").ok()); }

  const schema::Operator operator_{PublicKey{{7}}, "test"};
  FakeBus bus_;
  FakeNode node_;
  FakeOutbox& first_;
};

TEST_F(SubscriptionsTest, WhoIsAddedSeesTheTailAndThoseWhoWereThereHearOfItFirst) {
  const auto actor = node_.spawn();
  settle(actor);
  ASSERT_EQ(add(auditor("late")).value(), true);
  settle(actor);
  const auto at_first = types(first_, actor), at_late = types(dialed("late"), actor);
  const auto added = std::find(at_first.begin(), at_first.end(), "auditor-added fact");
  ASSERT_NE(added, at_first.end());
  EXPECT_EQ(std::vector<std::string>(added + 1, at_first.end()), at_late) << "from right behind that fact on";
  EXPECT_THAT(at_late, Not(IsEmpty()));
  EXPECT_THAT(newest(first_, actor, kFactAuditorAdded), HasSubstr("late"));
  EXPECT_THAT(types(dialed("late"), runtime().node_chain()), Not(Contains("subscription-added fact")));
  EXPECT_THAT(newest(first_, runtime().node_chain(), kFactSubscriptionAdded),
              testing::AllOf(HasSubstr("late"), HasSubstr("operator 07"), HasSubstr("all")));

  const auto second = node_.spawn();
  EXPECT_EQ(types(dialed("late"), second), types(first_, second)) << "all of a life that begins afterwards";
  EXPECT_THAT(types(first_, second), Not(Contains("auditor-added fact")));
  EXPECT_TRUE(will_have(dialed("late"), runtime().node_chain(), "spawn fact"));
  const auto genesis = schema::decode_event(first_.record().chain(second)[0].bytes);
  EXPECT_EQ(std::get<schema::Genesis>(genesis->body).audit.auditors, 2);
  expect_all_replay(node_);
}

TEST_F(SubscriptionsTest, AddingIsIdempotentAndOtherParticularsAreRefused) {
  ASSERT_EQ(add(auditor("late")).value(), true);
  EXPECT_EQ(add(auditor("late")).value(), false);
  EXPECT_THAT(add(auditor("late", "name:x")).error().message, HasSubstr("other particulars"));
  EXPECT_THAT(add(auditor("late", "all", 2)).error().message, HasSubstr("other particulars"));
  EXPECT_THAT(add(auditor("other")).error().message, HasSubstr("that key is auditor 'late'"));
  EXPECT_THAT(add(auditor("bad name", "all", 3)).error().message, HasSubstr("an auditor's name"));
  auto unreachable = auditor("unreachable", "all", 4);
  unreachable.link.data_endpoint = "tcp://bad";
  EXPECT_THAT(add(unreachable).error().message, HasSubstr("no such place"));
  unreachable.link.data_endpoint = "tcp://there:1";
  EXPECT_EQ(add(unreachable).value(), true) << "nothing is left of the attempt";
  EXPECT_EQ(runtime().auditors().size(), 3u);
}

TEST_F(SubscriptionsTest, WhoIsRemovedGetsNothingMoreAndTheLastOneStays) {
  const auto actor = node_.spawn();
  EXPECT_EQ(remove("nobody").value().removed, false);
  EXPECT_THAT(remove("a").error().message, HasSubstr("the last auditor"));
  ASSERT_EQ(add(auditor("late")).value(), true);
  settle(actor);
  bus_.lost_events = 3;
  const auto removed = remove("late").value();
  EXPECT_EQ(std::make_pair(removed.removed, removed.lost_events), std::make_pair(true, uint64_t{3}));
  const auto at_late = types(dialed("late"), actor);
  settle(actor);
  EXPECT_EQ(types(dialed("late"), actor), at_late);
  EXPECT_TRUE(will_have(first_, actor, "auditor-removed fact"));
  EXPECT_THAT(types(dialed("late"), runtime().node_chain()), Contains("subscription-removed fact"))
      << "it was there when that was said";
  EXPECT_EQ(remove("late").value().removed, false);
  EXPECT_EQ(runtime().auditors().size(), 1u);

  // One that was configured goes as well, when another takes all.
  ASSERT_EQ(add(auditor("next")).value(), true);
  EXPECT_EQ(remove("a").value().removed, true);
  settle(actor);
  EXPECT_THAT(types(dialed("next"), actor), Contains("handle-request wasm-call"));
}

TEST_F(SubscriptionsTest, WhatIsTakenIsChosenByNameOrId) {
  const auto actor = node_.spawn();  // called "test"
  ASSERT_EQ(add(auditor("by-name", "name:te*")).value(), true);
  ASSERT_EQ(add(auditor("by-id", "id:" + actor.hex(), 2)).value(), true);
  ASSERT_EQ(add(auditor("others", "name:web-?", 3)).value(), true);
  settle(actor);
  EXPECT_THAT(types(dialed("by-name"), actor), Contains("handle-request wasm-call"));
  EXPECT_THAT(types(dialed("by-id"), actor), Contains("handle-request wasm-call"));
  EXPECT_THAT(types(dialed("others"), actor), IsEmpty());
  EXPECT_THAT(types(dialed("by-name"), runtime().node_chain()), IsEmpty());
  const auto second = node_.spawn();
  EXPECT_THAT(types(dialed("by-name"), second), Contains("genesis genesis"));
  EXPECT_THAT(types(dialed("by-id"), second), IsEmpty());
  EXPECT_FALSE(ActorFilter::parse("web-*").ok());
  EXPECT_FALSE(ActorFilter::parse("id:3fa").ok());
}

TEST_F(SubscriptionsTest, AnActorThatRestsCatchesUpWhenItComesBack) {
  const auto actor = node_.spawn("worker", "[limits]\npassivate_after = \"1 ms\"\n");
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (runtime().counts().laid_down == 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_EQ(runtime().counts().laid_down, 1u);
  ASSERT_EQ(add(auditor("gone", "all", 2)).value(), true);
  ASSERT_EQ(remove("gone").value().removed, true);
  ASSERT_EQ(add(auditor("late")).value(), true);
  EXPECT_EQ(runtime().counts().laid_down, 1u) << "nothing of it is needed for that";
  settle(actor);
  const auto at_first = types(first_, actor), at_late = types(dialed("late"), actor);
  const auto added = std::find(at_first.begin(), at_first.end(), "auditor-added fact");
  ASSERT_NE(added, at_first.end());
  ASSERT_GE(at_late.size(), 2u);
  EXPECT_EQ(added[-1], "passivated fact");
  EXPECT_EQ(added[1], at_late[0]);
  EXPECT_EQ(std::count(at_first.begin(), at_first.end(), "auditor-added fact"), 1) << "who came and went isn't told";
  EXPECT_THAT(at_first, Not(Contains("auditor-removed fact")));
  expect_all_replay(node_);
}

// Its effects wait for what isn't durable yet, and that may be from before it rested: who had that must not be
// forgotten.
TEST_F(SubscriptionsTest, AQuorumThatRestedNeedsNoMoreThanBefore) {
  auto& second = node_.auditor("b");
  const auto actor = node_.spawn("worker",
                                 "[limits]\npassivate_after = \"1 ms\"\n[audit]\nmode = \"quorum\"\nquorum = 1\n"
                                 "effects = \"gated\"\n");
  for (int i = 0; i < 2; ++i) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (runtime().counts().laid_down == 0 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::promise<void> answered;
    runtime().request(actor, to_bytes("hello"), schema::Operator{}, 0, false,
                      [&](const Result<std::optional<Bytes>>&) { answered.set_value(); });
    auto answer = answered.get_future();
    while (second.waiting_for_durable() == 0) std::this_thread::yield();
    second.make_durable();
    EXPECT_EQ(answer.wait_for(kLong), std::future_status::ready) << "one of the two is enough";
  }
}

TEST_F(SubscriptionsTest, NobodyWaitsForWhoIsDemotedAndAllHearOfIt) {
  auto& second = node_.auditor("b");
  const auto actor = node_.spawn();
  second.give_room(0);
  std::promise<bool> answered;
  runtime().request(actor, to_bytes("log 3"), {}, 0, true,
                    [&](const Result<std::optional<Bytes>>& reply) { answered.set_value(reply.ok()); });
  ASSERT_TRUE(wait_for_state(runtime(), actor, "waiting", "auditor b"));
  EXPECT_THAT(demote("nobody").error().message, HasSubstr("subscription list"));
  EXPECT_EQ(demote("b").value(), true);
  EXPECT_EQ(demote("b").value(), false);
  EXPECT_THAT(demote("a").error().message, HasSubstr("nobody would have their record"));
  while (first_.waiting_for_durable() == 0) std::this_thread::yield();
  first_.make_durable();
  EXPECT_TRUE(answered.get_future().get());
  EXPECT_GT(second.dropped(), 0u);
  EXPECT_TRUE(runtime().auditors()[1].status.demoted);
  EXPECT_TRUE(will_have(first_, runtime().node_chain(), "subscription-demoted fact"));
  EXPECT_THAT(newest(first_, runtime().node_chain(), kFactSubscriptionDemoted), HasSubstr("operator 07"));
  EXPECT_EQ(demote("b", false).value(), true);
  EXPECT_EQ(demote("b", false).value(), false);
  std::promise<void> again;
  runtime().request(actor, to_bytes("log 3"), {}, 0, false,
                    [&](const Result<std::optional<Bytes>>&) { again.set_value(); });
  EXPECT_TRUE(wait_for_state(runtime(), actor, "waiting", "auditor b"));
  second.record().gaps_expected = true;
  second.give_room(SIZE_MAX);
  again.get_future().get();
}

TEST_F(SubscriptionsTest, AChangeWaitsForTheNodesChainAndADemotionDoesnt) {
  first_.give_room(0);
  std::promise<Result<bool>> added;
  runtime().add_auditor(auditor("late"), operator_, [&](Result<bool> result) { added.set_value(std::move(result)); });
  EXPECT_THAT(add(auditor("late")).error().message, HasSubstr("which has no room for the node's own chain"));
  EXPECT_EQ(runtime().auditors().size(), 1u) << "not in effect yet";
  first_.record().gaps_expected = true;
  while (!demote("a").ok()) std::this_thread::yield();  // until late is dialed, it is the last one
  EXPECT_EQ(added.get_future().get().value(), true);
  EXPECT_EQ(runtime().auditors().size(), 2u);
  first_.give_room(SIZE_MAX);
}

TEST_F(SubscriptionsTest, AQuorumHasToBePossible) {
  node_.auditor("b");
  EXPECT_EQ(node::spawn(runtime(), node_.asks("worker", "[audit]\nmode = \"quorum\"\nquorum = 3\n")).error().message,
            "audit.quorum of 'test' is 3, and its chain goes to 2 auditors; see theater subscription list");
  ASSERT_EQ(add(auditor("late")).value(), true);
  const auto actor = node_.spawn("worker", "[audit]\nmode = \"quorum\"\nquorum = 2\n");
  dialed("late").give_room(0);
  settle(actor);
  EXPECT_THAT(types(first_, actor), Contains("handle-request wasm-result"));
  EXPECT_GT(dialed("late").dropped(), 0u);
  const auto genesis = schema::decode_event(first_.record().chain(actor)[0].bytes);
  const schema::AuditPolicy policy{schema::AuditMode::kQuorum, 2, 3, false};
  EXPECT_EQ(std::get<schema::Genesis>(genesis->body).audit, policy);
  ASSERT_EQ(demote("late").value(), true);  // so that the node can stop
}

TEST(SubscriptionsWithoutABusTest, AreWhatTheyAreAtTheStart) {
  FakeNode node;
  node.auditor("a");
  node.auditor("b");
  node.filters["b"] = "name:web-*";
  const auto actor = node.spawn();
  EXPECT_THAT(node.outboxes()[1]->record().chain(actor), IsEmpty());
  EXPECT_THAT(node.outboxes()[1]->record().chain(node.runtime().node_chain()), IsEmpty());
  const auto removed = await<RemovedAuditor>(
      [&](Callback<RemovedAuditor> done) { node.runtime().remove_auditor("b", {}, std::move(done)); });
  EXPECT_THAT(removed.error().message, HasSubstr("can't be changed"));
}

}  // namespace
}  // namespace theater::node
