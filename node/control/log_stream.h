// `actor logs`: what an actor logs from now on, as a stream of responses, until it ends or the client goes away.
//
// Best-effort: the actor never waits for a terminal. What the client takes too slowly is bounded and dropped by the
// bus.
#pragma once

#include <memory>

#include "bus/control.h"
#include "node/chain/subscriber.h"

namespace theater::node {

class LogStream final : public Subscriber {
 public:
  LogStream(uint64_t request, std::shared_ptr<bus::Responder> responder)
      : request_(request), responder_(std::move(responder)) {}

  bool closed() const override { return responder_->gone(); }
  bool try_reserve(size_t) override { return true; }
  void release(size_t) override {}
  void when_room(const ActorId&, std::function<void()>) override {}
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId& actor) override;

 private:
  const uint64_t request_;
  const std::shared_ptr<bus::Responder> responder_;
};

}  // namespace theater::node
