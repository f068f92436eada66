// theater node status: whether a node's auditors are there, and how much they haven't acknowledged yet.
#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/node_client.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct Link {
  std::string name, last_error;
  bool connected = false, demoted = false;
  uint64_t appended_events = 0, appended_bytes = 0, durable_events = 0, durable_bytes = 0, resent_frames = 0,
           reconnects = 0;

  uint64_t unacknowledged_events() const { return appended_events - std::min(appended_events, durable_events); }
  uint64_t unacknowledged_bytes() const { return appended_bytes - std::min(appended_bytes, durable_bytes); }
};

Result<Link> read_link(const schema::Value& record) {
  Link link;
  TRY_ASSIGN(link.name, bus::text_field(record, "name"));
  TRY_ASSIGN(link.last_error, bus::text_field(record, "last-error"));
  link.connected = flag_field(record, "connected");
  link.demoted = flag_field(record, "demoted");
  TRY_ASSIGN(link.appended_events, bus::number_field(record, "appended-events"));
  TRY_ASSIGN(link.appended_bytes, bus::number_field(record, "appended-bytes"));
  TRY_ASSIGN(link.durable_events, bus::number_field(record, "durable-events"));
  TRY_ASSIGN(link.durable_bytes, bus::number_field(record, "durable-bytes"));
  TRY_ASSIGN(link.resent_frames, bus::number_field(record, "resent-frames"));
  TRY_ASSIGN(link.reconnects, bus::number_field(record, "reconnects"));
  return link;
}

void print_json(const Link& link) {
  print_line(JsonLine()
                 .text("auditor", link.name)
                 .boolean("connected", link.connected)
                 .boolean("demoted", link.demoted)
                 .text("last_error", link.last_error)
                 .number("durable_events", link.durable_events)
                 .number("durable_bytes", link.durable_bytes)
                 .number("unacknowledged_events", link.unacknowledged_events())
                 .number("unacknowledged_bytes", link.unacknowledged_bytes())
                 .number("resent_frames", link.resent_frames)
                 .number("reconnects", link.reconnects)
                 .str());
}

Result<ExitCode> status(const NodeOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options));
  TRY_ASSIGN(const auto result, client.call("node.status", {}));
  const auto* found = bus::find_field(result, "auditors");
  const auto* list = found == nullptr ? nullptr : found->get<schema::Value::List>();
  if (list == nullptr)
    return Error{ErrorCode::kInvalid, "the node's answer names no auditors; is it of another version?"};
  std::vector<std::vector<std::string>> rows = {{"AUDITOR", "STATE", "DURABLE", "UNACKNOWLEDGED", "WHY"}};
  for (const auto& item : list->items) {
    TRY_ASSIGN(const auto link, read_link(item));
    if (options.json) {
      print_json(link);
      continue;
    }
    rows.push_back({escape(as_bytes(link.name)),
                    str_cat(link.connected ? "connected" : "away", link.demoted ? ", demoted" : ""),
                    counted(link.durable_events, "event"), str_cat(link.unacknowledged_bytes(), " B"),
                    escape(as_bytes(link.last_error))});
  }
  if (!options.json) print_table(rows);
  return ExitCode::kDone;
}

}  // namespace

void add_node_status(Command& noun) {
  auto options = std::make_shared<NodeOptions>();
  Command verb = noun.add("status", "Prints a node's auditors and what they haven't acknowledged yet");
  add_node_options(verb, *options);
  verb.runs([options] { return status(*options); });
}

}  // namespace theater::cli
