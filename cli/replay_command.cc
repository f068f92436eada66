// theater replay: runs the recorded package again, answers it from the record, and compares.
#include <map>
#include <memory>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/manifest_file.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/store_access.h"
#include "replay/recorded_limits.h"
#include "replay/replayer.h"

namespace theater::cli {
namespace {

using replay::ReplayReport;
using replay::ReplayStatus;

struct Options {
  StoreOptions store;
  std::string actor;
  std::optional<uint64_t> to;
  std::optional<std::string> package;
  std::vector<std::string> secrets;
  bool logs = false;
};

std::string difference_json(const replay::Difference& difference) {
  return JsonLine()
      .number("sequence", difference.sequence)
      .text("recorded", difference.recorded)
      .text("replayed", difference.replayed)
      .str();
}

void print_json(const ReplayReport& report) {
  JsonLine line;
  line.text("actor", report.actor.hex())
      .number("events", report.events)
      .number("matched", report.matched)
      .number("host_calls", report.host_calls)
      .text("status", replay::replay_status_name(report.status))
      .boolean("same_profile", report.same_profile);
  if (!report.reason.empty()) line.text("reason", report.reason);
  line.raw("first_difference", report.first_difference ? difference_json(*report.first_difference) : "null");
  print_line(line.str());
}

void print_text(const ReplayReport& report) {
  const auto style = report.status == ReplayStatus::kSame       ? Style::kGreen
                     : report.status == ReplayStatus::kDiverged ? Style::kRed
                                                                : Style::kYellow;
  print_line(str_cat(report.actor.short_hex(), "  ", styled(style, replay::replay_status_name(report.status)), "  ",
                     report.matched, " of ", counted(report.events, "event"), " came out as recorded, ",
                     counted(report.host_calls, "host call"), " made"));
  if (report.first_difference) {
    print_line(str_cat("first difference: event ", report.first_difference->sequence));
    print_line(str_cat("  recorded  ", report.first_difference->recorded));
    print_line(str_cat("  replayed  ", report.first_difference->replayed));
  }
  if (!report.reason.empty()) note(report.reason);
}

// NAME=VALUE or NAME=@FILE, whose last line break doesn't count: editors put one there.
Result<std::map<std::string, std::string>> read_secrets(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> secrets;
  for (const auto& argument : arguments) {
    const auto equals = argument.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Error{ErrorCode::kInvalid, "--secret takes NAME=VALUE or NAME=@FILE"};  // not quoted: it may be the value
    }
    const std::string value = argument.substr(equals + 1);
    TRY_ASSIGN(const auto content, read_argument(value));
    std::string text(as_text(content));
    if (value.starts_with('@') && !value.starts_with("@@") && text.ends_with('\n')) text.pop_back();
    secrets[argument.substr(0, equals)] = std::move(text);
  }
  return secrets;
}

Result<ExitCode> replay_actor(const Options& options) {
  TRY_ASSIGN(const auto store, open_store(options.store));
  TRY_ASSIGN(const auto actor, store->resolve(options.actor));
  replay::ReplayOptions replaying;
  replaying.to = options.to;
  if (options.package) {
    TRY_ASSIGN(replaying.package, read_file(*options.package));
  }
  TRY_ASSIGN(replaying.secrets, read_secrets(options.secrets));
  if (options.logs) {
    replaying.on_guest_log = [](const std::string& message) { note(escape(as_bytes(message))); };
  }
  TRY_ASSIGN(const auto engine, wasm::make_wasmtime_engine(replay::recorded_engine(*store, actor)));
  ReplayReport report;
  {
    Progress progress("replaying");
    replaying.on_progress = [&](uint64_t done, uint64_t total) { progress.update(done, total); };
    TRY_ASSIGN(report, replay::replay_chain(*store, actor, *engine, replaying));
  }
  if (!report.same_profile) warn("this machine's engine isn't configured as the one that recorded the chain");
  if (options.store.json) {
    print_json(report);
  } else {
    print_text(report);
  }
  switch (report.status) {
    case ReplayStatus::kSame: return ExitCode::kDone;
    case ReplayStatus::kDiverged: return ExitCode::kDiverged;
    case ReplayStatus::kInconclusive: return ExitCode::kFailure;
  }
  return ExitCode::kFailure;
}

}  // namespace

void add_replay_command(Command& root) {
  auto options = std::make_shared<Options>();
  Command verb = root.add("replay", "Runs a recorded actor again and compares every event with the record");
  verb.argument("ACTOR", options->actor, "Id, at least 3 digits of it, or name");
  verb.option("--to", options->to, "N", "Stop after this sequence");
  verb.option("--package", options->package, "FILE", "Another version: would it have acted differently?");
  verb.option("--secret", options->secrets, "NAME=VALUE|NAME=@FILE",
              "A secret of which the record holds only a commitment; may be given often");
  verb.flag("--logs", options->logs, "Print what the replayed guest logs, on stderr");
  add_store_options(verb, options->store);
  verb.runs([options] { return replay_actor(*options); });
}

}  // namespace theater::cli
