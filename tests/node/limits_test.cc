// What an actor may use: how each limit is met, what its chain says then, and that the node serves the others all the
// same. Every chain replays.
#include <gmock/gmock.h>

#include "node/actor/actor.h"
#include "node/runtime/refusals.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::ErrorKind;
using schema::Value;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Facts = std::vector<std::string>;

// "type value" of each fact on the chain.
Facts facts_of(const RecordingSubscriber& record, const ActorId& chain) {
  Facts facts;
  for (const auto& event : record.chain(chain)) {
    if (event.kind != schema::BodyKind::kFact) continue;
    const auto decoded = schema::decode_event(event.bytes);
    facts.push_back(str_cat(decoded->header.type, " ", schema::to_json(std::get<schema::Fact>(decoded->body).value)));
  }
  return facts;
}

size_t count_of(const Facts& facts, std::string_view type) {
  return static_cast<size_t>(std::ranges::count_if(facts, [&](const auto& each) { return each.starts_with(type); }));
}

// Still there, and answers.
void expect_serves(FakeNode& node) {
  const ActorId other = node.spawn();
  const auto answer = request(node.runtime(), other, "hello");
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(as_text(**answer), "hello");
}

// --- fuel ---

TEST(LimitsTest, ALoopEndsExactlyWhereTheFuelOfItsLifeDoes) {
  FakeNode node;
  const ActorId actor = node.spawn("worker", "[limits]\nfuel = 5000000\n");
  ASSERT_TRUE(request(node.runtime(), actor, "log 10").ok());
  const auto answer = request(node.runtime(), actor, "loop");
  ASSERT_FALSE(answer.ok());
  EXPECT_THAT(answer.error().message,
              HasSubstr("handle-request used up limits.fuel, 5000000 for all calls together: 5000000"));
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  const auto end = node.record().last_body<schema::ErrorBody>(actor);
  EXPECT_EQ(end.kind, ErrorKind::kLimit);
  EXPECT_TRUE(end.in_call);
  EXPECT_LT(end.fuel, 5'000'000u);  // what the calls before had used is gone
  EXPECT_GT(end.fuel, 4'999'000u);
  expect_serves(node);
  expect_all_replay(node);
}

TEST(LimitsTest, ACallThatUsesTheLastOfItReturnsAndThenTheActorEnds) {
  FakeNode node;
  // The fake engine takes one unit a step, and `burn` as many as it says, all in one step that may go beyond the limit.
  node.package("burner", {.imports = {},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                      {kHandleRequest, [](wasm::FakeCall& call) {
                                         call.burn(std::stoull(message_of(call)));
                                         call.result(ok_reply(std::nullopt, "done"));
                                       }}}});
  const ActorId actor = node.spawn("burner", "[limits]\nfuel = 1003\n");
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "500")), "done");
  // init took 1, the first call 501: with 500 and its result this one uses exactly what is left, 501, and stops there.
  const auto last = request(node.runtime(), actor, "500");
  EXPECT_FALSE(last.ok());
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  const auto end = node.record().last_body<schema::ErrorBody>(actor);
  EXPECT_EQ(end.kind, ErrorKind::kLimit);
  EXPECT_THAT(end.message, HasSubstr("limits.fuel, 1003"));
  expect_all_replay(node);
}

TEST(LimitsTest, TheFuelOfOneCall) {
  FakeNode node;
  const ActorId actor = node.spawn("worker", "[limits]\ncall_fuel = 2500000\nfuel = 9000000\n");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(request(node.runtime(), actor, "log 10").ok());
  const auto answer = request(node.runtime(), actor, "loop");
  EXPECT_THAT(answer.error().message, HasSubstr("needs more than limits.call_fuel, 2500000; it was stopped after"));
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  EXPECT_EQ(node.record().last_body<schema::ErrorBody>(actor).fuel, 2'500'000u);
  expect_serves(node);
  expect_all_replay(node);
}

TEST(LimitsTest, FuelThatEndsDuringInit) {
  FakeNode node;
  node.package("slow", {.imports = {}, .exports = {{kInit, [](wasm::FakeCall& call) { call.loop_forever(); }}}});
  auto asks = node.asks("slow", "[limits]\nfuel = 10\n");
  asks.manifest = "name = \"slow\"\n[limits]\nfuel = 10\n";
  const auto actor = spawn(node.runtime(), std::move(asks));
  EXPECT_EQ(actor.error().code, ErrorCode::kActorFailed);
  EXPECT_THAT(actor.error().message, HasSubstr("init used up limits.fuel, 10"));
  expect_serves(node);
  expect_all_replay(node);
}

// --- memory ---

class GrowingTest : public testing::Test {
 protected:
  GrowingTest() {
    node.package("grower", {.imports = {kLogCall},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                        {kHandleRequest, [](wasm::FakeCall& call) {
                                           const std::string message = message_of(call);
                                           call.grow_memory(std::stoull(message));
                                           call.host(kLogCall, {Value::string("grown")});
                                           if (message.ends_with(" or die")) call.trap("out of memory");
                                           call.result(ok_reply(std::nullopt, "done"));
                                         }}}});
  }
  FakeNode node;
};

TEST_F(GrowingTest, MemoryThatWasRefusedIsAFactBeforeTheCallsResult) {
  const ActorId actor = node.spawn("grower", "[limits]\nmemory = \"1 MiB\"\n");
  EXPECT_TRUE(request(node.runtime(), actor, "1048576").ok());
  EXPECT_THAT(facts_of(node.record(), actor), ElementsAre());
  EXPECT_TRUE(request(node.runtime(), actor, "1048577").ok());
  EXPECT_THAT(facts_of(node.record(), actor),
              ElementsAre(AllOf(HasSubstr("actor/limit"), HasSubstr("limits.memory"), HasSubstr("1048576"),
                                HasSubstr("1048577"), HasSubstr("handle-request"))));
  EXPECT_TRUE(request(node.runtime(), actor, "5").ok());
  EXPECT_EQ(facts_of(node.record(), actor).size(), 1u);
  const auto types = node.record().types(actor);
  const auto fact = std::ranges::find(types, "limit fact");
  ASSERT_NE(fact, types.end());
  EXPECT_EQ(*std::next(fact), "handle-request wasm-result");
  expect_all_replay(node);
}

TEST_F(GrowingTest, ATrapAfterwardsTellsOfIt) {
  const ActorId actor = node.spawn("grower", "[limits]\nmemory = \"1 MiB\"\n");
  const auto answer = request(node.runtime(), actor, "2000000 or die");
  EXPECT_THAT(answer.error().message,
              HasSubstr("out of memory; a memory of 2000000 bytes was refused before: limits.memory is 1048576"));
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  expect_serves(node);
  expect_all_replay(node);
}

TEST_F(GrowingTest, AKillWhileTheFactWaitsForItsAuditor) {
  auto& auditor = node.auditor("a");
  const ActorId actor = node.spawn("grower", "[limits]\nmemory = \"1 MiB\"\n");
  auditor.give_room(0);
  node.runtime().request(actor, to_bytes("2000000"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "auditor a"));
  auto killed = std::async(std::launch::async, [&] { return kill(node.runtime(), actor); });
  auditor.give_room(SIZE_MAX);
  EXPECT_TRUE(killed.get().ok());
  expect_all_replay(node);
}

// --- events ---

TEST(ThrottleTest, ASecondsWorthAtOnceThenOneAtATime) {
  constexpr uint64_t kMs = 1'000'000, kStart = 5'000 * kMs;
  Throttle throttle(10);
  uint64_t events = 0;
  for (; events < 10; ++events) EXPECT_TRUE(throttle.allows(events, kStart)) << events;
  EXPECT_FALSE(throttle.allows(events, kStart));
  EXPECT_EQ(throttle.ready_ns(), kStart + 100 * kMs);
  EXPECT_TRUE(throttle.tell());
  EXPECT_FALSE(throttle.tell());
  EXPECT_FALSE(throttle.allows(events, kStart + 99 * kMs));
  EXPECT_TRUE(throttle.allows(events, kStart + 100 * kMs));
  EXPECT_FALSE(throttle.allows(++events, kStart + 100 * kMs));
  EXPECT_FALSE(throttle.tell()) << "the same burst";
  EXPECT_TRUE(throttle.allows(events, kStart + 5'000 * kMs));
  events += 30;  // what an actor has begun it finishes, and pays afterwards
  EXPECT_FALSE(throttle.allows(events, kStart + 5'000 * kMs));
  EXPECT_EQ(throttle.ready_ns(), kStart + (5'000 + 2'100) * kMs);
  EXPECT_TRUE(throttle.tell()) << "another burst";
}

TEST(LimitsTest, AnActorThatSaysTooMuchWaitsAndItsChainSaysSoOnce) {
  FakeNode node;
  const ActorId actor = node.spawn("worker", "[limits]\nevents_per_second = 100\ncall_timeout = \"400 ms\"\n");
  auto answer = std::async(std::launch::async, [&] { return request(node.runtime(), actor, "log 200"); });
  EXPECT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "limits.events_per_second"));
  expect_serves(node);
  // Waiting isn't the guest's time: it takes a second, and no deadline of 400 ms is missed.
  const auto got = answer.get();
  EXPECT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(count_of(facts_of(node.record(), actor), kFactThrottled), 1u);
  EXPECT_THAT(facts_of(node.record(), actor)[0], AllOf(HasSubstr("limits.events_per_second"), HasSubstr("100")));
  // Messages wait as well, and all come to their turn.
  std::vector<std::future<Result<std::optional<Bytes>>>> answers;
  for (int i = 0; i < 20; ++i) {
    answers.push_back(std::async(std::launch::async, [&] { return request(node.runtime(), actor, "hello"); }));
  }
  for (auto& each : answers) EXPECT_TRUE(each.get().ok());
  EXPECT_EQ(count_of(facts_of(node.record(), actor), kFactThrottled), 1u);
  expect_all_replay(node);
}

TEST(LimitsTest, AThrottledActorCanBeKilledAndStopped) {
  FakeNode node;
  const std::string limits = "[limits]\nevents_per_second = 10\n";
  const ActorId killed = node.spawn("worker", limits), stopped = node.spawn("worker", limits);
  for (const ActorId& actor : {killed, stopped}) {
    node.runtime().request(actor, to_bytes("log 100000"), {}, 0, false, [](auto) {});
    ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "limits.events_per_second"));
  }
  EXPECT_TRUE(kill(node.runtime(), killed).ok());
  EXPECT_TRUE(stop(node.runtime(), stopped, 50).ok());
  expect_all_replay(node);
}

// --- messages ---

TEST(LimitsTest, MessagesFromOutsideThatAreTooLargeAreCountedOnTheChain) {
  FakeNode node;
  const ActorId actor = node.spawn("worker", "[limits]\nmessage_bytes = 10\n");
  for (int i = 0; i < 500; ++i) {
    const auto refused = request(node.runtime(), actor, "more than ten");
    ASSERT_EQ(refused.error().code, ErrorCode::kRefused);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("13 bytes"), HasSubstr("limits.message_bytes")));
  }
  EXPECT_EQ(as_text(**request(node.runtime(), actor, "ten bytes.")), "ten bytes.");
  const auto stated = [&] {
    uint64_t refused = 0;
    for (const auto& event : node.record().chain(actor)) {
      if (event.kind != schema::BodyKind::kFact) continue;
      const auto decoded = schema::decode_event(event.bytes);
      const auto& fields = std::get<schema::Fact>(decoded->body).value.get<Value::Record>()->fields;
      EXPECT_EQ(fields[0].name, "messages");
      refused += *fields[0].value.get<uint64_t>();
      EXPECT_THAT(*fields[1].value.get<std::string>(), HasSubstr("limits.message_bytes"));
    }
    return refused;
  };
  // The first at once, the others together after a second: nobody needs to ask for it.
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (stated() < 500 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(stated(), 500u);
  EXPECT_LE(facts_of(node.record(), actor).size(), 60u);
  expect_all_replay(node);
}

// --- spawns ---

// What the node's own chain says from now on.
std::shared_ptr<RecordingSubscriber> record_of_the_node(FakeNode& node) {
  auto record = std::make_shared<RecordingSubscriber>();
  const auto subscribed = await<Ok>(
      [&](Callback<Ok> done) { node.runtime().subscribe(node.runtime().node_chain(), record, std::move(done)); });
  CHECK(subscribed.ok());
  return record;
}

TEST(RefusedSpawnTest, AManifestThatGrantsItselfMoreThanTheNodesPolicy) {
  FakeNode node;
  node.options().policy.most.instance.memory_bytes = 16 << 20;
  const auto record = record_of_the_node(node);
  auto asks = node.asks("worker");
  asks.requested_by = schema::Operator{{}, "a request"};
  const auto refused = spawn(node.runtime(), std::move(asks));
  ASSERT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("limits.memory of 'test' is 64 MiB"), HasSubstr("policy.memory in its node.toml")));
  EXPECT_TRUE(spawn(node.runtime(), node.asks("worker", "[limits]\nmemory = \"16 MiB\"\n")).ok());
  node.stop(10'000);
  const auto facts = facts_of(*record, node.runtime().node_chain());
  ASSERT_EQ(count_of(facts, kFactRefusedSpawn), 1u);
  EXPECT_THAT(*std::ranges::find_if(facts, [](const auto& each) { return each.starts_with(kFactRefusedSpawn); }),
              AllOf(HasSubstr("\"test\""), HasSubstr("policy.memory"), HasSubstr("operator")));
  expect_all_replay(node);
}

TEST(RefusedSpawnTest, AStormOverTheInstancesLimitIsCountedAndTheOthersAreServed) {
  constexpr uint32_t kInstances = 20, kAsked = 500;
  wasm::EngineOptions engine;
  engine.instances_max = kInstances;
  FakeNode node(2, engine);
  const auto record = record_of_the_node(node);
  // They never rest, so that none makes room for another.
  const std::string restless = "[limits]\npassivate_after = \"0 s\"\n";
  const ActorId first = node.spawn("worker", restless);
  std::atomic<uint32_t> made{0}, refused{0};
  for (uint32_t i = 0; i < kAsked; ++i) {
    node.runtime().spawn(node.asks("worker", restless), [&](const Result<ActorInfo>& result) {
      if (!result.ok()) {
        EXPECT_THAT(result.error().message, HasSubstr("20 actors are alive, which is the most"));
      }
      ++(result.ok() ? made : refused);
    });
  }
  while (made + refused < kAsked) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(made, kInstances - 1);
  EXPECT_EQ(as_text(**request(node.runtime(), first, "hello")), "hello");
  node.stop(10'000);

  uint64_t each = 0, counted = 0, facts = 0;
  for (const auto& event : record->chain(node.runtime().node_chain())) {
    const auto decoded = schema::decode_event(event.bytes);
    if (decoded->header.type != kFactRefusedSpawn) continue;
    ++facts;
    const auto& fields = std::get<schema::Fact>(decoded->body).value.get<Value::Record>()->fields;
    if (const auto* spawns = fields.back().value.get<uint64_t>()) {
      counted += *spawns;
    } else {
      ++each;
    }
  }
  EXPECT_EQ(each + counted, kAsked - (kInstances - 1));
  EXPECT_GE(each, Refusals::kEachMax);
  EXPECT_LT(facts, 150u);  // eleven a second
  expect_all_replay(node);
}

}  // namespace
}  // namespace theater::node
