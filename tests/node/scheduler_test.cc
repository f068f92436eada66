#include "node/runtime/scheduler.h"

#include <gmock/gmock.h>

#include <future>

namespace theater::node {
namespace {

// What each turn of one worker was given to, in order, until the worker is stopped.
class SchedulerTest : public testing::Test {
 protected:
  class Scripted final : public Task {
   public:
    Scripted(Scheduler& scheduler, char name, std::string& turns, std::function<Next()> turn)
        : Task(scheduler), name_(name), turns_(turns), turn_(std::move(turn)) {}

   private:
    Next turn(Worker&) override {
      turns_ += name_;
      return turn_();
    }
    char name_;
    std::string& turns_;
    std::function<Next()> turn_;
  };

  // Wakes all of them before the first runs, and waits until `over` has a value.
  void run(const std::vector<std::shared_ptr<Task>>& tasks) {
    std::promise<void> all_are_queued;
    std::string unused;
    const auto first = std::make_shared<Scripted>(scheduler, '-', unused, [&] {
      all_are_queued.get_future().wait();
      return Task::Next::kWait;
    });
    first->wake();
    for (const auto& task : tasks) task->wake();
    all_are_queued.set_value();
    over.get_future().wait();
    scheduler.stop();
  }

  std::string turns;
  std::promise<void> over;
  Scheduler scheduler{1};
};

TEST_F(SchedulerTest, WhoIsBusyWithMessagesComesBeforeThoseWhoComputeAndStarvesNobody) {
  constexpr int kTurns = 1'000;
  std::vector<std::shared_ptr<Task>> tasks;
  for (int i = 0; i < 200; ++i) {
    tasks.push_back(std::make_shared<Scripted>(scheduler, '.', turns, [] { return Task::Next::kAgain; }));
  }
  int left = kTurns;
  tasks.push_back(std::make_shared<Scripted>(scheduler, 'm', turns, [&] {
    if (--left > 0) return Task::Next::kMore;
    if (left == 0) over.set_value();
    return Task::Next::kWait;
  }));
  run(tasks);
  const std::string busy = turns.substr(turns.find('m'), turns.rfind('m') - turns.find('m') + 1);
  EXPECT_EQ(busy.find(".."), std::string::npos) << "it waits for one slice at most";
  EXPECT_THAT(std::ranges::count(busy, '.'),
              testing::AllOf(testing::Ge(kTurns / (Scheduler::kWokenInARow + 1)), testing::Le(kTurns / 10)));
}

TEST_F(SchedulerTest, TurnsThatAreUsedUpGoRound) {
  std::vector<std::shared_ptr<Task>> tasks;
  int left = 9;
  for (const char name : {'a', 'b', 'c'}) {
    tasks.push_back(std::make_shared<Scripted>(scheduler, name, turns, [&] {
      if (--left == 0) over.set_value();
      return left > 0 ? Task::Next::kAgain : Task::Next::kWait;
    }));
  }
  run(tasks);
  EXPECT_EQ(turns.substr(0, 9), "abcabcabc");
}

TEST_F(SchedulerTest, AWakeUpDuringATurnGivesAnother) {
  Task* self = nullptr;
  const auto task = std::make_shared<Scripted>(scheduler, 'a', turns, [&] {
    if (turns == "a") self->wake();
    if (turns == "aa") over.set_value();
    return Task::Next::kWait;
  });
  self = task.get();
  run({task});
  EXPECT_EQ(turns, "aa");
}

}  // namespace
}  // namespace theater::node
