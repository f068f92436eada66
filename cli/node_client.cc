#include "cli/node_client.h"

#include <thread>

#include "cli/contexts.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/progress.h"

namespace theater::cli {

void add_node_options(Command& verb, NodeOptions& options) {
  verb.option("--node", options.node, "ENDPOINT",
              "The node: unix:/path or tcp://host:port (THEATER_NODE; default: unix:theater-node.sock)");
  verb.option("--node-key", options.node_key, "tk1…|FILE", "The node's public key; needed for tcp (THEATER_NODE_KEY)");
  verb.option("--key", options.key, "FILE", "Your secret keys; needed for tcp (THEATER_KEY)");
  verb.flag("--json", options.json, kJsonHelp);
  verb.check("--node", {"THEATER_NODE", check_control_endpoint});
  verb.check("--node-key", {"THEATER_NODE_KEY", check_public_key});
}

namespace {

Result<std::vector<std::string>> texts_field(const schema::Value& record, std::string_view name) {
  const auto* found = bus::find_field(record, name);
  const auto* list = found == nullptr ? nullptr : found->get<schema::Value::List>();
  if (list == nullptr) return Error{ErrorCode::kInvalid, str_cat("the field '", name, "' is missing or no list")};
  std::vector<std::string> texts;
  for (const auto& item : list->items) {
    const auto* text = item.get<std::string>();
    if (text == nullptr) return Error{ErrorCode::kInvalid, str_cat("the field '", name, "' is no list of texts")};
    texts.push_back(*text);
  }
  return texts;
}

}  // namespace

Result<RemoteActor> read_actor(const schema::Value& record) {
  RemoteActor actor;
  TRY_ASSIGN(actor.id, bus::text_field(record, "id"));
  TRY_ASSIGN(actor.name, bus::text_field(record, "name"));
  TRY_ASSIGN(actor.state, bus::text_field(record, "state"));
  TRY_ASSIGN(actor.waits_for, bus::text_field(record, "waits-for"));
  TRY_ASSIGN(actor.head, bus::text_field(record, "head"));
  TRY_ASSIGN(actor.ended, bus::text_field(record, "ended"));
  TRY_ASSIGN(actor.events, bus::number_field(record, "events"));
  TRY_ASSIGN(actor.mailbox, bus::number_field(record, "mailbox"));
  TRY_ASSIGN(actor.mailbox_bytes, bus::number_field(record, "mailbox-bytes"));
  TRY_ASSIGN(actor.memory_bytes, bus::number_field(record, "memory-bytes"));
  TRY_ASSIGN(actor.fuel, bus::number_field(record, "fuel"));
  TRY_ASSIGN(actor.effects, bus::text_field(record, "effects"));
  TRY_ASSIGN(actor.held, bus::number_field(record, "held"));
  TRY_ASSIGN(actor.released, bus::number_field(record, "released"));
  TRY_ASSIGN(actor.discarded, bus::number_field(record, "discarded"));
  TRY_ASSIGN(actor.held_us, bus::number_field(record, "held-us"));
  TRY_ASSIGN(actor.waiting_ms, bus::number_field(record, "waiting-ms"));
  TRY_ASSIGN(actor.names, texts_field(record, "names"));
  TRY_ASSIGN(actor.parent, bus::text_field(record, "parent"));
  TRY_ASSIGN(actor.child_id, bus::text_field(record, "child-id"));
  TRY_ASSIGN(actor.strategy, bus::text_field(record, "strategy"));
  TRY_ASSIGN(actor.restarts, bus::number_field(record, "restarts"));
  TRY_ASSIGN(actor.children, texts_field(record, "children"));
  return actor;
}

Result<std::vector<RemoteActor>> read_actors(const schema::Value& result) {
  const auto* found = bus::find_field(result, "actors");
  const auto* list = found == nullptr ? nullptr : found->get<schema::Value::List>();
  if (list == nullptr)
    return Error{ErrorCode::kInvalid, "the node's answer has no list of actors; is it of another version?"};
  std::vector<RemoteActor> actors;
  for (const auto& item : list->items) {
    TRY_ASSIGN(auto actor, read_actor(item));
    actors.push_back(std::move(actor));
  }
  return actors;
}

JsonLine to_json(const RemoteActor& actor) {
  JsonLine line;
  return line.text("actor", actor.id)
      .text("name", actor.name)
      .text("state", actor.state)
      .text("waits_for", actor.waits_for)
      .number("waiting_ms", actor.waiting_ms)
      .number("events", actor.events)
      .text("head", actor.head)
      .number("mailbox", actor.mailbox)
      .number("mailbox_bytes", actor.mailbox_bytes)
      .number("memory_bytes", actor.memory_bytes)
      .number("fuel", actor.fuel)
      .text("effects", actor.effects)
      .number("held", actor.held)
      .number("released", actor.released)
      .number("discarded", actor.discarded)
      .number("held_us", actor.held_us)
      .texts("names", actor.names)
      .text("parent", actor.parent)
      .text("child_id", actor.child_id)
      .text("strategy", actor.strategy)
      .number("restarts", actor.restarts)
      .text("ended", actor.ended);
}

bool flag_field(const schema::Value& record, std::string_view name) {
  const auto* found = bus::find_field(record, name);
  return found != nullptr && found->get<bool>() != nullptr && *found->get<bool>();
}

std::string short_id(const std::string& id) { return id.substr(0, 12); }

std::string state_text(const RemoteActor& actor) {
  std::string text = actor.state;
  if (!actor.waits_for.empty()) {
    text += str_cat(actor.state == "waiting" ? " for " : ", waiting for ", actor.waits_for, ", ",
                    format_duration(actor.waiting_ms));
  }
  if (!actor.ended.empty()) text += str_cat(": ", actor.ended);
  return escape(as_bytes(text));
}

Result<NodeClient> NodeClient::connect(const NodeOptions& options, uint64_t timeout_ms) {
  TRY_ASSIGN(const auto place, find_node(options.node, options.node_key, options.key));
  bus::ControlClient::Options connecting;
  connecting.endpoint = place.endpoint;
  connecting.key_file = place.key_file;
  connecting.timeout_ms = timeout_ms;
  if (!place.node_key.empty()) {
    const auto key = read_public_key(place.node_key);
    if (!key.ok()) return Error{key.error().code, str_cat(place.node_key_from, ": ", key.error().message)};
    connecting.server = *key;
  }
  if (place.key_file && place.endpoint.starts_with("tcp://")) {
    const auto keys = bus::SecretKeys::load(*place.key_file);
    if (!keys.ok()) return Error{keys.error().code, str_cat(place.key_from, ": ", keys.error().message)};
  }
  auto client = bus::ControlClient::connect(connecting);
  if (!client.ok()) {
    return Error{
        client.error().code,
        str_cat(client.error().message, "\nAnother node is named by --node, THEATER_NODE or `theater context add`")};
  }
  return NodeClient(std::move(*client));
}

Result<schema::Value> NodeClient::call(const std::string& verb, std::vector<schema::Value::Field> args) {
  Progress progress("waiting for the node");
  return client_->call(verb, schema::Value::record(std::move(args)), request_id_);
}

Result<void> NodeClient::stream(const std::string& verb, std::vector<schema::Value::Field> args,
                                const std::function<bool(schema::Value)>& each) {
  return client_->stream(verb, schema::Value::record(std::move(args)), each);
}

}  // namespace theater::cli
