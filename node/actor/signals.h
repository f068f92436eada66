// Calls that the host makes of its own accord because somebody has ended. They are served before messages and don't go
// through the mailbox, because nobody can be made to wait for room to say that somebody died. What stands in Signals
// comes of links and monitors, and counts as one of those until it is served (Relations::kMax); children's ends wait in
// child_ends.h.
//
// Not synchronized: the actor guards it.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "schema/event.h"
#include "wasm/functions.h"

namespace theater::node {

struct Signal {
  // func(state, params: tuple<…>) -> result<tuple<state>, string>. An actor that doesn't export it gets no signal.
  const wasm::ExportFunction* function = nullptr;
  std::vector<schema::Value> params;  // the tuple's items
  schema::Origin origin;
  uint64_t key = 0;  // to take it back by
};

class Signals {
 public:
  void push(Signal signal) {
    if (queue_ == nullptr) queue_ = std::make_unique<std::deque<Signal>>();
    queue_->push_back(std::move(signal));
  }
  std::optional<Signal> pop() {
    if (queue_ == nullptr) return std::nullopt;
    std::optional<Signal> signal(std::move(queue_->front()));
    queue_->pop_front();
    if (queue_->empty()) queue_.reset();
    return signal;
  }
  // Those that didn't have their turn yet. Says whether there were any.
  bool take_back(const wasm::ExportFunction& function, uint64_t key) {
    if (queue_ == nullptr) return false;
    const auto taken =
        std::erase_if(*queue_, [&](const Signal& each) { return each.function == &function && each.key == key; });
    if (queue_->empty()) queue_.reset();
    return taken != 0;
  }
  size_t size() const { return queue_ == nullptr ? 0 : queue_->size(); }
  void clear() { queue_.reset(); }

 private:
  std::unique_ptr<std::deque<Signal>> queue_;  // most actors are idle: no signal costs a pointer
};

}  // namespace theater::node
