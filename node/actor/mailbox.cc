#include "node/actor/mailbox.h"

#include <algorithm>

#include "base/check.h"

namespace theater::node {

namespace {

// Room for a few messages of one sender at once: at most this many, and at most such a part of the mailbox.
constexpr size_t kAtOnceMax = 16, kPartsOfAMailbox = 8;

}  // namespace

bool Reply::answer(Result<std::optional<Bytes>> result) {
  if (!claim()) return false;
  complete(std::move(result));
  return true;
}

void Reply::complete(Result<std::optional<Bytes>> result) {
  if (give_up()) deliver(std::move(result));
}

void Reply::deliver(Result<std::optional<Bytes>> result) {
  if (on_answer) on_answer();
  callback_(std::move(result));
}

bool Reply::expire(Error why) {
  if (!give_up()) return false;
  deliver(std::move(why));
  return true;
}

Message make_message(std::string sender, Bytes bytes, schema::Origin origin, std::shared_ptr<Reply> reply) {
  Message message;
  message.function = reply == nullptr ? &wasm::handle_send_function() : &wasm::handle_request_function();
  message.bytes = bytes.size();
  message.params.reserve(2);
  message.params.push_back(schema::Value::string(std::move(sender)));
  message.params.push_back(schema::Value::bytes(std::move(bytes)));
  message.origin = std::move(origin);
  message.reply = std::move(reply);
  return message;
}

Mailbox::Held& Mailbox::held() {
  if (held_ == nullptr) held_ = std::make_unique<Held>();
  return *held_;
}

void Mailbox::free_if_empty() {
  if (held_ != nullptr && held_->messages.empty() && held_->waiters.empty() && held_->set_aside.empty() &&
      held_->reserved == 0)
    held_.reset();
}

// One message always fits an empty mailbox: message_bytes bounds it.
bool Mailbox::fits(size_t bytes, const ManifestLimits& limits) const {
  if (held_ == nullptr) return true;
  const size_t messages = held_->messages.size() - held_->free + held_->reserved;
  const uint64_t all = held_->bytes + held_->reserved_bytes;
  return messages == 0 || (messages < limits.mailbox_messages && all + bytes <= limits.mailbox_bytes);
}

void Mailbox::take(size_t messages, size_t bytes) {
  held().reserved += messages;
  held().reserved_bytes += bytes;
}

void Mailbox::give_back(size_t messages, size_t bytes) {
  CHECK(held_ != nullptr && held_->reserved >= messages && held_->reserved_bytes >= bytes, "room that nobody took");
  held_->reserved -= messages;
  held_->reserved_bytes -= bytes;
}

Result<void> Mailbox::check_size(size_t bytes, const ManifestLimits& limits) const {
  if (bytes <= limits.message_bytes) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("a message of ", bytes, " bytes is larger than this actor takes (",
                                            limits.message_bytes, "); its manifest's limits.message_bytes says so")};
}

Result<Mailbox::Room> Mailbox::reserve(const ActorId& sender, size_t bytes, bool again, const ManifestLimits& limits,
                                       const std::function<Waker()>& make_waker) {
  if (!again) TRY(check_size(bytes, limits));
  if (held_ != nullptr) {
    if (const auto found = held_->set_aside.find(sender); found != held_->set_aside.end()) {
      SetAside& left = found->second;
      const bool enough = bytes <= left.bytes;
      if (enough) {
        left.bytes -= bytes;
        if (--left.messages > 0) return Room::kTakenOfMore;
      }
      give_back(left.messages, left.bytes);
      held_->set_aside.erase(found);
      if (enough) return Room::kTaken;
    }
  }
  if (again) return Room::kWait;
  if (fits(bytes, limits) && (held_ == nullptr || held_->waiters.empty())) {
    take(1, bytes);
    return Room::kTaken;
  }
  held().waiters.push_back(Waiter{sender, bytes, make_waker()});
  return Room::kWait;
}

void Mailbox::push_reserved(Message message) {
  if (message.needs_room) {
    give_back(1, message.bytes);
    held_->bytes += message.bytes;
  } else {
    ++held().free;
  }
  held_->messages.push_back(std::move(message));
}

std::vector<Mailbox::Waker> Mailbox::release(size_t bytes, const ManifestLimits& limits) {
  give_back(1, bytes);
  return grant(limits);
}

std::vector<Mailbox::Waker> Mailbox::forget(const ActorId& sender, const ManifestLimits& limits) {
  if (held_ == nullptr) return {};
  if (const auto found = held_->set_aside.find(sender); found != held_->set_aside.end()) {
    give_back(found->second.messages, found->second.bytes);
    held_->set_aside.erase(found);
  } else {
    std::erase_if(held_->waiters, [&](const Waiter& each) { return each.sender == sender; });
  }
  return grant(limits);
}

Result<void> Mailbox::push(Message message, const ManifestLimits& limits) {
  const size_t bytes = message.bytes;
  TRY(check_size(bytes, limits));
  if (!fits(bytes, limits) || (held_ != nullptr && !held_->waiters.empty())) {
    return Error{
        ErrorCode::kUnavailable,
        str_cat("the mailbox is full: ", size(), " messages, ", this->bytes(), " bytes (limits.mailbox_messages ",
                limits.mailbox_messages, ", limits.mailbox_bytes ", limits.mailbox_bytes, "); try again later")};
  }
  take(1, bytes);
  push_reserved(std::move(message));
  return Ok{};
}

std::optional<Message> Mailbox::pop() {
  if (size() == 0) return std::nullopt;
  std::optional<Message> message(std::move(held_->messages.front()));
  held_->messages.pop_front();
  if (message->needs_room) {
    held_->bytes -= message->bytes;
  } else {
    --held_->free;
  }
  free_if_empty();
  return message;
}

// How many messages room is set aside for, when this one's turn comes; 0: not yet.
size_t Mailbox::at_once(const Waiter& waiter, const ManifestLimits& limits) const {
  if (!fits(waiter.bytes, limits)) return 0;
  const size_t most = std::clamp<size_t>(limits.mailbox_messages / kPartsOfAMailbox, 1, kAtOnceMax);
  const size_t used = held_->messages.size() - held_->free + held_->reserved;
  const size_t room = limits.mailbox_messages > used ? limits.mailbox_messages - used : 1;
  if (room < most) return 0;
  const uint64_t bytes_used = held_->bytes + held_->reserved_bytes;
  const uint64_t bytes_room = limits.mailbox_bytes > bytes_used ? limits.mailbox_bytes - bytes_used : 0;
  return std::clamp<uint64_t>(bytes_room / std::max<size_t>(waiter.bytes, 1), 1, most);
}

std::vector<Mailbox::Waker> Mailbox::grant(const ManifestLimits& limits) {
  std::vector<Waker> wakers;
  if (held_ == nullptr) return wakers;
  auto& waiters = held_->waiters;
  while (!waiters.empty()) {
    Waiter& next = waiters.front();
    const size_t messages = at_once(next, limits);
    if (messages == 0) break;
    take(messages, messages * next.bytes);
    held_->set_aside.emplace(next.sender, SetAside{messages, messages * next.bytes});
    wakers.push_back(std::move(next.waker));
    waiters.pop_front();
  }
  free_if_empty();
  return wakers;
}

std::vector<Mailbox::Waker> Mailbox::close() {
  std::vector<Waker> wakers;
  if (held_ == nullptr) return wakers;
  for (const auto& [sender, left] : held_->set_aside) give_back(left.messages, left.bytes);
  held_->set_aside.clear();
  for (auto& waiter : held_->waiters) wakers.push_back(std::move(waiter.waker));
  held_->waiters.clear();
  free_if_empty();
  return wakers;
}

}  // namespace theater::node
