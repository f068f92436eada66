// Talking to a node: what the `actor` commands share. The node is found as cli/contexts.h says; an
// error in reaching it names the setting or the endpoint and what to do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/control.h"
#include "cli/command.h"
#include "cli/output.h"

namespace theater::cli {

inline constexpr const char* kActorHelp = "Id, at least 3 digits of it, or name";
inline constexpr uint64_t kLongWaitMs = 24ull * 3'600'000;  // for what may have to wait for an auditor
inline constexpr uint64_t kAnswerMarginMs = 5'000;          // beyond what the node was asked to wait

struct NodeOptions {
  std::optional<std::string> node, node_key, key;
  bool json = false;
};

// --node, --node-key, --key and --json.
void add_node_options(Command& verb, NodeOptions& options);

// An actor as the node describes it.
struct RemoteActor {
  std::string id;  // hexadecimal
  std::string name, state, waits_for, head, ended;
  std::string parent, child_id, strategy;  // in the supervision tree; empty: none
  std::vector<std::string> names, children;
  uint64_t events = 0, mailbox = 0, mailbox_bytes = 0, memory_bytes = 0, fuel = 0, waiting_ms = 0, restarts = 0;
  std::string effects;  // "gated" or "at-once"; of gated ones:
  uint64_t held = 0, released = 0, discarded = 0, held_us = 0;
};
Result<RemoteActor> read_actor(const schema::Value& record);
Result<std::vector<RemoteActor>> read_actors(const schema::Value& result);
JsonLine to_json(const RemoteActor& actor);  // without its children

std::string short_id(const std::string& id);
// "idle", "waiting for auditor b, 12 s", "ended: stop"; escaped.
std::string state_text(const RemoteActor& actor);

bool flag_field(const schema::Value& record, std::string_view name);  // false if there is none

class NodeClient {
 public:
  static Result<NodeClient> connect(const NodeOptions& options, uint64_t timeout_ms = 30'000);

  // One request, one response. While it takes longer than a second, a terminal is told what the node waits for.
  Result<schema::Value> call(const std::string& verb, std::vector<schema::Value::Field> args);
  Result<void> stream(const std::string& verb, std::vector<schema::Value::Field> args,
                      const std::function<bool(schema::Value)>& each);
  // Stands in the chain as who asked; the same one again is answered from the record.
  void set_request_id(std::string id) { request_id_ = std::move(id); }

 private:
  explicit NodeClient(std::unique_ptr<bus::ControlClient> client) : client_(std::move(client)) {}

  std::unique_ptr<bus::ControlClient> client_;
  std::string request_id_;
};

}  // namespace theater::cli
