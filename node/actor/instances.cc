#include "node/actor/instances.h"

#include <algorithm>

#include "node/actor/actor.h"

namespace theater::node {

namespace {

// How many are asked at once: so many that looking through all of them is shared by many that want one, and so few that
// those which stay are the ones in use.
constexpr size_t kAskedAtLeast = 8;
constexpr size_t kAskedShare = 16;  // one in

}  // namespace

void Instances::add(Actor& actor) {
  std::lock_guard lock(mutex_);
  actors_[&actor] = false;
}

void Instances::remove(Actor& actor) {
  std::vector<std::shared_ptr<Task>> woken;
  {
    std::lock_guard lock(mutex_);
    no_longer_asked(actor);
    actors_.erase(&actor);
    woken = take_waiting(1);
  }
  for (const auto& task : woken) task->wake();
}

void Instances::declines(Actor& actor) {
  std::vector<std::shared_ptr<Task>> woken;
  {
    std::lock_guard lock(mutex_);
    no_longer_asked(actor);
    if (asked_ == 0) woken = take_waiting(1);  // it asks others
  }
  for (const auto& task : woken) task->wake();
}

bool Instances::want(const std::shared_ptr<Task>& task) {
  std::vector<std::shared_ptr<Task>> chosen;
  bool hope = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= asked_) chosen = choose();
    hope = asked_ > 0;
    if (hope) stand_in_line(task);
  }
  for (const auto& each : chosen) static_cast<Actor&>(*each).ask_to_rest();
  return hope;
}

size_t Instances::size() const {
  std::lock_guard lock(mutex_);
  return actors_.size();
}

std::vector<std::shared_ptr<Task>> Instances::choose() {
  std::vector<std::pair<uint64_t, Actor*>> idle;
  for (const auto& [actor, is_asked] : actors_) {
    const uint64_t since_ns = is_asked ? 0 : actor->idle_since_ns();
    if (since_ns != 0) idle.emplace_back(since_ns, actor);
  }
  const size_t count = std::min(idle.size(), std::max(kAskedAtLeast, actors_.size() / kAskedShare));
  std::nth_element(idle.begin(), idle.begin() + static_cast<ptrdiff_t>(count == 0 ? 0 : count - 1), idle.end());
  std::vector<std::shared_ptr<Task>> chosen;
  for (size_t i = 0; i < count; ++i) {
    // It removes itself before it is gone; if that is what it does right now, it waits for the lock.
    if (auto task = idle[i].second->weak_from_this().lock()) {
      actors_[idle[i].second] = true;
      ++asked_;
      chosen.push_back(std::move(task));
    }
  }
  return chosen;
}

std::vector<std::shared_ptr<Task>> Instances::take_waiting(size_t count) {
  std::vector<std::shared_ptr<Task>> tasks;
  while (!waiting_.empty() && tasks.size() < count) {
    in_line_.erase(waiting_.front().task);
    if (auto task = waiting_.front().weak.lock()) tasks.push_back(std::move(task));
    waiting_.pop_front();
  }
  return tasks;
}

void Instances::stand_in_line(const std::shared_ptr<Task>& task) {
  if (waiting_.size() >= clean_at_) {
    std::erase_if(waiting_,
                  [this](const Waiting& each) { return each.weak.expired() && in_line_.erase(each.task) == 1; });
    clean_at_ = std::max(kCleanAt, 2 * waiting_.size());
  }
  if (in_line_.insert(task.get()).second) waiting_.push_back(Waiting{task.get(), task});
}

void Instances::no_longer_asked(Actor& actor) {
  const auto found = actors_.find(&actor);
  if (found == actors_.end() || !found->second) return;
  found->second = false;
  --asked_;
}

}  // namespace theater::node
