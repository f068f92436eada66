#include "node/runtime/node_chain.h"

#include <algorithm>

#include "base/check.h"

namespace theater::node {

NodeChain::NodeChain(std::shared_ptr<const void> owner, Scheduler& scheduler, Clock& clock, schema::Genesis genesis,
                     std::vector<std::shared_ptr<Subscriber>> subscribers)
    : Task(scheduler), owner_(std::move(owner)), chain_(clock, [this] { return waker(); }) {
  for (auto& subscriber : subscribers) chain_.add(std::move(subscriber));
  chain_.begin(schema::kTypeGenesis, std::move(genesis));
  id_ = chain_.id();
}

bool NodeChain::has_room() const {
  std::lock_guard lock(mutex_);
  return !is_full() && !finishing_;
}

bool NodeChain::reserve(const std::shared_ptr<Task>& task) {
  std::lock_guard lock(mutex_);
  if (!is_full() || finishing_) {
    ++reserved_;
    return true;
  }
  const auto is_it = [&](const auto& each) { return each.first == task.get(); };
  if (std::ranges::none_of(waiting_, is_it)) waiting_.emplace_back(task.get(), task);
  return false;
}

void NodeChain::give_back() {
  {
    std::lock_guard lock(mutex_);
    CHECK(reserved_ > 0, "room that nobody took");
    --reserved_;
  }
  wake_next();
}

void NodeChain::forget(const Task& task) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const auto& each) { return each.first == &task; });
  }
  wake_next();  // it may have been woken just now
}

// Room for one fact wakes one task.
void NodeChain::wake_next() {
  std::shared_ptr<Task> next;
  {
    std::lock_guard lock(mutex_);
    while (!is_full() && next == nullptr && !waiting_.empty()) {
      next = waiting_.front().second.lock();
      waiting_.pop_front();
    }
  }
  if (next != nullptr) next->wake();
}

bool NodeChain::add(std::string_view type, schema::Value value, std::function<void()> then) {
  {
    std::lock_guard lock(mutex_);
    if (finishing_) return false;
    facts_.push_back(Fact{type, std::move(value), std::move(then)});
  }
  wake();
  return true;
}

void NodeChain::add_reserved(std::string_view type, schema::Value value) {
  {
    std::lock_guard lock(mutex_);
    CHECK(reserved_ > 0, "room that nobody took");
    --reserved_;
  }
  add(type, std::move(value));
}

void NodeChain::finish(std::string reason, std::function<void()> done) {
  {
    std::lock_guard lock(mutex_);
    CHECK(!finishing_);
    finishing_ = true;
    reason_ = std::move(reason);
    done_ = std::move(done);
  }
  wake();
}

void NodeChain::post(std::function<void(Chain&)> order) {
  {
    std::lock_guard lock(mutex_);
    orders_.push_back(std::move(order));
  }
  wake();
}

NodeChain::Status NodeChain::status() const {
  std::lock_guard lock(mutex_);
  Status status = status_;
  status.waiting = facts_.size();
  return status;
}

Task::Next NodeChain::turn(Worker& worker) {
  std::vector<std::function<void(Chain&)>> orders;
  {
    std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (auto& order : orders) order(chain_);

  while (chain_.emitting() || begin_next()) {
    const auto step = chain_.step(worker.scratch);
    CHECK(step != Chain::Step::kTooLarge, "a fact of the node is too large");
    if (step == Chain::Step::kParked) break;
    if (const auto then = std::exchange(then_, nullptr)) then();
    wake_next();
  }
  std::function<void()> done;
  {
    std::lock_guard lock(mutex_);
    status_.head = chain_.head().value_or(Hash{});
    status_.events = chain_.length();
    status_.waits_for = chain_.emitting() ? chain_.waits_for() : "";
    status_.ended = chain_.ended();
    if (chain_.ended()) done = std::exchange(done_, nullptr);
  }
  if (done) done();
  return Next::kWait;
}

// False if there is nothing to emit.
bool NodeChain::begin_next() {
  std::lock_guard lock(mutex_);
  if (chain_.ended()) return false;
  if (!facts_.empty()) {
    auto fact = std::move(facts_.front());
    facts_.pop_front();
    then_ = std::move(fact.then);
    chain_.begin(fact.type, schema::Fact{std::move(fact.value)});
    return true;
  }
  if (!finishing_) return false;
  chain_.begin(schema::kTypeShutdown, schema::Shutdown{reason_, {}, {}});
  return true;
}

}  // namespace theater::node
