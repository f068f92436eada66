// Each test quotes the rule of OTP that it checks: [sup] is the documentation of the module `supervisor`, [princ] the
// chapter "Supervisor Behaviour" of OTP Design Principles. Where the rule is ours, the comment says so.
#include "supervise/supervision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervise/supervision_rig.h"

namespace theater::supervise {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kNormal = Exit::Kind::normal;
constexpr auto kShutdown = Exit::Kind::shutdown;
constexpr auto kError = Exit::Kind::error;
constexpr auto kKilled = Exit::Kind::killed;

// [princ] "The child processes are started in the order specified by this list, and are terminated in the reverse
// order." [sup] start_link "does not return until [...] all child processes have been started".
TEST(Supervision, StartsInOrderOneAfterAnother) {
  Rig rig({.children = {worker("a"), worker("b"), worker("c")}});
  ASSERT_TRUE(rig.sup.start(rig.now).ok());
  EXPECT_THAT(rig.log(), ElementsAre("start a"));
  rig.up("a");
  EXPECT_THAT(rig.log(), ElementsAre("start b"));
  rig.up("b");
  EXPECT_THAT(rig.log(), ElementsAre("start c"));
  rig.up("c");
  EXPECT_THAT(rig.log(), ElementsAre("started"));
}

// [princ] "When asked to shut down, it terminates all child processes in reversed start order according to the
// respective shutdown specifications, and then terminates itself."
TEST(Supervision, StopsInReverseOrderEachAwaited) {
  Rig rig({.children = {worker("a"), worker("b"), worker("c")}});
  rig.boot();
  rig.sup.stop("asked to", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("stop c"));
  rig.exit("c", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("stop b"));
  rig.exit("b", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("stop a"));
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("end stopped"));
  EXPECT_TRUE(rig.sup.ended());
}

// [sup] "If any child process start function fails [...] the supervisor first terminates all already started child
// processes with reason shutdown and then terminate itself".
TEST(Supervision, AFailedStartAtBootEndsTheSupervisor) {
  Rig rig({.intensity = 10, .children = {worker("a"), worker("b"), worker("c"), worker("d")}});
  ASSERT_TRUE(rig.sup.start(rig.now).ok());
  rig.up("a");
  rig.up("b");
  rig.fail("c", "no such module");
  EXPECT_THAT(rig.log(), ElementsAre("start a", "start b", "start c", "stop b"));
  rig.exit("b", kShutdown);
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("stop a", "end start_failed"));
  EXPECT_THAT(rig.last().why, HasSubstr("child c failed to start: no such module"));
}

// [sup] one_for_one: "If one child process terminates and is to be restarted, only that child process is affected."
// Ours: the new life is linked to the head of the one before.
TEST(Supervision, OneForOneRestartsOnlyThatChild) {
  Rig rig({.children = {worker("a"), worker("b"), worker("c")}});
  rig.boot();
  rig.exit("b", kError, "trap: unreachable");
  EXPECT_THAT(rig.log(), ElementsAre("restart b", "start b"));
  EXPECT_EQ(rig.last().previous_head, rig.head_of("b"));
  EXPECT_THAT(rig.last().why, HasSubstr("child b (permanent) exited with an error: trap: unreachable"));
  EXPECT_EQ(rig.last().restarts, 1U);
  rig.up("b");
  EXPECT_THAT(rig.log(), IsEmpty());
}

// [sup] one_for_all: "If one child process terminates and is to be restarted, all other child processes are terminated
// and then all child processes are restarted."
TEST(Supervision, OneForAllTerminatesTheOthersInReverseAndStartsAllInOrder) {
  Rig rig({.strategy = Strategy::one_for_all, .children = {worker("a"), worker("b"), worker("c")}});
  rig.boot();
  rig.exit("b", kError);
  EXPECT_THAT(rig.log(), ElementsAre("restart b", "stop c"));
  rig.exit("c", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("stop a"));
  rig.exit("a", kError, "died on the way");
  EXPECT_THAT(rig.log(), ElementsAre("start a"));
  EXPECT_EQ(rig.last().previous_head, rig.head_of("a"));
  rig.up("a");
  rig.up("b");
  rig.up("c");
  EXPECT_THAT(rig.log(), ElementsAre("start b", "start c"));
}

// [sup] rest_for_one: "the child processes after the terminated child process in the start order [...] are terminated.
// Then the terminated child process and all child processes after it are restarted."
TEST(Supervision, RestForOneTakesThoseAfterItAlong) {
  Rig rig({.strategy = Strategy::rest_for_one, .children = {worker("a"), worker("b"), worker("c"), worker("d")}});
  rig.boot();
  rig.exit("b", kError);
  rig.exit("d", kShutdown);
  rig.exit("c", kShutdown);
  rig.up("b");
  rig.up("c");
  rig.up("d");
  EXPECT_THAT(rig.log(), ElementsAre("restart b", "stop d", "stop c", "start b", "start c", "start d"));
}

// [sup] "A permanent child process is always restarted."
TEST(Supervision, APermanentChildIsAlwaysRestarted) {
  for (const auto kind : {kNormal, kShutdown, kError, kKilled}) {
    Rig rig({.children = {worker("a")}});
    rig.boot();
    rig.exit("a", kind);
    EXPECT_THAT(rig.log(), ElementsAre("restart a", "start a"));
  }
}

// [sup] "A transient child process is restarted only if it terminates abnormally, that is, with another exit reason
// than normal, shutdown, or {shutdown,Term}."
TEST(Supervision, ATransientChildIsRestartedOnlyIfItTerminatesAbnormally) {
  for (const auto kind : {kNormal, kShutdown, kError, kKilled}) {
    Rig rig({.children = {worker("a", Restart::transient)}});
    rig.boot();
    rig.exit("a", kind);
    if (kind == kError || kind == kKilled) {
      EXPECT_THAT(rig.log(), ElementsAre("restart a", "start a"));
    } else {
      EXPECT_THAT(rig.log(), ElementsAre("leave a"));
      EXPECT_EQ(rig.sup.count_children().specs, 1U);
    }
  }
}

// [sup] "A temporary child process is never restarted"; "for temporary children, the child specification is
// automatically deleted when the child terminates".
TEST(Supervision, ATemporaryChildIsNeverRestartedAndItsSpecGoes) {
  for (const auto kind : {kNormal, kShutdown, kError, kKilled}) {
    Rig rig({.intensity = 0, .children = {worker("a", Restart::temporary)}});
    rig.boot();
    rig.exit("a", kind);
    EXPECT_THAT(rig.log(), ElementsAre("drop a"));
    EXPECT_EQ(rig.sup.count_children().specs, 0U);
    rig.sup.restart_child(1, "a", rig.now);
    EXPECT_THAT(rig.log(), ElementsAre("reply 1 not_found"));
  }
}

// [sup] "(even when the supervisor's restart strategy is rest_for_one or one_for_all and a sibling's death causes the
// temporary process to be terminated)".
TEST(Supervision, ATemporaryChildTakenAlongIsNotRestarted) {
  for (const auto strategy : {Strategy::one_for_all, Strategy::rest_for_one}) {
    Rig rig({.strategy = strategy, .children = {worker("a"), worker("t", Restart::temporary), worker("c")}});
    rig.boot();
    rig.exit("a", kError);
    rig.exit("c", kShutdown);
    rig.exit("t", kShutdown);
    rig.up("a");
    rig.up("c");
    EXPECT_THAT(rig.log(), ElementsAre("restart a", "stop c", "stop t", "drop t", "start a", "start c"));
  }
}

// [sup] "if more than MaxR restarts occur within MaxT seconds, the supervisor terminates all child processes and then
// itself. The termination reason for the supervisor itself in that case will be shutdown."
TEST(Supervision, MoreThanIntensityRestartsWithinThePeriodEndItWithShutdown) {
  Rig rig({.intensity = 2, .children = {worker("a"), worker("b")}});
  rig.boot();
  for (int i = 0; i < 2; ++i) {
    rig.exit("a", kError);
    rig.up("a");
  }
  EXPECT_THAT(rig.log(), ElementsAre("restart a", "start a", "restart a", "start a"));
  rig.exit("a", kError);
  EXPECT_THAT(rig.log(), ElementsAre("give_up a", "stop b"));
  rig.exit("b", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("end shutdown"));
  EXPECT_EQ(rig.last().why, "reached_max_restart_intensity");
}

// [sup] "`intensity` defaults to `1` and `period` defaults to `5`."
TEST(Supervision, TheDefaultsAreOneRestartInFiveSeconds) {
  const SupervisorSpec spec;
  EXPECT_EQ(spec.strategy, Strategy::one_for_one);
  EXPECT_EQ(spec.intensity, 1U);
  EXPECT_EQ(spec.period_ms, 5000U);
  EXPECT_EQ(ChildSpec{}.restart, Restart::permanent);
}

// [princ] "If more than MaxR number of restarts occur in the last MaxT seconds": the window slides. OTP's code counts a
// restart exactly MaxT ago.
TEST(Supervision, ThePeriodSlidesAndIncludesItsEdge) {
  for (const bool later : {false, true}) {
    Rig rig({.children = {worker("a")}});
    rig.boot();
    rig.exit("a", kError);
    rig.up("a");
    rig.log();
    rig.now += 5000 * kMs + (later ? 1 : 0);
    rig.exit("a", kError);
    if (later) {
      EXPECT_THAT(rig.log(), ElementsAre("restart a", "start a"));
    } else {
      EXPECT_THAT(rig.log(), ElementsAre("give_up a", "end shutdown"));
    }
  }
}

// [sup] `intensity` is a non_neg_integer(): with 0 the first restart is one too many.
TEST(Supervision, IntensityZeroAllowsNoRestart) {
  Rig rig({.intensity = 0, .children = {worker("a")}});
  rig.boot();
  rig.exit("a", kError);
  EXPECT_THAT(rig.log(), ElementsAre("give_up a", "end shutdown"));
}

// OTP's code (restart/2, try_again_restart): a start that fails during a restart is tried again, and each try counts as
// one more restart. So a child that dies at each start is exhaustion, not a loop.
TEST(Supervision, AFailedStartDuringARestartCountsAsAnotherRestart) {
  Rig rig({.intensity = 3, .children = {worker("a"), worker("b")}});
  rig.boot();
  rig.exit("a", kError);
  rig.fail("a", "init trapped");
  rig.fail("a", "init trapped");
  EXPECT_THAT(rig.log(), ElementsAre("restart a", "start a", "restart a", "start a", "restart a", "start a"));
  EXPECT_EQ(rig.last().restarts, 3U);
  rig.fail("a", "init trapped");
  EXPECT_THAT(rig.log(), ElementsAre("give_up a", "stop b"));
}

// OTP's code (restart_multiple_children): if a sibling fails to start, the restart is tried again for that sibling;
// with one_for_all those already started are terminated again, with rest_for_one those before it stay.
TEST(Supervision, ASiblingThatFailsToStartInAGroupRestartIsTriedAgain) {
  Rig all({.strategy = Strategy::one_for_all, .intensity = 5, .children = {worker("a"), worker("b")}});
  all.boot();
  all.exit("a", kError);
  all.exit("b", kShutdown);
  all.up("a");
  all.fail("b", "no");
  all.exit("a", kShutdown);
  EXPECT_THAT(all.log(), ElementsAre("restart a", "stop b", "start a", "start b", "restart b", "stop a", "start a"));
  Rig rest({.strategy = Strategy::rest_for_one, .intensity = 5, .children = {worker("a"), worker("b")}});
  rest.boot();
  rest.exit("a", kError);
  rest.exit("b", kShutdown);
  rest.up("a");
  rest.fail("b", "no");
  EXPECT_THAT(rest.log(), ElementsAre("restart a", "stop b", "start a", "start b", "restart b", "start b"));
}

// [sup] shutdown: "the supervisor tells the child process to terminate [...] If no exit signal is received within the
// specified number of milliseconds, the child process is unconditionally terminated". Each is awaited before the next.
TEST(Supervision, AChildThatIgnoresShutdownIsKilledAfterItsTime) {
  Rig rig({.children = {worker("a"), worker("b", Restart::permanent, Shutdown{Shutdown::Kind::timeout, 70})}});
  rig.boot();
  rig.sup.stop("asked to", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("stop b"));
  EXPECT_EQ(rig.timer, rig.now + 70 * kMs);
  rig.now += 70 * kMs - 1;
  rig.sup.time_passed(rig.now);
  EXPECT_THAT(rig.log(), IsEmpty());
  rig.now += 1;
  rig.sup.time_passed(rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("kill b"));
  rig.exit("b", kKilled);
  EXPECT_THAT(rig.log(), ElementsAre("stop a"));
  EXPECT_EQ(rig.timer, rig.now + 5000 * kMs);  // [sup] "it defaults to 5000 if the child is of type worker"
}

// [sup] "brutal_kill means that the child process is unconditionally terminated"; "defaults to infinity if the child is
// of type supervisor".
TEST(Supervision, BrutalKillAndInfinity) {
  ChildSpec sub = worker("sub");
  sub.is_supervisor = true;
  Rig rig({.children = {sub, worker("b", Restart::permanent, Shutdown{Shutdown::Kind::brutal_kill, 0})}});
  rig.boot();
  rig.sup.stop("asked to", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("kill b"));
  rig.exit("b", kKilled);
  EXPECT_THAT(rig.log(), ElementsAre("stop sub"));
  rig.now += 1'000'000'000 * kMs;
  rig.sup.time_passed(rig.now);
  EXPECT_THAT(rig.log(), IsEmpty());
  EXPECT_EQ(rig.timer, 0U);
}

// OTP's code (shutdown/1, unlink_flush): the exit of a child whose termination the supervisor has begun or is about to
// begin in that operation is taken as that; it is no restart and counts for nothing.
TEST(Supervision, AnExitBeforeItsTurnToBeTerminatedIsNoRestart) {
  Rig rig({.strategy = Strategy::one_for_all, .children = {worker("a"), worker("b"), worker("c")}});
  rig.boot();
  rig.exit("a", kError);
  rig.exit("b", kError, "at the same time");
  EXPECT_THAT(rig.log(), ElementsAre("restart a", "stop c"));
  rig.exit("c", kError, "in its clean-up");
  EXPECT_THAT(rig.log(), ElementsAre("start a"));
  rig.up("a");
  rig.up("b");
  rig.up("c");
  EXPECT_THAT(rig.log(), ElementsAre("start b", "start c"));
  EXPECT_EQ(rig.last().restarts, 1U);
}

// OTP is one process: an exit that arrives while it starts children waits in its mailbox and is handled after that.
TEST(Supervision, AnExitDuringTheStartsIsHandledAfterThem) {
  Rig rig({.children = {worker("a"), worker("b")}});
  ASSERT_TRUE(rig.sup.start(rig.now).ok());
  rig.up("a");
  rig.exit("a", kError);
  EXPECT_THAT(rig.log(), ElementsAre("start a", "start b"));
  rig.up("b");
  EXPECT_THAT(rig.log(), ElementsAre("started", "restart a", "start a"));
}

// Ours: a backoff delays an attempt, and the attempt counts when it is decided, as without a backoff.
TEST(Supervision, BackoffGrowsIsCappedAndDoesNotChangeTheCounting) {
  Rig rig({.intensity = 5,
           .period_ms = 1'000'000,
           .backoff = Backoff{100, 400, 0},
           .children = {worker("a"), worker("b")}});
  rig.boot();
  for (const uint64_t ms : {100, 200, 400, 400}) {
    rig.exit("a", kError);
    EXPECT_THAT(rig.log(), ElementsAre("restart a"));
    EXPECT_EQ(rig.timer, rig.now + ms * kMs);
    rig.now = rig.timer - 1;
    rig.sup.time_passed(rig.now);
    EXPECT_THAT(rig.log(), IsEmpty());
    rig.now += 1;
    rig.sup.time_passed(rig.now);
    rig.up("a");
    EXPECT_THAT(rig.log(), ElementsAre("start a"));
  }
  rig.exit("b", kError);  // another child has a row of its own
  EXPECT_EQ(rig.timer, rig.now + 100 * kMs);
  EXPECT_EQ(rig.last().restarts, 5U);
  rig.exit("a", kError);
  EXPECT_THAT(rig.log(), ElementsAre("restart b", "give_up a", "end shutdown"));
}

// Ours: with a backoff the others of a group are stopped at once, and all start together when the wait is over. A start
// that fails waits longer; a life of a period ends the row; jitter only shortens.
TEST(Supervision, BackoffOfAGroupOfFailedStartsAndOfLongLives) {
  Rig rig({.strategy = Strategy::one_for_all,
           .intensity = 9,
           .period_ms = 1000,
           .backoff = Backoff{100, 800, 50},
           .children = {worker("a"), worker("b")}});
  rig.boot();
  rig.exit("b", kError);
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("restart b", "stop a"));
  EXPECT_LE(rig.timer, rig.now + 100 * kMs);
  EXPECT_GE(rig.timer, rig.now + 50 * kMs);
  rig.now = rig.timer;
  rig.sup.time_passed(rig.now);
  rig.up("a");
  rig.fail("b", "no");
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("start a", "start b", "restart b", "stop a"));
  EXPECT_GE(rig.timer, rig.now + 100 * kMs);
  rig.now = rig.timer;
  rig.sup.time_passed(rig.now);
  rig.up("a");
  rig.up("b");
  rig.now += 1000 * kMs;
  rig.exit("b", kError);
  rig.exit("a", kShutdown);
  EXPECT_LE(rig.timer, rig.now + 100 * kMs);
}

// Ours: stop() interrupts: what is being started is awaited and stopped, nothing else is started, who waits is told.
TEST(Supervision, StopInterruptsAnOperation) {
  Rig rig({.strategy = Strategy::one_for_all, .children = {worker("a"), worker("b")}});
  rig.boot();
  rig.exit("a", kError);
  rig.exit("b", kShutdown);
  rig.sup.delete_child(1, "b", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("restart a", "stop b", "start a"));
  rig.sup.stop("asked to", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 stopping"));
  rig.up("a");
  EXPECT_THAT(rig.log(), ElementsAre("stop a"));
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("end stopped"));
  rig.sup.start_child(2, worker("c"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 2 stopping"));
}

// Ours: the error names the limit, its value and what was asked.
TEST(Supervision, Limits) {
  SeededRandom random(1);
  const auto many = Supervision::make({.max_children = 1, .children = {worker("a"), worker("b")}}, random);
  ASSERT_FALSE(many.ok());
  EXPECT_THAT(many.error().message, HasSubstr("max_children is 1, and 2 children were asked for"));
  Rig rig({.max_children = 1, .children = {worker("a")}});
  rig.boot();
  rig.sup.start_child(1, worker("b"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 limit"));
  EXPECT_THAT(rig.last().why, HasSubstr("max_children is 1, 1 are there, and 1 more was asked for"));
  rig.sup.terminate_child(2, "a", rig.now);
  for (size_t i = 0; i < Supervision::kCallsWaitingMax; ++i) rig.sup.restart_child(10 + i, "a", rig.now);
  rig.log();
  rig.sup.restart_child(3, "a", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 3 limit"));
  rig.exit("a", kError, std::string(100'000, 'x'));
  rig.up("a");
  rig.exit("a", kError, std::string(100'000, 'x'));
  for (const Output& output : rig.all) EXPECT_LE(output.why.size(), Supervision::kWhyMax);
}

// [sup] on simple_one_for_one: "the list of child specifications must be a list with one child specification only";
// OTP's code: duplicate_child_name, invalid_period.
TEST(Supervision, BadSpecificationsAreRefused) {
  SeededRandom random(1);
  const std::vector<SupervisorSpec> bad = {
      {.strategy = Strategy::simple_one_for_one},
      {.strategy = Strategy::simple_one_for_one, .children = {worker("a"), worker("b")}},
      {.children = {worker("a"), worker("a")}},
      {.children = {worker("")}},
      {.children = {worker(std::string(256, 'a'))}},
      {.children = {worker("\xff")}},
      {.children = {worker("a", Restart::permanent, Shutdown{Shutdown::Kind::timeout, UINT64_MAX})}},
      {.intensity = UINT32_MAX},
      {.period_ms = 0},
      {.period_ms = UINT64_MAX},
      {.backoff = Backoff{0, 1, 0}},
      {.backoff = Backoff{2, 1, 0}},
      {.backoff = Backoff{1, 2, 101}},
      {.max_children = SIZE_MAX},
  };
  for (size_t i = 0; i < bad.size(); ++i) EXPECT_FALSE(Supervision::make(bad[i], random).ok()) << i;
  Rig rig({});
  rig.boot();
  rig.sup.start_child(1, worker(""), rig.now);
  rig.sup.start_child(2, Bytes{}, rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 invalid_spec", "reply 2 invalid_spec"));
}

// Ours: a report that doesn't fit changes nothing.
TEST(Supervision, ReportsThatDoNotFitAreRefused) {
  Rig rig({.children = {worker("a")}});
  EXPECT_FALSE(rig.sup.child_started(1, make_life(1), rig.now).ok());
  EXPECT_FALSE(rig.sup.child_exited(1, make_life(1), {}, rig.now).ok());
  rig.boot();
  EXPECT_FALSE(rig.sup.start(rig.now).ok());
  EXPECT_FALSE(rig.sup.child_started(1, make_life(7), rig.now).ok());
  EXPECT_FALSE(rig.sup.child_start_failed(1, "late", rig.now).ok());
  EXPECT_FALSE(rig.sup.child_exited(1, make_life(7), {}, rig.now).ok());
  EXPECT_FALSE(rig.sup.child_exited(2, rig.life_of("a"), {}, rig.now).ok());
  const Hash old_life = rig.life_of("a");
  rig.exit("a", kError);
  rig.up("a");
  rig.log();
  EXPECT_FALSE(rig.sup.child_exited(1, old_life, {}, rig.now).ok());
  EXPECT_THAT(rig.log(), IsEmpty());
}

}  // namespace
}  // namespace theater::supervise
