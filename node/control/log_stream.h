// `actor logs`: what an actor logs from now on, as a stream of responses, until it ends or the client goes away.
//
// Best-effort: the actor never waits for a terminal. While more than kResponsesMax lines or kBytesMax bytes wait for
// the client, lines are left out; as soon as it has caught up, a mark says how many, and between which events, so that
// they can be read in an auditor's copy of the chain. Whoever follows thus knows of every line, or of its absence.
#pragma once

#include <memory>
#include <mutex>

#include "bus/control.h"
#include "node/chain/subscriber.h"

namespace theater::node {

class LogStream final : public Subscriber, public std::enable_shared_from_this<LogStream> {
 public:
  static constexpr size_t kResponsesMax = 1'000;
  static constexpr size_t kBytesMax = size_t{4} << 20;

  LogStream(uint64_t request, std::shared_ptr<bus::Responder> responder)
      : request_(request), responder_(std::move(responder)) {}

  // Says nothing: a client that is gone is noticed by that, even if the actor is silent.
  void ping();

  std::string name() const override { return "a log's reader"; }
  bool closed() const override { return responder_->gone(); }
  bool try_reserve(const ActorId&, size_t) override { return true; }
  void release(const ActorId&, size_t) override {}
  bool when_room(const ActorId&, std::function<void()>) override { return false; }
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent& event) override;
  void end_of_chain(const ActorId& actor) override;

 private:
  struct Missed {
    uint64_t lines = 0, from = 0, to = 0;  // sequences of the first and the last one
  };

  bool leave_out(uint64_t sequence);  // true: it is counted as missed
  void caught_up();
  void mark_missed();  // with the lock
  void respond(schema::Value what, bool more = true);

  const uint64_t request_;
  const std::shared_ptr<bus::Responder> responder_;
  std::mutex mutex_;  // keeps lines and marks in order
  Missed missed_;
  bool over_ = false;
};

}  // namespace theater::node
