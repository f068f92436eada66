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
  explicit PassivationTest(uint32_t instances = 1'000) : node(2, instances) {
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
  bool laid_down(size_t actors) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (node.runtime().counts().laid_down != actors && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return node.runtime().counts().laid_down == actors;
  }

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
  while (std::ranges::count(node.record().types(actor), "handle-request wasm-result") == 0) std::this_thread::yield();
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

// --- laid down: nothing is left but what the directory keeps ---

TEST_F(PassivationTest, WhatIsLeftOfAnActorIsFoundListedAndNamed) {
  auto asks = node.asks("counts", kSoon);
  asks.manifest = "register = \"clerk\"\n" + asks.manifest;
  const auto actor = spawn(node.runtime(), std::move(asks));
  ASSERT_TRUE(actor.ok());
  ASSERT_TRUE(laid_down(1));
  const auto chain = node.record().chain(actor->id);
  const auto info = show(node.runtime(), actor->id);
  EXPECT_EQ(info->name, "test");
  EXPECT_EQ(info->state, "passivated");
  EXPECT_EQ(info->events, chain.size());
  EXPECT_EQ(info->head, chain.back().hash);
  const auto all = list(node.runtime());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->front().id, actor->id);
  for (const std::string& text :
       {std::string("clerk"), std::string("test"), actor->id.hex(), actor->id.hex().substr(0, 8)}) {
    const auto found = await<ActorId>([&](auto done) { node.runtime().resolve(text, done); });
    ASSERT_TRUE(found.ok()) << text << ": " << found.error().message;
    EXPECT_EQ(*found, actor->id);
  }
  EXPECT_EQ(node.runtime().counts().laid_down, 1u);  // no look has woken it
  EXPECT_EQ(node.record().chain(actor->id).size(), chain.size());
  // The name is still its own.
  auto other = node.asks("counts", kSoon);
  other.manifest = "register = \"clerk\"\n" + other.manifest;
  EXPECT_THAT(spawn(node.runtime(), std::move(other)).error().message, HasSubstr("belongs to actor"));
  EXPECT_EQ(ask(actor->id), "1/1");
  ASSERT_TRUE(laid_down(1));
  EXPECT_TRUE(kill(node.runtime(), actor->id).ok());
  EXPECT_EQ(node.runtime().counts().registered, 0u);
  EXPECT_FALSE(await<ActorId>([&](auto done) { node.runtime().resolve("clerk", done); }).ok());
}

// The turn in which it is laid down is one of those that count.
TEST_F(PassivationTest, MetricsMissNothingOfWhoRests) {
  const ActorId actor = node.spawn("counts", kSoon);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(laid_down(1));
    EXPECT_EQ(node.runtime().metrics().events, node.record().chain(actor).size());
    EXPECT_EQ(ask(actor), str_cat("1/", i));
  }
}

TEST_F(PassivationTest, WhoFollowsAChainFollowsItOverEachRest) {
  const ActorId actor = node.spawn("counts", kSoon);
  ASSERT_TRUE(laid_down(1));
  const auto follower = std::make_shared<RecordingSubscriber>();
  follower->gaps_expected = true;
  ASSERT_TRUE(await<Ok>([&](auto done) { node.runtime().subscribe(actor, follower, done); }).ok());
  ASSERT_TRUE(laid_down(1));
  EXPECT_EQ(ask(actor), "1/1");
  ASSERT_TRUE(laid_down(1));
  EXPECT_EQ(ask(actor), "1/2");
  EXPECT_EQ(std::ranges::count(follower->types(actor), "handle-request wasm-call"), 2);
  ASSERT_TRUE(laid_down(1));
  EXPECT_TRUE(await<bool>([&](auto done) { node.runtime().unsubscribe(actor, follower, done); }).value());
  EXPECT_EQ(follower->ends(actor), 1);
  EXPECT_EQ(ask(actor), "1/3");
  EXPECT_EQ(std::ranges::count(follower->types(actor), "handle-request wasm-call"), 2);
  EXPECT_TRUE(stop(node.runtime(), actor).ok());
  EXPECT_EQ(node.record().ends(actor), 1);
}

TEST_F(PassivationTest, WhoWaitsForItsEndIsTold) {
  const ActorId actor = node.spawn("counts", kSoon);
  ASSERT_TRUE(laid_down(1));
  std::promise<std::string> end;
  node.runtime().when_ended(actor, [&](Result<ActorInfo> info) { end.set_value(info.ok() ? info->ended : "?"); });
  ASSERT_TRUE(passivated(actor));
  EXPECT_TRUE(stop(node.runtime(), actor).ok());
  EXPECT_EQ(end.get_future().get(), "stop");
}

TEST_F(PassivationTest, AStateTooLargeForAnEventIsKeptWhole) {
  node.package("large",
               {.imports = {},
                .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state(std::string(100'000, 's'))); }},
                            {kHandleRequest, [](wasm::FakeCall& call) {
                               call.result(ok_reply(state_of(call), str_cat(state_of(call).size())));
                             }}}});
  const ActorId actor = node.spawn("large", kSoon);
  ASSERT_TRUE(laid_down(1));
  EXPECT_EQ(ask(actor), "100000");
}

TEST_F(PassivationTest, ANodeThatStopsEndsThemToo) {
  std::vector<ActorId> actors;
  for (int i = 0; i < 100; ++i) actors.push_back(node.spawn("counts", kSoon));
  ASSERT_TRUE(laid_down(100));
  EXPECT_TRUE(node.stop(10'000));
  for (const ActorId& actor : actors) EXPECT_EQ(node.record().types(actor).back(), "shutdown shutdown");
}

// Without room for their ends they are left, chains open, in bounded time.
TEST_F(PassivationTest, ANodeThatStopsWithoutItsAuditorLeavesThem) {
  auto& auditor = node.auditor("far away");
  const ActorId actor = node.spawn("counts", kSoon);
  ASSERT_TRUE(laid_down(1));
  auditor.give_room(0);
  EXPECT_FALSE(node.stop(10));
  EXPECT_EQ(node.record().types(actor).back(), "passivated fact");
}

// --- more actors than instances, and more actors than may be ---

class FewInstancesTest : public PassivationTest {
 protected:
  static constexpr uint32_t kInstances = 4;
  FewInstancesTest() : PassivationTest(kInstances) {}
};

TEST_F(FewInstancesTest, TheLongestIdleMakeRoom) {
  std::vector<ActorId> actors;
  for (int i = 0; i < 40; ++i) actors.push_back(node.spawn("counts"));
  EXPECT_EQ(show(node.runtime(), actors.front())->state, "passivated");
  EXPECT_EQ(show(node.runtime(), actors.back())->state, "idle");
  for (int round = 1; round <= 3; ++round) {
    for (const ActorId& actor : actors) EXPECT_EQ(ask(actor), str_cat("1/", round));
  }
}

TEST_F(FewInstancesTest, WhoNeverPassivatesIsNotAskedAndASpawnThatHopesForNobodyIsRefused) {
  for (uint32_t i = 0; i < kInstances; ++i) node.spawn("counts", "[limits]\npassivate_after = \"0 s\"\n");
  const auto refused = spawn(node.runtime(), node.asks("counts"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(refused.error().message, HasSubstr("4 actors are alive"));
}

TEST_F(FewInstancesTest, AMessageWaitsUntilSomebodyIsDone) {
  const ActorId sleeper = node.spawn("counts", kSoon);
  ASSERT_TRUE(passivated(sleeper));
  std::vector<ActorId> busy;
  for (uint32_t i = 0; i < kInstances; ++i) busy.push_back(node.spawn("worker"));
  for (const ActorId& actor : busy) {
    node.runtime().request(actor, to_bytes("sleep 300"), {}, 0, false, [](auto) {});
  }
  for (const ActorId& actor : busy) ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "timer"));
  std::promise<std::string> answer;
  node.runtime().request(sleeper, {}, {}, 0, false, [&](Result<std::optional<Bytes>> result) {
    answer.set_value(result.ok() ? std::string(as_text(**result)) : result.error().message);
  });
  EXPECT_TRUE(wait_for_state(node.runtime(), sleeper, "waiting", "an instance"));
  EXPECT_EQ(answer.get_future().get(), "1/1");
}

TEST_F(FewInstancesTest, WhoIsKilledWhileItWaitsForAnInstanceLeavesNoCall) {
  const ActorId sleeper = node.spawn("counts", kSoon);
  ASSERT_TRUE(passivated(sleeper));
  for (uint32_t i = 0; i < kInstances; ++i) {
    const ActorId actor = node.spawn("worker");
    node.runtime().request(actor, to_bytes("loop"), {}, 0, false, [](auto) {});
    ASSERT_TRUE(wait_for_state(node.runtime(), actor, "running"));
  }
  std::promise<std::string> answer;
  node.runtime().request(sleeper, {}, {}, 0, false, [&](Result<std::optional<Bytes>> result) {
    answer.set_value(result.ok() ? "?" : result.error().message);
  });
  ASSERT_TRUE(wait_for_state(node.runtime(), sleeper, "waiting", "an instance"));
  EXPECT_TRUE(kill(node.runtime(), sleeper, "enough").ok());
  EXPECT_THAT(answer.get_future().get(), HasSubstr("enough"));
  EXPECT_EQ(std::ranges::count(node.record().types(sleeper), "_initialize wasm-call"), 1);
  EXPECT_FALSE(node.stop(0));
}

TEST(ManyActorsTest, MoreThanTheNodeMayHaveAreRefusedAndRoomComesBack) {
  wasm::FakeEngine engine;
  engine.add(as_bytes("p"),
             {.imports = {}, .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }}}});
  SystemClock clock;
  SeededRandom random{1};
  RuntimeOptions options;
  options.engine = &engine;
  options.clock = &clock;
  options.random = &random;
  options.actors_max = 3;
  const auto runtime = std::move(start_runtime(options)).value();
  const auto try_spawn = [&] {
    SpawnRequest request;
    request.manifest = str_cat("name = \"p\"\n", kSoon);
    request.package = to_bytes("p");
    return spawn(*runtime, std::move(request));
  };
  const auto first = try_spawn();
  ASSERT_TRUE(first.ok() && try_spawn().ok() && try_spawn().ok());
  const auto fourth = try_spawn();
  ASSERT_FALSE(fourth.ok());
  EXPECT_EQ(fourth.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(fourth.error().message, HasSubstr("limits.actors_max"));
  EXPECT_TRUE(kill(*runtime, first->id).ok());
  EXPECT_TRUE(try_spawn().ok());
}

// Far more actors than instances: a sum over all of them, and an end for each.
TEST(ManyActorsTest, TwentyThousand) {
  constexpr size_t kActors = 20'000, kAsked = 1'000;
  wasm::EngineOptions engine_options;
  engine_options.instances_max = 256;
  wasm::FakeEngine engine(engine_options);
  engine.add(as_bytes("p"),
             {.imports = {},
              .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }}, {kHandleRequest, count}}});
  SystemClock clock;
  SeededRandom random{1};
  RuntimeOptions options;
  options.engine = &engine;
  options.clock = &clock;
  options.random = &random;
  const auto runtime = std::move(start_runtime(options)).value();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<ActorId> actors;
  size_t under_way = 0, failed = 0;
  for (size_t i = 0; i < kActors; ++i) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return under_way < 64; });
      ++under_way;
    }
    SpawnRequest request;
    request.manifest = FakeNode::manifest("p");
    request.package = to_bytes("p");
    runtime->spawn(std::move(request), [&](Result<ActorInfo> actor) {
      std::lock_guard lock(mutex);
      --under_way;
      if (actor.ok()) actors.push_back(actor->id);
      if (!actor.ok()) ++failed;
      changed.notify_one();
    });
  }
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, kLong, [&] { return under_way == 0; }));
  }
  EXPECT_EQ(failed, 0u);
  ASSERT_EQ(actors.size(), kActors);
  const auto counts = runtime->counts();
  EXPECT_EQ(counts.registered, kActors);
  EXPECT_GE(counts.laid_down, kActors - 1'000);
  EXPECT_EQ(list(*runtime)->size(), Runtime::kListMax);
  for (int round = 1; round <= 2; ++round) {
    for (size_t i = 0; i < kAsked; ++i) {
      const auto answer = request(*runtime, actors[i * (kActors / kAsked)], "");
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      ASSERT_EQ(as_text(**answer), str_cat("1/", round));
    }
  }
  EXPECT_TRUE(runtime->stop(10'000));
  EXPECT_EQ(runtime->counts().registered, 0u);
  // Genesis, boot, a spawn and an end for each, shutdown.
  EXPECT_EQ(show(*runtime, runtime->node_chain())->events, 2 * kActors + 3);
}

// They were taken for those who would give their instances up, as long as their calls took.
TEST(InstancesTest, WhoWasAskedToRestAndIsBusyKeepsNobodyFromAskingOthers) {
  constexpr const char* kMayRest = "[limits]\npassivate_after = \"1 h\"\n";
  constexpr const char* kSend = "theater:simple/message-server-host@0.1.0/send";
  FakeNode node(1, 5);
  std::promise<void> blocked, go_on;
  const auto wait = go_on.get_future().share();
  std::vector<ActorId> sleepers;
  node.package("blocks", {.imports = {},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, [&, wait](wasm::FakeCall& call) {
                                         if (message_of(call) == "now") blocked.set_value();
                                         wait.wait();
                                         call.result(ok_reply("", ""));
                                       }}}});
  node.package("sleeps", {.imports = {kSleepCall},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleSend, [](wasm::FakeCall& call) {
                                         call.host(kSleepCall, {schema::Value::u64(3'600'000'000'000)});
                                         call.result(ok_state(""));
                                       }}}});
  // Can't rest while it owes an answer; then it sends to all sleepers and is idle.
  node.package("owes", {.imports = {kCurrent, kRespond, kSend},
                        .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                    {kHandleRequest, [&](wasm::FakeCall& call) {
                                       if (message_of(call).starts_with("now ")) {
                                         for (const auto& sleeper : sleepers) {
                                           call.host(kSend,
                                                     {schema::Value::string(sleeper.hex()), schema::Value::bytes({})});
                                         }
                                       }
                                       answer_later(call);
                                     }}}});
  for (int i = 0; i < 3; ++i) sleepers.push_back(node.spawn("sleeps", kMayRest));
  const auto debtor = node.spawn("owes", kMayRest);
  const auto blocker = node.spawn("blocks", "[limits]\npassivate_after = \"0 s\"\n");
  node.runtime().request(debtor, to_bytes("later"), {}, 0, false, [](auto) {});
  while (std::ranges::count(node.record().types(debtor), "handle-request wasm-result") == 0) std::this_thread::yield();
  const auto chain = node.record().chain(debtor);
  const auto call = std::ranges::find_if(
      chain, [](const auto& event) { return schema::decode_event(event.bytes)->header.type == kHandleRequest; });
  ASSERT_NE(call, chain.end());

  // In this order: the new actor asks the sleepers to rest, the debtor sends to them, they get their turn.
  node.runtime().request(blocker, to_bytes("now"), {}, 0, false, [](auto) {});
  blocked.get_future().wait();
  std::promise<Result<ActorInfo>> born;
  node.runtime().spawn(node.asks("sleeps", "[limits]\nwait_timeout = \"5 s\"\n"),
                       [&](Result<ActorInfo> result) { born.set_value(std::move(result)); });
  while (node.runtime().metrics().run_queue == 0) std::this_thread::yield();
  node.runtime().request(debtor, to_bytes(str_cat("now ", call->sequence)), {}, 0, false, [](auto) {});
  go_on.set_value();
  const auto result = born.get_future().get();
  EXPECT_TRUE(result.ok()) << result.error().message;
  for (const auto& sleeper : sleepers) EXPECT_TRUE(kill(node.runtime(), sleeper).ok());
}

}  // namespace
}  // namespace theater::node
