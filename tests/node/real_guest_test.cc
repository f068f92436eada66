// The node with real guests in the real engine: what an actor's chain holds from its spawn to its end.
#include <gmock/gmock.h>

#include "replay/replayer.h"
#include "tests/node/node_test_util.h"
#include "tests/replay/memory_reader.h"

namespace theater::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RealGuestTest : public testing::Test {
 protected:
  explicit RealGuestTest(uint32_t instances_max = 200) : instances_max_(instances_max) {}

  void SetUp() override {
    wasm::EngineOptions limits;
    limits.instances_max = instances_max_;
    auto engine = wasm::make_wasmtime_engine(limits);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    RuntimeOptions options;
    options.engine = engine_.get();
    options.clock = &clock_;
    options.random = &random_;
    options.workers = 2;
    options.log = [this](const std::string& line) {
      std::lock_guard lock(mutex_);
      lines_.push_back(line);
    };
    auto runtime = start_runtime(std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }

  SpawnRequest example(const std::string& name) {
    const std::string folder = str_cat(THEATER_BUILD_DIR, "/examples/", name, "/");
    SpawnRequest request;
    request.manifest = std::string(as_text(*read_file(folder + "manifest.toml")));
    request.package = *read_file(str_cat(folder, name, ".wasm"));
    request.subscribers = {record_};
    return request;
  }

  SpawnRequest moody(const std::string& more) {
    SpawnRequest request;
    request.manifest = "name = \"moody\"\n";
    for (const char* handler : {"runtime", "timing", "message-server"}) {
      request.manifest += str_cat("[[handler]]\ntype = \"", handler, "\"\n");
    }
    request.manifest += more;
    request.package = *read_file(THEATER_BUILD_DIR "/tests/guests/moody.wasm");
    request.subscribers = {record_};
    return request;
  }

  // What is on record of it comes out again.
  void expect_replays(const ActorId& actor) {
    replay::Recording recording{actor, {}, record_->blobs()};
    for (auto& event : record_->chain(actor)) recording.events.push_back(std::move(event.bytes));
    const size_t events = recording.events.size();
    replay::MemoryReader reader(std::move(recording));
    const auto report = replay::replay_chain(reader, actor, *engine_, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->status, replay::ReplayStatus::kSame) << report->reason;
    EXPECT_EQ(report->matched, events);
    if (report->first_difference) {
      ADD_FAILURE() << report->first_difference->sequence << "\n recorded " << report->first_difference->recorded
                    << "\n replayed " << report->first_difference->replayed;
    }
  }

  // The end of an actor that is sent `messages`, the last of which ends it. Its chain replays.
  schema::ErrorBody end_after(std::initializer_list<std::string> messages, const std::string& more) {
    const auto actor = spawn(*runtime_, moody(more));
    CHECK(actor.ok(), actor.error().message);
    for (const auto& message : messages) {
      const bool last = &message == messages.end() - 1;
      const auto answer = request(*runtime_, actor->id, message);
      EXPECT_EQ(answer.ok(), !last) << message;
    }
    CHECK(ended(*runtime_, actor->id).ok());
    expect_replays(actor->id);
    return record_->last_body<schema::ErrorBody>(actor->id);
  }

  const uint32_t instances_max_;
  SystemClock clock_;
  SystemRandom random_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::unique_ptr<wasm::Engine> engine_;
  std::shared_ptr<RecordingSubscriber> record_ = std::make_shared<RecordingSubscriber>();
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RealGuestTest, FromSpawnToShutdown) {
  const auto actor = spawn(*runtime_, example("counter"));
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  EXPECT_EQ(actor->name, "counter");
  EXPECT_EQ(actor->state, "idle");

  const auto five = request(*runtime_, actor->id, "5");
  ASSERT_TRUE(five.ok()) << five.error().message;
  EXPECT_EQ(as_text(**five), "5");
  const auto twelve = request(*runtime_, actor->id, "7");
  ASSERT_TRUE(twelve.ok()) << twelve.error().message;
  EXPECT_EQ(as_text(**twelve), "12");

  ASSERT_TRUE(stop(*runtime_, actor->id).ok());
  EXPECT_THAT(
      record_->types(actor->id),
      ElementsAre("genesis genesis", "_initialize wasm-call", "_initialize wasm-result", "init wasm-call",
                  "init wasm-result", "handle-request wasm-call", "log host-call", "handle-request wasm-result",
                  "handle-request wasm-call", "log host-call", "handle-request wasm-result", "shutdown shutdown"));
  EXPECT_EQ(record_->ends(actor->id), 1);
  EXPECT_TRUE(runtime_->stop(5'000));
}

TEST_F(RealGuestTest, OneActorAsksAnotherAndBothChainsReplay) {
  const auto counter = spawn(*runtime_, example("counter"));
  const auto relay = spawn(*runtime_, example("relay"));
  ASSERT_TRUE(counter.ok() && relay.ok());
  const auto sum = request(*runtime_, relay->id, str_cat("request ", counter->id.hex(), " 3 5"));
  ASSERT_TRUE(sum.ok()) << sum.error().message;
  EXPECT_EQ(as_text(**sum), "15");
  ASSERT_TRUE(request(*runtime_, relay->id, str_cat("send ", counter->id.hex(), " 2 1")).ok());
  EXPECT_EQ(as_text(**request(*runtime_, counter->id, "0")), "17");
  const auto nobody = request(*runtime_, relay->id, "request nobody 1 5");
  ASSERT_FALSE(nobody.ok());
  EXPECT_THAT(nobody.error().message, HasSubstr("no actor has the name 'nobody'"));

  EXPECT_TRUE(runtime_->stop(5'000));
  for (const ActorId& actor : {counter->id, relay->id}) expect_replays(actor);
}

TEST_F(RealGuestTest, ATickerTicksUntilItIsCancelledAndReplays) {
  const auto ticker = spawn(*runtime_, example("ticker"));
  ASSERT_TRUE(ticker.ok()) << ticker.error().message;
  EXPECT_EQ(as_text(**request(*runtime_, ticker->id, "every 1")), "1");
  EXPECT_EQ(as_text(**request(*runtime_, ticker->id, "once 0")), "2");
  const auto count = [&] { return std::stoi(std::string(as_text(**request(*runtime_, ticker->id, "count")))); };
  while (count() < 5) std::this_thread::yield();
  EXPECT_EQ(as_text(**request(*runtime_, ticker->id, "cancel 1")), "cancelled");
  const int last = count();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(count(), last);
  EXPECT_THAT(request(*runtime_, ticker->id, "cancel 2").error().message, HasSubstr("there is no timer 2 any more"));
  EXPECT_TRUE(runtime_->stop(5'000));
  expect_replays(ticker->id);
}

TEST_F(RealGuestTest, KilledWhileItWaitsForAnAnswerItReplays) {
  const auto sleeper = spawn(*runtime_, moody(""));
  const auto relay = spawn(*runtime_, example("relay"));
  ASSERT_TRUE(sleeper.ok() && relay.ok());
  runtime_->request(relay->id, to_bytes(str_cat("request ", sleeper->id.hex(), " 1 sleep")), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(*runtime_, relay->id, "waiting", "answer of"));
  ASSERT_TRUE(kill(*runtime_, relay->id).ok());
  ASSERT_TRUE(kill(*runtime_, sleeper->id).ok());
  for (const ActorId& actor : {relay->id, sleeper->id}) expect_replays(actor);
}

TEST_F(RealGuestTest, TwoTalkersHaveAChannelAndCallEachOther) {
  const auto talker = [&] {
    SpawnRequest request;
    request.manifest = "name = \"talker\"\n";
    for (const char* handler : {"message-server", "rpc"})
      request.manifest += str_cat("[[handler]]\ntype = \"", handler, "\"\n");
    request.package = *read_file(THEATER_BUILD_DIR "/tests/guests/talker.wasm");
    request.subscribers = {record_};
    const auto actor = spawn(*runtime_, std::move(request));
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  };
  const auto a = talker(), b = talker();
  const auto ask = [&](const ActorId& actor, const std::string& message) {
    const auto answer = request(*runtime_, actor, message);
    return answer.ok() ? std::string(as_text(**answer)) : "failed: " + answer.error().message;
  };
  EXPECT_EQ(ask(a, str_cat("open ", b.hex(), " hello")), "1 hello!");
  EXPECT_THAT(ask(b, str_cat("open ", a.hex(), " ")), HasSubstr("refused the channel: say something"));
  EXPECT_EQ(ask(a, "say 1 first"), "sent");
  EXPECT_EQ(ask(b, "say 1 second"), "sent");
  EXPECT_EQ(ask(a, "heard"), "\n1 says: second");
  EXPECT_THAT(ask(a, "say 7 x"), HasSubstr("there never was one of that number"));
  EXPECT_EQ(ask(b, "close 1"), "closed");
  EXPECT_EQ(ask(b, "heard"), "\n1 opened: hello\n1 says: first");
  EXPECT_THAT(ask(a, "heard"), HasSubstr("\n1 closed: closed by 'talker' " + b.short_hex()));

  EXPECT_EQ(ask(a, str_cat("call ", b.hex(), " my:test/talker@1.0.0#shout hey")), "hey!");
  EXPECT_THAT(ask(b, "heard"), HasSubstr("\n0 called: hey"));
  EXPECT_EQ(ask(a, str_cat("call ", b.hex(), " my:test/talker@1.0.0#refuse never")), "failed: never");
  for (const char* name :
       {"my:test/talker@1.0.0#other-shape", "my:test/talker@1.0.0#odd-post", "bare", "cabi_realloc"}) {
    EXPECT_THAT(ask(a, str_cat("call ", b.hex(), " ", name, " x")), HasSubstr("that can be called")) << name;
  }
  EXPECT_TRUE(runtime_->stop(5'000));
  for (const ActorId& actor : {a, b}) expect_replays(actor);
}

TEST_F(RealGuestTest, WhoIsPassivatedForgetsItsMemoryAndKeepsItsStateAndReplays) {
  const auto actor = spawn(*runtime_, moody("[limits]\npassivate_after = \"5 ms\"\n"));
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  const auto count = [&] { return std::stoull(std::string(as_text(**request(*runtime_, actor->id, "count")))); };
  EXPECT_EQ(count() % 1000, 1u);
  ASSERT_TRUE(wait_for_state(*runtime_, actor->id, "passivated"));
  EXPECT_EQ(count(), 1'002u);
  ASSERT_TRUE(wait_for_state(*runtime_, actor->id, "passivated"));
  EXPECT_EQ(count(), 1'003u);
  EXPECT_TRUE(runtime_->stop(5'000));
  expect_replays(actor->id);
}

// 300 actors and 200 instances: all are there, and all answer.
TEST_F(RealGuestTest, MoreActorsThanTheEngineHasInstances) {
  constexpr size_t kActors = 300;
  std::vector<ActorId> actors;
  for (size_t i = 0; i < kActors; ++i) {
    const auto actor = spawn(*runtime_, moody(""));
    ASSERT_TRUE(actor.ok()) << i << ": " << actor.error().message;
    actors.push_back(actor->id);
  }
  std::atomic<size_t> right{0}, answered{0};
  for (const uint64_t expected : {1u, 2u}) {
    for (const ActorId& actor : actors) {
      runtime_->request(actor, to_bytes("count"), {}, 0, false, [&, expected](Result<std::optional<Bytes>> answer) {
        if (answer.ok() && std::stoull(std::string(as_text(**answer))) % 1000 == expected) ++right;
        ++answered;
      });
    }
  }
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (answered < 2 * kActors && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(right, 2 * kActors);
  EXPECT_TRUE(runtime_->stop(5'000));
  for (size_t i = 0; i < kActors; i += 37) expect_replays(actors[i]);
}

TEST_F(RealGuestTest, TenThousandLogsToAStrictSubscriberThatIsSlowerThanTheGuest) {
  auto queue = std::make_shared<QueueSubscriber>(8, QueueSubscriber::Overflow::kStrict);
  auto burst = example("burst");
  burst.subscribers.push_back(queue);
  std::atomic<uint64_t> taken{0};
  std::thread drain([&] {
    while (auto event = queue->pop(kLong)) {
      ++taken;
      if (schema::is_terminal(event->kind)) break;
    }
  });
  const auto actor = spawn(*runtime_, std::move(burst));
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  const auto reply = request(*runtime_, actor->id, "10000");
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(as_text(**reply), "10000");
  ASSERT_TRUE(stop(*runtime_, actor->id).ok());
  drain.join();
  EXPECT_EQ(taken, 10'008u);
  EXPECT_EQ(record_->chain(actor->id).size(), 10'008u);
}

TEST_F(RealGuestTest, AMessageOfAMebibyteTravelsByReference) {
  const auto actor = spawn(*runtime_, example("echo"));
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  const std::string large(1'000'000, 'm');
  const auto reply = request(*runtime_, actor->id, large);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(as_text(**reply), large);
  EXPECT_EQ(record_->blobs()[sha256(as_bytes(large))].size(), large.size());
}

TEST_F(RealGuestTest, ATrapALoopAndAKillEachLeaveTheirReason) {
  const auto end_of = [&](const std::string& message, const std::string& more) {
    const auto actor = spawn(*runtime_, moody(more));
    CHECK(actor.ok(), actor.error().message);
    EXPECT_EQ(request(*runtime_, actor->id, message).error().code, ErrorCode::kActorFailed);
    CHECK(ended(*runtime_, actor->id).ok());
    return record_->last_body<schema::ErrorBody>(actor->id);
  };
  const auto trap = end_of("trap", "");
  EXPECT_EQ(trap.kind, schema::ErrorKind::kTrap);
  EXPECT_GT(trap.fuel, 0u);
  EXPECT_EQ(end_of("recurse", "").kind, schema::ErrorKind::kLimit);
  const auto loop = end_of("loop", "[limits]\ncall_timeout = \"100 ms\"\n");
  EXPECT_EQ(loop.kind, schema::ErrorKind::kDeadline);
  EXPECT_TRUE(loop.in_call);
  EXPECT_GT(loop.fuel, 1'000'000u);
  EXPECT_EQ(end_of("sleep", "[limits]\ncall_timeout = \"100 ms\"\n").kind, schema::ErrorKind::kDeadline);

  const auto actor = spawn(*runtime_, moody(""));
  runtime_->request(actor->id, to_bytes("sleep"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(*runtime_, actor->id, "waiting", "timer"));
  ASSERT_TRUE(kill(*runtime_, actor->id, "enough").ok());
  EXPECT_EQ(record_->last_body<schema::ErrorBody>(actor->id).kind, schema::ErrorKind::kKilled);
}

// The same instruction each time, live as in the replay: no slice and no machine's speed has a say in it.
TEST_F(RealGuestTest, FuelEndsAnActorAtTheSameInstructionEachTime) {
  for (const std::string limit : {"fuel = 7654321", "call_fuel = 7654321"}) {
    const std::string more = str_cat("[limits]\n", limit, "\n");
    const auto first = end_after({"work", "loop"}, more), second = end_after({"work", "loop"}, more);
    EXPECT_EQ(first.kind, schema::ErrorKind::kLimit);
    EXPECT_TRUE(first.in_call);
    EXPECT_THAT(first.message, HasSubstr(str_cat("limits.", limit.substr(0, limit.find(' ')), ", 7654321")));
    EXPECT_EQ(first.fuel, second.fuel);
    EXPECT_GT(first.fuel, 6'000'000u);
    EXPECT_LT(first.fuel, 7'654'321u + 100);
  }
  // Calls that return use it up as well.
  const auto end = end_after({"work", "work", "work", "work", "work"}, "[limits]\nfuel = 5000000\n");
  EXPECT_THAT(end.message, HasSubstr("limits.fuel, 5000000"));
}

TEST_F(RealGuestTest, MemoryBeyondTheLimitIsRefusedToTheGuestAndStandsOnItsChain) {
  const auto actor = spawn(*runtime_, moody(""));
  EXPECT_EQ(as_text(**request(*runtime_, actor->id, "grow")), "refused");
  EXPECT_EQ(as_text(**request(*runtime_, actor->id, "work")), "worked");
  ASSERT_TRUE(stop(*runtime_, actor->id).ok());
  const auto types = record_->types(actor->id);
  EXPECT_EQ(std::ranges::count(types, "limit fact"), 1);
  expect_replays(actor->id);

  const auto end = end_after({"grow or die"}, "");
  EXPECT_EQ(end.kind, schema::ErrorKind::kTrap);
  EXPECT_THAT(end.message, testing::ContainsRegex("; a memory of [0-9]+ bytes was refused before: limits.memory is "
                                                  "67108864$"));
}

TEST_F(RealGuestTest, TheStacksSizeIsNamedWhereItEnds) {
  const auto end = end_after({"recurse"}, "");
  EXPECT_EQ(end.kind, schema::ErrorKind::kLimit);
  EXPECT_THAT(end.message, HasSubstr("stack of 512 KiB, which no limit changes"));
}

class FewInstancesTest : public RealGuestTest {
 protected:
  FewInstancesTest() : RealGuestTest(10) {}
};

TEST_F(FewInstancesTest, ASpawnStormOverTheInstancesLimit) {
  // They never rest, so that none makes room for another.
  const std::string restless = "[limits]\npassivate_after = \"0 s\"\n";
  const auto first = spawn(*runtime_, moody(restless));
  ASSERT_TRUE(first.ok());
  std::vector<ActorId> made;
  std::atomic<int> answered{0}, refused{0};
  std::mutex mutex;
  for (int i = 0; i < 300; ++i) {
    runtime_->spawn(moody(restless), [&](const Result<ActorInfo>& result) {
      if (!result.ok()) {
        EXPECT_THAT(result.error().message, HasSubstr("limits.instances_max of node.toml"));
        ++refused;
      } else {
        std::lock_guard lock(mutex);
        made.push_back(result->id);
      }
      ++answered;
    });
  }
  while (answered < 300) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(made.size(), 9u);
  EXPECT_EQ(refused, 291);
  EXPECT_EQ(as_text(**request(*runtime_, first->id, "work")), "worked");
  ASSERT_TRUE(kill(*runtime_, made[0]).ok());
  EXPECT_TRUE(spawn(*runtime_, moody(restless)).ok());
  EXPECT_TRUE(runtime_->stop(5'000));
  for (const ActorId& actor : record_->actors()) expect_replays(actor);
}

TEST_F(RealGuestTest, TheGuestEndsItself) {
  const auto actor = spawn(*runtime_, moody(""));
  EXPECT_EQ(as_text(**request(*runtime_, actor->id, "shutdown")), "going");
  ASSERT_TRUE(ended(*runtime_, actor->id).ok());
  EXPECT_EQ(*record_->last_body<schema::Shutdown>(actor->id).data[0].get<Bytes>(), to_bytes("goodbye"));
}

TEST_F(RealGuestTest, AGuestThatRefusesItsFirstState) {
  auto counter = example("counter");
  counter.initial_state = to_bytes("many");
  const auto actor = spawn(*runtime_, std::move(counter));
  EXPECT_EQ(actor.error().code, ErrorCode::kActorFailed);
  EXPECT_THAT(actor.error().message, HasSubstr("counter: initial_state is not a decimal number"));
}

TEST_F(RealGuestTest, WhatIsNoPackageIsRefusedBeforeGenesis) {
  auto wrong = example("counter");
  wrong.package = to_bytes("not wasm");
  EXPECT_FALSE(spawn(*runtime_, wrong).ok());
  wrong = example("counter");
  wrong.package.resize(wrong.package.size() / 2);
  EXPECT_FALSE(spawn(*runtime_, wrong).ok());
  wrong = example("counter");
  wrong.manifest = "name = \"counter\"\n[[handler]]\ntype = \"message-server\"\n";
  EXPECT_THAT(spawn(*runtime_, wrong).error().message, HasSubstr("[[handler]]\ntype = \"runtime\""));
  EXPECT_EQ(record_->chains(), 0u);
}

// More actors wait than there are workers, and others run: nothing that waits holds a thread.
TEST_F(RealGuestTest, SleepersOccupyNoWorker) {
  std::vector<ActorId> sleepers;
  for (int i = 0; i < 10; ++i) {
    const auto actor = spawn(*runtime_, moody(""));
    sleepers.push_back(actor->id);
    runtime_->request(actor->id, to_bytes("sleep"), {}, 0, false, [](auto) {});
  }
  for (const auto& actor : sleepers) ASSERT_TRUE(wait_for_state(*runtime_, actor, "waiting", "timer"));
  const auto echo = spawn(*runtime_, example("echo"));
  EXPECT_EQ(as_text(**request(*runtime_, echo->id, "hello")), "hello");
}

}  // namespace
}  // namespace theater::node
