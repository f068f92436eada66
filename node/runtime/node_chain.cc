#include "node/runtime/node_chain.h"

#include "base/check.h"

namespace theater::node {

NodeChain::NodeChain(std::shared_ptr<const void> owner, Scheduler& scheduler, Clock& clock, schema::Genesis genesis,
                     std::vector<std::shared_ptr<Subscriber>> subscribers)
    : Task(scheduler), owner_(std::move(owner)), chain_(clock, [this] {
        return [weak = weak_from_this()] {
          if (const auto self = weak.lock()) self->wake();
        };
      }) {
  for (auto& subscriber : subscribers) chain_.add(std::move(subscriber));
  chain_.begin(schema::kTypeGenesis, std::move(genesis));
  id_ = chain_.id();
}

bool NodeChain::has_room() const {
  std::lock_guard lock(mutex_);
  return facts_.size() < kFactsMax && !finishing_;
}

void NodeChain::add(std::string_view type, schema::Value value) {
  {
    std::lock_guard lock(mutex_);
    if (finishing_) return;
    facts_.push_back(Fact{type, std::move(value)});
  }
  wake();
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
    chain_.begin(fact.type, schema::Fact{std::move(fact.value)});
    return true;
  }
  if (!finishing_) return false;
  chain_.begin(schema::kTypeShutdown, schema::Shutdown{reason_, {}, {}});
  return true;
}

}  // namespace theater::node
