// How an actor ends: cut off, failed, shut down, or never born.
#include "base/check.h"
#include "node/actor/actor.h"

namespace theater::node {

using schema::ErrorKind;

namespace {

constexpr size_t kReasonMax = 4'000;  // bytes, so that the terminal event fits whatever a guest's backtrace looks like

}  // namespace

std::string event_text(std::string_view text) { return shortened(text, kReasonMax); }

void Actor::stop(const schema::Origin& origin, const std::string& reason, uint64_t grace_ms) {
  if (phase_ == Phase::kTerminal || phase_ == Phase::kEnded) return;
  if (!stop_) stop_ = Ending{origin, event_text(reason)};
  const uint64_t until_ns = after_ms(context_->clock->monotonic_ns(), grace_ms);
  if (grace_until_ns_ == 0 || until_ns < grace_until_ns_) grace_until_ns_ = until_ns;
  close_mailbox(Error{ErrorCode::kUnavailable, str_cat("'", name(), "' is stopping")});
}

void Actor::kill(const schema::Origin& origin, const std::string& reason) {
  if (!kill_) kill_ = Ending{origin, event_text(reason)};
}

void Actor::abandon() {
  if (phase_ != Phase::kTerminal) return;
  chain_.cancel();
  ended_ += "; its terminal event was given up, the chain stays open";
  count(Count::kAbandoned);
  end();
}

void Actor::abandon_when_terminal() {
  abandoned_ = true;
  abandon();
}

void Actor::when_ended(Callback<ActorInfo> done) {
  if (phase_ == Phase::kEnded) return done(info());
  ended_waiters_.push_back(std::move(done));
}

// True if the actor was cut off now.
bool Actor::cut_off_if_due() {
  if (phase_ == Phase::kTerminal || phase_ == Phase::kEnded) return false;
  if (kill_) {
    cut_off(ErrorKind::kKilled, kill_->reason, kill_->origin);
    return true;
  }
  if (grace_until_ns_ == 0 && phase_ != Phase::kRunning) return false;
  const uint64_t now_ns = context_->clock->monotonic_ns();
  const bool stops_children = supervisor_ != nullptr && supervisor_->phase() == Supervisor::Phase::kStopping;
  if (grace_until_ns_ != 0 && now_ns >= grace_until_ns_ && (phase_ != Phase::kIdle || stops_children)) {
    cut_off(ErrorKind::kKilled, str_cat(stop_->reason, ": the call in progress didn't end within the grace period"),
            stop_->origin);
    return true;
  }
  if (phase_ == Phase::kRunning && !no_room_ && deadline_ns_ != 0 && now_ns >= deadline_ns_) {
    cut_off(ErrorKind::kDeadline,
            str_cat(function_->type_name, " took longer than limits.call_timeout, ", limits().call_timeout_ms, " ms"),
            {});
    return true;
  }
  return false;
}

void Actor::cut_off(ErrorKind kind, std::string message, schema::Origin origin) {
  chain_.cancel();
  if (chain_.length() == 0) return vanish(Error{ErrorCode::kUnavailable, str_cat("ended before genesis: ", message)});
  const bool in_call = phase_ == Phase::kRunning || phase_ == Phase::kResult;
  const uint64_t fuel = phase_ == Phase::kRunning ? instance_->fuel_used() : phase_ == Phase::kResult ? call_fuel_ : 0;
  if (phase_ == Phase::kRunning) {
    life_fuel_ += fuel;
    count(Count::kFuel, fuel);
  }
  fail(kind, std::move(message), fuel, in_call, std::move(origin));
}

void Actor::fail(ErrorKind kind, std::string message, uint64_t fuel, bool in_call, schema::Origin origin) {
  drop_instance();
  said_.reset();
  drop_talk();
  drop_with_event();
  drop_offload();
  hold_.reset();
  facts_.reset();
  timers_.reset();
  stating_ = false;
  wait_until_ns_ = 0;
  no_room_ = false;
  message = event_text(chain_.hidden(message));  // not the other way round: half a secret isn't found
  ended_ = str_cat(schema::kTypeError, ": ", message);
  const Error why{ErrorCode::kActorFailed, str_cat("'", name(), "' ended: ", message)};
  close_mailbox(why);
  failure_ = why;  // told when the event that says so is emitted
  note_end(kind == ErrorKind::kKilled ? Exit::Kind::killed : Exit::Kind::error, origin);
  count(Counters::error(kind));
  chain_.begin(schema::kTypeError, schema::ErrorBody{kind, std::move(message), fuel, in_call, std::move(origin)});
  phase_ = Phase::kTerminal;
}

void Actor::shut_down(std::string reason, std::vector<schema::Value> data, schema::Origin origin) {
  drop_instance();
  timers_.reset();
  ended_ = reason;
  close_mailbox(Error{ErrorCode::kUnavailable, str_cat("'", name(), "' has ended: ", reason)});
  note_end(shutdown_asked_ ? Exit::Kind::normal : Exit::Kind::shutdown, origin);
  if (!data.empty()) end_->last_word = *data[0].get<Bytes>();
  count(Count::kShutdowns);
  chain_.begin(schema::kTypeShutdown, schema::Shutdown{std::move(reason), std::move(data), std::move(origin)});
  phase_ = Phase::kTerminal;
}

void Actor::note_end(Exit::Kind kind, const schema::Origin& origin) {
  end_ = std::make_unique<LifeEnd>();
  end_->kind = kind;
  end_->origin = origin;
  end_->reason = ended_;
}

// Refuses messages that come, and those that wait.
void Actor::close_mailbox(const Error& why) {
  std::vector<std::shared_ptr<Reply>> waiting;
  std::vector<Mailbox::Waker> wakers;
  {
    std::lock_guard lock(mutex_);
    closed_ = why;
    signals_.clear();
    wakers = mailbox_.close();
    while (auto message = mailbox_.pop()) {
      if (message->reply) waiting.push_back(std::move(message->reply));
    }
  }
  for (const auto& waker : wakers) waker();
  for (const auto& reply : waiting) reply->answer(why);
}

// Nothing was emitted: there is no chain, and so no event that ends it. Others may know the actor, though.
void Actor::vanish(Error why) {
  count(Count::kUnborn);
  context_->listener->not_born(*this, birth_->allowed);
  drop_instance();
  ended_ = why.message;
  close_mailbox(why);
  note_end(Exit::Kind::error, {});
  failure_ = std::move(why);
  end();
}

void Actor::end() {
  phase_ = Phase::kEnded;
  drop_instance();
  const auto birth = std::move(birth_);
  const auto reply = std::move(reply_);
  state_ = schema::Value::none();
  chain_.give_up();
  chain_.forget_values();
  facts_.reset();
  end_channels();
  publish();
  const auto last = info();
  context_->listener->on_ended(last);
  if (end_ != nullptr) {
    end_->actor = id();
    if (chain_.length() > 0) end_->terminal = newest_event();
  }
  // A child's names stay its own until its supervisor has decided; those of an heir that wasn't born, the next one's.
  const ActorId heir_of = parent_ == nullptr ? ActorId{} : birth ? parent_->previous : id();
  context_->directory.end(std::static_pointer_cast<Actor>(shared_from_this()), last, heir_of);
  if (birth && birth->done) birth->done(failure_ ? *failure_ : Error{ErrorCode::kUnavailable, ended_});
  if (reply) answer(reply, *failure_);
  if (const auto outstanding = std::move(outstanding_)) {
    const Error gone{ErrorCode::kUnavailable, str_cat("'", name(), "' ended before it answered: ", ended_)};
    for (const auto& [number, waiting] : *outstanding) answer(waiting, gone);
  }
  for (auto& waiter : std::exchange(ended_waiters_, {})) waiter(last);
  cut_relations();
  leave_family(birth != nullptr);
}

}  // namespace theater::node
