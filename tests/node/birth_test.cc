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

}  // namespace
}  // namespace theater::node
