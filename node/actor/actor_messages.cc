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

Result<void> Actor::accepts(const wasm::ExportFunction& function) const {
  if (!manifest_->grants("message-server")) {
    return Error{ErrorCode::kRefused,
                 str_cat("'", name(), "' takes no messages: its manifest doesn't grant that; add to it:\n",
                         grant_line("message-server"))};
  }
  if (exports(function)) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the package of '", name(), "' doesn't export ", function.name)};
}

// By another actor's rpc.
Result<const wasm::ExportFunction*> Actor::callable(std::string_view name) const {
  const auto refuse = [](std::string why) { return Error{ErrorCode::kRefused, std::move(why)}; };
  if (!manifest_->grants("rpc")) {
    return refuse(str_cat("'", this->name(), "' can't be called: its manifest doesn't grant that; add to it:\n",
                          grant_line("rpc")));
  }
  if (const auto& granted = manifest_->permissions.rpc.functions) {
    if (std::find(granted->begin(), granted->end(), name) == granted->end()) {
      return refuse(str_cat("the manifest of '", this->name(), "' doesn't let others call ", quote(name, 300),
                            " (functions of its handler rpc)"));
    }
  }
  if (module_ != nullptr) {
    for (const auto& function : module_->callables()) {
      if (function.name == name) return &function;
    }
  }
  return Error{ErrorCode::kNotFound, str_cat("the package of '", this->name(), "' has no export ", quote(name, 300),
                                             " that can be called: ", wasm::callable_type().wit())};
}

Result<void> Actor::offer(Message message) {
  auto taken = take_in(std::move(message));
  context_->counters.add_outside(taken.ok() ? Count::kTaken : Count::kTakesRefused);
  return taken;
}

Result<void> Actor::take_in(Message message) {
  std::optional<Error> refused;
  {
    std::unique_lock lock(mutex_);
    if (laid_down_) {
      lock.unlock();
      TRY_ASSIGN(const auto again, context_->directory.resolve(id().hex()));
      return again->take_in(std::move(message));
    }
    if (closed_) return *closed_;
    TRY(accepts(*message.function));
    auto taken = mailbox_.push(std::move(message), limits());
    if (!taken.ok()) {
      note_refused(taken.error());
      refused = std::move(taken).error();
    }
  }
  wake();
  if (refused) return *std::move(refused);
  return Ok{};
}

Result<Mailbox::Room> Actor::reserve_room(const ActorId& sender, size_t bytes, bool again,
                                          const std::function<Mailbox::Waker()>& make_waker) {
  std::vector<Mailbox::Waker> wakers;
  const auto room = [&]() -> Result<Mailbox::Room> {
    std::lock_guard lock(mutex_);
    if (closed_) return *closed_;
    auto reserved = mailbox_.reserve(sender, bytes, again, limits(), make_waker);
    if (reserved.ok() && *reserved == Mailbox::Room::kWait) wakers = mailbox_.grant(limits());
    return reserved;
  }();
  call_all(wakers);
  return room;
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
      if (message.needs_room)
        CHECK(mailbox_.release(message.bytes, limits()).empty(), "somebody waits for a closed mailbox");
    } else {
      mailbox_.push_reserved(std::move(message));
    }
  }
  if (!closed) return wake();
  if (reply) reply->answer(*closed);
}

// --- the sender's side ---

Result<std::shared_ptr<Actor>> Actor::resolve_other(std::string_view target) const {
  TRY_ASSIGN(auto to, context_->directory.resolve(target));
  if (to.get() != this) return to;
  return Error{ErrorCode::kRefused, "an actor that asks itself would never be answered"};
}

void Actor::begin_talk(std::shared_ptr<Actor> to, const wasm::ExportFunction& function, size_t bytes,
                       std::optional<uint64_t> timeout_ns) {
  const uint64_t now_ns = context_->clock->monotonic_ns();
  const uint64_t wait_ns = timeout_ns.value_or(limits().wait_timeout_ms * 1'000'000);
  talk_ = std::make_unique<Talk>();
  talk_->to = std::move(to);
  talk_->message.function = &function;
  talk_->message.bytes = bytes;
  talk_->until_ns = wait_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + wait_ns;
  talk_->timeout_ms = wait_ns / 1'000'000;
}

// What one mailbox has set aside for this actor it uses before it turns to another one, or before its turn ends.
void Actor::keep_favour(const std::shared_ptr<Actor>& of) {
  const auto before = std::exchange(favoured_by_, of);
  if (before != nullptr && before != of) before->forget_sender(id());
}

// Takes room for the message of the talk, now or after a while. False: it waits. After an error there is no talk.
Result<bool> Actor::take_room() {
  Talk& talk = *talk_;
  const auto room =
      talk.to->reserve_room(id(), talk.message.bytes, std::exchange(talk.waits, true), [this] { return waker(); });
  if (room.ok() && *room == Mailbox::Room::kTakenOfMore)
    keep_favour(talk.to);
  else if (favoured_by_ == talk.to)
    favoured_by_.reset();
  Result<bool> taken = room.ok() ? Result<bool>(*room != Mailbox::Room::kWait) : room.error();
  if (taken.ok() && *taken) {
    talk.has_room = true;
    return true;
  }
  if (taken.ok() && talk.to.get() == this) {
    taken = Error{ErrorCode::kUnavailable, "this actor's own mailbox is full"};
  } else if (taken.ok() && !talk.to->limits().mailbox_waits) {
    taken = Error{ErrorCode::kUnavailable, str_cat("the mailbox of ", quoted(*talk.to), " is full")};
  } else if (taken.ok() && context_->clock->monotonic_ns() >= talk.until_ns) {
    taken = Error{ErrorCode::kDeadline, str_cat("no room in the mailbox of ", quoted(*talk.to), " within ",
                                                talk.timeout_ms, " ms", waiting_cycle())};
  }
  if (taken.ok()) return false;
  drop_talk();
  return taken;
}

Result<bool> Actor::send_with_event(std::string_view target, BytesView message) {
  const auto begin = [&]() -> Result<bool> {
    if (talk_ == nullptr) {
      TRY_ASSIGN(auto to, context_->directory.resolve(target));
      TRY(to->accepts(wasm::handle_send_function()));
      begin_talk(std::move(to), wasm::handle_send_function(), message.size(), std::nullopt);
    }
    return take_room();
  };
  auto has_room = begin();
  if (!has_room.ok()) {
    count(Count::kSendsRefused);
  } else if (*has_room) {
    talk_->message = make_message(id().hex(), Bytes(message.begin(), message.end()), {}, nullptr);
  }
  return has_room;
}

bool Actor::request_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) {
  const auto begin = [&]() -> Result<bool> {
    if (talk_ == nullptr) {
      TRY_ASSIGN(auto to, resolve_other(target));
      TRY(to->accepts(wasm::handle_request_function()));
      begin_talk(std::move(to), wasm::handle_request_function(), message.size(), timeout_ns);
    }
    return take_room();
  };
  if (!may_go(begin())) return false;
  if (talk_->answer) return true;
  talk_->message = make_message(id().hex(), Bytes(message.begin(), message.end()), {}, std::move(talk_->message.reply));
  return true;
}

bool Actor::call_with_event(std::string_view target, std::string_view function, BytesView args,
                            std::optional<uint64_t> timeout_ns) {
  const auto begin = [&]() -> Result<bool> {
    if (talk_ == nullptr) {
      TRY_ASSIGN(auto to, resolve_other(target));
      TRY_ASSIGN(const auto* found, to->callable(function));
      begin_talk(std::move(to), *found, args.size(), timeout_ns);
    }
    return take_room();
  };
  if (!may_go(begin())) return false;
  if (talk_->answer == std::nullopt) talk_->message.params.push_back(Value::bytes(Bytes(args.begin(), args.end())));
  return true;
}

// Whether the message can go, or needn't any more. An error becomes the answer.
bool Actor::may_go(Result<bool> has_room) {
  if (!has_room.ok()) {
    count(Count::kSendsRefused);
    talk_ = std::make_unique<Talk>();
    talk_->answer = std::move(has_room).error();
    return true;
  }
  if (!*has_room) return false;
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
  if (with_event_ != nullptr) {
    const auto what = std::exchange(with_event_, nullptr);
    (*what)(true);
  }
  if (timers_ != nullptr) timers_->set_by(newest_event());
  if (talk_ == nullptr) return;
  if (talk_->closes != nullptr) {
    const auto closed = std::exchange(talk_, nullptr)->closes;
    return hand_over_close(closed);
  }
  if (!talk_->has_room) return;
  talk_->has_room = false;
  talk_->message.origin = newest_event();
  const auto to = talk_->to;
  talk_->reply = talk_->message.reply;
  Message message = std::move(talk_->message);
  if (talk_->reply == nullptr) talk_.reset();
  count(Count::kSent);
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

void Actor::with_event(std::function<void(bool emitted)> what) {
  CHECK(with_event_ == nullptr, "the call before has no event yet");
  with_event_ = std::make_unique<std::function<void(bool emitted)>>(std::move(what));
}

void Actor::drop_with_event() {
  if (with_event_ == nullptr) return;
  const auto what = std::exchange(with_event_, nullptr);
  (*what)(false);
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
  if (talk->reply && talk->channel) keep_channel(talk->channel);  // perhaps accepted: closed at the end like others
  if (talk->to == nullptr) return;
  if (talk->has_room) talk->to->give_back_room(talk->message.bytes);
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
  if (reply_ == nullptr || function_ != &wasm::handle_request_function()) return std::nullopt;
  return call_sequence_;
}

std::vector<uint64_t> Actor::outstanding_requests() const {
  std::vector<uint64_t> numbers;
  if (outstanding_ != nullptr) {
    for (const auto& [number, reply] : *outstanding_) {
      if (!reply->answered()) numbers.push_back(number);
    }
  }
  if (current_request() && !reply_->answered()) numbers.push_back(call_sequence_);
  return numbers;
}

Result<void> Actor::answer_with_event(uint64_t request, Result<std::optional<Bytes>> result) {
  std::shared_ptr<Reply> reply;
  if (request == current_request()) {
    reply = reply_;
  } else if (outstanding_ != nullptr) {
    if (const auto found = outstanding_->find(request); found != outstanding_->end()) {
      reply = std::move(found->second);
      outstanding_->erase(found);
      if (outstanding_->empty()) outstanding_.reset();  // it may rest again
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
