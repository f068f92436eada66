#include "replay/replayer.h"

#include <algorithm>
#include <utility>

#include "replay/call_driver.h"
#include "replay/recorded_limits.h"
#include "schema/display.h"
#include "supervise/retrace.h"

namespace theater::replay {
namespace {

using persist::ChainStatus;
using schema::BodyKind;

// One replay, from genesis to the end of the record.
class Replay {
 public:
  Replay(persist::ChainReader& reader, wasm::Engine& engine, const ReplayOptions& options)
      : reader_(reader), engine_(engine), options_(options) {}

  Result<ReplayReport> run(const ActorId& actor);

 private:
  Result<void> walk();
  Result<void> begin_life(const Tape::Entry& recorded);
  Result<void> take_secrets(const schema::Genesis& genesis);
  std::string about_secrets() const;
  void check_profile(const Hash& recorded);
  Result<void> step(const Tape::Entry& recorded);
  Result<void> retrace();
  void inconclusive(std::string reason) {
    report_.status = ReplayStatus::kInconclusive;
    report_.reason = std::move(reason);
  }
  bool decided() const { return report_.status != ReplayStatus::kSame; }
  void settle();

  persist::ChainReader& reader_;
  wasm::Engine& engine_;
  const ReplayOptions& options_;
  ReplayReport report_;
  std::vector<std::string> secret_names_;      // that the manifest grants
  std::optional<schema::Secrets> secrets_;     // that were given
  std::optional<CallDriver> driver_;           // none for a chain without a guest
  std::optional<supervise::Retrace> retrace_;  // none for an actor that can have no children
  std::optional<Difference> decision_;         // that the rules wouldn't have made
  std::optional<Tape> tape_;
};

Result<ReplayReport> Replay::run(const ActorId& actor) {
  TRY_ASSIGN(const auto summary, reader_.summary(actor));
  const uint64_t last = std::min(options_.to.value_or(UINT64_MAX), summary.last_sequence);
  report_.actor = actor;
  report_.events = summary.status == ChainStatus::kPartial ? summary.events : last + 1;
  if (summary.status == ChainStatus::kPartial) {
    inconclusive("the store holds only a part of this chain; replay needs every event from genesis on");
    return report_;
  }
  std::function<void(uint64_t)> progress;
  if (options_.on_progress) progress = [this](uint64_t done) { options_.on_progress(done, report_.events); };
  TRY_ASSIGN(tape_, Tape::open(reader_, actor, last, std::move(progress)));
  TRY(walk());
  settle();
  return report_;
}

Result<void> Replay::walk() {
  TRY(tape_->refill());
  while (!decided() && !tape_->ended()) {
    TRY(step(*tape_->peek()));
    TRY(retrace());
    TRY(tape_->refill());
  }
  return Ok{};
}

// A supervisor's decisions are the host's, but not a matter of taste: the recorded manifest's rules make them again.
Result<void> Replay::retrace() {
  if (!retrace_) return Ok{};
  for (const Bytes& bytes : tape_->take_supervision()) {
    TRY_ASSIGN(const auto event, schema::decode_event(bytes));
    TRY_ASSIGN(auto said, retrace_->take(event.header.type, std::get<schema::Fact>(event.body).value));
    if (!said) continue;
    decision_ = Difference{event.header.sequence, schema::to_line(event, kLineWidth), std::move(*said)};
    report_.status = ReplayStatus::kDiverged;
    return Ok{};
  }
  return Ok{};
}

// What the host did between two calls is taken from the record, which verified; calls are run.
Result<void> Replay::step(const Tape::Entry& recorded) {
  if (recorded.view.kind == BodyKind::kGenesis) return begin_life(recorded);
  if (!driver_) {  // the node's own chain
    tape_->pop();
    return Ok{};
  }
  switch (recorded.view.kind) {
    case BodyKind::kWasmCall: {
      TRY_ASSIGN(auto verdict, driver_->run_call(recorded));
      if (!verdict.inconclusive.empty()) {
        if (driver_->lacks_secrets()) verdict.inconclusive += about_secrets();
        inconclusive(std::move(verdict.inconclusive));
      } else if (driver_->comparer().failed()) {
        report_.status = ReplayStatus::kDiverged;
      }
      return Ok{};
    }
    case BodyKind::kResumed: {
      TRY_ASSIGN(const auto event, schema::decode_event(recorded.bytes));
      check_profile(std::get<schema::Resumed>(event.body).engine_profile);
      tape_->pop();
      driver_->forget_instance();
      return Ok{};
    }
    case BodyKind::kFact:
      if (!recorded.is_aside()) driver_->forget_instance();
      tape_->pop();
      return Ok{};
    case BodyKind::kShutdown: tape_->pop(); return Ok{};
    case BodyKind::kError: {
      TRY_ASSIGN(const auto event, schema::decode_event(recorded.bytes));
      if (!std::get<schema::ErrorBody>(event.body).in_call) {
        tape_->pop();
        return Ok{};
      }
      [[fallthrough]];
    }
    default:
      driver_->comparer().differs(recorded, "no call is in progress");
      report_.status = ReplayStatus::kDiverged;
      return Ok{};
  }
}

Result<void> Replay::begin_life(const Tape::Entry& recorded) {
  TRY_ASSIGN(const auto event, schema::decode_event(recorded.bytes));
  const auto& genesis = std::get<schema::Genesis>(event.body);
  const uint64_t time_ns = recorded.view.header.time_ns;
  tape_->pop();
  if (genesis.manifest.is_zero()) {
    report_.reason = "a node's own chain: it states what the host did, there is no guest to replay";
    return Ok{};
  }
  TRY_ASSIGN(auto supervisor, recorded_supervisor(reader_, genesis));
  if (supervisor) retrace_.emplace(std::move(*supervisor));
  if (supervisor) tape_->keep_supervision();
  if (genesis.package.is_zero()) {
    report_.reason = "a supervisor without code: its decisions came out again, there is no guest to replay";
    return Ok{};
  }
  check_profile(genesis.engine_profile);
  Bytes recorded_package;
  if (!options_.package) {
    TRY_ASSIGN(recorded_package, reader_.blob(genesis.package));
  }
  TRY_ASSIGN(auto module, engine_.compile(options_.package ? *options_.package : recorded_package));
  TRY_ASSIGN(const auto limits, recorded_limits(reader_, genesis));
  TRY(take_secrets(genesis));
  driver_.emplace(reader_, *tape_, std::move(module), limits, options_, *secrets_, report_.same_profile);
  driver_->host().set_genesis_time(time_ns);
  return Ok{};
}

Result<void> Replay::take_secrets(const schema::Genesis& genesis) {
  TRY_ASSIGN(secret_names_, recorded_secrets(reader_, genesis));
  std::vector<schema::Secrets::Secret> given;
  for (const auto& [name, value] : options_.secrets) {
    if (std::find(secret_names_.begin(), secret_names_.end(), name) == secret_names_.end()) {
      return Error{ErrorCode::kInvalid, str_cat("the actor's manifest grants no secret '", name, "'")};
    }
    if (value.size() < schema::kSecretMin || !is_utf8(as_bytes(value))) {
      return Error{ErrorCode::kInvalid,
                   str_cat("the value of '", name, "' can't be what the node had: a secret has at least ",
                           schema::kSecretMin, " bytes of UTF-8 text")};
    }
    given.push_back({name, value, {}});
  }
  secrets_.emplace(std::move(given));
  secrets_->bind(report_.actor);
  return Ok{};
}

// What whoever replays can do about a commitment that nothing given fits.
std::string Replay::about_secrets() const {
  std::string missing, given;
  for (const auto& name : secret_names_) {
    auto& list = options_.secrets.contains(name) ? given : missing;
    list += str_cat(list.empty() ? "" : ", ", name);
  }
  if (missing.empty()) return str_cat("; what was given for ", given, " isn't all that it was when this was recorded");
  return str_cat("; to replay on, give the values of ", missing, ": theater replay --secret NAME=@FILE",
                 given.empty() ? "" : str_cat(" (and those of ", given, " must be what they were)"));
}

void Replay::check_profile(const Hash& recorded) {
  if (recorded == engine_.profile().hash) return;
  report_.same_profile = false;
  if (driver_) driver_->set_other_profile();
}

void Replay::settle() {
  report_.matched = tape_->popped();
  if (decision_) {
    report_.matched = decision_->sequence;
    report_.reason = str_cat("event ", decision_->sequence, " isn't what the supervisor's rules say");
    report_.first_difference = std::move(decision_);
  }
  if (!driver_) return;
  report_.host_calls = driver_->host().host_calls();
  if (report_.first_difference) return;
  report_.first_difference = driver_->comparer().difference();
  if (report_.status == ReplayStatus::kDiverged) {
    const Difference& difference = *report_.first_difference;
    report_.reason = str_cat("event ", difference.sequence, " came out differently");
  }
  if (report_.reason.empty()) report_.reason = driver_->note();
}

}  // namespace

const char* replay_status_name(ReplayStatus status) {
  switch (status) {
    case ReplayStatus::kSame: return "same";
    case ReplayStatus::kDiverged: return "diverged";
    case ReplayStatus::kInconclusive: return "inconclusive";
  }
  return "unknown";
}

Result<ReplayReport> replay_chain(persist::ChainReader& reader, const ActorId& actor, wasm::Engine& engine,
                                  const ReplayOptions& options) {
  Replay replay(reader, engine, options);
  return replay.run(actor);
}

}  // namespace theater::replay
