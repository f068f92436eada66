// Passivation: who has nothing to do gives up its instance and keeps its state, what comes next brings it back, and
// nothing is lost, doubled or out of order on the way. Each test replays the chains that it made.
#include <gmock/gmock.h>

#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kCurrent = "theater:simple/message-server-host@0.1.0/current-request";
constexpr const char* kRespond = "theater:simple/message-server-host@0.1.0/respond-to-request";
constexpr const char* kSoon = "[limits]\npassivate_after = \"5 ms\"\n";

// Counts its calls in memory, and in its state. Answers "memory/state".
void count(wasm::FakeCall& call) {
  call.memory().push_back(1);
  std::string state = state_of(call);
  state.push_back('+');
  call.result(ok_reply(state, str_cat(call.memory().size(), "/", state.size())));
}

// "later": answers only when somebody says "now N".
void answer_later(wasm::FakeCall& call) {
  const std::string message = message_of(call);
  if (message.starts_with("now ")) {
    call.host(kRespond,
              {schema::Value::u64(std::stoull(message.substr(4))), schema::Value::bytes(to_bytes("at last"))});
    return call.result(ok_reply("", "said"));
  }
  call.host(kCurrent, {});
  call.then([](wasm::FakeCall& then) {
    const auto number = *then.answers().back().get<schema::Value::Option>()->payload->get<uint64_t>();
    then.result(ok_reply(str_cat(number), std::nullopt));
  });
}

class PassivationTest : public testing::Test {
 protected:
  PassivationTest() {
    node.package("counts", {.imports = {kLogCall},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, count},
                                        {kHandleSend, [](wasm::FakeCall& call) {
                                           call.result(ok_state(state_of(call) + message_of(call)));
                                         }}}});
    node.package("later", {.imports = {kCurrent, kRespond},
                           .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                       {kHandleRequest, answer_later}}});
    // Its second instance traps. A real guest would learn that from the host; this one looks at the test.
    node.package("wakes badly", {.imports = {},
                                 .exports = {{"_initialize",
                                              [this](wasm::FakeCall& call) {
                                                if (born.exchange(true)) call.trap("not again");
                                              }},
                                             {kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                             {kHandleRequest, count}}});
  }
  ~PassivationTest() override {
    node.stop(10'000);
    born = false;
    expect_all_replay(node);
  }

  std::string ask(const ActorId& actor, const std::string& message = "") {
    const auto answer = request(node.runtime(), actor, message);
    if (!answer.ok()) return "failed: " + answer.error().message;
    return *answer ? std::string(as_text(**answer)) : "none";
  }
  bool passivated(const ActorId& actor) { return wait_for_state(node.runtime(), actor, "passivated"); }

  std::atomic<bool> born{false};
  FakeNode node;
};

TEST_F(PassivationTest, TheMemoryGoesAndTheStateStays) {
  const ActorId actor = node.spawn("counts", kSoon);
  EXPECT_EQ(ask(actor), "1/1");
  ASSERT_TRUE(passivated(actor));
  EXPECT_EQ(show(node.runtime(), actor)->memory_bytes, 0u);
  EXPECT_EQ(ask(actor), "1/2");
  ASSERT_TRUE(passivated(actor));
  const auto events = show(node.runtime(), actor)->events;
  EXPECT_EQ(ask(actor), "1/3");
  const auto types = node.record().types(actor);
  const std::vector<std::string> tail(types.begin() + static_cast<ptrdiff_t>(events) - 1,
                                      types.begin() + static_cast<ptrdiff_t>(events) + 4);
  EXPECT_THAT(tail, ElementsAre("passivated fact", "_initialize wasm-call", "_initialize wasm-result",
                                "handle-request wasm-call", "handle-request wasm-result"));
}

TEST_F(PassivationTest, WhoHasWorkIsLeftAlone) {
  const ActorId actor = node.spawn("counts", "[limits]\npassivate_after = \"300 ms\"\n");
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(900);
  int asked = 0;
  while (std::chrono::steady_clock::now() < until) {
    ASSERT_EQ(ask(actor), str_cat(asked + 1, "/", asked + 1));
    ++asked;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_GT(asked, 2);
}

TEST_F(PassivationTest, ZeroMeansNever) {
  const ActorId actor = node.spawn("counts", "[limits]\npassivate_after = \"0 s\"\n");
  const ActorId other = node.spawn("counts", kSoon);
  ASSERT_TRUE(passivated(other));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(show(node.runtime(), actor)->state, "idle");
}

TEST_F(PassivationTest, WhoOwesAnAnswerStays) {
  const ActorId actor = node.spawn("later", kSoon);
  std::promise<std::string> answer;
  node.runtime().request(actor, to_bytes("later"), {}, 0, false, [&](Result<std::optional<Bytes>> result) {
    answer.set_value(result.ok() ? std::string(as_text(**result)) : result.error().message);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(show(node.runtime(), actor)->state, "idle");
  const auto chain = node.record().chain(actor);
  const auto call = std::find_if(chain.begin(), chain.end(), [](const auto& event) {
    return schema::decode_event(event.bytes)->header.type == kHandleRequest;
  });
  ASSERT_NE(call, chain.end());
  EXPECT_EQ(ask(actor, str_cat("now ", call->sequence)), "said");
  EXPECT_EQ(answer.get_future().get(), "at last");
  EXPECT_TRUE(passivated(actor));
}

TEST_F(PassivationTest, StopAndKillNeedNoInstance) {
  const ActorId stopped = node.spawn("counts", kSoon), killed = node.spawn("counts", kSoon);
  ASSERT_TRUE(passivated(stopped) && passivated(killed));
  EXPECT_TRUE(stop(node.runtime(), stopped).ok());
  EXPECT_TRUE(kill(node.runtime(), killed).ok());
  EXPECT_THAT(node.record().types(stopped), testing::Not(Contains("handle-request wasm-call")));
  EXPECT_EQ(node.record().types(stopped).back(), "shutdown shutdown");
  EXPECT_EQ(node.record().types(killed).back(), "WasmError error");
  EXPECT_FALSE(node.record().last_body<schema::ErrorBody>(killed).in_call);
  EXPECT_EQ(std::ranges::count(node.record().types(killed), "_initialize wasm-call"), 1);
}

TEST_F(PassivationTest, AnInitializeThatTrapsThenEndsTheActorAndTellsWhoAsked) {
  const ActorId actor = node.spawn("wakes badly", kSoon);
  ASSERT_TRUE(passivated(actor));
  EXPECT_THAT(ask(actor), HasSubstr("not again"));
  EXPECT_TRUE(ended(node.runtime(), actor).ok());
  EXPECT_EQ(node.record().types(actor).back(), "WasmError error");
}

// The fact waits for the auditor, and so does what comes meanwhile; nothing is lost and the order holds.
TEST_F(PassivationTest, AnAuditorThatIsAwayHoldsItUp) {
  auto& auditor = node.auditor("far away");
  const ActorId actor = node.spawn("counts", kSoon);
  EXPECT_EQ(ask(actor), "1/1");
  auditor.give_room(0);
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "idle", "auditor far away"));
  std::promise<std::string> answer;
  node.runtime().request(actor, {}, {}, 0, false, [&](Result<std::optional<Bytes>> result) {
    answer.set_value(result.ok() ? std::string(as_text(**result)) : result.error().message);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auditor.give_room(SIZE_MAX / 2);
  EXPECT_EQ(answer.get_future().get(), "1/2");
}

TEST_F(PassivationTest, WhoIsKilledWhileItsFactWaitsForRoomNeverRested) {
  auto& auditor = node.auditor("far away");
  const ActorId actor = node.spawn("counts", kSoon);
  auditor.give_room(0);
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "idle", "auditor far away"));
  std::promise<bool> done;
  node.runtime().kill(actor, {}, "test", [&](Result<Ok> killed) { done.set_value(killed.ok()); });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "stopping"));
  auditor.give_room(SIZE_MAX / 2);
  EXPECT_TRUE(done.get_future().get());
  EXPECT_THAT(node.record().types(actor), testing::Not(Contains("passivated fact")));
}

}  // namespace
}  // namespace theater::node
