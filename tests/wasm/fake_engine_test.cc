// FakeEngine keeps the contract that the real engine keeps: the same rules, tested on scripts. Runs under sanitizers.
#include "wasm/fake_engine.h"

#include <gtest/gtest.h>

#include "tests/wasm/guest_test_util.h"

namespace theater::wasm {
namespace {

using schema::Value;

constexpr const char* kLog = "theater:simple/runtime@0.1.0/log";
constexpr const char* kSelf = "theater:simple/runtime@0.1.0/get-self";
constexpr const char* kInit = "theater:simple/actor@0.1.0/init";
const Bytes kPackage = to_bytes("a package");

Value init_ok() { return Value::ok(Value::tuple({Value::none()})); }

class FakeEngineTest : public ::testing::Test {
 protected:
  std::unique_ptr<Instance> spawn(FakeScript init, EngineOptions options = {}) {
    FakeEngine engine(options);
    engine.add(kPackage, {.imports = {kLog, kSelf}, .exports = {{kInit, std::move(init)}}});
    auto module = engine.compile(kPackage);
    CHECK(module.ok());
    auto instance = (*module)->instantiate(host_, {});
    CHECK(instance.ok());
    CHECK(!call(**instance, initialize_function(), {}).trap);
    return std::move(*instance);
  }
  ScriptedHost host_;
};

TEST_F(FakeEngineTest, AScriptCallsTheHostAndAnswers) {
  host_.on_call = [](HostCall& call) {
    if (call.function->name == "get-self") call.results.push_back(Value::string("me"));
    return HostStatus::kDone;
  };
  auto actor = spawn([](FakeCall& call) {
    call.host(kSelf, {});
    call.then([](FakeCall& c) { c.host(kLog, {c.answers()[0]}); });
    call.result(init_ok());
  });
  const CallOutcome outcome = call(*actor, init_function(), init_args());
  ASSERT_FALSE(outcome.trap);
  EXPECT_EQ(outcome.results, std::vector<Value>{init_ok()});
  EXPECT_EQ(host_.calls, (std::vector<std::string>{"get-self", "log"}));
  EXPECT_EQ(host_.args[1][0], Value::string("me"));
}

TEST_F(FakeEngineTest, AHostThatWaitsParksTheCall) {
  host_.park_count = 2;
  auto actor = spawn([](FakeCall& call) {
    call.host(kLog, {Value::string("x")});
    call.result(init_ok());
  });
  Steps steps;
  EXPECT_FALSE(call(*actor, init_function(), init_args(), &steps).trap);
  EXPECT_EQ(steps.parked, 2);
}

TEST_F(FakeEngineTest, FuelYieldsBySlicesAndStopsExactly) {
  const FakeScript script = [](FakeCall& call) {
    call.burn(2'500);
    call.host(kLog, {Value::string("x")});
    call.loop_forever();
  };
  EngineOptions options;
  options.slice_fuel = 1'000;
  auto killed = spawn(script, options);
  killed->start(init_function(), init_args());
  for (int i = 0; i < 3; ++i) ASSERT_EQ(killed->run(), Instance::Progress::kYielded);
  const uint64_t fuel = killed->fuel_used();
  const auto calls = host_.calls;
  host_.calls.clear();

  auto replayed = spawn(script, options);
  replayed->start(init_function(), init_args());
  replayed->stop_at_fuel(fuel);
  const CallOutcome outcome = finish(*replayed);
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.fuel, fuel);
  EXPECT_EQ(host_.calls, calls);
}

TEST_F(FakeEngineTest, ATrapEndsTheCallWithItsMessage) {
  auto actor = spawn([](FakeCall& call) { call.trap("boom"); });
  const CallOutcome outcome = call(*actor, init_function(), init_args());
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->message, "boom");
}

TEST_F(FakeEngineTest, WrongTypesAreHostFailuresAndTheInstanceLimitIsNamed) {
  auto actor = spawn([](FakeCall& call) { call.result(init_ok()); });
  const CallOutcome outcome = call(*actor, init_function(), {Value::u8(1)});
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, schema::ErrorKind::kHostFailure);

  EngineOptions options;
  options.instances_max = 1;
  FakeEngine engine(options);
  engine.add(kPackage, {.imports = {}, .exports = {{kInit, [](FakeCall&) {}}}});
  auto module = engine.compile(kPackage);
  auto first = (*module)->instantiate(host_, {});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ((*module)->instantiate(host_, {}).error().code, ErrorCode::kUnavailable);
  first->reset();
  EXPECT_TRUE((*module)->instantiate(host_, {}).ok());
}

}  // namespace
}  // namespace theater::wasm
