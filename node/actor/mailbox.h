// Messages that wait for an actor. Bounded in number and bytes; one that doesn't fit is refused with words, and the
// sender may try again. Order is that of arrival. Not synchronized: the actor guards it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "node/actor/manifest.h"
#include "node/runtime/runtime.h"
#include "schema/event.h"

namespace theater::node {

// Whoever waits for the answer to a request. Exactly one answer gets through; any thread.
class Reply {
 public:
  explicit Reply(Callback<std::optional<Bytes>> done) : done_(std::move(done)) {}
  // False if it was answered before (a timeout came first).
  bool answer(Result<std::optional<Bytes>> result);
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  bool durable = false;             // the answer waits until the auditors have it
  std::function<void()> on_answer;  // once, before the callback: takes the timer back
 private:
  std::atomic<bool> answered_{false};
  Callback<std::optional<Bytes>> done_;
};

struct Message {
  Bytes bytes;
  schema::Origin origin;
  std::shared_ptr<Reply> reply;  // of a request; none for a send
};

class Mailbox {
 public:
  Result<void> push(Message message, const ManifestLimits& limits);
  std::optional<Message> pop();
  size_t size() const { return messages_ == nullptr ? 0 : messages_->size(); }

 private:
  // Most actors are idle: an empty mailbox costs a pointer.
  std::unique_ptr<std::deque<Message>> messages_;
  uint64_t bytes_ = 0;
};

}  // namespace theater::node
