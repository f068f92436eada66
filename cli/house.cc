#include "cli/house.h"

#include "base/environment.h"

namespace theater::cli {
namespace {

constexpr const char* kName = "run";  // of the node
constexpr const char* kData = "inproc://auditor-data";
constexpr const char* kControl = "inproc://auditor-control";
constexpr uint64_t kErrorGraceMs = 1'000;

}  // namespace

Result<std::unique_ptr<House>> House::start(const HouseOptions& options) {
  std::unique_ptr<House> house(new House());
  bus::LoopOptions looping;
  looping.identity = options.identity->public_key();
  looping.signer = options.identity;
  looping.name = kName;
  looping.clock = &house->clock_;
  looping.random = &house->random_;
  looping.log = options.log;
  TRY_ASSIGN(house->loop_, bus::make_loop(std::move(looping)));
  persist::AuditorOptions auditing;
  auditing.store_path = options.store_path;
  auditing.clock = &house->clock_;
  auditing.log = options.log;
  auditing.reply = [loop = house->loop_.get()](const bus::CurveKey& peer, Bytes message) {
    loop->reply(peer, std::move(message));
  };
  TRY_ASSIGN(house->auditor_, persist::start_auditor(std::move(auditing)));
  TRY(house->loop_->listen(
      {.data_endpoint = kData, .control_endpoint = kControl, .authorized_keys_file = ""},
      [auditor = house->auditor_.get()](bus::Inbound message) { return auditor->offer(std::move(message)); }));
  bus::DialOptions dialing;
  dialing.name = options.store_path;
  dialing.data_endpoint = kData;
  dialing.control_endpoint = kControl;
  TRY_ASSIGN(house->outbox_, house->loop_->dial(dialing));
  TRY_ASSIGN(house->engine_, wasm::make_wasmtime_engine({}));
  node::RuntimeOptions running;
  running.engine = house->engine_.get();
  running.clock = &house->clock_;
  running.random = &house->random_;
  running.identity = options.identity->public_key();
  running.name = kName;
  running.auditors = {house->outbox_};
  running.log = options.log;
  running.environment = process_environment();
  TRY_ASSIGN(house->runtime_, node::start_runtime(std::move(running)));
  return house;
}

House::~House() {
  const auto stopped = stop(kErrorGraceMs, kErrorGraceMs);
  (void)stopped;  // whoever wants to know calls stop() itself
}

Result<void> House::stop(uint64_t grace_ms, uint64_t durable_ms) {
  if (stopped_) return Ok{};
  stopped_ = true;
  const bool actors_stopped = runtime_ == nullptr || runtime_->stop(grace_ms);
  const bool all_durable = loop_ == nullptr || loop_->stop(durable_ms);
  const auto why = auditor_ ? auditor_->status().last_error : std::string();
  if (auditor_) auditor_->stop();
  if (!all_durable) {
    return Error{ErrorCode::kDeadline,
                 str_cat("the newest events aren't in the store", why.empty() ? std::string() : str_cat(": ", why),
                         "; see how far the chain got: theater chain list")};
  }
  if (!actors_stopped) {
    return Error{ErrorCode::kDeadline, "the actor didn't stop in time and was killed; its chain says so"};
  }
  return Ok{};
}

}  // namespace theater::cli
