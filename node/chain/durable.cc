#include "node/chain/durable.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace theater::node {

size_t needed_auditors(schema::AuditMode mode, size_t k, size_t auditors) {
  switch (mode) {
    case schema::AuditMode::kStrict: return auditors;
    case schema::AuditMode::kQuorum: return std::min(k, auditors);
    case schema::AuditMode::kBestEffort: return 0;
  }
  return auditors;
}

namespace {

class Wait {
 public:
  Wait(schema::AuditMode mode, size_t k, const std::vector<Holder>& holders, std::function<void()> then)
      : mode_(mode), k_(k), then_(std::move(then)) {
    for (const Holder& holder : holders) states_.push_back({.whole = holder.whole});
  }

  void said(size_t holder, bus::Durability word) {
    std::function<void()> then;
    {
      std::lock_guard lock(mutex_);
      State& state = states_[holder];
      if (word == bus::Durability::kDurable) state.durable = true;
      if (word == bus::Durability::kNotWaitedFor) state.counts = false;
      if (is_enough()) then = std::exchange(then_, nullptr);
    }
    if (then) then();
  }

 private:
  struct State {
    bool whole = false, durable = false, counts = true;
  };

  bool is_enough() const {
    size_t counting = 0, durable = 0, whole_and_durable = 0, missing = 0;
    for (const State& state : states_) {
      counting += state.counts;
      durable += state.durable;
      whole_and_durable += state.whole && state.durable;
      missing += state.counts && !state.durable;
    }
    if (durable == states_.size()) return true;  // each event, wherever it is
    if (whole_and_durable == 0) return false;    // something may be with those only that haven't said so
    return missing == 0 || whole_and_durable >= needed_auditors(mode_, k_, counting);
  }

  const schema::AuditMode mode_;
  const size_t k_;
  std::mutex mutex_;
  std::vector<State> states_;
  std::function<void()> then_;  // null: it was called
};

}  // namespace

void when_durable(schema::AuditMode mode, size_t k, const std::vector<Holder>& holders, std::function<void()> then) {
  const auto wait = std::make_shared<Wait>(mode, k, holders, std::move(then));
  for (size_t i = 0; i < holders.size(); ++i) {
    holders[i].outbox->when_durable([wait, i](bus::Durability word) { wait->said(i, word); });
  }
}

}  // namespace theater::node
