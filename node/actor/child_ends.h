// What a guest is to be told of its children's ends, until it has a turn for it. Nobody waits for that, least of all a
// child that is restarted meanwhile: of each child only the newest end is kept, and of all together at most `ends_max`
// and `bytes_max` of last words. What is beyond goes: the oldest end, and the last word of the newest.
//
// In the supervisor's turns only.
#pragma once

#include <iterator>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "node/actor/signals.h"
#include "supervise/supervision.h"

namespace theater::node {

class ChildEnds {
 public:
  explicit ChildEnds(size_t ends_max) : ends_max_(ends_max) {}

  // Whether a last word of so many bytes may come along with the newest end of that child.
  bool has_room(supervise::ChildRef child, size_t bytes, size_t bytes_max) const {
    const auto before = of_child_.find(child);
    const size_t others = bytes_ - (before == of_child_.end() ? 0 : before->second->bytes);
    return bytes <= bytes_max && others <= bytes_max - bytes;
  }
  void push(supervise::ChildRef child, Signal signal, size_t bytes) {
    drop(child);
    if (ends_.size() >= ends_max_ && !ends_.empty()) drop(ends_.front().child);
    ends_.push_back({child, std::move(signal), bytes});
    of_child_[child] = std::prev(ends_.end());
    bytes_ += bytes;
  }
  std::optional<Signal> pop() {
    if (ends_.empty()) return std::nullopt;
    std::optional<Signal> signal(std::move(ends_.front().signal));
    drop(ends_.front().child);
    return signal;
  }
  bool empty() const { return ends_.empty(); }

 private:
  struct End {
    supervise::ChildRef child;
    Signal signal;
    size_t bytes;
  };
  void drop(supervise::ChildRef child) {
    const auto found = of_child_.find(child);
    if (found == of_child_.end()) return;
    bytes_ -= found->second->bytes;
    ends_.erase(found->second);
    of_child_.erase(found);
  }

  const size_t ends_max_;
  std::list<End> ends_;  // the oldest first
  std::map<supervise::ChildRef, std::list<End>::iterator> of_child_;
  size_t bytes_ = 0;  // of last words
};

}  // namespace theater::node
