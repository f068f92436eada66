// Messages between actors: how one takes room in another's mailbox, hands a message over together with its own event,
// and waits for what comes back. Everything here runs in the sender's turn, but for what its comment says otherwise.
#include <algorithm>

#include "base/check.h"
#include "node/actor/actor.h"

namespace theater::node {

using schema::Value;

namespace {

void call_all(const std::vector<Mailbox::Waker>& wakers) {
  for (const auto& waker : wakers) waker();
}

std::string quoted(const Actor& actor) { return str_cat("'", actor.name(), "' ", actor.id().short_hex()); }

}  // namespace

// --- the receiver's side: called on senders' workers ---

Result<void> Actor::accepts(bool request) const {
  if (!manifest_->grants("message-server")) {
    return Error{ErrorCode::kRefused,
                 str_cat("'", name(), "' takes no messages: its manifest doesn't grant that; add to it:\n",
                         grant_line("message-server"))};
  }
  const auto& wanted = request ? wasm::handle_request_function() : wasm::handle_send_function();
  if (exports(wanted)) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the package of '", name(), "' doesn't export ", wanted.name,
                                            request ? "; it takes no requests" : "; it takes only requests")};
}

Result<void> Actor::offer(Message message) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return *closed_;
    TRY(accepts(message.reply != nullptr));
    TRY(mailbox_.push(std::move(message), limits()));
    published_.mailbox = mailbox_.size();
  }
  wake();
  return Ok{};
}

Result<bool> Actor::reserve_room(const ActorId& sender, size_t bytes, bool again,
                                 const std::function<Mailbox::Waker()>& make_waker) {
  std::lock_guard lock(mutex_);
  if (closed_) return *closed_;
  return mailbox_.reserve(sender, bytes, again, limits(), make_waker);
}

void Actor::give_back_room(size_t bytes) {
  std::vector<Mailbox::Waker> wakers;
  {
    std::lock_guard lock(mutex_);
    wakers = mailbox_.release(bytes, limits());
  }
  call_all(wakers);
}

void Actor::forget_sender(const ActorId& sender) {
  std::vector<Mailbox::Waker> wakers;
  {
    std::lock_guard lock(mutex_);
    wakers = mailbox_.forget(sender, limits());
  }
  call_all(wakers);
}

// To an actor that has ended meanwhile nothing is delivered, as if it had ended just after.
void Actor::put(Message message) {
  std::optional<Error> closed;
  const auto reply = message.reply;
  {
    std::lock_guard lock(mutex_);
    closed = closed_;
    if (closed) {
      CHECK(mailbox_.release(message.bytes.size(), limits()).empty(), "somebody waits for a closed mailbox");
    } else {
      mailbox_.push_reserved(std::move(message));
      published_.mailbox = mailbox_.size();
    }
  }
  if (!closed) return wake();
  if (reply) reply->answer(*closed);
}

// --- the sender's side ---

// Takes room, now or after a while. False: it waits.
Result<bool> Actor::take_room(std::string_view target, BytesView message, bool request, uint64_t timeout_ns) {
  const uint64_t now_ns = context_->clock->monotonic_ns();
  if (talk_ == nullptr) {
    TRY_ASSIGN(auto to, context_->directory.resolve(target));
    if (request && to.get() == this) {
      return Error{ErrorCode::kRefused, "an actor that asks itself would never be answered"};
    }
    TRY(to->accepts(request));
    talk_ = std::make_unique<Talk>();
    talk_->to = std::move(to);
    talk_->bytes = message.size();
    talk_->until_ns = timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
    talk_->timeout_ms = timeout_ns / 1'000'000;
  }
  Talk& talk = *talk_;
  auto taken = talk.to->reserve_room(id(), message.size(), std::exchange(talk.waits, true), [this] {
    return [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->wake();
    };
  });
  if (taken.ok() && *taken) {
    talk.has_room = true;
    talk.message.bytes.assign(message.begin(), message.end());
    return true;
  }
  if (taken.ok() && talk.to.get() == this) {
    taken = Error{ErrorCode::kUnavailable, "this actor's own mailbox is full"};
  } else if (taken.ok() && !talk.to->limits().mailbox_waits) {
    taken = Error{ErrorCode::kUnavailable, str_cat("the mailbox of ", quoted(*talk.to), " is full")};
  } else if (taken.ok() && now_ns >= talk.until_ns) {
    taken = Error{ErrorCode::kDeadline, str_cat("no room in the mailbox of ", quoted(*talk.to), " within ",
                                                talk.timeout_ms, " ms", waiting_cycle())};
  }
  if (taken.ok()) return false;
  drop_talk();
  return taken;
}

Result<bool> Actor::send_with_event(std::string_view target, BytesView message) {
  return take_room(target, message, false, limits().wait_timeout_ms * 1'000'000);
}

bool Actor::request_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) {
  auto taken = take_room(target, message, true, timeout_ns.value_or(limits().wait_timeout_ms * 1'000'000));
  if (taken.ok() && !*taken) return false;
  if (!taken.ok()) {
    talk_ = std::make_unique<Talk>();
    talk_->answer = std::move(taken).error();
    return true;
  }
  talk_->message.reply = expect_answer();
  return true;
}

// An answer to this actor itself, for take_answer().
std::shared_ptr<Reply> Actor::expect_answer() {
  return std::make_shared<Reply>([weak = std::weak_ptr(std::static_pointer_cast<Actor>(shared_from_this())),
                                  number = ++talks_](Result<std::optional<Bytes>> result) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    {
      std::lock_guard lock(self->mutex_);
      self->answer_ = Answer{number, std::move(result)};
    }
    self->wake();
  });
}

// Right after the event was emitted, in the same turn: nothing can come between.
void Actor::hand_over() {
  if (answering_) {
    const auto answering = std::exchange(answering_, std::nullopt);
    answer(answering->reply, answering->result, true);
  }
  if (talk_ == nullptr || !talk_->has_room) return;
  talk_->has_room = false;
  talk_->message.origin = newest_event();
  const auto to = talk_->to;
  talk_->reply = talk_->message.reply;
  Message message = std::move(talk_->message);
  if (talk_->reply == nullptr) talk_.reset();
  to->put(std::move(message));
}

std::optional<Result<std::optional<Bytes>>> Actor::take_answer() {
  CHECK(talk_ != nullptr, "nothing was asked");
  if (talk_->answer) {
    auto refused = std::move(*talk_->answer);
    talk_.reset();
    return Result<std::optional<Bytes>>(std::move(refused));
  }
  {
    std::lock_guard lock(mutex_);
    if (answer_ && answer_->number == talks_) {
      auto result = std::move(answer_->result);
      answer_.reset();
      talk_.reset();
      return result;
    }
  }
  if (context_->clock->monotonic_ns() < talk_->until_ns) return std::nullopt;
  if (!talk_->reply->give_up()) {  // it comes right now
    talk_->until_ns = UINT64_MAX;
    return std::nullopt;
  }
  Error late{ErrorCode::kDeadline,
             str_cat("no answer from ", quoted(*talk_->to), " within ", talk_->timeout_ms, " ms", waiting_cycle())};
  talk_.reset();
  return Result<std::optional<Bytes>>(std::move(late));
}

// Whoever is killed while it waits has sent nothing, and wants no answer any more.
void Actor::drop_talk() {
  if (answering_) {
    const auto answering = std::exchange(answering_, std::nullopt);
    answering->reply->complete(Error{ErrorCode::kActorFailed, str_cat("'", name(), "' ended")});
  }
  if (talk_ == nullptr) return;
  const auto talk = std::move(talk_);
  if (talk->reply) talk->reply->give_up();
  if (talk->to == nullptr) return;
  if (talk->has_room) talk->to->give_back_room(talk->bytes);
  talk->to->forget_sender(id());
}

// ": they wait for each other: 'a' … → 'b' … → 'a' …", or nothing.
std::string Actor::waiting_cycle() const {
  constexpr int kLongest = 100;
  std::string path = quoted(*this);
  auto next = talk_->to;
  for (int i = 0; next != nullptr && i < kLongest; ++i) {
    path += str_cat(" -> ", quoted(*next));
    if (next.get() == this) return str_cat("; they wait for each other: ", path);
    const auto on = next->waits_on();
    next = on ? context_->directory.find(*on) : nullptr;
  }
  return "";
}

std::optional<ActorId> Actor::waits_on() const {
  std::lock_guard lock(mutex_);
  if (waits_on_.is_zero()) return std::nullopt;
  return waits_on_;
}

// --- requests that this actor has to answer ---

std::optional<uint64_t> Actor::current_request() const {
  if (reply_ == nullptr) return std::nullopt;
  return call_sequence_;
}

std::vector<uint64_t> Actor::outstanding_requests() const {
  std::vector<uint64_t> numbers;
  if (outstanding_ != nullptr) {
    for (const auto& [number, reply] : *outstanding_) {
      if (!reply->answered()) numbers.push_back(number);
    }
  }
  if (reply_ != nullptr && !reply_->answered()) numbers.push_back(call_sequence_);
  return numbers;
}

Result<void> Actor::answer_with_event(uint64_t request, Result<std::optional<Bytes>> result) {
  std::shared_ptr<Reply> reply;
  if (reply_ != nullptr && request == call_sequence_) {
    reply = reply_;
  } else if (outstanding_ != nullptr) {
    if (const auto found = outstanding_->find(request); found != outstanding_->end()) {
      reply = std::move(found->second);
      outstanding_->erase(found);
    }
  }
  if (reply == nullptr) {
    return Error{ErrorCode::kNotFound, str_cat("no request ", request,
                                               " waits for this actor's answer: it was answered "
                                               "already, or never made")};
  }
  if (!reply->claim()) {
    return Error{ErrorCode::kDeadline,
                 str_cat("request ", request, " was answered already, or its deadline has passed")};
  }
  answering_ = Answering{std::move(reply), std::move(result)};
  return Ok{};
}

// The guest returned without a reply and will answer later.
void Actor::keep_outstanding(std::shared_ptr<Reply> reply) {
  if (reply->answered()) return;
  if (outstanding_ == nullptr) outstanding_ = std::make_unique<std::map<uint64_t, std::shared_ptr<Reply>>>();
  std::erase_if(*outstanding_, [](const auto& each) { return each.second->answered(); });
  if (outstanding_->size() >= limits().mailbox_messages) {
    reply->answer(Error{ErrorCode::kUnavailable, str_cat("'", name(), "' has ", outstanding_->size(),
                                                         " requests outstanding already "
                                                         "(limits.mailbox_messages)")});
    return;
  }
  outstanding_->emplace(call_sequence_, std::move(reply));
}

}  // namespace theater::node
