// Links and monitors while events wait: what others do to an actor is bounded, and is told in the right order.
#include "tests/node/family.h"

namespace theater::node {
namespace {

using schema::Value;
using Overflow = QueueSubscriber::Overflow;

class LinksTest : public FamilyTest {
 protected:
  static constexpr const char* kLinks = "[[handler]]\ntype = \"links\"\n";

  LinksTest() {
    // "ID N": links to that one and unlinks again, N times.
    node.package("fickle", {.imports = {kLinking + "link", kLinking + "unlink"},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, [](wasm::FakeCall& call) {
                                           const auto message = message_of(call);
                                           const auto other = Value::string(message.substr(0, message.find(' ')));
                                           const int times = std::stoi(message.substr(message.find(' ')));
                                           for (int i = 0; i < times; ++i) {
                                             call.host(kLinking + "link", {other});
                                             call.host(kLinking + "unlink", {other});
                                           }
                                           call.result(ok_reply("", "done"));
                                         }}}});
  }

  // All but its next event wait until the queue is closed.
  std::shared_ptr<QueueSubscriber> hold_up(const ActorId& actor) {
    auto queue = std::make_shared<QueueSubscriber>(1, Overflow::kStrict);
    EXPECT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actor, queue, std::move(done)); }).ok());
    return queue;
  }
  int64_t facts_of_links(const ActorId& actor) {
    return std::ranges::count_if(auditor.record().types(actor),
                                 [](const auto& type) { return type == "link fact" || type == "unlink fact"; });
  }
};

// Each was a fact: whoever linked in a loop filled the memory of a node whose auditor was away.
TEST_F(LinksTest, LinkingInALoopLeavesNoMoreToTellThanTheLastWord) {
  const auto fickle = node.spawn("fickle", kLinks), b = node.spawn();
  const auto queue = hold_up(b);
  node.runtime().request(b, to_bytes("log 2"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "a subscriber"));
  ASSERT_EQ(ask(fickle, b.hex() + " 10000"), "done");
  queue->close();
  ASSERT_EQ(ask(b, "hello"), "hello");
  EXPECT_LE(facts_of_links(b), 1);
}

TEST_F(LinksTest, WhatOthersDoToItsLinksIsHeldToAnActorsEventsASecond) {
  const auto fickle = node.spawn("fickle", kLinks), b = node.spawn("worker", "[limits]\nevents_per_second = 10\n");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(ask(fickle, b.hex() + " 2000"), "done");
  const auto facts = facts_of_links(b);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(static_cast<double>(facts), 12 + 10 * took.count());
}

// It was killed "because it was linked" to one whose chain never said so.
TEST_F(LinksTest, ALinkWhoseEventNeverCameWasNone) {
  const auto a = boss(), b = boss();
  const auto queue = hold_up(a);
  node.runtime().request(a, to_bytes("link " + b.hex()), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "a subscriber"));
  EXPECT_EQ(ask(b, "state"), "");
  EXPECT_EQ(facts_of_links(b), 0);
  node.runtime().kill(a, {}, "test", [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "stopping"));
  queue->close();
  ASSERT_TRUE(ended(node.runtime(), a).ok());
  EXPECT_EQ(ask(b, "state"), "") << "it lives";
  EXPECT_EQ(facts_of_links(b), 0);
}

TEST_F(LinksTest, WhoEndsBeforeTheLinksEventTakesTheOtherAlong) {
  const auto a = boss(), b = boss();
  const auto queue = hold_up(a);
  node.runtime().request(a, to_bytes("link " + b.hex()), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "a subscriber"));
  trap(b);
  ASSERT_TRUE(ended(node.runtime(), b).ok());
  EXPECT_EQ(show(node.runtime(), a)->state, "waiting");
  queue->close();
  EXPECT_THAT(ended(node.runtime(), a)->ended, testing::HasSubstr("it was linked to " + b.short_hex()));
  const auto types = auditor.record().types(a);
  EXPECT_THAT(types, testing::Contains("link host-call"));
}

TEST_F(LinksTest, AnUnlinkWhoseEventNeverCameWasNone) {
  const auto a = boss(), b = family("", {}, "watcher");
  ASSERT_EQ(ask(a, "link " + b.hex()), "ok");
  const auto queue = hold_up(a);
  node.runtime().request(a, to_bytes("unlink " + b.hex()), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "a subscriber"));
  node.runtime().kill(a, {}, "test", [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "stopping"));
  queue->close();
  EXPECT_THAT(state_with(b, "("), testing::HasSubstr(a.hex().substr(0, 38)));
  EXPECT_EQ(facts_of_links(b), 1);
}

TEST_F(LinksTest, ANameIsGivenUpWithTheEvent) {
  const auto a = boss(), b = boss();
  ASSERT_EQ(ask(a, "register one"), "ok");
  const auto queue = hold_up(a);
  node.runtime().request(a, to_bytes("unregister one"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "a subscriber"));
  EXPECT_THAT(ask(b, "register one"), testing::HasSubstr("belongs to actor"));
  queue->close();
  ASSERT_THAT(ask(a, "state"), "");
  EXPECT_EQ(ask(b, "register one"), "ok");
  EXPECT_THAT(ask(a, "unregister one"), testing::HasSubstr("isn't this actor's name"));
}

}  // namespace
}  // namespace theater::node
