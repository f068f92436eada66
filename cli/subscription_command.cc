// theater subscription add|remove|demote|promote|list: who a node's auditors are.
#include <memory>

#include "base/config.h"
#include "bus/endpoint.h"
#include "bus/outbox.h"
#include "cli/commands.h"
#include "cli/node_client.h"
#include "cli/node_config.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "node/actor/auditors.h"

namespace theater::cli {
namespace {

using schema::Value;

struct AddOptions {
  NodeOptions node;
  std::string name, data, control, auditor_key;
  std::string window = "8 MiB";
  std::string actors = "all";
};

Result<void> check_window(const std::string& text) {
  const auto window = parse_size_bytes(text);
  if (window && *window >= bus::Outbox::kWindowMin && *window <= bus::Outbox::kWindowMax) return Ok{};
  return Error{ErrorCode::kInvalid, str_cat(quote(text), " is no size from ", bus::Outbox::kWindowMin >> 10, " KiB to ",
                                            bus::Outbox::kWindowMax >> 20, " MiB, such as 8 MiB")};
}

// An id may be a prefix or a name: the node knows.
Result<void> check_actors(const std::string& text) {
  if (text.starts_with("id:")) return Ok{};
  const auto parsed = node::ActorFilter::parse(text);
  if (!parsed.ok()) return parsed.error();
  return Ok{};
}

Result<ExitCode> add(const AddOptions& options) {
  TRY_ASSIGN(const auto key, read_public_key(options.auditor_key));
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result,
             client.call("subscription.add", {{"name", Value::string(options.name)},
                                              {"data", Value::string(options.data)},
                                              {"control", Value::string(options.control)},
                                              {"key", Value::string(key.text())},
                                              {"window", Value::u64(parse_size_bytes(options.window).value())},
                                              {"actors", Value::string(options.actors)}}));
  const bool added = flag_field(result, "added");
  if (options.node.json) print_line(JsonLine().text("auditor", options.name).boolean("added", added).str());
  note(added ? str_cat("added auditor ", options.name,
                       " until the node stops: its configuration is what lasts; next: theater subscription list")
             : str_cat("auditor ", options.name, " was there already"));
  return ExitCode::kDone;
}

struct NameOptions {
  NodeOptions node;
  std::string name;
};

Result<ExitCode> remove(const NameOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result, client.call("subscription.remove", {{"name", Value::string(options.name)}}));
  TRY_ASSIGN(const uint64_t lost, bus::number_field(result, "lost-events"));
  const bool removed = flag_field(result, "removed");
  if (options.node.json) {
    print_line(JsonLine().text("auditor", options.name).boolean("removed", removed).number("lost_events", lost).str());
  }
  if (!removed) {
    note(str_cat("there is no auditor ", options.name));
  } else if (lost == 0) {
    note(str_cat("removed auditor ", options.name, "; everything that it was sent is durable there"));
  } else {
    warn(str_cat("removed auditor ", options.name, ", which hasn't acknowledged ", counted(lost, "event"),
                 ": perhaps they never came there"));
  }
  return ExitCode::kDone;
}

Result<ExitCode> set_demoted(const NameOptions& options, bool demoted) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result, client.call(demoted ? "subscription.demote" : "subscription.promote",
                                            {{"name", Value::string(options.name)}}));
  const bool changed = flag_field(result, "changed");
  if (options.node.json) print_line(JsonLine().text("auditor", options.name).boolean("changed", changed).str());
  if (!changed) {
    note(str_cat("auditor ", options.name, demoted ? " is demoted already" : " isn't demoted"));
  } else if (demoted) {
    note(str_cat("demoted auditor ", options.name, ": no actor waits for it, and what it misses is marked; back with: ",
                 "theater subscription promote ", options.name));
  } else {
    note(str_cat("promoted auditor ", options.name, ": actors wait for it again"));
  }
  return ExitCode::kDone;
}

Result<std::string> print_auditor(const Value& record, bool json, std::vector<std::vector<std::string>>& rows) {
  JsonLine line;
  std::vector<std::string> texts;
  for (const char* name : {"name", "actors", "source", "key", "data", "control", "last-error"}) {
    TRY_ASSIGN(auto text, bus::text_field(record, name));
    texts.push_back(std::move(text));
  }
  TRY_ASSIGN(const uint64_t window, bus::number_field(record, "window-bytes"));
  TRY_ASSIGN(const uint64_t durable, bus::number_field(record, "durable-events"));
  TRY_ASSIGN(const uint64_t dropped, bus::number_field(record, "dropped-events"));
  const bool connected = flag_field(record, "connected"), demoted = flag_field(record, "demoted");
  if (!json) {
    rows.push_back({escape(as_bytes(texts[0])), escape(as_bytes(texts[1])), texts[2],
                    str_cat(connected ? "connected" : "away", demoted ? ", demoted" : ""), counted(durable, "event"),
                    counted(dropped, "event"), escape(as_bytes(texts[4]))});
    return line.str();
  }
  return line.text("auditor", texts[0])
      .text("actors", texts[1])
      .text("source", texts[2])
      .text("key", texts[3])
      .text("data", texts[4])
      .text("control", texts[5])
      .number("window_bytes", window)
      .boolean("connected", connected)
      .boolean("demoted", demoted)
      .text("last_error", texts[6])
      .number("durable_events", durable)
      .number("dropped_events", dropped)
      .str();
}

Result<ExitCode> list(const NodeOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options));
  TRY_ASSIGN(const auto result, client.call("subscription.list", {}));
  const auto* found = bus::find_field(result, "auditors");
  const auto* auditors = found == nullptr ? nullptr : found->get<Value::List>();
  if (auditors == nullptr)
    return Error{ErrorCode::kInvalid, "the node's answer names no auditors; is it of another version?"};
  std::vector<std::vector<std::string>> rows = {{"AUDITOR", "ACTORS", "SOURCE", "STATE", "DURABLE", "MISSED", "DATA"}};
  for (const auto& item : auditors->items) {
    TRY_ASSIGN(const auto line, print_auditor(item, options.json, rows));
    if (options.json) print_line(line);
  }
  if (!options.json) print_table(rows);
  return ExitCode::kDone;
}

void add_name_verb(Command& noun, const char* name, const char* help,
                   std::function<Result<ExitCode>(const NameOptions&)> run) {
  auto options = std::make_shared<NameOptions>();
  Command verb = noun.add(name, help);
  verb.argument("NAME", options->name, "The auditor, as theater subscription list names it");
  add_node_options(verb, options->node);
  verb.runs([options, run = std::move(run)] { return run(*options); });
}

}  // namespace

void add_subscription_commands(Command& root) {
  Command noun = root.add("subscription", "Who takes a node's chains: its auditors, while it runs");

  auto adding = std::make_shared<AddOptions>();
  Command verb = noun.add("add", "Adds an auditor, which sees what is emitted from then on");
  verb.argument("NAME", adding->name, "How messages call it");
  verb.required_option("--data", adding->data, "ENDPOINT", "The auditor's `data`: tcp://HOST:PORT");
  verb.required_option("--control", adding->control, "ENDPOINT", "The auditor's `control`: tcp://HOST:PORT");
  verb.required_option("--auditor-key", adding->auditor_key, "KEY|FILE",
                       "The auditor's public key: tk1…, or a file that holds it");
  verb.option("--window", adding->window, "SIZE", "What it may leave unacknowledged (default: 8 MiB)");
  verb.option("--actors", adding->actors, "all|name:PATTERN|id:ID",
              "Whose chains it takes (default: all). A pattern has * ? and [] as in a shell");
  add_node_options(verb, adding->node);
  verb.check("NAME", {nullptr, check_auditor_name});
  for (const char* endpoint : {"--data", "--control"}) verb.check(endpoint, {nullptr, bus::check_tcp_endpoint});
  verb.check("--auditor-key", {nullptr, check_public_key});
  verb.check("--window", {nullptr, check_window});
  verb.check("--actors", {nullptr, check_actors});
  verb.runs([adding] { return add(*adding); });

  add_name_verb(noun, "remove", "Takes an auditor out, when what it was sent is durable or some seconds have passed",
                remove);
  add_name_verb(noun, "demote", "Lets no actor wait for an auditor any more; what it misses is marked",
                [](const NameOptions& options) { return set_demoted(options, true); });
  add_name_verb(noun, "promote", "Lets actors wait for an auditor again",
                [](const NameOptions& options) { return set_demoted(options, false); });

  auto listing = std::make_shared<NodeOptions>();
  Command all = noun.add("list", "Prints a node's auditors: whose chains each takes, and how it does");
  add_node_options(all, *listing);
  all.runs([listing] { return list(*listing); });
}

}  // namespace theater::cli
