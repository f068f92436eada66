// Which actors have an instance, for when the engine has no more to give: then those that have been idle for longest
// are asked to passivate, some at a time, and whoever wants one is woken when one is free.
//
// Nobody is made to give up an instance: who has got work meanwhile keeps it and says so. So whoever waits also asks
// again after a while. Any thread; one short lock. Holds each actor that has an instance, and each that wants one.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "node/runtime/scheduler.h"

namespace theater::node {

class Actor;

class Instances {
 public:
  void add(Actor& actor);       // it has one from now on
  void remove(Actor& actor);    // it gave it up; whoever waits for longest is woken
  void declines(Actor& actor);  // it was asked, and has work
  // For a task that the engine had none for. False if nobody idles: waiting may take long.
  bool want(const std::shared_ptr<Task>& task);
  size_t size() const;

 private:
  std::vector<std::shared_ptr<Task>> choose();              // with the lock: whom to ask
  std::vector<std::shared_ptr<Task>> take_waiting(size_t);  // with the lock
  void stand_in_line(const std::shared_ptr<Task>& task);    // with the lock
  void no_longer_asked(Actor& actor);                       // with the lock

  mutable std::mutex mutex_;
  std::unordered_map<Actor*, bool> actors_;  // whether it is asked
  size_t asked_ = 0;
  // In the order of asking. Who is gone meanwhile stays until its turn, or until there are too many of them.
  struct Waiting {
    const Task* task;
    std::weak_ptr<Task> weak;
  };
  std::deque<Waiting> waiting_;
  std::unordered_set<const Task*> in_line_;
  size_t clean_at_ = kCleanAt;
  static constexpr size_t kCleanAt = 64;
};

}  // namespace theater::node
