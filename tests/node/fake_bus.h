// A bus whose auditors are windows that a test opens and closes, for nodes that change theirs while they run.
#pragma once

#include "bus/loop.h"
#include "tests/node/fake_node.h"

namespace theater::node {

class FakeBus final : public bus::Loop {
 public:
  std::map<std::string, std::shared_ptr<FakeOutbox>> dialed;  // by name
  uint64_t lost_events = 0;                                   // of each that is hung up
  size_t room = SIZE_MAX;                                     // of each that is dialed

  Result<std::shared_ptr<bus::Outbox>> dial(const bus::DialOptions& options) override {
    if (options.data_endpoint == "tcp://bad") return Error{ErrorCode::kInvalid, "no such place"};
    auto outbox = std::make_shared<FakeOutbox>(options.name, room);
    outbox->record().gaps_expected = true;  // it joins late
    dialed[options.name] = outbox;
    return std::shared_ptr<bus::Outbox>(outbox);
  }
  void dial(const bus::DialOptions& options, Dialed done) override { done(dial(options)); }
  void hang_up(std::shared_ptr<bus::Outbox> outbox, uint64_t, HungUp done) override {
    std::static_pointer_cast<FakeOutbox>(outbox)->close();
    done(lost_events);
  }
  Result<void> listen(const bus::ListenOptions&, bus::InboundSink) override { return Ok{}; }
  void reply(const bus::CurveKey&, Bytes) override {}
  Result<void> serve(const bus::ServeOptions&, bus::ControlHandler&) override { return Ok{}; }
  bool stop(uint64_t) override { return true; }
};

}  // namespace theater::node
