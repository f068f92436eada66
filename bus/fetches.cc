#include "bus/fetches.h"

#include <algorithm>

#include "base/crypto.h"

namespace theater::bus {

bool Fetches::ask(const Hash& hash, uint64_t length_max, FetchDone done) {
  std::lock_guard lock(mutex_);
  if (closed_ || waiting_.size() >= kWaitingMax) return false;
  waiting_.push_back({hash, length_max, std::move(done)});
  return true;
}

void Fetches::finish(size_t index, Result<Bytes> result) {
  const auto done = std::move(active_[index].done);
  active_.erase(active_.begin() + static_cast<ptrdiff_t>(index));
  done(std::move(result));
}

std::vector<Fetch> Fetches::due(uint64_t now_ns, bool reachable) {
  for (size_t i = active_.size(); i-- > 0;) {
    if (now_ns - active_[i].progress_ns < options_.give_up_ns) continue;
    finish(i, Error{ErrorCode::kUnavailable, str_cat("auditor ", auditor_, " doesn't answer")});
  }
  {
    std::lock_guard lock(mutex_);
    while (active_.size() < kActiveMax && !waiting_.empty()) {
      Active next;
      static_cast<Asked&>(next) = std::move(waiting_.front());
      next.progress_ns = now_ns;
      waiting_.pop_front();
      active_.push_back(std::move(next));
    }
  }
  std::vector<Fetch> wanted;
  for (auto& each : active_) {
    if (!reachable || (each.sent_ns != 0 && now_ns - each.sent_ns < options_.again_ns)) continue;
    each.sent_ns = now_ns;
    wanted.push_back({each.hash, each.bytes.size()});
  }
  return wanted;
}

void Fetches::on_piece(const Fetched& piece, uint64_t now_ns) {
  const auto found = std::find_if(active_.begin(), active_.end(), [&](const Active& each) {
    return each.hash == piece.hash && each.bytes.size() == piece.offset;
  });
  if (found == active_.end()) return;  // it came twice, or too late
  const auto index = static_cast<size_t>(found - active_.begin());
  const std::string what = str_cat("sha256:", piece.hash.hex());
  if (!piece.here)
    return finish(index, Error{ErrorCode::kNotFound, str_cat("auditor ", auditor_, " doesn't hold ", what)});
  if (piece.length > found->length_max) {
    return finish(index, Error{ErrorCode::kRefused, str_cat(what, " has ", piece.length, " bytes; at most ",
                                                            found->length_max, " are taken")});
  }
  const bool fits = piece.offset + piece.bytes.size() <= piece.length;
  if (!fits || (piece.bytes.empty() && piece.offset < piece.length)) {
    return finish(index, Error{ErrorCode::kCorrupt, str_cat("auditor ", auditor_, " answers nonsense for ", what)});
  }
  found->bytes.insert(found->bytes.end(), piece.bytes.begin(), piece.bytes.end());
  found->progress_ns = now_ns;
  found->sent_ns = 0;  // on with the next one, at once
  if (found->bytes.size() < piece.length) return;
  if (sha256(found->bytes) != piece.hash) {
    return finish(
        index, Error{ErrorCode::kCorrupt, str_cat("what auditor ", auditor_, " sent as ", what, " has another hash")});
  }
  finish(index, std::move(found->bytes));
}

uint64_t Fetches::wait_ns(uint64_t now_ns, bool reachable) const {
  uint64_t until = UINT64_MAX;
  for (const auto& each : active_) {
    until = std::min(until, each.progress_ns + options_.give_up_ns);
    if (reachable) until = std::min(until, each.sent_ns == 0 ? now_ns : each.sent_ns + options_.again_ns);
  }
  if (active_.size() < kActiveMax) {
    std::lock_guard lock(mutex_);
    if (!waiting_.empty()) until = now_ns;
  }
  if (until == UINT64_MAX) return until;
  return until > now_ns ? until - now_ns : 0;
}

void Fetches::end_all(const std::string& why) {
  std::deque<Asked> waiting;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    waiting.swap(waiting_);
  }
  const Error error{ErrorCode::kUnavailable, why};
  while (!active_.empty()) finish(active_.size() - 1, error);
  for (auto& each : waiting) each.done(error);
}

}  // namespace theater::bus
