// What a node shows of itself: the list of its actors, numbers, log lines; and that nothing holds this up.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>

#include "tests/node/fake_node.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using Overflow = QueueSubscriber::Overflow;

// The command line asks on a thread of its own: what it is told must not have to wait for actors. Timings are for
// `./dev bench`; what is held here is that many answers come while every loop goes on.
TEST(SightTest, StalledSubscribersAndAThousandLoopsDoNotHoldUpTheList) {
  constexpr int kStalled = 64, kLoops = 1'000, kLists = 51;
  std::atomic<int> ended{0};  // goes after the node, whose last actors count here
  FakeNode node(2);
  std::vector<std::shared_ptr<QueueSubscriber>> stalled;
  const auto ask = [&](const ActorId& actor, const char* what) {
    node.runtime().request(actor, to_bytes(what), {}, 0, false, [&](const Result<std::optional<Bytes>>&) { ++ended; });
  };
  for (int i = 0; i < kStalled; ++i) {
    const auto actor = node.spawn();
    stalled.push_back(std::make_shared<QueueSubscriber>(1, Overflow::kStrict));
    ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node.runtime().subscribe(actor, stalled.back(), done); }).ok());
    ask(actor, "log 5");
    ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "a subscriber"));
  }
  std::vector<ActorId> loops;
  for (int i = 0; i < kLoops; ++i) loops.push_back(node.spawn("worker", "[limits]\ncall_timeout = \"1 h\"\n"));
  for (const auto& actor : loops) ask(actor, "loop");
  for (const auto& actor : loops) ASSERT_TRUE(wait_for_state(node.runtime(), actor, "running"));

  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < kLists; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto actors = list(node.runtime());
    times.push_back(std::chrono::steady_clock::now() - begin);
    ASSERT_TRUE(actors.ok());
    ASSERT_EQ(actors->size(), static_cast<size_t>(kStalled + kLoops));
    ASSERT_EQ(std::count_if(actors->begin(), actors->end(), [](const auto& each) { return each.state == "waiting"; }),
              kStalled);
  }
  EXPECT_EQ(ended, 0) << "every loop went on, and everybody who was held up still is";
  std::sort(times.begin(), times.end());
  const double median_ms = std::chrono::duration<double, std::milli>(times[kLists / 2]).count();
  std::cout << "actor list beside " << kStalled << " stalled subscribers and " << kLoops << " loops: median "
            << median_ms << " ms\n";
  RecordProperty("list_median_ms", std::to_string(median_ms));
  for (auto& queue : stalled) queue->close();
  for (const auto& actor : loops) node.runtime().kill(actor, {}, "test", [](const Result<Ok>&) {});
}

TEST(SightTest, MetricsCountWhatHappened) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  const auto actor = node.spawn();
  const auto before = node.runtime().metrics();
  EXPECT_EQ(before.spawned, 1u);
  EXPECT_EQ(before.spawn_requests, 1u);
  EXPECT_EQ(before.actors.at("idle"), 1u);
  EXPECT_EQ(before.instances, 1u);
  EXPECT_GT(before.modules_compiled, 0u);

  EXPECT_TRUE(request(node.runtime(), actor, "log 7").ok());
  EXPECT_FALSE(send(node.runtime(), actor, std::string(2 << 20, 'x')).ok());
  auto metrics = node.runtime().metrics();
  EXPECT_EQ(metrics.calls, before.calls + 1);
  EXPECT_EQ(metrics.taken, 1u);
  EXPECT_EQ(metrics.takes_refused, 1u);
  const auto is_stated = [&] {
    const auto types = node.record().types(actor);
    return std::any_of(types.begin(), types.end(), [](const auto& type) { return type.starts_with("refused"); });
  };
  const auto latest = std::chrono::steady_clock::now() + kLong;
  while (!is_stated() && std::chrono::steady_clock::now() < latest) std::this_thread::yield();
  // What a turn did is counted at its end, which may come after the answer.
  const uint64_t events = show(node.runtime(), actor)->events;
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (metrics.events != events && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
    metrics = node.runtime().metrics();
  }
  EXPECT_EQ(metrics.events, events);
  EXPECT_EQ(metrics.host_calls, 7u);

  auditor.give_room(0);
  node.runtime().request(actor, to_bytes("hello"), {}, 0, false, [](const Result<std::optional<Bytes>>&) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "auditor b"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(send(node.runtime(), actor, "12").ok());
  metrics = node.runtime().metrics();
  EXPECT_EQ(metrics.actors.at("waiting"), 1u);
  EXPECT_EQ(metrics.waiting.at("auditor").actors, 1u);
  EXPECT_EQ(metrics.waiting.at("timer").actors, 0u);
  EXPECT_EQ(metrics.mailbox_messages, 3u);
  EXPECT_EQ(metrics.mailbox_longest, 3u);
  EXPECT_EQ(metrics.mailbox_bytes, 6u);
  auditor.give_room(SIZE_MAX);

  const auto second = node.spawn();
  EXPECT_FALSE(request(node.runtime(), second, "trap").ok());
  ASSERT_TRUE(ended(node.runtime(), second).ok());
  EXPECT_TRUE(stop(node.runtime(), actor).ok());
  metrics = node.runtime().metrics();
  EXPECT_EQ(metrics.ended.at("trap"), 1u);
  EXPECT_EQ(metrics.ended.at("shutdown"), 1u);
  EXPECT_EQ(metrics.actors.at("idle"), 0u);
  EXPECT_EQ(metrics.modules_found, 1u);
}

TEST(SightTest, TheCommandThreadAnswersWhateverActorsDo) {
  FakeNode node(1);
  const auto looping = node.spawn();
  node.runtime().request(looping, to_bytes("loop"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), looping, "running"));
  std::promise<void> answered;
  node.runtime().defer([&] { answered.set_value(); });
  EXPECT_EQ(answered.get_future().wait_for(kLong), std::future_status::ready);
}

TEST(SightTest, GuestLogsReachPeople) {
  FakeNode node;
  const auto actor = node.spawn();
  ASSERT_TRUE(request(node.runtime(), actor, "log 1").ok());
  EXPECT_THAT(node.lines(), ElementsAre(str_cat("[test ", actor.short_hex(), "] line 0")));
  const auto line = node.log_lines().at(0);
  EXPECT_EQ(line.text, "line 0");
  EXPECT_EQ(line.actor, actor);
  EXPECT_EQ(line.event, node.record().chain(actor)[6].hash);

  // Nobody waits for the error of a message: it is logged, with the event that tells it.
  node.package("moody", {.imports = {},
                         .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                     {kHandleSend, [](wasm::FakeCall& call) {
                                        call.result(Value::err(Value::string("no, thank you")));
                                      }}}});
  const auto moody = node.spawn("moody");
  ASSERT_TRUE(send(node.runtime(), moody, "x").ok());
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (node.log_lines().size() < 2 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  const auto failed = node.log_lines().at(1);
  EXPECT_THAT(failed.text, HasSubstr("failed: no, thank you"));
  EXPECT_EQ(failed.event, node.record().chain(moody).back().hash);
}

TEST(SightTest, WhatIsNotRecordedIsNotLoggedEither) {
  FakeNode node;
  auto& auditor = node.auditor("b");
  const auto actor = node.spawn();
  auditor.give_room(bus::Outbox::event_room(1'000));  // the call finds room, and perhaps a line or two
  node.runtime().request(actor, to_bytes("log 20"), {}, 0, false, [](const Result<std::optional<Bytes>>&) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), actor, "waiting", "auditor b"));
  node.runtime().kill(actor, {}, "test", [](const Result<Ok>&) {});
  auditor.give_room(SIZE_MAX);
  ASSERT_TRUE(ended(node.runtime(), actor).ok());
  const auto types = node.record().types(actor);
  EXPECT_EQ(node.lines().size(), static_cast<size_t>(std::count(types.begin(), types.end(), "log host-call")));
  EXPECT_LT(node.lines().size(), 20u);
}

}  // namespace
}  // namespace theater::node
