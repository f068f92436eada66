// Supervision of real actors: what OTP's documentation says of supervisors, seen from outside and on the chain. The
// rules themselves are tested one by one in supervision_test.cc; here it is that actors live by them.
#include "tests/node/family.h"
#include "tests/replay/forge.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// "Child processes are started in the order of the list, and terminated in the reverse order."
TEST_F(FamilyTest, ChildrenStartInOrderAndStopInReverse) {
  const auto sup = family("", {{"a"}, {"b"}, {"c"}});
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
  EXPECT_THAT(decisions(sup),
              ElementsAre("start-child a", "child-started", "start-child b", "child-started", "start-child c",
                          "child-started", "started", "stop-child c", "child-exited shutdown", "stop-child b",
                          "child-exited shutdown", "stop-child a", "child-exited shutdown", "end"));
  EXPECT_EQ(last_event(sup).header.type, schema::kTypeShutdown);
}

TEST_F(FamilyTest, AChildsGenesisNamesTheDecisionThatMadeIt) {
  const auto sup = family("", {{"a"}});
  const auto child = genesis(next_life("a"));
  const auto cause = std::get<schema::Cause>(child.requested_by);
  EXPECT_EQ(cause.actor, sup);
  EXPECT_EQ(event(sup, cause.sequence).header.type, "supervisor/start-child");
  EXPECT_EQ(auditor.record().chain(sup)[cause.sequence].hash, cause.hash);
}

// "permanent: the child process is always restarted."
TEST_F(FamilyTest, APermanentChildIsRestartedWhateverEndedIt) {
  const auto sup = family("intensity = 10", {{"a"}});
  auto first = next_life("a");
  trap(first);
  auto second = next_life("a", first);
  EXPECT_EQ(genesis(second).previous_life, auditor.record().chain(first).back().hash);
  EXPECT_EQ(ask(second, "hello"), "hello");
  ask(second, "end");
  const auto third = next_life("a", second);
  ASSERT_TRUE(kill(node.runtime(), third).ok());
  const auto fourth = next_life("a", third);
  EXPECT_EQ(ask(fourth, "hello"), "hello");
  EXPECT_THAT(decisions(sup), ElementsAre("start-child a", "child-started", "started",                           //
                                          "child-exited error", "restart a", "start-child a", "child-started",   //
                                          "child-exited normal", "restart a", "start-child a", "child-started",  //
                                          "child-exited killed", "restart a", "start-child a", "child-started"));
}

// "transient: restarted only if it terminates abnormally." "temporary: never restarted."
TEST_F(FamilyTest, TransientAndTemporaryChildren) {
  const auto sup = family("", {{"t", "restart = \"transient\""}, {"x", "restart = \"temporary\""}});
  const auto t = next_life("t"), x = next_life("x");
  trap(x);
  trap(t);
  const auto again = next_life("t", t);
  ask(again, "end");
  ASSERT_TRUE(ended(node.runtime(), again).ok());
  EXPECT_TRUE(wait_for_decision(sup, "leave t"));
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
  EXPECT_FALSE(life("t"));
  EXPECT_FALSE(life("x"));
  EXPECT_THAT(decisions(sup), testing::IsSupersetOf({"drop x", "restart t", "leave t"}));
}

// "one_for_all: if one child process terminates and is to be restarted, all other child processes are terminated and
// then all child processes are restarted." "rest_for_one: the 'rest' of the child processes."
TEST_F(FamilyTest, OneForAllAndRestForOne) {
  for (const bool all : {true, false}) {
    const auto sup =
        family(str_cat("strategy = \"", all ? "one_for_all" : "rest_for_one", "\""), {{"a"}, {"b"}, {"c"}});
    const auto a = next_life("a"), b = next_life("b"), c = next_life("c");
    trap(b);
    next_life("b", b);
    next_life("c", c);
    if (all) next_life("a", a);
    EXPECT_EQ(*life("a") == a, !all);
    EXPECT_EQ(genesis(*life("c")).previous_life, auditor.record().chain(c).back().hash);
    ASSERT_TRUE(stop(node.runtime(), sup).ok());
  }
}

// "If more than intensity restarts occur in the last period seconds, the supervisor terminates all the child processes
// and then itself. The termination reason for the supervisor itself in that case will be shutdown."
TEST_F(FamilyTest, ExhaustionEndsTheSupervisorAndEscalates) {
  const auto top = family("intensity = 1", {{"inner", "", "", "[supervisor]\nintensity = 0\n", {{"leaf"}}}});
  const auto inner = next_life("inner"), leaf = next_life("leaf");
  trap(leaf);
  const auto second = next_life("inner", inner);
  EXPECT_THAT(decisions(inner), testing::IsSupersetOf({"give-up leaf", "end"}));
  EXPECT_EQ(std::get<schema::Shutdown>(last_event(inner).body).reason, "reached_max_restart_intensity");
  EXPECT_THAT(decisions(top), testing::IsSupersetOf({"child-exited shutdown", "restart inner"}));
  const auto next_leaf = next_life("leaf", leaf);
  EXPECT_EQ(genesis(next_leaf).previous_life, Hash{});  // another supervisor's child: a new life of its own
  trap(next_leaf);
  EXPECT_THAT(ended(node.runtime(), top)->ended, HasSubstr("reached_max_restart_intensity"));
  EXPECT_FALSE(life("inner", second));
}

TEST_F(FamilyTest, AChildThatDiesAtEachStartIsExhaustionAndNoLoop) {
  const auto refused = try_family("intensity = 3", {{"good"}, {"bad", "", "stillborn"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kActorFailed);
  EXPECT_THAT(refused.error().message, HasSubstr("child bad failed to start"));
  EXPECT_THAT(refused.error().message, HasSubstr("not today"));
  EXPECT_FALSE(life("good"));
}

// "a time-out: the supervisor tells the child to terminate and waits for an exit signal; if none comes within the time,
// the child is unconditionally terminated."
TEST_F(FamilyTest, AChildThatIgnoresShutdownIsKilled) {
  const auto sup = family("", {{"a", "shutdown = \"50 ms\""}, {"b", "shutdown = \"brutal_kill\""}});
  node.runtime().request(next_life("a"), to_bytes("loop"), {}, 0, false, [](auto) {});
  const auto a = *life("a"), b = *life("b");
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "running"));
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
  const auto error = std::get<schema::ErrorBody>(last_event(a).body);
  EXPECT_EQ(error.kind, schema::ErrorKind::kKilled);
  EXPECT_THAT(error.message, HasSubstr("did not stop within its shutdown time"));
  EXPECT_EQ(std::get<schema::Cause>(error.requested_by).actor, sup);
  EXPECT_EQ(last_event(b).header.type, schema::kTypeError);
}

TEST_F(FamilyTest, WhenASupervisorDiesItsChildrenDieWithIt) {
  const auto sup = family("", {{"a"}, {"inner", "", "", "[supervisor]\n", {{"leaf"}}}});
  const auto a = next_life("a"), leaf = next_life("leaf");
  ASSERT_TRUE(kill(node.runtime(), sup).ok());
  ASSERT_TRUE(ended(node.runtime(), a).ok());
  ASSERT_TRUE(ended(node.runtime(), leaf).ok());
  const auto error = std::get<schema::ErrorBody>(last_event(a).body);
  EXPECT_THAT(error.message, HasSubstr("its supervisor 'sup' ended: WasmError: test"));
  EXPECT_EQ(std::get<schema::Cause>(error.requested_by).hash, auditor.record().chain(sup).back().hash);
}

TEST_F(FamilyTest, ANameSurvivesARestartAndIsFreeWhenThereIsNone) {
  const auto sup = family("[supervisor.backoff]\ninitial = \"300 ms\"",
                          {{"a", "", "boss"}, {"b", "restart = \"temporary\"", "boss"}});
  const auto a = next_life("a"), b = next_life("b");
  ASSERT_THAT(ask(a, "register alice"), StartsWith("ok"));
  ASSERT_THAT(ask(b, "register bob"), StartsWith("ok"));
  const auto other = boss();
  trap(a);
  EXPECT_THAT(ask(other, "monitor alice"), HasSubstr("'alice' is being restarted"));
  EXPECT_THAT(ask(other, "register alice"), HasSubstr("belongs to actor"));
  const auto again = next_life("a", a);
  EXPECT_THAT(ask(other, "monitor alice"), StartsWith("ok"));
  EXPECT_THAT(ask(other, "register alice"), HasSubstr(again.short_hex()));
  trap(b);
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (!ask(other, "register bob").starts_with("ok") && std::chrono::steady_clock::now() < until) {
  }
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
  EXPECT_THAT(ask(other, "register alice"), StartsWith("ok"));
}

TEST_F(FamilyTest, BackoffWaitsBeforeTheRestart) {
  const auto sup = family("[supervisor.backoff]\ninitial = \"60 ms\"\njitter = 0", {{"a"}});
  const auto a = next_life("a");
  const auto begin = std::chrono::steady_clock::now();
  trap(a);
  next_life("a", a);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(60));
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
}

// The record of a supervisor is held against the rules of its manifest, decision by decision.
TEST_F(FamilyTest, ReplayFindsADecisionThatTheRulesDoNotMake) {
  const auto sup = family("", {{"a"}});
  const auto a = next_life("a");
  trap(a);
  next_life("a", a);
  ASSERT_TRUE(stop(node.runtime(), sup).ok());
  replay::Recording recording{sup, {}, auditor.record().blobs()};
  size_t at = 0;
  for (auto& each : auditor.record().chain(sup)) {
    if (schema::decode_event(each.bytes)->header.type == "supervisor/restart") at = recording.events.size();
    recording.events.push_back(std::move(each.bytes));
  }
  ASSERT_NE(at, 0u);
  const auto forged = replay::forge(recording, [&](std::vector<replay::MutableEvent>& events) {
    events.erase(events.begin() + static_cast<ptrdiff_t>(at));  // nobody is to see that it was restarted
  });
  replay::MemoryReader reader(forged);
  const auto report = replay::replay_chain(reader, forged.actor, node.engine(), {});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kDiverged);
  EXPECT_EQ(report->first_difference->sequence, at);
  EXPECT_EQ(report->matched, at);
  EXPECT_THAT(report->first_difference->replayed, HasSubstr("the rules say supervisor/restart"));
}

// --- from code ---

TEST_F(FamilyTest, CodeStartsAsksStopsRestartsAndForgetsAChild) {
  const auto parent = boss();
  const auto spawned = ask(parent, "spawn w worker permanent blue");
  const auto w = next_life("w");
  EXPECT_EQ(spawned, str_cat("ok(\"", w.hex(), "\")"));
  ask(w, "state red");
  EXPECT_EQ(ask(parent, "get-child-state w"), "ok(some(\"red\"))");
  EXPECT_THAT(ask(parent, "list-children"),
              HasSubstr(str_cat("{id: \"w\", actor: some(\"", w.hex(), "\"), state: running}")));
  EXPECT_THAT(ask(parent, "spawn w worker permanent blue"), HasSubstr("already_started"));
  EXPECT_THAT(ask(parent, "restart-child w"), HasSubstr("running"));
  EXPECT_THAT(ask(parent, "delete-child w"), HasSubstr("running"));
  EXPECT_EQ(ask(parent, "stop-child w"), "ok");
  EXPECT_FALSE(life("w"));
  EXPECT_THAT(ask(parent, "get-child-state w"), HasSubstr("no child 'w' is running"));
  EXPECT_THAT(ask(parent, "resume w green"), StartsWith("ok"));
  EXPECT_EQ(genesis(next_life("w")).previous_life, auditor.record().chain(w).back().hash);
  EXPECT_EQ(ask(parent, "stop-child w"), "ok");
  EXPECT_THAT(ask(parent, "restart-child w"), StartsWith("ok"));
  EXPECT_EQ(ask(parent, "stop-child w"), "ok");
  EXPECT_EQ(ask(parent, "delete-child w"), "ok");
  EXPECT_THAT(ask(parent, "restart-child w"), HasSubstr("not_found"));
  EXPECT_THAT(ask(parent, "stop-child nobody"), HasSubstr("not_found"));
  EXPECT_EQ(ask(parent, "list-children"), "[]");
}

TEST_F(FamilyTest, AChildsNameThatIsTooLongIsRefusedAndStopsNobody) {
  const auto parent = boss();
  const std::string name(70'000, 'x');
  for (const char* verb : {"stop-child ", "restart-child ", "delete-child "}) {
    EXPECT_THAT(ask(parent, verb + name), HasSubstr("at most 255 bytes, and this one 70000"));
  }
  EXPECT_THAT(ask(parent, str_cat("resume ", name, " state")), HasSubstr("at most 255 bytes"));
  EXPECT_EQ(ask(parent, "list-children"), "[]");
}

TEST_F(FamilyTest, AFactThatIsLargerThanAnEventEndsTheActorAndStopsNobodyElse) {
  std::vector<Child> children;
  for (int i = 0; i < 1'200; ++i) {
    children.push_back({str_cat(std::string(55, 'x'), i), "", "", "[supervisor]\n", {{"leaf"}}});
  }
  const auto bystander = boss();
  const auto failed = try_family("", children);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.error().message, HasSubstr("a fact of type supervisor/asked would be larger than 65536 bytes"));
  EXPECT_EQ(ask(bystander, "list-children"), "[]");
}

// Nor with anything else that is due and can't be done yet: it waits for what it waits for.
TEST_F(FamilyTest, WhoseTickIsDueWhileItsChildrenStartDoesNotSpin) {
  constexpr const char* kSetInterval = "theater:simple/timer@0.1.0/set-interval";
  node.package("boss", {.imports = {kSetInterval},
                        .exports = {{kInit,
                                     [](wasm::FakeCall& call) {
                                       call.host(kSetInterval,
                                                 {schema::Value::u64(1'000'000), schema::Value::bytes({})});
                                       call.result(ok_state(""));
                                     }},
                                    {kHandleRequest, FakeNode::obey},
                                    {"theater:simple/timer-client@0.1.0/handle-tick",
                                     [](wasm::FakeCall& call) { call.result(ok_state("ticked")); }}}});
  node.package("slow", {.imports = {kSleepCall},
                        .exports = {{kInit,
                                     [](wasm::FakeCall& call) {
                                       call.host(kSleepCall, {schema::Value::u64(500'000'000)});
                                       call.result(ok_state(""));
                                     }},
                                    {kHandleRequest, FakeNode::obey}}});
  node.runtime();
  const uint64_t before = node.clock_reads();
  const auto parent = boss("[[handler]]\ntype = \"timer\"", {{"child", "", "slow"}});
  EXPECT_LT(node.clock_reads(), before + 2'000);
  while (ask(parent, "show") != "ticked") std::this_thread::yield();
}

TEST_F(FamilyTest, AStateThatCodeGivesIsWhatInitGets) {
  const auto parent = boss();
  EXPECT_EQ(ask(parent, "spawn-and-wait job finisher seed"), "ok(some(\"done: seed\"))");
  EXPECT_EQ(ask(parent, "list-children"), "[]");  // temporary, and over
  EXPECT_EQ(ask(parent, "spawn-and-wait job finisher again"), "ok(some(\"done: again\"))");
}

TEST_F(FamilyTest, SpawnAndWaitFailsWithItsChildAndStopsItAfterTheTime) {
  const auto parent = boss();
  EXPECT_THAT(ask(parent, "spawn-and-wait job stillborn x"), HasSubstr("not today"));
  EXPECT_THAT(ask(parent, "spawn-and-wait job worker x 50"), HasSubstr("didn't end within 50 ms"));
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (life("job") && std::chrono::steady_clock::now() < until) {
  }
  EXPECT_FALSE(life("job"));
  EXPECT_EQ(ask(parent, "spawn-and-wait job finisher ok"), "ok(some(\"done: ok\"))");
}

TEST_F(FamilyTest, SimpleOneForOneStartsChildrenOfOneKind) {
  const auto parent = boss("strategy = \"simple_one_for_one\"", {{"kid", "restart = \"temporary\""}});
  EXPECT_FALSE(life("kid"));
  const auto first = ask(parent, "start-child red"), second = ask(parent, "start-child blue");
  ASSERT_THAT(first, StartsWith("ok(\""));
  EXPECT_NE(first, second);
  const auto id = *ActorId::from_hex_text(first.substr(4, 64));
  EXPECT_EQ(ask(id, "hello"), "hello");
  EXPECT_THAT(ask(parent, "stop-child kid"), HasSubstr("simple_one_for_one"));
  EXPECT_EQ(ask(parent, "stop-child " + id.hex()), "ok");
  EXPECT_FALSE(node.runtime().node_chain() == id);
  EXPECT_THAT(ask(parent, "list-children"), Not(HasSubstr(id.hex())));
  EXPECT_THAT(ask(parent, "spawn w worker permanent"), HasSubstr("invalid_spec"));
}

TEST_F(FamilyTest, CallbacksTellWhatTheSupervisorDidNotDoItself) {
  const auto parent = boss("intensity = 100", {{"a"}});
  const auto a = next_life("a");
  trap(a);
  EXPECT_THAT(state_with(parent, "(\"a\""), HasSubstr(str_cat("(\"a\",\"", a.hex().substr(0, 38))));
  const auto b = next_life("a", a);
  ask(b, "end");
  EXPECT_THAT(state_with(parent, "some"), HasSubstr("some(\"last word\")"));
  const auto c = next_life("a", b);
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) {
                node.runtime().stop_actor(c, schema::Operator{{}, "me"}, 1'000, std::move(done));
              }).ok());
  next_life("a", c);
  const auto before = ask(parent, "state");
  ASSERT_EQ(ask(parent, "stop-child a"), "ok");
  EXPECT_EQ(ask(parent, "state"), before);                          // its own doing
  EXPECT_EQ(std::count(before.begin(), before.end(), '('), 3 + 1);  // three calls, one some(…)
}

TEST_F(FamilyTest, AnAncestorSeesADescendantsEventsAndNobodyElseDoes) {
  const auto parent = boss("", {{"a"}});
  const auto a = next_life("a");
  const auto stranger = boss();
  EXPECT_THAT(ask(stranger, "subscribe-to-child " + a.hex()), HasSubstr("is no child of this actor"));
  EXPECT_THAT(ask(parent, "subscribe-to-child " + stranger.hex()), HasSubstr("is no child"));
  EXPECT_EQ(ask(parent, "subscribe-to-child a"), "ok");
  ask(a, "log 2");
  EXPECT_THAT(state_with(parent, "log-0"), HasSubstr("handle-request-0"));
  EXPECT_EQ(ask(parent, "unsubscribe-from-child a"), "ok");
}

TEST_F(FamilyTest, ASupervisorThatLagsLosesEventsMarkedAndNeverHoldsUpItsChild) {
  const auto parent = boss("", {{"a"}});
  const auto a = next_life("a");
  ASSERT_EQ(ask(parent, "subscribe-to-child a"), "ok");
  node.runtime().request(parent, to_bytes("sleep 300"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), parent, "waiting", "timer"));
  EXPECT_EQ(ask(a, "log 1000"), "log 1000");                       // while the parent sleeps
  EXPECT_THAT(state_with(parent, "log-7"), HasSubstr("log-746"));  // 1,002 events, 256 kept
}

TEST_F(FamilyTest, AChildGetsAtMostWhatItsParentHas) {
  const auto declared = try_family("", {{"a", "", "worker", "[[handler]]\ntype = \"wasi\"\n"}});
  ASSERT_FALSE(declared.ok());
  EXPECT_EQ(declared.error().code, ErrorCode::kRefused);
  EXPECT_THAT(declared.error().message, HasSubstr("a child gets at most what its parent has"));
  const auto parent = boss();
  EXPECT_THAT(ask(parent, "spawn w worker permanent x greedy"), HasSubstr("a child gets at most what its parent has"));
}

TEST_F(FamilyTest, ASpawnStormStopsAtMaxChildren) {
  const auto parent = boss("strategy = \"simple_one_for_one\"\nmax_children = 20", {{"kid"}});
  for (int i = 0; i < 20; ++i) ASSERT_THAT(ask(parent, "start-child"), StartsWith("ok"));
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(ask(parent, "start-child"), HasSubstr("max_children is 20, 20 are there, and 1 more was asked for"));
  }
}

TEST_F(FamilyTest, AThousandChildrenStopAtOnce) {
  const auto parent = boss("strategy = \"simple_one_for_one\"", {{"kid"}});
  for (int i = 0; i < 1'000; ++i) ASSERT_THAT(ask(parent, "start-child"), StartsWith("ok"));
  ASSERT_TRUE(stop(node.runtime(), parent).ok());
  EXPECT_FALSE(life("kid"));
  EXPECT_TRUE(node.lines().empty()) << node.lines().front();
  EXPECT_EQ(last_event(parent).header.type, schema::kTypeShutdown);
}

constexpr const char* kSend = "theater:simple/message-server-host@0.1.0/send";

// As fast as its supervisor restarts it.
TEST_F(FamilyTest, TenThousandTrapsLeaveTheNodeServingOthers) {
  node.package("doomed", {.imports = {kSend},
                          .exports = {{kInit,
                                       [](wasm::FakeCall& call) {
                                         const auto& params = call.args()[1].get<schema::Value::Tuple>()->items;
                                         call.host(kSend, {params[0], schema::Value::bytes(to_bytes("die"))});
                                         call.result(ok_state(""));
                                       }},
                                      {kHandleSend, [](wasm::FakeCall& call) { call.trap("as it was told"); }}}});
  const auto bystander = node.spawn();
  const auto sup = family("intensity = 10000\nperiod = \"3600 s\"", {{"a", "", "doomed"}});
  do {
    ASSERT_EQ(ask(bystander, "hello"), "hello");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } while (show(node.runtime(), sup)->state != "ended");
  EXPECT_EQ(show(node.runtime(), sup)->ended, "reached_max_restart_intensity");
  EXPECT_EQ(std::ranges::count(decisions(sup), "restart a"), 10'000);
}

TEST_F(FamilyTest, WhatDoesNotComeAlongIsNamed) {
  SpawnRequest request;
  request.manifest = FakeNode::manifest("sup", "[supervisor]\n[[child]]\nid = \"a\"\nmanifest = \"a.toml\"\n");
  const auto refused = node::spawn(node.runtime(), request);
  EXPECT_THAT(refused.error().message,
              HasSubstr("names the child 'a', but that one's manifest and package didn't come"));
  request.manifest = FakeNode::manifest("plain");
  EXPECT_THAT(node::spawn(node.runtime(), request).error().message, HasSubstr("no package came with the manifest"));
  request.manifest = FakeNode::manifest("sup", "[[child]]\nid = \"a\"\nmanifest = \"a.toml\"\n");
  EXPECT_THAT(node::spawn(node.runtime(), request).error().message, HasSubstr("add a table [supervisor]"));
}

TEST_F(FamilyTest, ASupervisorWithoutCodeTakesNoMessages) {
  const auto sup = family("", {{"a"}});
  EXPECT_THAT(ask(sup, "hello"), HasSubstr("doesn't export"));
}

TEST_F(FamilyTest, AStopDuringTheStartsEndsAll) {
  node.package("slow", {.imports = {kSleepCall},
                        .exports = {{kInit,
                                     [](wasm::FakeCall& call) {
                                       call.host(kSleepCall, {Value::u64(200'000'000)});
                                       call.result(ok_state());
                                     }},
                                    {kHandleRequest, FakeNode::obey}}});
  std::promise<Result<ActorInfo>> born;
  SpawnRequest request;
  static_cast<Bundle&>(request) = bundle_of("sup", "", "[supervisor]\n", {{"a"}, {"b", "", "slow"}, {"c"}});
  node.runtime().spawn(std::move(request), [&](Result<ActorInfo> result) { born.set_value(std::move(result)); });
  next_life("a");
  EXPECT_TRUE(node.stop(10'000));
  const auto result = born.get_future().get();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(life("a"));
}

// --- links and monitors ---

TEST_F(FamilyTest, WhoIsLinkedDiesWithTheOtherUnlessThatEndedNormally) {
  const auto a = boss(), b = boss(), c = boss(), d = boss();
  ASSERT_EQ(ask(a, "link " + b.hex()), "ok");
  ASSERT_EQ(ask(c, "link " + d.hex()), "ok");
  trap(a);
  EXPECT_THAT(ended(node.runtime(), b)->ended, HasSubstr("it was linked to " + a.short_hex()));
  EXPECT_EQ(std::get<schema::Cause>(std::get<schema::ErrorBody>(last_event(b).body).requested_by).actor, a);
  ask(d, "end");
  ASSERT_TRUE(ended(node.runtime(), d).ok());
  EXPECT_EQ(ask(c, "state"), "");
}

TEST_F(FamilyTest, WhoeverExportsHandleExitIsToldInstead) {
  const auto watcher = family("", {}, "watcher"), b = boss();
  ASSERT_EQ(ask(b, "link " + watcher.hex()), "ok");
  trap(b);
  EXPECT_THAT(state_with(watcher, "("), HasSubstr(b.hex().substr(0, 38)));
}

TEST_F(FamilyTest, UnlinkedActorsDieAlone) {
  const auto a = boss(), b = boss();
  ASSERT_EQ(ask(a, "link " + b.hex()), "ok");
  ASSERT_EQ(ask(b, "unlink " + a.hex()), "ok");
  trap(a);
  ASSERT_TRUE(ended(node.runtime(), a).ok());
  EXPECT_EQ(ask(b, "state"), "");
}

TEST_F(FamilyTest, AMonitorTellsOnceAndNotAfterDemonitor) {
  const auto watcher = family("", {}, "watcher"), b = boss(), c = boss();
  EXPECT_EQ(ask(watcher, "monitor " + b.hex()), "ok(1)");
  EXPECT_EQ(ask(watcher, "monitor " + c.hex()), "ok(2)");
  EXPECT_EQ(ask(watcher, "demonitor 2"), "true");
  EXPECT_EQ(ask(watcher, "demonitor 2"), "false");
  EXPECT_EQ(ask(watcher, "demonitor 99"), "false");
  trap(c);
  ask(b, "end");
  EXPECT_THAT(state_with(watcher, "("), StartsWith(str_cat("(1,\"", b.hex().substr(0, 36))));
  EXPECT_THAT(ask(watcher, "monitor nobody"), HasSubstr("no actor has the name 'nobody'"));
  EXPECT_THAT(ask(watcher, "link " + b.hex()), HasSubstr("there is no living actor"));
}

TEST_F(FamilyTest, LinksAndMonitorsAreBounded) {
  const auto watcher = family("", {}, "watcher"), b = boss();
  for (int i = 0; i < 1'000; ++i) ASSERT_THAT(ask(watcher, "monitor " + b.hex()), StartsWith("ok"));
  EXPECT_THAT(ask(watcher, "monitor " + b.hex()), HasSubstr("at most 1000 are allowed"));
}

}  // namespace
}  // namespace theater::node
