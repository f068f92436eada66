// Families whose members rest: whose child an actor is, whom it is linked to and who watches it outlive the actor
// itself.
#include "tests/node/family.h"

namespace theater::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kRestsSoon = "[limits]\npassivate_after = \"5 ms\"\n";

class RestingFamilyTest : public FamilyTest {
 protected:
  RestingFamilyTest() {
    std::vector<std::string> links;
    for (const auto& function : wasm::host_functions()) {
      if (function.handler == "links") links.push_back(function.type_name);
    }
    node.package("linker", {.imports = links,
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, obey_boss}}});
    node.package("monitor", {.imports = links,
                             .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                         {kHandleRequest, obey_boss},
                                         {"theater:simple/links-client@0.1.0/handle-down", note}}});
  }
  ActorId alone(const std::string& package) {
    SpawnRequest request;
    request.manifest = FakeNode::manifest(package, "[[handler]]\ntype = \"links\"\n" + kRestsSoon);
    request.package = to_bytes(package);
    auto actor = node::spawn(node.runtime(), std::move(request));
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  }
  bool laid_down(size_t actors) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (node.runtime().counts().laid_down != actors && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return node.runtime().counts().laid_down == actors;
  }
};

TEST_F(RestingFamilyTest, AChildThatRestsIsStillItsSupervisors) {
  const auto sup = family("intensity = 10", {{"a", "", "worker", kRestsSoon}});
  const auto first = next_life("a");
  ASSERT_TRUE(laid_down(1));
  ASSERT_TRUE(kill(node.runtime(), first).ok());
  const auto second = next_life("a", first);
  ASSERT_TRUE(laid_down(1));
  EXPECT_EQ(ask(second, "hello"), "hello");
  trap(second);
  next_life("a", second);
  while (decisions(sup).size() < 11) std::this_thread::yield();  // it lives before its supervisor has been told
  EXPECT_THAT(decisions(sup), ElementsAre("start-child a", "child-started", "started",                           //
                                          "child-exited killed", "restart a", "start-child a", "child-started",  //
                                          "child-exited error", "restart a", "start-child a", "child-started"));
}

TEST_F(RestingFamilyTest, ChildrenThatRestStopInReverseWithTheirSupervisorAndWithTheNode) {
  for (const bool whole_node : {false, true}) {
    const auto sup = family("", {{"a", "", "worker", kRestsSoon}, {"b", "", "worker", kRestsSoon}});
    ASSERT_TRUE(laid_down(2));
    if (whole_node) {
      EXPECT_TRUE(node.stop(10'000));
    } else {
      EXPECT_TRUE(stop(node.runtime(), sup).ok());
    }
    EXPECT_THAT(decisions(sup),
                ElementsAre("start-child a", "child-started", "start-child b", "child-started", "started",
                            "stop-child b", "child-exited shutdown", "stop-child a", "child-exited shutdown", "end"));
  }
}

TEST_F(RestingFamilyTest, LinksOutliveARest) {
  const auto one = alone("linker"), other = alone("linker"), third = alone("linker");
  EXPECT_THAT(ask(one, "link " + other.hex()), HasSubstr("ok"));
  ASSERT_TRUE(laid_down(3));
  ASSERT_TRUE(kill(node.runtime(), other).ok());
  const auto end = ended(node.runtime(), one);
  ASSERT_TRUE(end.ok());
  EXPECT_THAT(end->ended, HasSubstr("it was linked to"));
  EXPECT_EQ(ask(third, "state"), "");
}

TEST_F(RestingFamilyTest, MonitorsOutliveARestAndWakeWhoWatches) {
  const auto watched = alone("linker"), watcher = alone("monitor");
  EXPECT_THAT(ask(watcher, "monitor " + watched.hex()), HasSubstr("ok(1)"));
  ASSERT_TRUE(laid_down(2));
  ASSERT_TRUE(kill(node.runtime(), watched, "enough").ok());
  EXPECT_THAT(state_with(watcher, "enough"), HasSubstr("(1,"));
  ASSERT_TRUE(laid_down(1));
  const auto next = alone("linker");  // a number is never given twice
  EXPECT_THAT(ask(watcher, "monitor " + next.hex()), HasSubstr("ok(2)"));
}

}  // namespace
}  // namespace theater::node
