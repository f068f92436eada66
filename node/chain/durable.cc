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
  Wait(size_t outboxes, size_t needed, std::function<void()> then)
      : left_(outboxes), needed_(needed), then_(std::move(then)) {}

  // Of an outbox whose word came: it is durable there, or nobody waits for it any more.
  void said_by(const bus::Outbox& outbox) {
    std::function<void()> then;
    {
      std::lock_guard lock(mutex_);
      if (outbox.demoted() || outbox.closed()) {
        --left_;
      } else {
        ++durable_;
      }
      if (durable_ >= std::min(needed_, left_)) then = std::exchange(then_, nullptr);
    }
    if (then) then();
  }

 private:
  std::mutex mutex_;
  size_t left_;  // outboxes that count
  size_t durable_ = 0;
  const size_t needed_;
  std::function<void()> then_;  // null: it was called
};

}  // namespace

void when_durable(const std::vector<std::shared_ptr<bus::Outbox>>& outboxes, size_t needed,
                  std::function<void()> then) {
  if (needed == 0 || outboxes.empty()) return then();
  const auto wait = std::make_shared<Wait>(outboxes.size(), needed, std::move(then));
  for (const auto& outbox : outboxes) {
    outbox->when_durable([wait, outbox] { wait->said_by(*outbox); });
  }
}

}  // namespace theater::node
