// Gated effects: nothing of an actor reaches the outside before the record of it is durable at its auditors.
#include <gmock/gmock.h>

#include <filesystem>

#include "node/actor/gate.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kWrite = "theater:simple/filesystem@0.1.0/write";
constexpr const char* kGated = "[audit]\neffects = \"gated\"\n";

// An answer that the test looks at without waiting for it.
struct Asked {
  std::promise<Result<std::optional<Bytes>>> promise;
  std::future<Result<std::optional<Bytes>>> future = promise.get_future();
  bool here() const { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  std::string text() {
    if (future.wait_for(kLong) != std::future_status::ready) return "nothing came";
    const auto reply = future.get();
    return reply.ok() ? std::string(as_text(reply->value_or(Bytes{}))) : reply.error().message;
  }
};

class GateTest : public testing::Test {
 protected:
  GateTest() {
    std::string pattern = (fs::temp_directory_path() / "theater-gate-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    node_.package("writer", {.imports = {kWrite},
                             .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                         {kHandleRequest, [](wasm::FakeCall& call) {
                                            using schema::Value;
                                            call.host(kWrite, {Value::string("out/file"), Value::bytes(to_bytes("x"))});
                                            call.then([](wasm::FakeCall& then) {
                                              then.result(ok_reply(std::nullopt, "written"));
                                            });
                                          }}}});
  }
  ~GateTest() override {
    node_.stop(0);
    fs::remove_all(folder_);
  }

  std::string folder_grant() const {
    return str_cat("[[handler]]\ntype = \"filesystem\"\n[[handler.folder]]\nname = \"out\"\npath = \"",
                   folder_.string(), "\"\nmode = \"read-write\"\n");
  }
  bool file_is_there() const { return fs::exists(folder_ / "file"); }
  std::shared_ptr<Asked> ask(const ActorId& actor, std::string_view message, uint64_t timeout_ms = 0) {
    auto asked = std::make_shared<Asked>();
    node_.runtime().request(
        actor, to_bytes(message), {}, timeout_ms, false,
        [asked](Result<std::optional<Bytes>> reply) { asked->promise.set_value(std::move(reply)); });
    return asked;
  }
  GateInfo gate_of(const ActorId& actor) { return show(node_.runtime(), actor)->gate.value(); }
  void wait_until_held(const ActorId& actor) {
    while (gate_of(actor).held == 0) std::this_thread::yield();
  }
  // What was held before is released on the command thread: until that is done.
  void make_durable(size_t auditor) {
    while (node_.outboxes()[auditor]->waiting_for_durable() == 0) std::this_thread::yield();
    node_.outboxes()[auditor]->make_durable();
  }

  fs::path folder_;
  FakeNode node_;
};

TEST_F(GateTest, AnAnswerWaitsForEveryAuditorOfAGatedActorAndOfNoOther) {
  node_.auditor("a");
  node_.auditor("b");
  const auto at_once = node_.spawn(), gated = node_.spawn("worker", kGated);
  EXPECT_EQ(ask(at_once, "hello")->text(), "hello");
  const auto asked = ask(gated, "hello");
  wait_until_held(gated);
  make_durable(0);
  EXPECT_FALSE(asked->here());
  EXPECT_EQ(gate_of(gated).released, 0u);
  make_durable(1);
  EXPECT_EQ(asked->text(), "hello");
  EXPECT_EQ(gate_of(gated).released, 1u);
  EXPECT_EQ(gate_of(gated).held, 0u);
  EXPECT_FALSE(show(node_.runtime(), at_once)->gate.has_value());
}

TEST_F(GateTest, AGuestsErrorIsAnAnswerToo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "fail");
  wait_until_held(actor);
  EXPECT_FALSE(asked->here());
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("no, thank you"));
}

TEST_F(GateTest, ATrapIsAnAnswerToo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "trap");
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("the test said so"));
}

TEST_F(GateTest, TheDiskIsTouchedOnlyWhenTheIntentIsDurable) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  const auto info = show(node_.runtime(), actor);
  EXPECT_THAT(info->waits_for, HasSubstr("intent isn't durable"));
  EXPECT_FALSE(file_is_there());
  make_durable(0);
  while (!file_is_there()) std::this_thread::yield();
  EXPECT_FALSE(asked->here()) << "the answer waits, too";
  make_durable(0);
  EXPECT_EQ(asked->text(), "written");
  EXPECT_EQ(gate_of(actor).released, 2u);
  node_.stop(10'000);
  expect_all_replay(node_);
}

TEST_F(GateTest, WhatIsKilledWhileItIsHeldNeverHappens) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  ASSERT_TRUE(kill(node_.runtime(), actor, "enough").ok());
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("enough"));
  EXPECT_FALSE(file_is_there());
}

TEST_F(GateTest, TheTimeThatItIsHeldIsNotTheGuests) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated + "[limits]\ncall_timeout = \"100 ms\"\n");
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  make_durable(0);
  make_durable(0);
  EXPECT_EQ(asked->text(), "written");
}

TEST_F(GateTest, AnAnswerThatNobodyWaitsForAnyMoreIsDiscardedAndTheRecordSaysSo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "hello", 50);
  EXPECT_THAT(asked->text(), HasSubstr("no answer within 50 ms"));
  make_durable(0);
  while (gate_of(actor).discarded == 0) std::this_thread::yield();
  const auto is_told = [&] {
    for (const auto& event : node_.record().chain(actor)) {
      if (schema::check_event(event.bytes)->header.type == kFactAnswerDiscarded) return true;
    }
    return false;
  };
  while (!is_told()) std::this_thread::yield();
  EXPECT_EQ(gate_of(actor).released, 0u);
  node_.stop(10'000);
  expect_all_replay(node_);
}

TEST_F(GateTest, AQuorumIsEnoughAndOneThatIsDeadHoldsUpNothing) {
  for (const char* name : {"a", "b", "c"}) node_.auditor(name);
  node_.outboxes()[2]->give_room(1'000'000);
  const auto actor = node_.spawn("worker", "[audit]\nmode = \"quorum\"\nquorum = 2\neffects = \"gated\"\n");
  for (int i = 0; i < 3; ++i) {
    const auto asked = ask(actor, "hello");
    wait_until_held(actor);
    make_durable(0);
    EXPECT_FALSE(asked->here());
    make_durable(1);
    EXPECT_EQ(asked->text(), "hello");
    node_.outboxes()[2]->give_room(0);  // from now on it misses everything
  }
}

TEST_F(GateTest, AMessageWithinTheNodeIsNotHeld) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  ASSERT_TRUE(send(node_.runtime(), actor, "anything").ok());
  while (show(node_.runtime(), actor)->events < 6) std::this_thread::yield();
  EXPECT_EQ(gate_of(actor).held, 0u);
}

TEST_F(GateTest, BestEffortHasNobodyToWaitFor) {
  node_.auditor("a");
  const auto refused =
      node::spawn(node_.runtime(), node_.asks("worker", "[audit]\nmode = \"best-effort\"\neffects = \"gated\"\n"));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("there is nobody to wait for"));
}

}  // namespace
}  // namespace theater::node
