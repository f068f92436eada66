// Actors on the fake engine: what a caller sees, and what the chain says about it.
#include "node/runtime/runtime.h"

#include <gmock/gmock.h>

#include "tests/node/fake_node.h"

namespace theater::node {
namespace {

using schema::ErrorKind;
using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using Overflow = QueueSubscriber::Overflow;

TEST(RuntimeTest, ARequestChangesTheStateAndIsAnswered) {
  FakeNode node;
  const auto actor = node.spawn();
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "state blue")), "changed");
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "show")), "blue");
  EXPECT_TRUE(send(node.runtime(), actor, "x").ok());
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "show")), "sent");
}

TEST(RuntimeTest, TheChainTellsTheWholeLife) {
  FakeNode node;
  const auto actor = node.spawn();
  ASSERT_TRUE(request(node.runtime(), actor, "log 2").ok());
  ASSERT_TRUE(stop(node.runtime(), actor).ok());
  EXPECT_THAT(node.record().types(actor),
              ElementsAre("genesis genesis", "_initialize wasm-call", "_initialize wasm-result", "init wasm-call",
                          "init wasm-result", "handle-request wasm-call", "log host-call", "log host-call",
                          "handle-request wasm-result", "shutdown shutdown"));
  EXPECT_EQ(node.record().ends(actor), 1);
  const auto info = show(node.runtime(), actor);
  EXPECT_EQ(info->state, "ended");
  EXPECT_EQ(info->ended, "stop");
  EXPECT_EQ(info->events, 10u);
  EXPECT_EQ(info->head, node.record().chain(actor).back().hash);
}

TEST(RuntimeTest, GenesisBindsPackageManifestNodeAndWhoAsked) {
  FakeNode node;
  auto request = node.asks("worker");
  request.requested_by = schema::Operator{{}, "request 1"};
  const auto actor = spawn(node.runtime(), request);
  const auto first = schema::decode_event(node.record().chain(actor->id)[0].bytes);
  const auto& genesis = std::get<schema::Genesis>(first->body);
  EXPECT_EQ(genesis.name, "test");
  EXPECT_EQ(genesis.package, sha256(request.package));
  EXPECT_EQ(genesis.manifest, sha256(as_bytes(request.manifest)));
  EXPECT_EQ(genesis.requested_by, schema::Origin(schema::Operator{{}, "request 1"}));
  EXPECT_EQ(genesis.audit.mode, schema::AuditMode::kStrict);
  EXPECT_EQ(node.record().blobs()[genesis.package], request.package);
  EXPECT_EQ(node.record().blobs()[genesis.manifest], to_bytes(request.manifest));
}

TEST(RuntimeTest, TwoSpawnsOfOnePackageAreTwoChains) {
  FakeNode node;
  EXPECT_NE(node.spawn(), node.spawn());
}

TEST(RuntimeTest, MoreThanTenThousandEventsDuringInit) {
  FakeNode node;
  node.package("chatty", {.imports = {kLogCall},
                          .exports = {{kInit,
                                       [](wasm::FakeCall& call) {
                                         for (int i = 0; i < 12'000; ++i) call.host(kLogCall, {Value::string("x")});
                                         call.result(ok_state());
                                       }},
                                      {kHandleRequest, FakeNode::obey}}});
  auto queue = std::make_shared<QueueSubscriber>(16, Overflow::kStrict);
  auto request = node.asks("chatty");
  request.subscribers.push_back(queue);
  std::atomic<uint64_t> taken{0};
  std::thread drain([&] {
    while (auto event = queue->pop(kLong)) {
      if (++taken == 12'005) break;
    }
  });
  const auto actor = spawn(node.runtime(), std::move(request));
  drain.join();
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  EXPECT_EQ(taken, 12'005u);
  EXPECT_EQ(node.record().chain(actor->id).size(), 12'005u);
}

TEST(RuntimeTest, StalledStrictSubscribersHoldUpTheirActorsAndNothingElse) {
  FakeNode node(2);
  std::vector<std::shared_ptr<QueueSubscriber>> stalled;
  std::vector<ActorId> actors;
  for (int i = 0; i < 64; ++i) {
    actors.push_back(node.spawn());
    stalled.push_back(std::make_shared<QueueSubscriber>(1, Overflow::kStrict));
    ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actors[i], stalled[i], done); }).ok());
  }
  std::atomic<int> answered{0};
  for (const auto& actor : actors) {
    node.runtime().request(actor, to_bytes("log 5"), {}, 0, false, [&](Result<std::optional<Bytes>> reply) {
      EXPECT_TRUE(reply.ok());
      ++answered;
    });
  }
  for (const auto& actor : actors) ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "a subscriber"));
  EXPECT_EQ(answered, 0);
  EXPECT_EQ(list(node.runtime())->size(), 64u);
  // Sixty-four wait, and two workers are free for others.
  const auto free_actor = node.spawn();
  EXPECT_EQ(as_text(**request(node.runtime(), free_actor, "hello")), "hello");

  for (auto& queue : stalled) queue->close();
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (answered != 64 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(answered, 64);
}

TEST(RuntimeTest, ActorsThatSleepOccupyNoWorker) {
  FakeNode node(1);
  std::vector<ActorId> sleepers;
  for (int i = 0; i < 20; ++i) {
    sleepers.push_back(node.spawn());
    node.runtime().request(sleepers.back(), to_bytes("sleep 100000"), {}, 0, false, [](auto) {});
  }
  for (const auto& actor : sleepers) ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "timer"));
  EXPECT_EQ(as_text(**request(node.runtime(), node.spawn(), "hello")), "hello");
}

TEST(RuntimeTest, ASleepEnds) {
  FakeNode node;
  const auto actor = node.spawn();
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "sleep 20")), "sleep 20");
  const auto chain = node.record().chain(actor);
  const auto call = schema::check_event(chain[5].bytes), slept = schema::check_event(chain[6].bytes);
  EXPECT_GE(slept->header.time_ns - call->header.time_ns, 20'000'000u);
}

TEST(RuntimeTest, ALoopingActorLetsOthersRun) {
  FakeNode node(1);
  const auto looping = node.spawn();
  node.runtime().request(looping, to_bytes("loop"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), looping, "running"));
  EXPECT_EQ(as_text(**request(node.runtime(), node.spawn(), "hello")), "hello");
}

TEST(RuntimeTest, AFailureIsToldWhenTheChainHasIt) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  const auto actor = node.spawn();
  std::atomic<bool> told{false};
  std::promise<void> done;
  node.runtime().request(actor, to_bytes("sleep 100000"), {}, 0, false, [&](Result<std::optional<Bytes>> reply) {
    EXPECT_FALSE(reply.ok());
    told = true;
    done.set_value();
  });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "timer"));
  auditor.give_room(0);
  node.runtime().kill(actor, {}, "test", [](Result<Ok>) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "stopping", "auditor b"));
  EXPECT_FALSE(told);
  auditor.give_room(SIZE_MAX);
  EXPECT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(auditor.record().chain(actor).back().kind, schema::BodyKind::kError);
}

TEST(RuntimeTest, ATrapEndsTheActorWithItsReasonAndFuel) {
  FakeNode node;
  const auto actor = node.spawn();
  const auto reply = request(node.runtime(), actor, "trap");
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, ErrorCode::kActorFailed);
  EXPECT_THAT(reply.error().message, HasSubstr("the test said so"));
  const auto info = ended(node.runtime(), actor);
  EXPECT_THAT(info->ended, HasSubstr("WasmError: "));
  const auto error = node.record().last_body<schema::ErrorBody>(actor);
  EXPECT_EQ(error.kind, ErrorKind::kTrap);
  EXPECT_TRUE(error.in_call);
  EXPECT_GT(error.fuel, 0u);
  EXPECT_EQ(node.record().ends(actor), 1);
  const auto late = request(node.runtime(), actor, "hello");
  EXPECT_EQ(late.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(late.error().message, HasSubstr("has ended"));
}

TEST(RuntimeTest, AnErrorOfTheHandlerIsTheCallersAndTheActorGoesOn) {
  FakeNode node;
  const auto actor = node.spawn();
  ASSERT_TRUE(request(node.runtime(), actor, "state kept").ok());
  const auto reply = request(node.runtime(), actor, "fail");
  EXPECT_EQ(reply.error().code, ErrorCode::kActorFailed);
  EXPECT_EQ(reply.error().message, "no, thank you");
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "show")), "kept");
}

TEST(RuntimeTest, AnErrorOfInitEndsTheActor) {
  FakeNode node;
  node.package("unwilling",
               {.imports = {},
                .exports = {{kInit, [](wasm::FakeCall& call) { call.result(Value::err(Value::string("not today"))); }},
                            {kHandleRequest, FakeNode::obey}}});
  const auto actor = spawn(node.runtime(), node.asks("unwilling"));
  EXPECT_EQ(actor.error().code, ErrorCode::kActorFailed);
  EXPECT_THAT(actor.error().message, HasSubstr("not today"));
  const auto all = list(node.runtime());
  ASSERT_EQ(all->size(), 1u);
  const auto error = node.record().last_body<schema::ErrorBody>((*all)[0].id);
  EXPECT_EQ(error.kind, ErrorKind::kGuestError);
  EXPECT_FALSE(error.in_call);
}

TEST(RuntimeTest, ALoopHitsTheCallDeadline) {
  FakeNode node;
  const auto actor = node.spawn("worker", "[limits]\ncall_timeout = \"50 ms\"\n");
  const auto reply = request(node.runtime(), actor, "loop");
  EXPECT_THAT(reply.error().message, HasSubstr("limits.call_timeout"));
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  const auto error = node.record().last_body<schema::ErrorBody>(actor);
  EXPECT_EQ(error.kind, ErrorKind::kDeadline);
  EXPECT_TRUE(error.in_call);
  EXPECT_GT(error.fuel, 0u);
}

TEST(RuntimeTest, ASleepHitsTheCallDeadline) {
  FakeNode node;
  const auto actor = node.spawn("worker", "[limits]\ncall_timeout = \"50 ms\"\n");
  EXPECT_FALSE(request(node.runtime(), actor, "sleep 100000").ok());
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  EXPECT_EQ(node.record().last_body<schema::ErrorBody>(actor).kind, ErrorKind::kDeadline);
}

TEST(RuntimeTest, WaitingForAnAuditorDoesNotCountAgainstTheDeadline) {
  FakeNode node;
  const auto actor = node.spawn("worker", "[limits]\ncall_timeout = \"50 ms\"\n");
  auto queue = std::make_shared<QueueSubscriber>(2, Overflow::kStrict);
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actor, queue, done); }).ok());
  std::promise<Result<std::optional<Bytes>>> reply;
  node.runtime().request(actor, to_bytes("log 3"), {}, 0, false,
                         [&](auto result) { reply.set_value(std::move(result)); });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "a subscriber"));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  queue->close();
  EXPECT_TRUE(reply.get_future().get().ok());
}

TEST(RuntimeTest, KillingALoopRecordsWhereItWas) {
  FakeNode node;
  const auto actor = node.spawn();
  node.runtime().request(actor, to_bytes("loop"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "running"));
  ASSERT_TRUE(kill(node.runtime(), actor, "enough").ok());
  const auto error = node.record().last_body<schema::ErrorBody>(actor);
  EXPECT_EQ(error.kind, ErrorKind::kKilled);
  EXPECT_EQ(error.message, "enough");
  EXPECT_TRUE(error.in_call);
  EXPECT_GT(error.fuel, 0u);
  EXPECT_EQ(error.requested_by, schema::Origin(schema::Operator{}));
}

TEST(RuntimeTest, KillingAnIdleActor) {
  FakeNode node;
  const auto actor = node.spawn();
  ASSERT_TRUE(kill(node.runtime(), actor).ok());
  EXPECT_FALSE(node.record().last_body<schema::ErrorBody>(actor).in_call);
}

TEST(RuntimeTest, KilledWhileWaitingForRoomNothingOfThePendingEventIsEmitted) {
  FakeNode node;
  const auto actor = node.spawn();
  auto queue = std::make_shared<QueueSubscriber>(2, Overflow::kStrict);
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actor, queue, done); }).ok());
  node.runtime().request(actor, to_bytes("log 3"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "a subscriber"));
  const auto before = node.record().chain(actor);
  std::promise<bool> killed;
  node.runtime().kill(actor, {}, "test", [&](Result<Ok> result) { killed.set_value(result.ok()); });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "stopping", "a subscriber"));
  EXPECT_EQ(show(node.runtime(), actor)->memory_bytes, 0u) << "the instance is freed at once";
  queue->pop();
  EXPECT_TRUE(killed.get_future().get());
  const auto after = node.record().chain(actor);
  ASSERT_EQ(after.size(), before.size() + 1);
  EXPECT_EQ(after.back().kind, schema::BodyKind::kError);
  EXPECT_TRUE(node.record().last_body<schema::ErrorBody>(actor).in_call);
}

TEST(RuntimeTest, ATerminalEventWithoutRoomIsKeptUntilItIsAbandoned) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  const auto actor = node.spawn();
  auditor.give_room(0);
  std::atomic<bool> told{false};
  node.runtime().kill(actor, {}, "test", [&](Result<Ok>) { told = true; });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "stopping", "auditor b"));
  EXPECT_FALSE(told);
  EXPECT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().abandon(actor, done); }).ok());
  const auto info = show(node.runtime(), actor);
  EXPECT_EQ(info->state, "ended");
  EXPECT_THAT(info->ended, HasSubstr("the chain stays open"));
  EXPECT_NE(auditor.record().chain(actor).back().kind, schema::BodyKind::kError);
  EXPECT_EQ(auditor.reserved(), 0u);
  auditor.give_room(SIZE_MAX);
}

TEST(RuntimeTest, AnActorThatLivesCannotBeAbandoned) {
  FakeNode node;
  const auto actor = node.spawn();
  const auto abandoned = await<Ok>([&](Callback<Ok> done) { node.runtime().abandon(actor, done); });
  EXPECT_EQ(abandoned.error().code, ErrorCode::kRefused);
}

TEST(RuntimeTest, StopLetsTheCallFinishAndRefusesTheRest) {
  FakeNode node;
  const auto actor = node.spawn();
  std::promise<Result<std::optional<Bytes>>> first, second;
  node.runtime().request(actor, to_bytes("sleep 100"), {}, 0, false, [&](auto result) { first.set_value(result); });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "timer"));
  node.runtime().request(actor, to_bytes("late"), {}, 0, false, [&](auto result) { second.set_value(result); });
  ASSERT_TRUE(stop(node.runtime(), actor).ok());
  EXPECT_TRUE(first.get_future().get().ok());
  EXPECT_THAT(second.get_future().get().error().message, HasSubstr("is stopping"));
  EXPECT_EQ(node.record().last_body<schema::Shutdown>(actor).reason, "stop");
}

TEST(RuntimeTest, StopKillsAfterTheGrace) {
  FakeNode node;
  const auto actor = node.spawn();
  node.runtime().request(actor, to_bytes("loop"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "running"));
  ASSERT_TRUE(stop(node.runtime(), actor, 20).ok());
  EXPECT_THAT(node.record().last_body<schema::ErrorBody>(actor).message, HasSubstr("grace"));
}

TEST(RuntimeTest, TheGuestEndsItselfWithALastWord) {
  FakeNode node;
  const auto actor = node.spawn();
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "end")), "end") << "the call still returns";
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  const auto shutdown = node.record().last_body<schema::Shutdown>(actor);
  EXPECT_EQ(shutdown.reason, "guest");
  ASSERT_EQ(shutdown.data.size(), 1u);
  EXPECT_EQ(*shutdown.data[0].get<Bytes>(), to_bytes("last word"));
}

TEST(RuntimeTest, StoppingANodeWithAHundredActorsIsCleanAndFast) {
  FakeNode node;
  std::vector<ActorId> actors;
  for (int i = 0; i < 100; ++i) actors.push_back(node.spawn());
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(node.stop(10'000));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  for (const auto& actor : actors) {
    EXPECT_EQ(node.record().last_body<schema::Shutdown>(actor).reason, "node stop");
    EXPECT_EQ(node.record().ends(actor), 1);
  }
}

TEST(RuntimeTest, AfterTheStopEverythingIsRefused) {
  FakeNode node;
  const auto actor = node.spawn();
  node.stop(1'000);
  EXPECT_EQ(request(node.runtime(), actor, "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(spawn(node.runtime(), node.asks("worker")).error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(node.stop(0)) << "a second stop says what the first said";
}

TEST(RuntimeTest, AFullMailboxRefuses) {
  FakeNode node;
  const auto actor = node.spawn("worker", "[limits]\nmailbox_messages = 2\nmessage_bytes = \"10 B\"\n");
  node.runtime().request(actor, to_bytes("loop"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "running"));
  EXPECT_TRUE(send(node.runtime(), actor, "1").ok());
  EXPECT_TRUE(send(node.runtime(), actor, "2").ok());
  const auto third = send(node.runtime(), actor, "3");
  EXPECT_EQ(third.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(third.error().message, HasSubstr("the mailbox is full: 2 messages"));
  const auto large = send(node.runtime(), actor, "more than ten bytes");
  EXPECT_EQ(large.error().code, ErrorCode::kRefused);
  EXPECT_THAT(large.error().message, HasSubstr("limits.message_bytes"));
}

TEST(RuntimeTest, ARequestTimesOutAndOneThatHadNotBegunLeavesNoTrace) {
  FakeNode node;
  const auto actor = node.spawn();
  std::promise<void> slept;
  node.runtime().request(actor, to_bytes("sleep 300"), {}, 0, false, [&](auto) { slept.set_value(); });
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "timer"));
  const auto reply = request(node.runtime(), actor, "too late", 20);
  EXPECT_EQ(reply.error().code, ErrorCode::kDeadline);
  slept.get_future().wait();
  ASSERT_TRUE(request(node.runtime(), actor, "next").ok());
  for (const auto& event : node.record().chain(actor)) {
    EXPECT_EQ(as_text(event.bytes).find("too late"), std::string::npos);
  }
}

TEST(RuntimeTest, ADurableAnswerWaitsForEveryAuditor) {
  FakeNode node;
  node.auditor("a");
  node.auditor("b");
  const auto actor = node.spawn();
  std::atomic<bool> answered{false};
  std::promise<void> done;
  node.runtime().request(actor, to_bytes("hello"), {}, 0, true, [&](Result<std::optional<Bytes>> reply) {
    EXPECT_TRUE(reply.ok());
    answered = true;
    done.set_value();
  });
  const auto wait = [](FakeOutbox& outbox) {
    while (outbox.waiting_for_durable() == 0) std::this_thread::yield();
  };
  wait(*node.outboxes()[0]);
  wait(*node.outboxes()[1]);
  node.outboxes()[0]->make_durable();
  ASSERT_TRUE(list(node.runtime()).ok());
  EXPECT_FALSE(answered);
  node.outboxes()[1]->make_durable();
  EXPECT_EQ(done.get_future().wait_for(kLong), std::future_status::ready);
}

TEST(RuntimeTest, AnAuditorWithoutRoomHoldsUpStrictActorsFromTheirGenesisOn) {
  FakeNode node;
  auto& auditor = node.auditor("b", 0);
  std::promise<bool> spawned;
  node.runtime().spawn(node.asks("worker"), [&](Result<ActorInfo> info) { spawned.set_value(info.ok()); });
  std::vector<ActorInfo> all;
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (std::chrono::steady_clock::now() < until) {
    all = *list(node.runtime());
    if (!all.empty() && all[0].waits_for == "auditor b") break;
  }
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].state, "starting");
  EXPECT_EQ(all[0].events, 0u);
  auditor.give_room(SIZE_MAX);
  EXPECT_TRUE(spawned.get_future().get());
  EXPECT_FALSE(auditor.record().chain(all[0].id).empty());
}

TEST(RuntimeTest, ABestEffortActorNeverWaits) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  node.spawn();  // the node's chain and this one are strict: nothing of them may be missing
  const auto actor = node.spawn("worker", "[audit]\nmode = \"best-effort\"\n");
  auditor.give_room(0);
  EXPECT_TRUE(request(node.runtime(), actor, "log 100").ok());
  EXPECT_EQ(auditor.dropped(), 102u);
  EXPECT_EQ(node.record().chain(actor).size(), 107u);
  auditor.record().gaps_expected = true;
  auditor.give_room(SIZE_MAX);
}

TEST(RuntimeTest, TheNodesChainTellsOfBootSpawnsAndEnds) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  const auto actor = node.spawn();
  ASSERT_TRUE(stop(node.runtime(), actor).ok());
  const ActorId chain = node.runtime().node_chain();
  EXPECT_TRUE(node.stop(5'000));
  EXPECT_THAT(auditor.record().types(chain),
              ElementsAre("genesis genesis", "boot fact", "spawn fact", "end fact", "shutdown shutdown"));
  const auto events = auditor.record().chain(chain);
  const auto genesis = schema::decode_event(events[0].bytes);
  EXPECT_TRUE(std::get<schema::Genesis>(genesis->body).package.is_zero());
  const auto boot = schema::decode_event(events[1].bytes);
  EXPECT_EQ(schema::to_display(std::get<schema::Fact>(boot->body).value).find("binary: \"0000"), std::string::npos);
  EXPECT_THAT(schema::to_display(std::get<schema::Fact>(schema::decode_event(events[2].bytes)->body).value),
              HasSubstr(actor.hex()));
}

TEST(RuntimeTest, SpawnErrorsSayWhatAndWhatToDo) {
  FakeNode node;
  node.package("sleepy",
               {.imports = {kSleepCall}, .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }}}});
  const auto error = [&](std::string manifest, const std::string& package) {
    SpawnRequest request;
    request.manifest = std::move(manifest);
    request.package = to_bytes(package);
    const auto actor = spawn(node.runtime(), std::move(request));
    return actor.ok() ? "spawned" : actor.error().message;
  };
  EXPECT_THAT(error("name = \"x\"\nnmae = 1\n", "worker"), HasSubstr("manifest:2:1: unknown key 'nmae'"));
  EXPECT_THAT(error("name = 5\n", "worker"), HasSubstr("manifest:1:8: 'name' must be a string"));
  EXPECT_THAT(error("name = \"x\"\n", ""), HasSubstr("no package"));
  const auto missing = error("name = \"x\"\n", "sleepy");
  EXPECT_THAT(missing, HasSubstr("theater:simple/timing@0.1.0 sleep"));
  EXPECT_THAT(missing, HasSubstr("[[handler]]\ntype = \"timing\""));
  EXPECT_THAT(error(FakeNode::manifest("x"), "sleepy"), HasSubstr("exports none of"));
  EXPECT_TRUE(list(node.runtime())->empty()) << "nothing of it is left";
}

TEST(RuntimeTest, MessagesNeedAGrantAndAnExport) {
  FakeNode node;
  node.package("mute", {.imports = {}, .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }}}});
  SpawnRequest asks;
  asks.manifest = "name = \"mute\"\n";
  asks.package = to_bytes("mute");
  const auto mute = spawn(node.runtime(), asks);
  ASSERT_TRUE(mute.ok()) << mute.error().message;
  const auto refused = send(node.runtime(), mute->id, "x");
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("[[handler]]\ntype = \"message-server\""));
}

TEST(RuntimeTest, NamesAndPrefixesResolve) {
  FakeNode node;
  const auto one = node.spawn();
  const auto resolve = [&](const std::string& text) {
    return await<ActorId>([&](Callback<ActorId> done) { node.runtime().resolve(text, done); });
  };
  EXPECT_EQ(*resolve("test"), one);
  EXPECT_EQ(*resolve(one.hex().substr(0, 6)), one);
  EXPECT_EQ(resolve("nobody").error().code, ErrorCode::kNotFound);
  node.spawn();
  EXPECT_EQ(resolve("test").error().code, ErrorCode::kInvalid);
}

TEST(RuntimeTest, UnsubscribingTellsWhetherOneWasRemoved) {
  FakeNode node;
  const auto actor = node.spawn();
  auto queue = std::make_shared<QueueSubscriber>(10, Overflow::kStrict);
  const auto unsubscribe = [&] {
    return *await<bool>([&](Callback<bool> done) { node.runtime().unsubscribe(actor, queue, done); });
  };
  EXPECT_FALSE(unsubscribe());
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actor, queue, done); }).ok());
  EXPECT_TRUE(unsubscribe());
  EXPECT_FALSE(unsubscribe());
  ASSERT_TRUE(stop(node.runtime(), actor).ok());
  EXPECT_FALSE(unsubscribe()) << "harmless after the end";
}

TEST(RuntimeTest, ARequestIdThatIsNoTextIsRefused) {
  FakeNode node;
  const auto actor = node.spawn();
  const auto sent = await<Ok>(
      [&](Callback<Ok> done) { node.runtime().send(actor, {}, schema::Operator{{}, "\xff"}, std::move(done)); });
  EXPECT_EQ(sent.error().code, ErrorCode::kInvalid);
}

// A thousand callers' orders filled the queue; the node's own was dropped, and the actor killed at the end.
TEST(RuntimeTest, WhoHasTooManyOrdersStillHearsThatTheNodeStops) {
  FakeNode node(1);
  std::promise<void> blocked, go_on;
  const auto wait = go_on.get_future().share();
  node.package("blocks", {.imports = {},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, [&, wait](wasm::FakeCall& call) {
                                         blocked.set_value();
                                         wait.wait();
                                         call.result(ok_reply("", ""));
                                       }}}});
  const auto actor = node.spawn(), blocker = node.spawn("blocks");
  node.runtime().request(blocker, {}, {}, 0, false, [](auto) {});
  blocked.get_future().wait();
  std::atomic<int> refused = 0;
  for (int i = 0; i < 2'000; ++i) {
    node.runtime().when_ended(actor, [&](const auto& result) { refused += result.ok() ? 0 : 1; });
  }
  EXPECT_GT(refused, 0);
  auto stopped = std::async(std::launch::async, [&] { return node.stop(5'000); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));  // it has told everybody
  go_on.set_value();
  EXPECT_TRUE(stopped.get());
  EXPECT_EQ(node.record().types(actor).back(), "shutdown shutdown");
}

}  // namespace
}  // namespace theater::node
