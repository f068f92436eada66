#include "replay/recorded_host.h"

#include <utility>

#include "base/check.h"
#include "schema/codec.h"
#include "wasm/lower.h"

namespace theater::replay {
namespace {

using schema::BodyKind;
using schema::Value;
using wasm::HostStatus;

bool results_fit(const std::vector<Value>& results, const wasm::FunctionType& type) {
  if (!type.result) return results.empty();
  return results.size() == 1 && wasm::fits(results[0], *type.result);
}

}  // namespace

void RecordedHost::begin_call(uint64_t time_ns) {
  time_ns_ = time_ns;
  need_ = Need::kNothing;
  awaits_outcome_ = false;
  results_ready_ = false;
}

HostStatus RecordedHost::park(Need need) {
  need_ = need;
  return HostStatus::kParked;
}

HostStatus RecordedHost::stop(std::string reason) {
  stop_reason_ = std::move(reason);
  return park(Need::kStop);
}

const Tape::Entry* RecordedHost::next_event() {
  while (tape_.peek() != nullptr && tape_.peek()->is_aside()) tape_.pop();
  return tape_.peek();
}

HostStatus RecordedHost::call(wasm::HostCall& call) {
  CHECK(call.function->recorded, call.function->type_name, " leaves no event and isn't the host's to answer");
  ++host_calls_;
  function_ = call.function;
  return answer(call);
}

HostStatus RecordedHost::answer(wasm::HostCall& call) {
  need_ = Need::kNothing;
  const Tape::Entry* recorded = next_event();
  if (recorded == nullptr) return park(tape_.ended() ? Need::kCut : Need::kEvents);
  // The call ended here without having been answered; whoever drives checks that it is the right place.
  const BodyKind kind = recorded->view.kind;
  if (kind == BodyKind::kError || kind == BodyKind::kResumed) return park(Need::kCut);
  return awaits_outcome_ ? compare_outcome(call, *recorded) : compare_call(call, *recorded);
}

HostStatus RecordedHost::compare_call(wasm::HostCall& call, const Tape::Entry& recorded) {
  const wasm::HostFunction& function = *call.function;
  const bool outside = function.effect == schema::Effect::kOutside;
  schema::HostCall body{function.effect, {}, {}};

  // What it answered comes from the record, so it is equal by itself; the arguments are the guest's.
  if (!outside && function.type.result) {
    auto event = schema::decode_event(recorded.bytes);
    if (!event.ok()) return stop(event.error().message);
    if (auto* host_call = std::get_if<schema::HostCall>(&event->body)) body.results = std::move(host_call->results);
    const bool same_function = recorded.view.header.type == function.type_name;
    if (same_function && !results_ready_) {
      results_ = body.results;
      if (!results_fit(results_, function.type)) return park(Need::kBlobs);
    }
  } else {
    results_.clear();
  }

  if (on_guest_log_ && function.name == "log" && !call.args.empty()) {
    if (const auto* text = call.args[0].get<std::string>()) on_guest_log_(secrets_.hidden(*text));
  }
  // NOLINTBEGIN(clang-analyzer-cplusplus.Move): asked again, it comes here only if nothing was moved
  if (function.by_reference && !secrets_.any_in(call.args)) {
    schema::externalize_bytes(call.args, [](const Hash&, const Bytes&) {});
  }
  if (!secrets_.empty()) secrets_.hide(call.args);
  schema::externalize(call.args, [](const Hash&, const Bytes&) {});
  body.args = std::move(call.args);
  // NOLINTEND(clang-analyzer-cplusplus.Move)
  const schema::Body replayed{std::move(body)};
  if (!comparer_.matches(recorded, function.type_name, replayed)) return park(Need::kStop);
  if (!outside) return finish(call, recorded);

  tape_.pop();
  awaits_outcome_ = true;
  return answer(call);
}

HostStatus RecordedHost::compare_outcome(wasm::HostCall& call, const Tape::Entry& recorded) {
  const wasm::HostFunction& function = *call.function;
  if (recorded.view.kind != BodyKind::kHostReturn || recorded.view.header.type != function.type_name) {
    comparer_.differs(recorded, str_cat("waits for the outcome of ", function.type_name));
    return park(Need::kStop);
  }
  if (!results_ready_) {
    auto event = schema::decode_event(recorded.bytes);
    if (!event.ok()) return stop(event.error().message);
    auto& outcome = std::get<schema::HostReturn>(event->body);
    if (outcome.outcome == schema::Outcome::kUnknown) return park(Need::kCut);
    results_ = std::move(outcome.results);
    if (!results_fit(results_, function.type)) return park(Need::kBlobs);
  }
  awaits_outcome_ = false;
  return finish(call, recorded);
}

// The event is as recorded: gives out its answer. A call that waited ends at its event's time, and the guest's clock
// with it.
HostStatus RecordedHost::finish(wasm::HostCall& call, const Tape::Entry& recorded) {
  const wasm::HostFunction& function = *call.function;
  results_ready_ = false;
  if (!results_fit(results_, function.type)) {
    const uint64_t sequence = recorded.view.header.sequence;
    return stop(str_cat("event ", sequence, ": the recorded answer of ", function.type_name, " isn't of its type"));
  }
  if (function.waits) time_ns_ = recorded.view.header.time_ns;
  tape_.pop();
  call.results = std::move(results_);
  results_.clear();
  return HostStatus::kDone;
}

}  // namespace theater::replay
