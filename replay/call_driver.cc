#include "replay/call_driver.h"

#include <utility>

#include "schema/codec.h"
#include "wasm/lower.h"

namespace theater::replay {
namespace {

using schema::BodyKind;
using schema::ErrorKind;
using wasm::Instance;

// Fuel that a guest may burn without doing anything recorded, before replay gives up on it: some minutes. A recorded
// call that took longer would have met its deadline.
constexpr uint64_t kStallFuel = 1'000'000'000'000;

// Messages of traps up to this size stand in the record as they are.
constexpr size_t kMessageWhole = 4'000;

bool ends_from_outside(ErrorKind kind) {
  return kind == ErrorKind::kKilled || kind == ErrorKind::kDeadline || kind == ErrorKind::kLimit ||
         kind == ErrorKind::kHostFailure;
}

// Whether a call that the record says was cut off at `error.fuel` may have been cut off where the guest stands now. A
// host that can't grow a memory fails in between two points where fuel is counted, and the fuel of the first is
// recorded.
bool cut_off_here(const schema::ErrorBody& error, uint64_t fuel) {
  return error.kind == ErrorKind::kHostFailure ? fuel >= error.fuel : fuel == error.fuel;
}

// Where the stack or another resource of the engine ends is no decision of the guest's.
bool is_resource_trap(ErrorKind kind, std::string_view message) {
  return kind == ErrorKind::kLimit || message.find("stack") != std::string_view::npos;
}

Result<schema::ErrorBody> error_body(const Tape::Entry& recorded) {
  TRY_ASSIGN(auto event, schema::decode_event(recorded.bytes));
  return std::get<schema::ErrorBody>(std::move(event.body));
}

bool is_intent(const Tape::Entry& recorded) {
  const auto* function = wasm::find_host_function_by_type(recorded.view.header.type);
  return function != nullptr && function->effect == schema::Effect::kOutside;
}

bool arguments_fit(const std::vector<schema::Value>& args, const wasm::FunctionType& type) {
  if (args.size() != type.params.size()) return false;
  for (size_t i = 0; i < args.size(); ++i) {
    if (!wasm::fits(args[i], type.params[i].second)) return false;
  }
  return true;
}

}  // namespace

CallDriver::CallDriver(persist::ChainReader& reader, Tape& tape, std::shared_ptr<wasm::Module> module,
                       const wasm::Limits& limits, const ReplayOptions& options, const schema::Secrets& secrets,
                       bool same_profile)
    : reader_(reader),
      tape_(tape),
      comparer_(!options.package && same_profile),
      secrets_(secrets),
      host_(tape, comparer_, secrets, options.on_guest_log),
      module_(std::move(module)),
      limits_(limits),
      recorded_package_(!options.package),
      same_profile_(same_profile) {}

void CallDriver::set_other_profile() {
  same_profile_ = false;
  comparer_.set_exact(false);
}

void CallDriver::forget_instance() {
  instance_.reset();
  initialized_ = false;
}

const wasm::ExportFunction* CallDriver::find_function(std::string_view type_name) const {
  if (const auto* known = wasm::find_export_function(type_name)) return known;
  for (const auto& callable : module_->callables()) {
    if (callable.type_name == type_name) return &callable;
  }
  return nullptr;
}

Result<CallDriver::Verdict> CallDriver::run_call(const Tape::Entry& recorded) {
  TRY_ASSIGN(auto event, schema::decode_event(recorded.bytes));
  const uint64_t sequence = event.header.sequence;
  function_ = find_function(event.header.type);
  if (function_ == nullptr && wasm::is_callable_type_name(event.header.type)) {
    comparer_.differs(recorded,
                      str_cat("the package doesn't export ", event.header.type, " as ", wasm::callable_type().wit()));
    return Verdict{};
  }
  if (function_ == nullptr)
    return Verdict{str_cat("event ", sequence, ": no call ", event.header.type, " is known here")};
  const bool initializes = function_ == &wasm::initialize_function();
  if (initializes == initialized_ || (!initializes && !instance_)) {
    comparer_.differs(recorded, "an instance begins with one _initialize, and only with that");
    return Verdict{};
  }
  if (!initializes && !module_->exports(*function_)) {
    comparer_.differs(recorded, str_cat("the package doesn't export ", function_->name));
    return Verdict{};
  }
  auto& args = std::get<schema::WasmCall>(event.body).args;
  const auto fetched = make_whole(args);
  if (!fetched.ok()) return Verdict{str_cat("event ", sequence, ": ", fetched.error().message)};
  if (!arguments_fit(args, function_->type)) {
    comparer_.differs(recorded, str_cat("the recorded arguments don't fit ", function_->type.wit()));
    return Verdict{};
  }
  if (initializes) {
    TRY_ASSIGN(instance_, module_->instantiate(host_, limits_));
    initialized_ = true;
  }
  host_.begin_call(event.header.time_ns);
  tape_.pop();
  stop_fuel_ = seen_fuel_ = 0;
  seen_popped_ = tape_.popped();
  instance_->start(*function_, std::move(args));
  Verdict verdict;
  TRY(drive(verdict));
  TRY(excuse_resource_limit(verdict));
  TRY(excuse_hidden_secret(verdict));
  return verdict;
}

Result<void> CallDriver::drive(Verdict& verdict) {
  for (;;) {
    TRY(tape_.refill());
    TRY_ASSIGN(const Step before, before_run());
    if (before == Step::kEnd) return Ok{};
    const auto progress = instance_->run();
    TRY_ASSIGN(const Step after, after_run(progress, verdict));
    if (after == Step::kEnd) return Ok{};
  }
}

const Tape::Entry* CallDriver::next_event() {
  while (tape_.peek() != nullptr && tape_.peek()->is_aside()) tape_.pop();
  return tape_.peek();
}

// The instance of a call that didn't return is good for nothing.
CallDriver::Step CallDriver::end_call() {
  instance_.reset();
  return Step::kEnd;
}

// Whether the record has anything left that the guest has to do in this call.
Result<CallDriver::Step> CallDriver::before_run() {
  const Tape::Entry* recorded = next_event();
  if (recorded == nullptr && tape_.ended()) {
    note_ = "the record ends in the middle of a call";
    return end_call();
  }
  if (recorded == nullptr) return Step::kGoOn;
  if (recorded->view.kind == BodyKind::kResumed) return end_call();  // the node died here
  if (recorded->view.kind == BodyKind::kError) {
    TRY_ASSIGN(const auto error, error_body(*recorded));
    if (error.in_call && ends_from_outside(error.kind)) {
      if (!comparer_.exact()) {
        note_ =
            "the last call was cut off from outside, at an instruction that can't be told with another package or "
            "engine";
        tape_.pop();
        return end_call();
      }
      if (instance_->fuel_used() == error.fuel) {
        tape_.pop();
        return end_call();
      }
    }
  }
  TRY(arm_stop());
  return Step::kGoOn;
}

// If the record's last event cuts off the call in progress, the guest is to be stopped at the same instruction.
Result<void> CallDriver::arm_stop() {
  const Tape::Entry* last = tape_.last();
  if (stop_fuel_ != 0 || last == nullptr || last->view.kind != BodyKind::kError || !comparer_.exact()) return Ok{};
  bool in_host_call = false;  // an intent without outcome: the cut comes after it, and the host knows where
  for (size_t i = 0; tape_.at(i) != last; ++i) {
    const BodyKind kind = tape_.at(i)->view.kind;
    if (kind == BodyKind::kWasmResult || kind == BodyKind::kResumed) return Ok{};
    if (kind == BodyKind::kFact) continue;
    in_host_call = kind == BodyKind::kHostCall && is_intent(*tape_.at(i));
  }
  if (in_host_call) return Ok{};
  TRY_ASSIGN(const auto error, error_body(*last));
  if (!error.in_call || !ends_from_outside(error.kind)) return Ok{};
  if (error.fuel == 0 && error.kind != ErrorKind::kHostFailure) return Ok{};
  stop_fuel_ = std::max<uint64_t>(error.fuel, 1);
  instance_->stop_at_fuel(stop_fuel_);
  return Ok{};
}

Result<CallDriver::Step> CallDriver::after_run(Instance::Progress progress, Verdict& verdict) {
  switch (host_.need()) {
    case RecordedHost::Need::kStop: verdict.inconclusive = host_.stop_reason(); return end_call();
    case RecordedHost::Need::kCut: return cut_in_host_call();
    case RecordedHost::Need::kBlobs:
      if (progress == Instance::Progress::kParked) return make_results_whole(verdict);
      break;
    default: break;
  }
  switch (progress) {
    case Instance::Progress::kParked: return Step::kGoOn;
    case Instance::Progress::kYielded: return check_overrun(verdict);
    case Instance::Progress::kDone: break;
  }
  if (host_.need() != RecordedHost::Need::kNothing) {
    verdict.inconclusive = "the guest couldn't be held while the record was read";
    return end_call();
  }
  return compare_outcome();
}

Result<void> CallDriver::make_whole(std::vector<schema::Value>& values) {
  TRY(schema::internalize(values, [&](const Hash& hash) { return reader_.blob(hash); }));
  auto revealed = secrets_.reveal(values);
  if (!revealed.ok()) lacks_secrets_ = true;
  return revealed;
}

Result<CallDriver::Step> CallDriver::make_results_whole(Verdict& verdict) {
  const auto fetched = make_whole(host_.pending_results());
  if (!fetched.ok()) {
    verdict.inconclusive = str_cat("event ", tape_.peek()->view.header.sequence, ": ", fetched.error().message);
    return end_call();
  }
  host_.set_results_ready();
  return Step::kGoOn;
}

// The guest is inside a host call to which the record has no answer: right if its life ended just here.
Result<CallDriver::Step> CallDriver::cut_in_host_call() {
  const Tape::Entry* recorded = next_event();
  if (recorded == nullptr) {
    note_ = "the record ends in the middle of a call";
    return end_call();
  }
  if (recorded->view.kind == BodyKind::kResumed) return end_call();
  const std::string did = str_cat("calls ", host_.last_function()->type_name);
  if (recorded->view.kind != BodyKind::kError) {
    comparer_.differs(*recorded, did);
    return end_call();
  }
  TRY_ASSIGN(const auto error, error_body(*recorded));
  const uint64_t fuel = instance_->fuel_used();
  if (!error.in_call) {
    comparer_.differs(*recorded, did);
  } else if (comparer_.exact() ? cut_off_here(error, fuel) : ends_from_outside(error.kind)) {
    tape_.pop();
  } else {
    comparer_.differs(*recorded, comparer_.exact() ? str_cat(did, " after ", fuel, " units of fuel") : did);
  }
  return end_call();
}

// The guest used up a slice. It may go on, unless it has burnt more than the record says that it did.
Result<CallDriver::Step> CallDriver::check_overrun(Verdict& verdict) {
  const uint64_t fuel = instance_->fuel_used();
  if (tape_.popped() != seen_popped_) {
    seen_popped_ = tape_.popped();
    seen_fuel_ = fuel;
  }
  const Tape::Entry* recorded = next_event();
  if (recorded == nullptr) return Step::kGoOn;
  if (comparer_.exact()) {
    TRY_ASSIGN(const auto event, schema::decode_event(recorded->bytes));
    const auto* result = std::get_if<schema::WasmResult>(&event.body);
    const auto* error = std::get_if<schema::ErrorBody>(&event.body);
    if ((result != nullptr && fuel > result->fuel) || (error != nullptr && fuel > error->fuel)) {
      comparer_.differs(*recorded, str_cat("still runs after ", fuel, " units of fuel"));
      return end_call();
    }
  }
  if (fuel - seen_fuel_ > kStallFuel) {
    verdict.inconclusive = str_cat("event ", recorded->view.header.sequence, ": the guest ran ", fuel - seen_fuel_,
                                   " units of fuel without coming to it, and was stopped");
    return end_call();
  }
  return Step::kGoOn;
}

Result<CallDriver::Step> CallDriver::compare_outcome() {
  auto outcome = instance_->take_outcome();
  TRY(tape_.refill());
  const Tape::Entry* recorded = next_event();
  if (recorded == nullptr) {  // it returned, and the record was cut before that
    note_ = "the record ends in the middle of a call";
    return end_call();
  }
  if (recorded->view.kind == BodyKind::kResumed) return end_call();
  if (outcome.trap) {
    compare_trap(outcome, *recorded);
    return end_call();
  }
  if (recorded->view.kind == BodyKind::kError) {  // perhaps cut off between its return and the event of that
    TRY_ASSIGN(const auto error, error_body(*recorded));
    if (error.in_call && ends_from_outside(error.kind) && (!comparer_.exact() || cut_off_here(error, outcome.fuel))) {
      tape_.pop();
      return end_call();
    }
  }
  schema::WasmResult result{std::move(outcome.results), outcome.fuel};
  secrets_.hide(result.results);
  schema::externalize(result.results, [](const Hash&, const Bytes&) {});
  const schema::Body replayed{std::move(result)};
  if (!comparer_.matches(*recorded, function_->type_name, replayed)) return end_call();
  tape_.pop();
  return Step::kEnd;
}

void CallDriver::compare_trap(const wasm::CallOutcome& outcome, const Tape::Entry& recorded) {
  const wasm::Trap& trap = *outcome.trap;
  schema::ErrorBody replayed{trap.kind, secrets_.hidden(trap.message), outcome.fuel, true, {}};
  const auto error = recorded.view.kind == BodyKind::kError ? error_body(recorded) : Error{ErrorCode::kInvalid, ""};
  if (error.ok()) {
    // By us, where the record says so.
    const bool stopped = stop_fuel_ != 0 && (outcome.fuel == stop_fuel_ ||
                                             (trap.kind == ErrorKind::kKilled && cut_off_here(*error, outcome.fuel)));
    if (stopped && error->in_call) {
      tape_.pop();
      return;
    }
    // The node shortens what is too long for a terminal event; the rest of it is compared all the same.
    if (trap.message.size() > kMessageWhole || !is_utf8(as_bytes(trap.message))) replayed.message = error->message;
  }
  if (!is_utf8(as_bytes(replayed.message))) replayed.message = escape(as_bytes(replayed.message));
  if (comparer_.matches(recorded, schema::kTypeError, schema::Body{replayed})) {
    tape_.pop();
    return;
  }
  if (is_resource_trap(trap.kind, trap.message)) limit_trap_ = trap.message;
}

// Under another profile, a first difference at a limit of the engine accuses nobody.
Result<void> CallDriver::excuse_resource_limit(Verdict& verdict) {
  if (!comparer_.failed() || same_profile_ || !recorded_package_) return Ok{};
  const Tape::Entry* recorded = tape_.peek();
  if (limit_trap_.empty() && recorded != nullptr && recorded->view.kind == BodyKind::kError) {
    TRY_ASSIGN(const auto error, error_body(*recorded));
    if (is_resource_trap(error.kind, error.message)) limit_trap_ = error.message;
  }
  if (limit_trap_.empty()) return Ok{};
  verdict.inconclusive =
      str_cat("event ", comparer_.difference()->sequence,
              ": the first difference is at a limit of the engine, under another engine profile: ", limit_trap_);
  return Ok{};
}

// What a guest does that happens to hold a secret stands hidden in the record, and comes out in the clear where that
// secret wasn't given: no difference of the guest's.
Result<void> CallDriver::excuse_hidden_secret(Verdict& verdict) {
  if (!comparer_.failed() || tape_.peek() == nullptr) return Ok{};
  TRY_ASSIGN(auto event, schema::decode_event(tape_.peek()->bytes));
  std::vector<schema::Value> values;
  if (auto* call = std::get_if<schema::HostCall>(&event.body)) values = std::move(call->args);
  if (auto* result = std::get_if<schema::WasmResult>(&event.body)) values = std::move(result->results);
  if (values.empty() || make_whole(values).ok() || !lacks_secrets_) return Ok{};
  verdict.inconclusive = str_cat("event ", event.header.sequence, ": a secret stands there only as a commitment");
  return Ok{};
}

}  // namespace theater::replay
