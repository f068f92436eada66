// The supervision tree as it is printed, whatever a node's list says.
#include "cli/actor_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theater::cli {
namespace {

using testing::ElementsAre;

RemoteActor actor(const std::string& id, const std::string& parent = "", const std::string& child_id = "") {
  RemoteActor actor;
  actor.id = id;
  actor.name = "n-" + id;
  actor.state = "idle";
  actor.parent = parent;
  actor.child_id = child_id;
  return actor;
}

std::vector<std::string> lines_of(const std::vector<RemoteActor>& actors, const std::string& top = "") {
  std::vector<std::string> lines;
  for (const auto& line : actor_tree(actors, top)) lines.push_back(line.branch + actors[line.actor].id);
  return lines;
}

TEST(ActorTree, SiblingsStandInTheOrderOfTheirChildIds) {
  const std::vector<RemoteActor> actors = {actor("w2", "top", "b"), actor("deep", "w1", "x"), actor("w1", "top", "a"),
                                           actor("top"), actor("alone")};
  EXPECT_THAT(lines_of(actors), ElementsAre("alone", "top", "├─ w1", "│  └─ deep", "└─ w2"));
  const auto tree = actor_tree(actors);
  EXPECT_EQ(tree[3].depth, 2u);
  EXPECT_THAT(lines_of(actors, "w1"), ElementsAre("w1", "└─ deep"));
  EXPECT_THAT(lines_of(actors, "nobody"), ElementsAre());
}

TEST(ActorTree, OrphansStandAtTheTopAndWhoHasEndedNowhere) {
  auto gone = actor("gone");
  gone.state = "ended";
  EXPECT_THAT(lines_of({gone, actor("a", "gone", "x"), actor("b", "unknown", "y")}), ElementsAre("a", "b"));
}

TEST(ActorTree, ACircleIsPrintedOnce) {
  EXPECT_THAT(lines_of({actor("a", "b", "x"), actor("b", "a", "y"), actor("c", "c", "z")}),
              ElementsAre("a", "└─ b", "c"));
}

TEST(ActorTree, AsDeepAsThereAreActors) {
  std::vector<RemoteActor> actors = {actor("0")};
  for (int i = 1; i < 20'000; ++i) actors.push_back(actor(std::to_string(i), std::to_string(i - 1), "c"));
  const auto tree = actor_tree(actors);
  ASSERT_EQ(tree.size(), actors.size());
  EXPECT_EQ(tree.back().depth, 19'999u);
  EXPECT_LT(tree.back().branch.size(), 1'000u);
}

TEST(ActorTree, ALineTellsWhoItIsAndHowItIs) {
  auto one = actor("0123456789abcdef", "p", "db");
  one.strategy = "one_for_all";
  one.restarts = 2;
  one.state = "waiting";
  one.waits_for = "auditor b";
  one.waiting_ms = 12'345;
  EXPECT_EQ(tree_text(one),
            "db: n-0123456789abcdef 0123456789ab  one_for_all  waiting for auditor b, 12 s, 2 restarts");
}

}  // namespace
}  // namespace theater::cli
