// A chain's way to its auditors: one Subscriber over their outboxes, one for each actor and for the node's own chain.
// The audit mode says how many of them an event needs room at, and with the payloads that it refers to:
//
//   strict       all: the actor waits for whoever is full, so that nothing of the chain is ever missing
//   quorum       k: those without room miss the event; with fewer than k that have room the actor waits for any of the
//                full ones
//   best-effort  none: the actor never waits
//
// What an auditor misses is dropped at its outbox, which counts it and marks the gap. Nobody waits for an auditor that
// is demoted: it gets what it has room for, and counts for nothing. One that is hung up is let go of. So both lower
// what is needed where fewer are left than that. An event whose payloads are under way when that changes goes to those
// who have them all.
//
// An event's room is taken at all or, where more than one order of taking it is possible, given back at all: an actor
// that held room at one auditor while it waits for another could hold what the others need to get on.
//
// Threads: those of Subscriber; add() and the rest as deliver(). Keeps the outboxes alive.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus/outbox.h"
#include "node/chain/subscriber.h"

namespace theater::node {

class AuditLinks final : public Subscriber {
 public:
  using Outboxes = std::vector<std::shared_ptr<bus::Outbox>>;

  // `k` is of use in the mode quorum only.
  AuditLinks(schema::AuditMode mode, size_t k, const Outboxes& outboxes = {});

  // Between two events. It sees what is emitted from now on: late, if the chain has begun and it wasn't there. Adding
  // one that is there does nothing.
  void add(std::shared_ptr<bus::Outbox> outbox);
  // Who else takes the chain: asked when an event waits and all that took it were demoted or hung up meanwhile, so that
  // none is emitted to nobody. They get that event, and the fact that says so comes after it.
  using Others = std::function<Outboxes(const ActorId&)>;
  void find_others_by(Others others) { others_ = std::move(others); }
  void add_late(const std::shared_ptr<bus::Outbox>& outbox, const ActorId& actor);
  // Of a chain that went on before this was made.
  void go_on(uint64_t length, const Hash& head);
  size_t size() const { return members_.size(); }

  // Calls `then` once, when the chain's events from the one with the sequence `from` to the newest one are durable,
  // each at as many auditors as it needed. As node/chain/durable.h.
  void when_durable(uint64_t from, std::function<void()> then) const;

  std::string name() const override;
  bool closed() const override { return false; }
  bool try_reserve(const ActorId& actor, size_t bytes) override;
  void release(const ActorId& actor, size_t bytes) override;
  bool when_room(const ActorId& actor, std::function<void()> waker) override;
  bool begins_again() override { return std::exchange(begins_again_, false); }
  void forget_waker(const ActorId& actor) override;
  void forget_event(const ActorId& actor) override;
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId&) override {}
  bool needs_blob(const Hash& hash) override;
  bool try_reserve_blob(const ActorId& actor, const Hash& hash, size_t piece_bytes) override;
  void deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override;

 private:
  struct Member {
    std::shared_ptr<bus::Outbox> outbox;
    uint64_t whole_from = UINT64_MAX;  // the sequence from which on it missed nothing
    bool is_full = false;              // the actor waits for it
    bool has_room = false;             // for what is being asked for: a piece, then the event
    bool wants_blob = false;           // the one in progress
    bool blob_missing = false;         // a payload of the event in progress found no room: the event goes with it
    bool asked = false;                // for a call when it has room, by the last when_room()
    bool waited_for() const { return !outbox->demoted() && !outbox->closed(); }
  };
  template <typename Wants, typename Reserve>
  bool take(const ActorId& actor, size_t room, const Hash& blob, Wants wants, Reserve reserve);
  void give_back(Member& member, const ActorId& actor);
  void give_back(const ActorId& actor);
  struct Left {
    size_t counted = 0;  // are waited for
    size_t able = 0;     // and miss nothing of the event in progress
  };
  Left count() const;
  bool too_few_are_left(const ActorId& actor);

  const schema::AuditMode mode_;
  const size_t k_;
  std::vector<Member> members_;
  uint64_t length_ = 0;  // of the chain
  Hash head_;
  Others others_;
  size_t held_ = 0;            // bytes, at each that has room
  Hash held_for_;              // the blob whose piece it is for; zero: the event
  bool waiting_ = false;       // there are wakers out
  bool begins_again_ = false;  // somebody was added in the middle of an event
};

}  // namespace theater::node
