// CONTRACT. Whoever takes a chain's events as they happen: a link to an auditor, `actor logs -f`, a supervisor, a test.
//
// Dispatch goes straight from the chain to each subscriber, on the worker that runs the actor, never through the
// command loop. Emission first reserves capacity at every subscriber in a fixed order and parks the actor if one has
// none; then it stamps, hashes, advances the head and delivers to all in one step that can't be interrupted.
//
// A strict subscriber says no when it is full, and the actor waits. A best-effort one always says yes and drops on its
// own terms, counted. A closed one is evicted at the next emission. Subscribers are tail-only.
//
// Shared by chains and whoever reads it. Methods are called from any worker; for one chain from one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "schema/event.h"

namespace theater::node {

class Subscriber {
 public:
  virtual ~Subscriber() = default;

  // For people: what an actor that waits for this one says it waits for.
  virtual std::string name() const { return "a subscriber"; }
  virtual bool closed() const = 0;
  // Takes room for one event of `actor`'s of `bytes` encoded bytes, or returns false.
  virtual bool try_reserve(const ActorId& actor, size_t bytes) = 0;
  virtual void release(const ActorId& actor, size_t bytes) = 0;
  // After a refusal: `waker` is called once when it is worth trying again (or when the subscriber closed). It only
  // enqueues.
  // True if that asks somebody whom the call before didn't: then room there may have come before it, and another try
  // at once is needed.
  virtual bool when_room(const ActorId& actor, std::function<void()> waker) = 0;
  virtual void forget_waker(const ActorId& actor) = 0;
  // The event for which room was asked isn't emitted: whatever was taken for it and not released is given back.
  virtual void forget_event(const ActorId& actor) { (void)actor; }
  // True once, after a refusal: others take the event now, and its payloads are to be offered again, all of them.
  virtual bool begins_again() { return false; }
  // Consumes the reservation. `event` is valid during the call only.
  virtual void deliver(const schema::EncodedEvent& event) = 0;
  // The chain ended (its terminal event was delivered) or this subscriber was removed.
  virtual void end_of_chain(const ActorId& actor) = 0;

  // Payloads by reference. Most subscribers don't want them.
  virtual bool needs_blob(const Hash& hash) {
    (void)hash;
    return false;
  }
  virtual bool try_reserve_blob(const ActorId& actor, const Hash& hash, size_t piece_bytes) {
    (void)actor;
    (void)hash;
    (void)piece_bytes;
    return true;
  }
  virtual void deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) {
    (void)actor;
    (void)hash;
    (void)length;
    (void)offset;
    (void)piece;
  }
};

}  // namespace theater::node
