// theater auditor status: what a running auditor has taken, what it misses, and what came of asking others for it.
#include <memory>

#include "bus/control.h"
#include "cli/auditor_config.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/paths.h"

namespace theater::cli {
namespace {

using schema::Value;

struct Options {
  std::optional<std::string> config, endpoint, server_key, key;
  bool json = false;
};

Result<bus::ControlClient::Options> find_auditor(const Options& options) {
  bus::ControlClient::Options place;
  if (options.config) {
    TRY_ASSIGN(const auto config, load_auditor_config(*options.config));
    if (config.serve.empty()) {
      return Error{ErrorCode::kInvalid,
                   str_cat(*options.config, " names no `serve` endpoint that this command could talk to")};
    }
    place.endpoint = config.serve;
    return place;
  }
  place.endpoint = *options.endpoint;
  place.key_file = options.key;
  if (options.server_key) {
    TRY_ASSIGN(place.server, read_public_key(*options.server_key));
  }
  return place;
}

// What is wrong with the words, together.
std::string usage_fault(const Options& options) {
  if (options.config && options.endpoint) return "--config and --endpoint both name an auditor; leave one out";
  if (!options.config && !options.endpoint) {
    return "name the auditor: --config FILE of one on this machine, or --endpoint";
  }
  const bool encrypted = options.endpoint && options.endpoint->starts_with("tcp://");
  if (encrypted && (!options.key || !options.server_key)) {
    return "an auditor over tcp is talked to with --key (yours) and --auditor-key (its)";
  }
  return {};
}

struct Number {
  const char *field, *json, *text;
};
constexpr Number kNumbers[] = {
    {"events", "events", "events made durable"},
    {"frames", "frames", "frames"},
    {"commits", "commits", "synced writes"},
    {"evidence", "evidence", "records of something wrong"},
    {"gaps", "gaps", "chains that lack events which may still come"},
    {"backfilled", "backfilled", "events got from other auditors"},
};

Result<ExitCode> status(const Options& options) {
  if (const auto fault = usage_fault(options); !fault.empty()) {
    print_error(fault);
    return ExitCode::kUsage;
  }
  TRY_ASSIGN(const auto place, find_auditor(options));
  TRY_ASSIGN(const auto client, bus::ControlClient::connect(place));
  TRY_ASSIGN(const auto result, client->call("auditor.status", Value::record({})));
  TRY_ASSIGN(const auto last_error, bus::text_field(result, "last-error"));
  JsonLine line;
  std::vector<std::vector<std::string>> rows;
  for (const Number& number : kNumbers) {
    TRY_ASSIGN(const uint64_t value, bus::number_field(result, number.field));
    line.number(number.json, value);
    rows.push_back({str_cat(value), number.text});
  }
  line.text("last_error", last_error);
  const auto* found = bus::find_field(result, "peers");
  const auto* peers = found == nullptr ? nullptr : found->get<Value::List>();
  if (peers == nullptr) return Error{ErrorCode::kInvalid, "the answer names no peers; is it of another version?"};
  std::vector<std::string> objects;
  std::vector<std::vector<std::string>> table = {{"PEER", "GAVE", "REFUSED", "LAST"}};
  for (const Value& peer : peers->items) {
    TRY_ASSIGN(const auto name, bus::text_field(peer, "name"));
    TRY_ASSIGN(const auto last, bus::text_field(peer, "last-result"));
    TRY_ASSIGN(const uint64_t events, bus::number_field(peer, "events"));
    TRY_ASSIGN(const uint64_t refused, bus::number_field(peer, "refused"));
    objects.push_back(JsonLine()
                          .text("peer", name)
                          .number("events", events)
                          .number("refused", refused)
                          .text("last_result", last)
                          .str());
    table.push_back({escape(as_bytes(name)), counted(events, "event"), str_cat(refused), escape(as_bytes(last))});
  }
  if (options.json) {
    print_line(line.raw("peers", json_array(objects)).str());
    return ExitCode::kDone;
  }
  print_table(rows);
  if (!last_error.empty()) print_line(str_cat("nothing is acknowledged: ", escape(as_bytes(last_error))));
  if (!peers->items.empty()) print_table(table);
  return ExitCode::kDone;
}

}  // namespace

void add_auditor_status(Command& noun) {
  auto options = std::make_shared<Options>();
  Command verb = noun.add("status", "Prints what an auditor has taken, what it misses, and what its peers gave");
  verb.option("--config", options->config, "FILE", "auditor.toml of an auditor on this machine that has `serve`");
  verb.option("--endpoint", options->endpoint, "ENDPOINT", "unix:/path or tcp://host:port, instead of --config");
  verb.option("--auditor-key", options->server_key, "tk1…|FILE", "The auditor's public key; needed for tcp");
  verb.option("--key", options->key, "FILE", "Your secret keys; needed for tcp");
  verb.flag("--json", options->json, kJsonHelp);
  verb.check("--endpoint", {nullptr, check_control_endpoint});
  verb.check("--auditor-key", {nullptr, check_public_key});
  verb.runs([options] { return status(*options); });
}

}  // namespace theater::cli
