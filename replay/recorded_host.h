// The host of a replayed guest: answers its calls from the record and holds each against it. Nothing here touches the
// outside.
//
//   effect none     one recorded event with arguments and results: compared, and the results are given out.
//   effect outside  the intent is compared; the outcome is in the event that follows.
//   not recorded    the engine answers by itself, at most from the two clocks below, which show recorded times.
//
// When it can't go on within the guest's call it answers kParked and says by need() why; whoever drives the guest does
// what is needed between two runs, or destroys the instance. One owner, one thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "replay/comparer.h"
#include "replay/tape.h"
#include "schema/secrets.h"
#include "wasm/engine.h"

namespace theater::replay {

class RecordedHost final : public wasm::Host {
 public:
  enum class Need : uint8_t {
    kNothing,  // the guest may run on
    kEvents,   // Tape::refill(), then run again
    // pending_results() aren't whole: put blobs and secrets in their place, set_results_ready(), then run again.
    kBlobs,
    kCut,   // the record has no answer: the call was cut off here by a kill, by the node's end, or by the record's
    kStop,  // a difference, or stop_reason()
  };

  RecordedHost(Tape& tape, Comparer& comparer, const schema::Secrets& secrets,
               std::function<void(const std::string&)> on_guest_log)
      : tape_(tape), comparer_(comparer), secrets_(secrets), on_guest_log_(std::move(on_guest_log)) {}

  void set_genesis_time(uint64_t time_ns) { genesis_ns_ = time_ns_ = time_ns; }
  // A call begins whose event has this time.
  void begin_call(uint64_t time_ns);

  Need need() const { return need_; }
  std::vector<schema::Value>& pending_results() { return results_; }
  void set_results_ready() { results_ready_ = true; }
  const std::string& stop_reason() const { return stop_reason_; }  // not a difference: why no answer can be given
  uint64_t host_calls() const { return host_calls_; }
  const wasm::HostFunction* last_function() const { return function_; }  // that the guest called last

  wasm::HostStatus call(wasm::HostCall& call) override;
  wasm::HostStatus resume(wasm::HostCall& call) override { return answer(call); }
  uint64_t wall_ns() override { return time_ns_; }
  uint64_t monotonic_ns() override { return time_ns_ - genesis_ns_; }

 private:
  wasm::HostStatus answer(wasm::HostCall& call);
  wasm::HostStatus compare_call(wasm::HostCall& call, const Tape::Entry& recorded);
  wasm::HostStatus compare_outcome(wasm::HostCall& call, const Tape::Entry& recorded);
  wasm::HostStatus finish(wasm::HostCall& call, const Tape::Entry& recorded);
  wasm::HostStatus park(Need need);
  wasm::HostStatus stop(std::string reason);
  const Tape::Entry* next_event();

  Tape& tape_;
  Comparer& comparer_;
  const schema::Secrets& secrets_;
  std::function<void(const std::string&)> on_guest_log_;

  uint64_t genesis_ns_ = 0;
  uint64_t time_ns_ = 0;
  uint64_t host_calls_ = 0;
  const wasm::HostFunction* function_ = nullptr;

  Need need_ = Need::kNothing;
  std::string stop_reason_;
  bool awaits_outcome_ = false;         // the intent of the call in progress is matched
  std::vector<schema::Value> results_;  // of the call in progress
  bool results_ready_ = false;          // results_ are there, and references in them were fetched
};

}  // namespace theater::replay
