// A channel between two actors of the node, as both of them hold it: who is at which end, and whether it is open.
//
//   offered → open (the acceptor's handle-channel-open said so) → closed (by whoever closes first, or ends)
//        └──────────────────────────────────────────────────────────┘   (refused, or the opener didn't wait)
//
// Messages and the word that the other side has closed go through the mailboxes, in order; this object only decides,
// once and for both, which of two things that happen at once came first.
//
// Any thread; one short lock.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"

namespace theater::node {

class Channel {
 public:
  enum class State : uint8_t { kOffered, kOpen, kClosed };

  Channel(uint64_t number, const ActorId& opener, const ActorId& acceptor)
      : number_(number), opener_(opener), acceptor_(acceptor) {}

  uint64_t number() const { return number_; }  // unique on the node
  const ActorId& other(const ActorId& one) const { return one == opener_ ? acceptor_ : opener_; }

  // By the acceptor. False if it is closed already.
  bool accept() {
    std::lock_guard lock(mutex_);
    if (state_ == State::kClosed) return false;
    state_ = State::kOpen;
    return true;
  }
  // Returns the state before. Whoever finds it open owes the other side the word.
  State close(std::string why) {
    std::lock_guard lock(mutex_);
    if (state_ != State::kClosed) why_ = std::move(why);
    return std::exchange(state_, State::kClosed);
  }
  State state() const {
    std::lock_guard lock(mutex_);
    return state_;
  }
  std::string why_closed() const {
    std::lock_guard lock(mutex_);
    return why_;
  }

 private:
  const uint64_t number_;
  const ActorId opener_, acceptor_;
  mutable std::mutex mutex_;
  State state_ = State::kOffered;
  std::string why_;
};

}  // namespace theater::node
