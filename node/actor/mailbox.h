// Messages that wait for an actor. Bounded in number and bytes. Whoever finds it full is refused with words, or waits:
// room is taken first and used later, so that an actor's own event and the message that goes with it are one step.
// Order is that of arrival. Who waits gets room in the order of asking: it is set aside for the first one before it is
// woken, so that nobody overtakes. It gets room for a few messages at once, because waking it costs more than sending
// does; what it doesn't use in its turn it gives back.
//
// Not synchronized: the actor guards it. Wakers only enqueue; whoever gets them from a method calls them without the
// lock.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "node/actor/manifest.h"
#include "node/runtime/runtime.h"
#include "schema/event.h"
#include "wasm/functions.h"

namespace theater::node {

class Channel;

// Whoever waits for the answer to a request. Exactly one answer gets through; any thread. Who answers claims it first
// and completes it when that may be seen; a deadline may come between.
class Reply {
 public:
  explicit Reply(Callback<std::optional<Bytes>> done) : callback_(std::move(done)) {}

  // False if somebody else has answered, or nobody waits any more.
  bool claim() { return !done_.load(std::memory_order_acquire) && !claimed_.exchange(true, std::memory_order_acq_rel); }
  void complete(Result<std::optional<Bytes>> result);  // by who claimed it; nothing if the deadline came first
  bool answer(Result<std::optional<Bytes>> result);    // both
  // The deadline: false if it was completed before.
  bool expire(Error why);
  // From now on whoever asked gets nothing, but by deliver(). False: the deadline, or somebody else, came first.
  bool give_up() { return !done_.exchange(true, std::memory_order_acq_rel); }
  void deliver(Result<std::optional<Bytes>> result);  // after give_up() said true
  bool answered() const { return claimed_.load(std::memory_order_acquire) || done_.load(std::memory_order_acquire); }

  bool durable = false;             // the answer waits until the auditors have it
  bool from_outside = false;        // not another actor's
  std::function<void()> on_answer;  // once, before the callback: takes the timer back

 private:
  std::atomic<bool> claimed_{false}, done_{false};
  Callback<std::optional<Bytes>> callback_;
};

// A call of one of the actor's exports, when its turn comes: func(state, params: tuple<…>).
struct Message {
  const wasm::ExportFunction* function = nullptr;
  std::vector<schema::Value> params;  // the tuple's items
  size_t bytes = 0;                   // that limits count
  schema::Origin origin;
  std::shared_ptr<Reply> reply;      // if somebody waits for an answer
  std::shared_ptr<Channel> channel;  // of a channel's
  bool needs_room = true;            // false for what can't wait: the word that a channel is closed, once for each
};

// For handle-request, or handle-send if there is no reply. `sender` is an actor's id, or "operator".
Message make_message(std::string sender, Bytes bytes, schema::Origin origin, std::shared_ptr<Reply> reply);

class Mailbox {
 public:
  using Waker = std::function<void()>;

  // Takes room for a message of `bytes` from another actor. kWait: what `make_waker` made is called once when room is
  // set aside for it, to be taken by asking `again`. kTakenOfMore: there is more set aside for it; it takes that by its
  // next messages, or gives it back. The error kRefused: the message is larger than the actor takes any.
  enum class Room : uint8_t { kTaken, kTakenOfMore, kWait };
  Result<Room> reserve(const ActorId& sender, size_t bytes, bool again, const ManifestLimits& limits,
                       const std::function<Waker()>& make_waker);
  // Uses room that was taken, or needs none.
  void push_reserved(Message message);
  // Gives back room that was taken. Like all that makes room: call what comes back.
  [[nodiscard]] std::vector<Waker> release(size_t bytes, const ManifestLimits& limits);
  // The sender doesn't wait any more; what was set aside for it is given back.
  [[nodiscard]] std::vector<Waker> forget(const ActorId& sender, const ManifestLimits& limits);

  // For whoever doesn't wait: kUnavailable, with words, when it is full.
  Result<void> push(Message message, const ManifestLimits& limits);
  std::optional<Message> pop();
  [[nodiscard]] std::vector<Waker> grant(const ManifestLimits& limits);  // after pop()
  [[nodiscard]] std::vector<Waker> close();                              // whoever waits asks again, and is refused

  bool is_unused() const { return held_ == nullptr; }  // no message, no room taken, nobody waits for some
  size_t size() const { return held_ == nullptr ? 0 : held_->messages.size(); }
  uint64_t bytes() const { return held_ == nullptr ? 0 : held_->bytes; }

 private:
  struct Waiter {
    ActorId sender;
    size_t bytes = 0;
    Waker waker;
  };
  struct SetAside {
    size_t messages = 0;
    size_t bytes = 0;
  };
  struct Held {
    std::deque<Message> messages;
    std::deque<Waiter> waiters;                       // oldest first
    std::unordered_map<ActorId, SetAside> set_aside;  // for who waited
    uint64_t bytes = 0;                               // of messages
    size_t free = 0;                                  // messages that need no room
    size_t reserved = 0;
    uint64_t reserved_bytes = 0;
  };
  Held& held();
  bool fits(size_t bytes, const ManifestLimits& limits) const;
  void take(size_t messages, size_t bytes);
  void give_back(size_t messages, size_t bytes);
  size_t at_once(const Waiter& waiter, const ManifestLimits& limits) const;
  Result<void> check_size(size_t bytes, const ManifestLimits& limits) const;
  void free_if_empty();

  std::unique_ptr<Held> held_;  // most actors are idle: an empty mailbox costs a pointer
};

}  // namespace theater::node
