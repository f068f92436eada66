// The calls, each with the rule of OTP that it checks: [sup] is the documentation of the module `supervisor`, [princ]
// the chapter "Supervisor Behaviour" of OTP Design Principles. Where the rule is ours, the comment says so.
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

// [sup] start_child: "If there already exists a child specification with the specified identifier, ChildSpec is
// discarded, and the function returns {error,already_present} or {error,{already_started,Child}}"; if the start fails,
// "discarded" too.
TEST(Supervision, StartChild) {
  Rig rig({});
  rig.boot();
  rig.sup.start_child(1, worker("a"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("start a"));
  rig.up("a");
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 ok"));
  EXPECT_EQ(rig.last().life, rig.life_of("a"));
  rig.sup.start_child(2, worker("a"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 2 already_started"));
  EXPECT_EQ(rig.last().life, rig.life_of("a"));
  rig.sup.terminate_child(3, "a", rig.now);
  rig.exit("a", kShutdown);
  rig.sup.start_child(4, worker("a"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("stop a", "reply 3 ok", "reply 4 already_present"));
  rig.sup.start_child(5, worker("b"), rig.now);
  rig.fail("b", "no memory");
  EXPECT_THAT(rig.log(), ElementsAre("start b", "reply 5 start_failed"));
  EXPECT_THAT(rig.last().why, HasSubstr("no memory"));
  EXPECT_EQ(rig.sup.count_children().specs, 1U);
}

// [sup] terminate_child: "The process, if any, is terminated and, unless it is a temporary child, the child
// specification is kept"; restart_child: "must exist, and the corresponding child process must not be running", else
// not_found or running.
TEST(Supervision, TerminateAndRestartChild) {
  Rig rig({.children = {worker("a"), worker("t", Restart::temporary)}});
  rig.boot();
  rig.sup.restart_child(1, "a", rig.now);
  rig.sup.restart_child(2, "nobody", rig.now);
  rig.sup.terminate_child(3, "nobody", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 running", "reply 2 not_found", "reply 3 not_found"));
  rig.sup.terminate_child(4, "a", rig.now);
  rig.exit("a", kShutdown);
  rig.sup.terminate_child(5, "a", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("stop a", "reply 4 ok", "reply 5 ok"));
  rig.sup.restart_child(6, "a", rig.now);
  rig.fail("a", "not yet");
  rig.sup.restart_child(7, "a", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("start a", "reply 6 start_failed", "start a"));
  EXPECT_EQ(rig.last().previous_head, rig.head_of("a"));
  EXPECT_EQ(rig.last().restarts, 0U);  // what was asked for by hand is not counted
  rig.up("a");
  rig.sup.terminate_child(8, "t", rig.now);
  rig.exit("t", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("reply 7 ok", "stop t", "drop t", "reply 8 ok"));
}

// [sup] delete_child: "if [...] the corresponding child process is running or is about to be restarted, the function
// returns {error,running} or {error,restarting}"; not_found if there is none.
TEST(Supervision, DeleteChild) {
  Rig rig({.backoff = Backoff{100, 100, 0}, .children = {worker("a"), worker("b")}});
  rig.boot();
  rig.sup.delete_child(1, "a", rig.now);
  rig.exit("a", kError);
  rig.sup.delete_child(2, "a", rig.now);
  rig.sup.restart_child(3, "a", rig.now);
  rig.sup.start_child(4, worker("a"), rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 running", "restart a", "reply 2 restarting", "reply 3 restarting",
                                     "reply 4 already_present"));
  rig.sup.terminate_child(5, "a", rig.now);  // OTP's code: a child that is about to be restarted stays down
  rig.sup.delete_child(6, "a", rig.now);
  rig.sup.delete_child(7, "a", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("reply 5 ok", "drop a", "reply 6 ok", "reply 7 not_found"));
  rig.now += 200 * kMs;
  rig.sup.time_passed(rig.now);
  EXPECT_THAT(rig.log(), IsEmpty());
}

// [sup] terminate_child: "The child process can later be restarted by the supervisor": a group restart starts it, too.
TEST(Supervision, AGroupRestartStartsChildrenThatWereDown) {
  Rig rig({.strategy = Strategy::one_for_all, .children = {worker("a"), worker("b", Restart::transient)}});
  rig.boot();
  rig.exit("b", kNormal);
  rig.exit("a", kError);
  rig.up("a");
  rig.up("b");
  EXPECT_THAT(rig.log(), ElementsAre("leave b", "restart a", "start a", "start b"));
}

// [sup] which_children: the pid, "the atom restarting if the process is about to be restarted, or undefined if there is
// no such process". count_children: specs "dead or alive", active, supervisors, workers "regardless if [...] still
// alive".
TEST(Supervision, WhichAndCountChildren) {
  ChildSpec sub = worker("sub");
  sub.is_supervisor = true;
  Rig rig({.backoff = Backoff{}, .children = {sub, worker("a"), worker("b", Restart::transient)}});
  rig.boot();
  rig.exit("a", kError);
  rig.exit("b", kNormal);
  const auto children = rig.sup.which_children();
  ASSERT_EQ(children.size(), 3U);
  EXPECT_EQ(children[0].state, ChildState::running);
  EXPECT_EQ(children[0].life, rig.life_of("sub"));
  EXPECT_EQ(children[1].state, ChildState::restarting);
  EXPECT_EQ(children[2].state, ChildState::undefined);
  EXPECT_EQ(children[2].life, std::nullopt);
  const ChildCounts counts = rig.sup.count_children();
  EXPECT_EQ(counts.specs, 3U);
  EXPECT_EQ(counts.active, 1U);
  EXPECT_EQ(counts.supervisors, 1U);
  EXPECT_EQ(counts.workers, 2U);
}

// OTP is one process: a call that comes during an operation is answered after it, in the order of arrival.
TEST(Supervision, CallsWaitForTheOperation) {
  Rig rig({.children = {worker("a")}});
  rig.boot();
  rig.sup.terminate_child(1, "a", rig.now);
  rig.sup.restart_child(2, "a", rig.now);
  rig.sup.delete_child(3, "a", rig.now);
  EXPECT_THAT(rig.log(), ElementsAre("stop a"));
  rig.exit("a", kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("reply 1 ok", "start a"));
  rig.up("a");
  EXPECT_THAT(rig.log(), ElementsAre("reply 2 ok", "reply 3 running"));
}

// [sup] simple_one_for_one: "all child processes are dynamically added instances of the same process type";
// delete_child and restart_child "return {error,simple_one_for_one}", as does terminate_child by identifier; by pid it
// works.
TEST(Supervision, SimpleOneForOne) {
  Rig rig({.strategy = Strategy::simple_one_for_one, .children = {worker("call")}});
  rig.boot();
  EXPECT_THAT(rig.log(), IsEmpty());  // "No child process is then started during the initialization phase"
  rig.sup.start_child(1, to_bytes("one"), rig.now);
  const ChildRef first = rig.last_start();
  EXPECT_EQ(as_text(rig.sup.extra_arguments_of(first)), "one");
  rig.up_ref(first);
  rig.sup.start_child(2, to_bytes("two"), rig.now);
  const ChildRef second = rig.last_start();
  rig.up_ref(second);
  rig.sup.delete_child(3, "call", rig.now);
  rig.sup.restart_child(4, "call", rig.now);
  rig.sup.terminate_child(5, "call", rig.now);
  rig.sup.terminate_child(6, make_life(99'999), rig.now);
  EXPECT_THAT(rig.log(),
              ElementsAre("start call", "reply 1 ok", "start call", "reply 2 ok", "reply 3 simple_one_for_one",
                          "reply 4 simple_one_for_one", "reply 5 simple_one_for_one", "reply 6 not_found"));
  rig.exit_ref(first, kError, "boom");
  EXPECT_EQ(rig.last_start(), first);
  EXPECT_EQ(as_text(rig.sup.extra_arguments_of(first)), "one");  // a restart has the arguments of the first start
  rig.up_ref(first);
  rig.sup.terminate_child(7, *rig.lives[second].life, rig.now);
  rig.exit_ref(second, kShutdown);
  EXPECT_THAT(rig.log(), ElementsAre("restart call", "start call", "stop call", "drop call", "reply 7 ok"));
  EXPECT_EQ(rig.sup.count_children().specs, 1U);
  EXPECT_EQ(rig.sup.count_children().workers, 1U);
}

// [princ] "Because a simple_one_for_one supervisor can have many children, it shuts them all down asynchronously."
TEST(Supervision, SimpleOneForOneStopsAllAtOnce) {
  Rig rig({.strategy = Strategy::simple_one_for_one, .children = {worker("call")}});
  rig.boot();
  std::vector<ChildRef> refs;
  for (CallId call = 1; call <= 1000; ++call) {
    rig.sup.start_child(call, Bytes{}, rig.now);
    refs.push_back(rig.last_start());
    rig.up_ref(refs.back());
  }
  rig.log();
  rig.sup.stop("asked to", rig.now);
  EXPECT_EQ(rig.log().size(), 1000U);
  for (size_t i = 0; i < refs.size(); i += 2) rig.exit_ref(refs[i], kShutdown);
  EXPECT_THAT(rig.log(), IsEmpty());
  rig.now = rig.timer;
  rig.sup.time_passed(rig.now);
  EXPECT_EQ(rig.log().size(), 500U);  // kills
  for (size_t i = 1; i < refs.size(); i += 2) rig.exit_ref(refs[i], kKilled);
  EXPECT_THAT(rig.log(), ElementsAre("end stopped"));
}

}  // namespace
}  // namespace theater::supervise
