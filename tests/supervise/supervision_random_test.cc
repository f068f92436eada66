// Thousands of random lives of a supervisor: exits, failed starts, calls, times and stops in any order. What has to
// hold at each step is written down in Checker. THEATER_SEED=N runs one seed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <set>

#include "tests/supervise/supervision_rig.h"

namespace theater::supervise {
namespace {

constexpr uint64_t kSeeds = 4000;

class Checker {
 public:
  Checker(SupervisorSpec spec, uint64_t seed)
      : spec_(spec), dice_(seed), jitter_(seed + 1), sup_(Supervision::make(std::move(spec), jitter_).value()) {}

  void run() {
    ASSERT_TRUE(sup_.start(now_).ok());
    look();
    const uint64_t steps = 20 + dice_.below(150);
    for (uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) one_step(true);
    sup_.stop("the test is over", now_);
    stopping_ = true;
    look();
    for (int i = 0; i < 500 && !sup_.ended() && !testing::Test::HasFailure(); ++i) one_step(false);
    // After stop it always ends, each call was answered once, and nobody lives any more.
    EXPECT_TRUE(sup_.ended());
    EXPECT_TRUE(alive_.empty());
    EXPECT_TRUE(starting_.empty());
    EXPECT_EQ(calls_, answered_.size());
  }

  uint64_t restarts() const { return times_.size(); }

 private:
  void one_step(bool calls) {
    now_ += dice_.below(3) == 0 ? dice_.below(3000) * kMs : 0;
    input_bound_ = 4 * (sup_.which_children().size() + waiting()) + 8;
    switch (dice_.below(calls ? 8 : 6)) {
      case 0:
      case 1: report_start(); break;
      case 2:
      case 3: report_exit(true); break;
      case 4: report_exit(false); break;
      case 5:
        now_ = std::max(now_, dice_.below(2) == 0 ? timer_ : now_);
        sup_.time_passed(now_);
        break;
      default: call(); break;
    }
    if (calls && dice_.below(200) == 0) {
      look();
      sup_.stop("at random", now_);
      stopping_ = true;
    }
    look();
  }

  size_t waiting() const { return calls_ - answered_.size(); }

  void report_start() {
    if (starting_.empty()) return;
    const ChildRef ref = *starting_.begin();
    starting_.erase(starting_.begin());
    if (dice_.below(5) == 0) {
      ASSERT_TRUE(sup_.child_start_failed(ref, "no", now_).ok());
      return;
    }
    const Hash life = make_life(++next_life_);
    alive_[ref] = life;
    ASSERT_TRUE(sup_.child_started(ref, life, now_).ok());
  }

  // Of somebody who was asked to stop, or of anybody.
  void report_exit(bool asked) {
    if (alive_.empty()) return;
    auto who = std::next(alive_.begin(), static_cast<ptrdiff_t>(dice_.below(alive_.size())));
    if (asked && !stops_.empty()) who = alive_.find(*stops_.begin());
    const ChildRef ref = who->first;
    const Hash life = who->second;
    alive_.erase(who);
    stops_.erase(ref);
    heads_[ref] = make_life(++next_life_);
    ASSERT_TRUE(sup_.child_exited(ref, life, {Exit::Kind(dice_.below(4)), "by chance", heads_[ref]}, now_).ok());
  }

  void call() {
    const CallId number = ++calls_;
    const std::string id(1, static_cast<char>('a' + dice_.below(6)));
    const auto some = Restart(dice_.below(3));
    switch (dice_.below(6)) {
      case 0: sup_.start_child(number, worker(id, some), now_); break;
      case 1: sup_.start_child(number, to_bytes(id), now_); break;
      case 2: sup_.terminate_child(number, id, now_); break;
      case 3: sup_.terminate_child(number, alive_.empty() ? Hash{} : alive_.begin()->second, now_); break;
      case 4: sup_.restart_child(number, id, now_); break;
      default: sup_.delete_child(number, id, now_); break;
    }
    input_bound_ += 4;
  }

  void look() {
    const auto outputs = sup_.take_outputs();
    EXPECT_LE(outputs.size(), input_bound_) << "outputs are bounded";
    for (const Output& output : outputs) {
      EXPECT_FALSE(ended_ && output.what != What::kReply) << "nothing after the end";
      check(output);
    }
  }

  void check(const Output& output) {
    const ChildRef ref = output.child;
    switch (output.what) {
      case What::kStartChild:
        EXPECT_FALSE(stopping_ || gave_up_) << "nothing is started after the decision to end";
        EXPECT_FALSE(alive_.contains(ref)) << "two lives of one child at once";
        EXPECT_TRUE(starting_.empty()) << "one start after another";
        EXPECT_EQ(output.previous_head, heads_.contains(ref) ? std::optional(heads_[ref]) : std::nullopt);
        if (!up_) {
          EXPECT_GT(ref, std::exchange(last_boot_, ref)) << "the order of the specification";
        }
        EXPECT_NE(sup_.spec_of(ref), nullptr);
        starting_.insert(ref);
        break;
      case What::kStopChild:
        EXPECT_TRUE(alive_.contains(ref)) << "only who lives is stopped";
        EXPECT_EQ(output.life, alive_[ref]);
        EXPECT_TRUE(stops_.insert(ref).second) << "stopped once";
        if ((stopping_ || gave_up_) && spec_.strategy != Strategy::simple_one_for_one) {
          EXPECT_LT(ref, std::exchange(last_stop_, ref)) << "reverse order at the end";
        }
        break;
      case What::kKillChild:
        EXPECT_TRUE(alive_.contains(ref));
        EXPECT_EQ(output.life, alive_[ref]);
        stops_.insert(ref);
        break;
      case What::kRestart:
        times_.push_back(output.at_ns);
        EXPECT_LE(in_period(output.at_ns), spec_.intensity) << "restarts in any period";
        EXPECT_EQ(in_period(output.at_ns), output.restarts);
        break;
      case What::kGiveUp:
        EXPECT_EQ(in_period(output.at_ns), spec_.intensity) << "not before the intensity is reached";
        gave_up_ = true;
        break;
      case What::kReply:
        EXPECT_TRUE(answered_.insert(output.call).second) << "one answer per call";
        EXPECT_LE(output.call, calls_);
        break;
      case What::kSetTimer: timer_ = output.deadline_ns; break;
      case What::kStarted: up_ = true; break;
      case What::kEnd:
        ended_ = true;
        EXPECT_TRUE(alive_.empty()) << "it ends when nobody lives any more";
        EXPECT_EQ(output.end == EndReason::shutdown, gave_up_);
        break;
      case What::kLeave:
      case What::kDrop: EXPECT_FALSE(alive_.contains(ref)); break;
    }
    if (!up_ && output.what == What::kStopChild) stopping_ = true;  // a start at boot failed
  }

  // Restarts up to now, within a period.
  size_t in_period(uint64_t now_ns) const {
    size_t count = 0;
    for (const uint64_t time : times_) count += now_ns - time <= spec_.period_ms * kMs ? 1 : 0;
    return count;
  }

  SupervisorSpec spec_;
  SeededRandom dice_;
  SeededRandom jitter_;
  Supervision sup_;
  uint64_t now_ = 1'000'000'000;
  uint64_t timer_ = 0;
  uint64_t next_life_ = 0;
  size_t input_bound_ = 1000;
  std::map<ChildRef, Hash> alive_;
  std::map<ChildRef, Hash> heads_;
  std::set<ChildRef> starting_;
  std::set<ChildRef> stops_;
  std::vector<uint64_t> times_;
  CallId calls_ = 0;
  std::set<CallId> answered_;
  ChildRef last_boot_ = 0;
  ChildRef last_stop_ = UINT64_MAX;
  bool up_ = false, stopping_ = false, gave_up_ = false, ended_ = false;
};

SupervisorSpec random_spec(SeededRandom& dice) {
  SupervisorSpec spec;
  spec.strategy = Strategy(dice.below(4));
  spec.intensity = static_cast<uint32_t>(dice.below(12));
  spec.period_ms = 1 + dice.below(10'000);
  if (dice.below(3) == 0) spec.backoff = Backoff{1 + dice.below(200), 200 + dice.below(5000), 30};
  spec.max_children = 5;
  const uint64_t count = spec.strategy == Strategy::simple_one_for_one ? 1 : dice.below(6);
  for (uint64_t i = 0; i < count; ++i) {
    ChildSpec child = worker(std::string(1, static_cast<char>('a' + i)), Restart(dice.below(3)));
    child.is_supervisor = dice.below(4) == 0;
    if (dice.below(2) == 0) child.shutdown = Shutdown{Shutdown::Kind(dice.below(3)), dice.below(2000)};
    spec.children.push_back(child);
  }
  return spec;
}

TEST(SupervisionRandom, HoldsItsRulesWhateverHappens) {
  const char* only = std::getenv("THEATER_SEED");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 0;
  uint64_t restarts = 0;
  for (uint64_t seed = first; seed < (only != nullptr ? first + 1 : kSeeds); ++seed) {
    SCOPED_TRACE(str_cat("THEATER_SEED=", seed));
    SeededRandom dice(seed);
    Checker checker(random_spec(dice), seed);
    checker.run();
    restarts += checker.restarts();
    ASSERT_FALSE(HasFailure());
  }
  if (only == nullptr) {
    EXPECT_GT(restarts, kSeeds) << "the runs were too tame to show anything";
  }
}

}  // namespace
}  // namespace theater::supervise
