// A chain's way to one auditor: a Subscriber over bus::Outbox. Which one an actor gets follows its audit mode.
//
//   StrictLink      waits for room, so that nothing of the chain is ever missing. Stateless: one for each auditor,
//   shared by
//                   all strict actors.
//   BestEffortLink  never makes the actor wait. An event that finds no room, or whose payloads found none, is dropped
//   for
//                   this link; the outbox counts it and marks the gap. One for each actor and auditor.
//
// Threads: those of Subscriber. Both keep the outbox alive.
#pragma once

#include <memory>
#include <string>

#include "bus/outbox.h"
#include "node/chain/subscriber.h"

namespace theater::node {

class StrictLink final : public Subscriber {
 public:
  explicit StrictLink(std::shared_ptr<bus::Outbox> outbox);

  std::string name() const override { return name_; }
  bool closed() const override { return false; }
  bool try_reserve(const ActorId& actor, size_t bytes) override;
  void release(const ActorId& actor, size_t bytes) override;
  void when_room(const ActorId& actor, std::function<void()> waker) override;
  void forget_waker(const ActorId& actor) override;
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId&) override {}
  bool needs_blob(const Hash& hash) override;
  bool try_reserve_blob(const ActorId& actor, size_t piece_bytes) override;
  void deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override;

 private:
  const std::shared_ptr<bus::Outbox> outbox_;
  const std::string name_;
};

class BestEffortLink final : public Subscriber {
 public:
  explicit BestEffortLink(std::shared_ptr<bus::Outbox> outbox);

  std::string name() const override { return name_; }
  bool closed() const override { return false; }
  bool try_reserve(const ActorId& actor, size_t bytes) override;
  void release(const ActorId& actor, size_t bytes) override;
  void when_room(const ActorId&, std::function<void()>) override {}
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId&) override {}
  bool needs_blob(const Hash& hash) override;
  bool try_reserve_blob(const ActorId& actor, size_t piece_bytes) override;
  void deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override;

 private:
  const std::shared_ptr<bus::Outbox> outbox_;
  const std::string name_;
  bool reserved_ = false;      // the event in progress has room
  bool piece_fits_ = false;    // the blob piece in progress has room
  bool blob_missing_ = false;  // a payload of the event in progress found no room: the event goes with it
};

}  // namespace theater::node
