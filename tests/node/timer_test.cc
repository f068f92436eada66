// The handler `timer`: what a tick promises and what a cancel does. Each chain that comes about replays.
#include <gmock/gmock.h>

#include "node/actor/actor_timers.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSetInterval = "theater:simple/timer@0.1.0/set-interval";
constexpr const char* kSetOnce = "theater:simple/timer@0.1.0/set-once";
constexpr const char* kCancelTimer = "theater:simple/timer@0.1.0/cancel";
constexpr const char* kListTimers = "theater:simple/timer@0.1.0/list";
constexpr const char* kHandleTick = "theater:simple/timer-client@0.1.0/handle-tick";
constexpr uint64_t kMs = 1'000'000;

// --- the timers alone, on a clock of the test's ---

TEST(ActorTimersTest, MissedTicksComeAsOneAndTheGridIsKept) {
  ActorTimers timers;
  EXPECT_EQ(*timers.set(1'000, 10 * kMs, true, to_bytes("x"), {}), 1u);
  EXPECT_EQ(timers.next_due_ns(), 1'000 + 10 * kMs);
  EXPECT_FALSE(timers.take_due(10 * kMs));
  const auto tick = timers.take_due(57 * kMs);  // five of them
  ASSERT_TRUE(tick);
  EXPECT_EQ(tick->timer, 1u);
  EXPECT_EQ(tick->data, to_bytes("x"));
  EXPECT_FALSE(timers.take_due(57 * kMs));
  EXPECT_EQ(timers.next_due_ns(), 1'000 + 60 * kMs);
  EXPECT_TRUE(timers.take_due(1'000 + 60 * kMs)) << "just in time";
  EXPECT_EQ(timers.next_due_ns(), 1'000 + 70 * kMs);
}

TEST(ActorTimersTest, WhatIsDueFirstGoesFirst) {
  ActorTimers timers;
  ASSERT_TRUE(timers.set(0, 3 * kMs, true, {}, {}).ok());
  ASSERT_TRUE(timers.set(0, 2 * kMs, false, {}, {}).ok());
  ASSERT_TRUE(timers.set(0, kMs, true, {}, {}).ok());
  std::vector<uint64_t> order;
  while (auto tick = timers.take_due(3 * kMs)) order.push_back(tick->timer);
  EXPECT_THAT(order, ElementsAre(3, 2, 1));
  EXPECT_THAT(timers.numbers(), ElementsAre(1, 3));
}

TEST(ActorTimersTest, TheShortestAndTheLongest) {
  ActorTimers timers;
  EXPECT_THAT(timers.set(5, 0, true, {}, {}).error().message, HasSubstr("the shortest is 1000000 ns"));
  EXPECT_THAT(timers.set(5, kMs - 1, true, {}, {}).error().message, HasSubstr("the shortest"));
  ASSERT_TRUE(timers.set(5, UINT64_MAX, true, {}, {}).ok());
  ASSERT_TRUE(timers.set(5, UINT64_MAX, false, {}, {}).ok());
  EXPECT_EQ(timers.next_due_ns(), UINT64_MAX);
  EXPECT_FALSE(timers.take_due(UINT64_MAX - 1));
  ASSERT_TRUE(timers.set(5, 0, false, {}, {}).ok());
  EXPECT_EQ(timers.take_due(5)->timer, 3u) << "at once";
}

TEST(ActorTimersTest, EveryLimitIsNamed) {
  ManifestLimits limits;
  limits.timers = 2;
  limits.message_bytes = 10;
  limits.mailbox_bytes = 15;
  ActorTimers timers;
  EXPECT_THAT(timers.set(0, kMs, true, Bytes(11), limits).error().message, HasSubstr("limits.message_bytes is 10"));
  ASSERT_TRUE(timers.set(0, kMs, false, Bytes(10), limits).ok());
  EXPECT_THAT(timers.set(0, kMs, true, Bytes(6), limits).error().message, HasSubstr("limits.mailbox_bytes is 15"));
  ASSERT_TRUE(timers.set(0, kMs, true, Bytes(5), limits).ok());
  EXPECT_THAT(timers.set(0, kMs, true, {}, limits).error().message, HasSubstr("2 timers already (limits.timers)"));
  ASSERT_TRUE(timers.take_due(kMs));  // once: gone, with its bytes
  ASSERT_TRUE(timers.set(0, kMs, true, Bytes(10), limits).ok());
  ASSERT_TRUE(timers.cancel(3).ok());
  ASSERT_TRUE(timers.set(0, kMs, true, Bytes(10), limits).ok());
}

// --- actors ---

std::string outcome(const Value& result) {
  const auto& value = *result.get<Value::ResultOf>();
  if (!value.ok) return str_cat("error: ", *value.payload->get<std::string>());
  return value.payload == nullptr ? "ok" : str_cat(*value.payload->get<uint64_t>());
}

// "every MS DATA", "once MS DATA", "cancel N", "list", "state"; "sleep-cancel MS N" sleeps, then cancels; "storm N"
// sets and cancels N times; "many N" sets N timers.
void obey_timers(wasm::FakeCall& call) {
  std::istringstream words(message_of(call));
  const std::string state = state_of(call);
  std::string word, data;
  uint64_t number = 0, other = 0;
  words >> word >> number;
  if (word == "every" || word == "once") {
    words >> data;
    const uint64_t ns = number > UINT64_MAX / kMs ? number : number * kMs;
    call.host(word == "every" ? kSetInterval : kSetOnce, {Value::u64(ns), Value::bytes(to_bytes(data))});
  } else if (word == "cancel") {
    call.host(kCancelTimer, {Value::u64(number)});
  } else if (word == "sleep-cancel") {
    words >> other;
    call.host(kSleepCall, {Value::u64(number * kMs)});
    call.host(kCancelTimer, {Value::u64(other)});
  } else if (word == "storm") {
    for (uint64_t i = 1; i <= number; ++i) {
      call.host(kSetInterval, {Value::u64(kMs), Value::bytes({})});
      call.host(kCancelTimer, {Value::u64(i)});
    }
  } else if (word == "many") {
    for (uint64_t i = 0; i < number; ++i) call.host(kSetOnce, {Value::u64(UINT64_MAX), Value::bytes({})});
  } else if (word == "list") {
    call.host(kListTimers, {});
    return call.then([state](wasm::FakeCall& then) {
      const auto& list = then.answers().back().get<Value::List>()->items;
      then.result(ok_reply(state, str_cat(list.size())));
    });
  } else {
    return call.result(ok_reply(state, state));
  }
  call.then([state](wasm::FakeCall& then) { then.result(ok_reply(state, outcome(then.answers().back()))); });
}

// Notes each tick in the state. Its data may say "cancel" (its own timer), "slow", "trap" or "wait".
void tick(wasm::FakeCall& call) {
  const auto& params = call.args()[1].get<Value::Tuple>()->items;
  const uint64_t timer = *params[0].get<uint64_t>();
  const std::string data(as_text(*params[1].get<Bytes>()));
  if (data == "cancel") call.host(kCancelTimer, {Value::u64(timer)});
  if (data == "slow") call.host(kSleepCall, {Value::u64(5 * kMs)});
  if (data == "wait") call.host(kSleepCall, {Value::u64(3'600'000 * kMs)});
  if (data == "trap") return call.trap("the test said so");
  call.result(ok_state(state_of(call) + str_cat(timer, data, ";")));
}

class TimerTest : public testing::Test {
 protected:
  TimerTest() {
    node.package("clock", {.imports = {kSetInterval, kSetOnce, kCancelTimer, kListTimers, kSleepCall},
                           .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                       {kHandleRequest, obey_timers},
                                       {kHandleTick, tick}}});
    node.package("deaf", {.imports = {kSetOnce},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, obey_timers}}});
  }
  ~TimerTest() override { expect_all_replay(node); }

  ActorId clock(const std::string& more = "") { return node.spawn("clock", "[[handler]]\ntype = \"timer\"\n" + more); }
  std::string ask(const ActorId& actor, const std::string& message) {
    const auto answer = request(node.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(**answer)) : "failed: " + answer.error().message;
  }
  // Until `done` likes the state.
  std::string wait_for(const ActorId& actor, const std::function<bool(const std::string&)>& done) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    std::string state;
    do state = ask(actor, "state");
    while (!done(state) && std::chrono::steady_clock::now() < until);
    return state;
  }
  static size_t ticks(const std::string& state) {
    return static_cast<size_t>(std::count(state.begin(), state.end(), ';'));
  }

  FakeNode node;
};

TEST_F(TimerTest, TicksComeAndNameTheEventThatSetTheTimer) {
  const auto actor = clock();
  EXPECT_EQ(ask(actor, "every 1 a"), "1");
  EXPECT_EQ(ask(actor, "once 1 b"), "2");
  const auto state =
      wait_for(actor, [](const std::string& all) { return ticks(all) >= 5 && all.find("2b;") != std::string::npos; });
  EXPECT_EQ(state.find("2b;"), state.rfind("2b;")) << "once";
  EXPECT_EQ(ask(actor, "cancel 1"), "ok");
  EXPECT_THAT(ask(actor, "cancel 2"), HasSubstr("there is no timer 2 any more"));
  node.stop(10'000);
  const auto chain = node.record().chain(actor);
  size_t found = 0;
  for (const auto& event : chain) {
    const auto decoded = schema::decode_event(event.bytes);
    const auto* call = std::get_if<schema::WasmCall>(&decoded->body);
    if (call == nullptr || decoded->header.type != kHandleTick) continue;
    const auto* cause = std::get_if<schema::Cause>(&call->origin);
    ASSERT_NE(cause, nullptr);
    EXPECT_EQ(cause->actor, actor);
    EXPECT_EQ(cause->hash, chain.at(cause->sequence).hash);
    const bool repeats = *call->args[1].get<Value::Tuple>()->items[0].get<uint64_t>() == 1;
    EXPECT_EQ(schema::decode_event(chain.at(cause->sequence).bytes)->header.type, repeats ? kSetInterval : kSetOnce);
    ++found;
  }
  EXPECT_GE(found, 5u);
}

TEST_F(TimerTest, AfterACancelNoTickComesNotEvenOneThatWasDue) {
  const auto actor = clock();
  EXPECT_EQ(ask(actor, "once 20 x"), "1");
  EXPECT_EQ(ask(actor, "sleep-cancel 40 1"), "ok");  // due while the actor slept
  EXPECT_EQ(ask(actor, "every 1 y"), "2");
  wait_for(actor, [](const std::string& all) { return ticks(all) > 2; });
  ASSERT_EQ(ask(actor, "cancel 2"), "ok");
  const auto after = ask(actor, "state");
  EXPECT_EQ(after.find("1x"), std::string::npos);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(ask(actor, "state"), after);
  EXPECT_EQ(ask(actor, "list"), "0");
}

TEST_F(TimerTest, ATickThatCancelsItsTimerIsTheLast) {
  const auto actor = clock();
  EXPECT_EQ(ask(actor, "every 1 cancel"), "1");
  wait_for(actor, [](const std::string& all) { return ticks(all) == 1; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(ask(actor, "state"), "1cancel;");
  EXPECT_THAT(ask(actor, "cancel 1"), HasSubstr("any more"));
}

TEST_F(TimerTest, AShortIntervalDoesntKeepMessagesOut) {
  const auto actor = clock();
  EXPECT_EQ(ask(actor, "every 1 slow"), "1");  // always due
  const auto state = wait_for(actor, [](const std::string& all) { return ticks(all) >= 3; });
  EXPECT_GE(ticks(state), 3u);
  EXPECT_EQ(ask(actor, "list"), "1");
}

TEST_F(TimerTest, WhatWasNeverSetCantBeCancelled) {
  const auto actor = clock();
  EXPECT_THAT(ask(actor, "cancel 1"), HasSubstr("there is no timer 1: it was never set"));
  EXPECT_THAT(ask(actor, "cancel 0"), HasSubstr("never set"));
  EXPECT_THAT(ask(actor, "cancel 18446744073709551615"), HasSubstr("never set"));
  EXPECT_EQ(ask(actor, "every 18446744073709551615"), "1");
  EXPECT_EQ(ask(actor, "once 18446744073709551615"), "2");
  EXPECT_THAT(ask(actor, "every 0"), HasSubstr("the shortest is"));
  EXPECT_EQ(ask(actor, "once 0 now"), "3");
  EXPECT_EQ(wait_for(actor, [](const std::string& all) { return ticks(all) == 1; }), "3now;");
}

TEST_F(TimerTest, TenThousandTimersAndAStormOfCancels) {
  const auto actor = clock("[limits]\ntimers = 10000\n");
  EXPECT_EQ(ask(actor, "storm 1000"), "ok");
  EXPECT_EQ(ask(actor, "list"), "0");
  EXPECT_THAT(ask(actor, "many 10001"), HasSubstr("10000 timers already (limits.timers)"));
  EXPECT_EQ(ask(actor, "list"), "10000");
  EXPECT_EQ(ask(actor, "state"), "");
}

TEST_F(TimerTest, KilledAndTrappedInATick) {
  const auto trapped = clock(), killed = clock(), waiting = clock(), stopped = clock();
  ask(trapped, "every 1 trap");
  ASSERT_TRUE(ended(node.runtime(), trapped).ok());
  ask(killed, "once 0 wait");
  ASSERT_TRUE(wait_for_state(node.runtime(), killed, "waiting", "timer"));
  ASSERT_TRUE(kill(node.runtime(), killed).ok());
  ask(waiting, "every 1 x");
  ASSERT_TRUE(kill(node.runtime(), waiting).ok());
  ask(stopped, "every 1 slow");
  ASSERT_TRUE(stop(node.runtime(), stopped).ok());
}

TEST_F(TimerTest, APassivatedActorIsWokenByItsTimers) {
  const auto actor = clock("[limits]\npassivate_after = \"5 ms\"\n");
  EXPECT_EQ(ask(actor, "once 60 x"), "1");
  EXPECT_EQ(ask(actor, "every 40 y"), "2");
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "passivated"));
  const auto until = std::chrono::steady_clock::now() + kLong;
  const auto ticked = [&] {
    const auto types = node.record().types(actor);
    return std::count(types.begin(), types.end(), "handle-tick wasm-call");
  };
  while (ticked() < 4 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GE(ticked(), 4) << "without any message";
  EXPECT_THAT(ask(actor, "state"), HasSubstr("1x;"));
}

TEST_F(TimerTest, WhoSetsTimersMustTakeTicksAndBeGrantedThem) {
  const auto deaf = spawn(node.runtime(), node.asks("deaf", "[[handler]]\ntype = \"timer\"\n"));
  ASSERT_FALSE(deaf.ok());
  EXPECT_THAT(deaf.error().message, HasSubstr("doesn't export theater:simple/timer-client@0.1.0#handle-tick"));
  const auto ungranted = spawn(node.runtime(), node.asks("clock"));
  ASSERT_FALSE(ungranted.ok());
  EXPECT_THAT(ungranted.error().message, HasSubstr("[[handler]]\ntype = \"timer\""));
}

}  // namespace
}  // namespace theater::node
