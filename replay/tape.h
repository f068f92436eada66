// The recorded chain as replay reads it: in order, each event hashed and verified once, with a few hundred in hand.
//
// Reading ahead has a reason beside speed. The answers to a guest's host calls are needed while its stack is the
// current one, which is small, and reading a store is deep: so refill() is called between two runs of the guest, never
// by it.
//
// One owner, one thread. Entries are valid until the next refill().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "persist/chain_reader.h"
#include "persist/verifier.h"
#include "schema/actor_facts.h"
#include "supervise/facts.h"

namespace theater::replay {

class Tape {
 public:
  struct Entry {
    BytesView bytes;
    schema::EventView view;
    Hash hash;

    // The node may state facts about an actor at any time, and most are no business of the guest's.
    bool is_aside() const {
      return view.kind == schema::BodyKind::kFact && view.header.type != schema::kFactPassivated;
    }
  };

  // Events up to and including sequence `last`. `on_progress` (may be empty) is told now and then how many were popped.
  // kNotFound if the chain isn't in the store.
  static Result<Tape> open(persist::ChainReader& reader, const ActorId& actor, uint64_t last,
                           std::function<void(uint64_t)> on_progress);

  // Reads on if fewer than kLow events are in hand. kCorrupt with chain, sequence and reason if the next one doesn't
  // verify.
  Result<void> refill();

  // The next event, or nullptr: then either ended(), or refill() gets more.
  const Entry* peek() const { return next_ < entries_.size() ? &entries_[next_] : nullptr; }
  void pop() {
    const Entry& entry = entries_[next_];
    head_ = entry.hash;
    if (keeps_supervision_ && entry.view.kind == schema::BodyKind::kFact &&
        entry.view.header.type.starts_with(supervise::kFactPrefix)) {
      supervision_.emplace_back(entry.bytes.begin(), entry.bytes.end());
    }
    ++next_;
    ++popped_;
  }
  // The i-th event from here on, if it is in hand: for whoever must know what a call comes to.
  const Entry* at(size_t i) const { return next_ + i < entries_.size() ? &entries_[next_ + i] : nullptr; }

  // What a supervisor was told and decided, as it is popped: to be taken between two steps of the replay.
  void keep_supervision() { keeps_supervision_ = true; }
  std::vector<Bytes> take_supervision() { return std::exchange(supervision_, {}); }

  bool ended() const { return exhausted_ && peek() == nullptr; }
  // The last event of the chain (or the one to stop after), if it is in hand.
  const Entry* last() const { return exhausted_ && peek() != nullptr ? &entries_.back() : nullptr; }
  const Hash& head() const { return head_; }  // of the event popped last
  uint64_t popped() const { return popped_; }
  const ActorId& actor() const { return actor_; }

 private:
  static constexpr size_t kLow = 128;
  static constexpr size_t kEvents = 1024;            // in hand, at most
  static constexpr size_t kBytes = size_t{1} << 20;  // likewise; always room for one more event

  static constexpr uint64_t kProgressEvents = 8192;

  Tape() = default;
  void keep_unread();
  Result<void> read_one(bool& full);

  ActorId actor_;
  uint64_t last_ = 0;
  std::unique_ptr<persist::EventCursor> cursor_;
  persist::ChainState state_;
  Hash head_;
  uint64_t popped_ = 0;
  std::function<void(uint64_t)> on_progress_;
  uint64_t next_progress_ = kProgressEvents;
  // Entries point into bytes_, which never grows beyond what it has reserved; spare_ is what it is exchanged with.
  std::vector<Entry> entries_;
  size_t next_ = 0;
  Bytes bytes_, spare_;
  bool exhausted_ = false;
  bool keeps_supervision_ = false;
  std::vector<Bytes> supervision_;
};

}  // namespace theater::replay
