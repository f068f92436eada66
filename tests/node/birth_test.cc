// Actors that wait to be born: for room in the node's own chain, or for room for their genesis.
#include "node/runtime/node_chain.h"
#include "tests/node/family.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::HasSubstr;

constexpr const char* kBestEffort = "[audit]\nmode = \"best-effort\"\n";

// Two facts a life, thousands a second, that nobody takes: the queue had no bound but the memory.
TEST(BirthTest, ChildrenWaitForRoomInTheNodesChain) {
  constexpr int kLives = 1'500;
  FakeNode node;
  auto& auditor = node.auditor("away", 0);
  node.package("parent", {.imports = {kSupervise + "start-child"},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, [](wasm::FakeCall& call) {
                                         for (int i = 0; i < kLives; ++i) {
                                           call.host(kSupervise + "start-child", {Value::none()});
                                         }
                                         call.result(ok_reply("", "done"));
                                       }}}});
  node.package("short-lived", {.imports = {kShutdownCall}, .exports = {{kInit, [](wasm::FakeCall& call) {
                                                                          call.host(kShutdownCall, {Value::none()});
                                                                          call.result(ok_state());
                                                                        }}}});
  SpawnRequest spawned;
  spawned.manifest = FakeNode::manifest(
      "parent", str_cat("[[handler]]\ntype = \"supervisor\"\n[supervisor]\nstrategy = \"simple_one_for_one\"\n",
                        "[[child]]\nid = \"kid\"\nmanifest = \"kid.toml\"\nrestart = \"temporary\"\n", kBestEffort));
  spawned.package = to_bytes("parent");
  spawned.children["kid"].manifest = str_cat("name = \"kid\"\n[[handler]]\ntype = \"runtime\"\n", kBestEffort);
  spawned.children["kid"].package = to_bytes("short-lived");
  const auto parent = node::spawn(node.runtime(), std::move(spawned));
  ASSERT_TRUE(parent.ok()) << parent.error().message;

  std::promise<Result<std::optional<Bytes>>> promise;
  auto done = promise.get_future();
  node.runtime().request(parent->id, to_bytes("go"), {}, 0, false,
                         [&](auto result) { promise.set_value(std::move(result)); });
  const auto waiting = [&] { return node.runtime().metrics().node_facts_waiting; };
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (waiting() < NodeChain::kFactsMax && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout) << "its child waits";
  EXPECT_LE(waiting(), NodeChain::kFactsMax + 3) << "beside the ends of those that live";
  auditor.give_room(SIZE_MAX);
  const auto result = done.get();
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(node.runtime().metrics().spawned, kLives + 1u);
}

// Whoever waited for its end, or shared it, waited for ever.
TEST_F(FamilyTest, WhoIsNeverBornIsGoneForThoseWhoKnewIt) {
  const auto watcher = family("", {}, "watcher"), friendly = boss();
  const auto queue = std::make_shared<QueueSubscriber>(1, QueueSubscriber::Overflow::kStrict);
  const auto other = node.spawn();
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(other, queue, std::move(done)); }).ok());
  node.runtime().request(other, to_bytes("fill the queue"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), other, "waiting", "a subscriber"));
  auto request = node.asks("worker");
  request.manifest = FakeNode::manifest("late");
  request.subscribers = {queue};
  std::promise<Result<ActorInfo>> born;
  node.runtime().spawn(std::move(request), [&](Result<ActorInfo> result) { born.set_value(std::move(result)); });
  std::optional<ActorId> late;
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (!late && std::chrono::steady_clock::now() < until) {
    const auto all = list(node.runtime());
    for (const auto& info : *all) {
      if (info.name == "late") late = info.id;
    }
  }
  ASSERT_TRUE(late);
  EXPECT_EQ(ask(watcher, "monitor " + late->hex()), "ok(1)");
  EXPECT_EQ(ask(friendly, "link " + late->hex()), "ok");
  ASSERT_TRUE(kill(node.runtime(), *late).ok());
  EXPECT_THAT(state_with(watcher, "("), HasSubstr("(1,\"" + late->hex().substr(0, 36)));
  EXPECT_THAT(ended(node.runtime(), friendly)->ended, HasSubstr("it was linked to " + late->short_hex()));
  EXPECT_FALSE(born.get_future().get().ok());
  queue->close();
}

}  // namespace
}  // namespace theater::node
