// The real engine with the real examples: calls in, calls out, waiting, slices, fuel, kills.
#include <gtest/gtest.h>

#include <thread>

#include "tests/wasm/guest_test_util.h"

namespace theater::wasm {
namespace {

using schema::Value;

class EngineTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = make_engine().release(); }
  static void TearDownTestSuite() { delete engine_; }

  static std::shared_ptr<Module> module(const std::string& name) {
    auto compiled = engine_->compile(example(name));
    CHECK(compiled.ok(), compiled.ok() ? "" : compiled.error().message);
    return *compiled;
  }
  // Instantiated and initialized.
  std::unique_ptr<Instance> spawn(const std::string& name, Limits limits = {}) {
    auto instance = module(name)->instantiate(host_, limits);
    CHECK(instance.ok(), instance.ok() ? "" : instance.error().message);
    const CallOutcome start = call(**instance, initialize_function(), {});
    CHECK(!start.trap, start.trap ? start.trap->message : "");
    const CallOutcome init = call(**instance, init_function(), init_args());
    CHECK(!init.trap, init.trap ? init.trap->message : "");
    return std::move(*instance);
  }

  static Engine* engine_;
  ScriptedHost host_;
};
Engine* EngineTest::engine_ = nullptr;

TEST_F(EngineTest, ARequestGetsItsReply) {
  auto actor = spawn("echo");
  const CallOutcome outcome = call(*actor, handle_request_function(), request_args("hello"));
  ASSERT_FALSE(outcome.trap) << outcome.trap->message;
  EXPECT_EQ(reply_of(outcome), "hello");
  EXPECT_GT(outcome.fuel, 0u);
}

TEST_F(EngineTest, HostCallsArriveWithTheirArguments) {
  auto actor = spawn("burst");
  const CallOutcome outcome = call(*actor, handle_request_function(), request_args("3"));
  EXPECT_EQ(reply_of(outcome), "3");
  EXPECT_EQ(host_.calls, (std::vector<std::string>{"log", "log", "log"}));
  ASSERT_EQ(host_.args.size(), 3u);
  EXPECT_EQ(host_.args[0][0], Value::string("burst: sixty-four bytes of log text, the same ones in every call"));
}

TEST_F(EngineTest, ACallThatWaitsParksAndGoesOnFromAnotherThread) {
  auto actor = spawn("burst");
  host_.park_count = 2;
  Steps steps;
  actor->start(handle_request_function(), request_args("2"));
  CallOutcome outcome;
  ASSERT_EQ(actor->run(), Instance::Progress::kParked);
  std::thread([&] { outcome = finish(*actor, &steps); }).join();
  EXPECT_EQ(reply_of(outcome), "2");
  EXPECT_EQ(steps.parked, 3);
  EXPECT_EQ(host_.calls.size(), 2u);
}

TEST_F(EngineTest, ALongCallYieldsAndItsFuelIsTheSameEveryTime) {
  auto actor = spawn("burst");
  auto other = spawn("burst");
  Steps steps;
  const CallOutcome a = call(*actor, handle_request_function(), request_args("20000"), &steps);
  host_.park_count = 1;  // waiting costs no fuel
  const CallOutcome b = call(*other, handle_request_function(), request_args("20000"));
  EXPECT_EQ(reply_of(a), "20000");
  EXPECT_EQ(a.fuel, b.fuel);
  EXPECT_EQ(steps.yielded, static_cast<int>(a.fuel / 1'000'000));
}

TEST_F(EngineTest, AGuestDiesInAnyState) {
  for (const int parks : {0, 1}) {
    auto actor = spawn("burst");
    host_.park_count = parks;
    actor->start(handle_request_function(), request_args("1000000"));
    ASSERT_EQ(actor->run(), parks > 0 ? Instance::Progress::kParked : Instance::Progress::kYielded);
    EXPECT_GT(actor->fuel_used(), 0u);
    host_.park_count = 0;
  }
}

TEST_F(EngineTest, ReplayStopsWhereTheKilledCallStood) {
  for (const int parks : {0, 1}) {
    const int host_calls_before = 3;
    auto killed = spawn("burst");
    host_ = {};
    host_.on_call = [&](HostCall&) {
      return parks > 0 && host_.calls.size() == host_calls_before ? HostStatus::kParked : HostStatus::kDone;
    };
    killed->start(handle_request_function(), request_args("1000000"));
    ASSERT_EQ(killed->run(), parks > 0 ? Instance::Progress::kParked : Instance::Progress::kYielded);
    const uint64_t fuel = killed->fuel_used();
    const std::vector<std::string> calls = host_.calls;

    auto replayed = spawn("burst");
    host_.calls.clear();
    replayed->start(handle_request_function(), request_args("1000000"));
    replayed->stop_at_fuel(fuel);
    const CallOutcome outcome = finish(*replayed);
    ASSERT_TRUE(outcome.trap);
    EXPECT_EQ(outcome.fuel, fuel);
    EXPECT_EQ(host_.calls, calls);
  }
}

}  // namespace
}  // namespace theater::wasm
