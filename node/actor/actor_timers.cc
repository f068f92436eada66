#include "node/actor/actor_timers.h"

#include "base/text.h"

namespace theater::node {

namespace {

uint64_t later(uint64_t time_ns, uint64_t by_ns) { return by_ns > UINT64_MAX - time_ns ? UINT64_MAX : time_ns + by_ns; }

}  // namespace

Result<uint64_t> ActorTimers::set(uint64_t now_ns, uint64_t delay_ns, bool repeats, BytesView data,
                                  const ManifestLimits& limits) {
  const auto refuse = [](std::string why) { return Error{ErrorCode::kRefused, std::move(why)}; };
  if (repeats && delay_ns < kPeriodMinNs) {
    return refuse(str_cat("an interval of ", delay_ns, " ns; the shortest is ", kPeriodMinNs, " ns"));
  }
  if (timers_.size() >= limits.timers) {
    return refuse(str_cat("this actor has ", timers_.size(), " timers already (limits.timers)"));
  }
  if (data.size() > limits.message_bytes) {
    return refuse(str_cat("a timer's data of ", data.size(), " bytes; limits.message_bytes is ", limits.message_bytes));
  }
  if (bytes_ + data.size() > limits.mailbox_bytes) {
    return refuse(str_cat("the timers' data would be ", bytes_ + data.size(), " bytes; limits.mailbox_bytes is ",
                          limits.mailbox_bytes));
  }
  const uint64_t number = ++last_number_;
  Timer timer{later(now_ns, delay_ns), repeats ? delay_ns : 0, Bytes(data.begin(), data.end()), {}};
  due_.emplace(timer.due_ns, number);
  bytes_ += data.size();
  timers_.emplace(number, std::move(timer));
  return number;
}

void ActorTimers::set_by(const schema::Cause& event) {
  const auto newest = timers_.find(last_number_);
  if (newest == timers_.end() || !std::holds_alternative<std::monostate>(newest->second.origin)) return;
  newest->second.origin = event;
}

Result<void> ActorTimers::cancel(uint64_t timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) {
    return Error{
        ErrorCode::kNotFound,
        str_cat("there is no timer ", timer, timer == 0 || timer > last_number_ ? ": it was never set" : " any more")};
  }
  due_.erase({found->second.due_ns, timer});
  bytes_ -= found->second.data.size();
  timers_.erase(found);
  return Ok{};
}

std::vector<uint64_t> ActorTimers::numbers() const {
  std::vector<uint64_t> all;
  all.reserve(timers_.size());
  for (const auto& [number, timer] : timers_) all.push_back(number);
  return all;
}

std::optional<uint64_t> ActorTimers::next_due_ns() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

std::optional<ActorTimers::Tick> ActorTimers::take_due(uint64_t now_ns) {
  if (due_.empty() || due_.begin()->first > now_ns) return std::nullopt;
  const uint64_t number = due_.begin()->second;
  due_.erase(due_.begin());
  const auto found = timers_.find(number);
  Timer& timer = found->second;
  if (timer.period_ns == 0) {
    Tick tick{number, std::move(timer.data), std::move(timer.origin)};
    bytes_ -= tick.data.size();
    timers_.erase(found);
    return tick;
  }
  const uint64_t missed = (now_ns - timer.due_ns) / timer.period_ns;
  timer.due_ns = later(timer.due_ns + missed * timer.period_ns, timer.period_ns);
  due_.emplace(timer.due_ns, number);
  return Tick{number, timer.data, timer.origin};
}

}  // namespace theater::node
