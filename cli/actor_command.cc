// theater actor spawn|list|show, and the noun.
#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/manifest_file.h"
#include "cli/node_client.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct SpawnOptions {
  NodeOptions node;
  std::string manifest;
  std::optional<std::string> initial_state;
};

struct ShowOptions {
  NodeOptions node;
  std::string actor;
};

// "idle", "waiting for auditor b", "ended: stop"
std::string state_text(const RemoteActor& actor) {
  if (!actor.waits_for.empty()) return str_cat(actor.state, " for ", actor.waits_for);
  if (!actor.ended.empty()) return str_cat(actor.state, ": ", actor.ended);
  return actor.state;
}

std::string short_id(const std::string& id) { return id.substr(0, 12); }

// The arguments of actor.spawn that hold what the files hold.
std::vector<schema::Value::Field> fields_of(node::Bundle bundle) {
  using schema::Value;
  std::vector<Value::Field> fields;
  fields.push_back({"manifest", Value::string(std::move(bundle.manifest))});
  fields.push_back({"package", Value::bytes(std::move(bundle.package))});
  std::vector<Value> children;
  for (auto& [id, child] : bundle.children) {
    auto each = fields_of(std::move(child));
    each.push_back({"id", Value::string(id)});
    children.push_back(Value::record(std::move(each)));
  }
  if (!children.empty()) fields.push_back({"children", Value::list(std::move(children))});
  return fields;
}

Result<ExitCode> spawn(const SpawnOptions& options) {
  TRY_ASSIGN(auto manifest, load_manifest(options.manifest));
  auto args = fields_of(std::move(manifest.bundle));
  if (options.initial_state) {
    TRY_ASSIGN(auto state, read_argument(*options.initial_state));
    args.push_back({"initial-state", schema::Value::bytes(std::move(state))});
  }
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, kLongWaitMs));
  const auto result = client.call("actor.spawn", std::move(args));
  if (!result.ok()) return about_files(result.error(), manifest.path, manifest.package_path);
  TRY_ASSIGN(const auto actor, read_actor(*result));
  print_line(options.node.json ? to_json(actor) : actor.id);
  note(
      str_cat("spawned ", escape(as_bytes(actor.name)), "; next: theater actor request ", short_id(actor.id), " TEXT"));
  return ExitCode::kDone;
}

Result<ExitCode> list(const NodeOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options));
  TRY_ASSIGN(const auto result, client.call("actor.list", {}));
  TRY_ASSIGN(const auto actors, read_actors(result));
  TRY_ASSIGN(const uint64_t registered, bus::number_field(result, "registered"));
  const auto listed =
      static_cast<uint64_t>(std::ranges::count_if(actors, [](const auto& actor) { return actor.state != "ended"; }));
  if (listed < registered) {
    note(
        str_cat(registered - listed, " more passivated actors aren't listed; theater actor show finds each by its id"));
  }
  if (options.json) {
    for (const auto& actor : actors) print_line(to_json(actor));
    return ExitCode::kDone;
  }
  if (actors.empty()) {
    note("no actors; one is made by: theater actor spawn MANIFEST");
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"ACTOR", "NAME", "EVENTS", "MAILBOX", "STATE"}};
  for (const auto& actor : actors) {
    rows.push_back({short_id(actor.id), escape(as_bytes(actor.name)), str_cat(actor.events), str_cat(actor.mailbox),
                    escape(as_bytes(state_text(actor)))});
  }
  print_table(rows);
  return ExitCode::kDone;
}

Result<ExitCode> show(const ShowOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result, client.call("actor.show", {{"actor", schema::Value::string(options.actor)}}));
  TRY_ASSIGN(const auto actor, read_actor(result));
  if (options.node.json) {
    print_line(to_json(actor));
    return ExitCode::kDone;
  }
  print_line(str_cat("actor    ", actor.id));
  print_line(str_cat("name     ", escape(as_bytes(actor.name))));
  print_line(str_cat("state    ", escape(as_bytes(state_text(actor)))));
  print_line(str_cat("events   ", actor.events));
  print_line(str_cat("head     ", actor.head));
  print_line(str_cat("mailbox  ", actor.mailbox));
  print_line(str_cat("memory   ", actor.memory_bytes, " B"));
  return ExitCode::kDone;
}

}  // namespace

void add_actor_commands(Command& root) {
  Command noun = root.add("actor", "Talks to a node about its actors");

  auto spawning = std::make_shared<SpawnOptions>();
  Command making = noun.add("spawn", "Starts an actor and prints its id");
  making.argument("MANIFEST", spawning->manifest, "manifest.toml, or the folder that holds it");
  making.option("--initial-state", spawning->initial_state, "TEXT|@FILE", "Instead of the manifest's");
  add_node_options(making, spawning->node);
  making.runs([spawning] { return spawn(*spawning); });

  auto listing = std::make_shared<NodeOptions>();
  Command all = noun.add("list", "Prints the node's actors and what each waits for");
  add_node_options(all, *listing);
  all.runs([listing] { return list(*listing); });

  auto showing = std::make_shared<ShowOptions>();
  Command one = noun.add("show", "Prints one actor");
  one.argument("ACTOR", showing->actor, kActorHelp);
  add_node_options(one, showing->node);
  one.runs([showing] { return show(*showing); });

  add_actor_message_commands(noun);
  add_actor_logs_command(noun);
  add_actor_end_commands(noun);
}

}  // namespace theater::cli
