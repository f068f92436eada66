// What the simulator itself has to be, and simulations that once found something, by name.
//
// A seed means something else once the simulator draws its chances in another order: a bug that a seed found gets a
// test of its own beside the code, too.
#include <gtest/gtest.h>

#include "tests/sim/simulation.h"

namespace theater::sim {
namespace {

TEST(Simulation, TheSameSeedDoesTheSame) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Outcome once = simulate(seed, false), again = simulate(seed, false);
    EXPECT_EQ(once.fingerprint, again.fingerprint) << "seed " << seed;
    EXPECT_EQ(once.steps, again.steps);
    EXPECT_NE(once.fingerprint, simulate(seed + 1000, false).fingerprint);
  }
}

// A simulator that does nothing finds nothing.
TEST(Simulation, TheFaultsDoSomething) {
  Outcome sum;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Outcome outcome = simulate(seed, false);
    ASSERT_FALSE(outcome.broken) << "seed " << seed << ": " << outcome.broken->invariant;
    sum.events += outcome.events;
    sum.dropped += outcome.dropped;
    sum.resent += outcome.resent;
    sum.node_crashes += outcome.node_crashes;
    sum.auditor_crashes += outcome.auditor_crashes;
    sum.failed_commits += outcome.failed_commits;
    sum.parked += outcome.parked;
  }
  EXPECT_GT(sum.events, 10'000u);
  EXPECT_GT(sum.dropped, 1000u);
  EXPECT_GT(sum.resent, 200u);
  EXPECT_GT(sum.node_crashes, 50u);
  EXPECT_GT(sum.auditor_crashes, 200u);
  EXPECT_GT(sum.failed_commits, 50u);
  EXPECT_GT(sum.parked, 500u);
}

}  // namespace
}  // namespace theater::sim
