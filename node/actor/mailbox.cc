#include "node/actor/mailbox.h"

namespace theater::node {

bool Reply::answer(Result<std::optional<Bytes>> result) {
  if (answered_.exchange(true, std::memory_order_acq_rel)) return false;
  if (on_answer) on_answer();
  done_(std::move(result));
  return true;
}

Result<void> Mailbox::push(Message message, const ManifestLimits& limits) {
  const size_t bytes = message.bytes.size();
  if (bytes > limits.message_bytes) {
    return Error{ErrorCode::kRefused, str_cat("a message of ", bytes, " bytes is larger than this actor takes (",
                                              limits.message_bytes, "); its manifest's limits.message_bytes says so")};
  }
  if (size() >= limits.mailbox_messages || bytes_ + bytes > limits.mailbox_bytes) {
    return Error{
        ErrorCode::kUnavailable,
        str_cat("the mailbox is full: ", size(), " messages, ", bytes_, " bytes (limits.mailbox_messages ",
                limits.mailbox_messages, ", limits.mailbox_bytes ", limits.mailbox_bytes, "); try again later")};
  }
  if (messages_ == nullptr) messages_ = std::make_unique<std::deque<Message>>();
  bytes_ += bytes;
  messages_->push_back(std::move(message));
  return Ok{};
}

std::optional<Message> Mailbox::pop() {
  if (size() == 0) return std::nullopt;
  std::optional<Message> message(std::move(messages_->front()));
  messages_->pop_front();
  bytes_ -= message->bytes.size();
  if (messages_->empty()) messages_.reset();
  return message;
}

}  // namespace theater::node
