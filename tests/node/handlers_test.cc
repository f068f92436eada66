// Handlers: each host function that leaves an event has an implementation, and each one has the function it says.
#include "node/handlers/handlers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "node/actor/manifest.h"
#include "node/runtime/timers.h"

namespace theater::node {
namespace {

TEST(HandlersTest, EveryRecordedHostFunctionHasAnImplementation) {
  for (const auto& function : wasm::host_functions()) {
    EXPECT_EQ(find_implementation(function) != nullptr, function.recorded) << function.type_name;
  }
}

TEST(HandlersTest, EveryHandlerOfTheTableCanBeGranted) {
  const auto& types = handler_types();
  for (const auto& function : wasm::host_functions()) {
    EXPECT_NE(std::find(types.begin(), types.end(), function.handler), types.end()) << function.type_name;
  }
}

TEST(HandlersTest, EveryImplementationHasItsFunction) {
  size_t implemented = 0, recorded = 0;
  for (const auto& handler : handlers()) implemented += handler.entries.size();
  for (const auto& function : wasm::host_functions()) recorded += function.recorded ? 1 : 0;
  EXPECT_EQ(implemented, recorded);
}

TEST(TimersTest, AnEarlierTimerIsAnnounced) {
  int earlier = 0;
  Timers timers([&] { ++earlier; });
  timers.set(100, [] {});
  EXPECT_EQ(earlier, 1) << "the very first one, too";
  timers.set(200, [] {});
  EXPECT_EQ(earlier, 1);
  timers.set(50, [] {});
  EXPECT_EQ(earlier, 2);
  EXPECT_EQ(timers.next_deadline_ns(), 50u);
}

TEST(TimersTest, DueOnesRunInOrderAndCancelledOnesNever) {
  Timers timers([] {});
  std::vector<int> ran;
  timers.set(30, [&] { ran.push_back(30); });
  timers.set(10, [&] { ran.push_back(10); });
  const auto cancelled = timers.set(20, [&] { ran.push_back(20); });
  timers.set(40, [&] { ran.push_back(40); });
  timers.cancel(cancelled);
  timers.cancel({});
  timers.run_due(30);
  EXPECT_THAT(ran, testing::ElementsAre(10, 30));
  timers.run_due(100);
  EXPECT_THAT(ran, testing::ElementsAre(10, 30, 40));
  EXPECT_FALSE(timers.next_deadline_ns());
}

}  // namespace
}  // namespace theater::node
