// theater actor spawn, and the noun.
#include <future>
#include <memory>
#include <thread>

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

// An actor whose auditor is away is born when that is back, however long it takes.
template <typename Call>
auto saying_that_it_waits(Call call) {
  std::promise<void> over;
  std::thread waiter([&, ended = over.get_future()] {
    if (ended.wait_for(std::chrono::seconds(5)) == std::future_status::timeout) {
      note("still waiting; theater actor list and node status say for what");
    }
  });
  auto result = call();
  over.set_value();
  waiter.join();
  return result;
}

Result<ExitCode> spawn(const SpawnOptions& options) {
  TRY_ASSIGN(auto manifest, load_manifest(options.manifest));
  auto args = fields_of(std::move(manifest.bundle));
  if (options.initial_state) {
    TRY_ASSIGN(auto state, read_argument(*options.initial_state));
    args.push_back({"initial-state", schema::Value::bytes(std::move(state))});
  }
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, kLongWaitMs));
  const auto result = saying_that_it_waits([&] { return client.call("actor.spawn", std::move(args)); });
  if (!result.ok()) return about_files(result.error(), manifest.path, manifest.package_path);
  TRY_ASSIGN(const auto actor, read_actor(*result));
  print_line(options.node.json ? to_json(actor).str() : actor.id);
  note(
      str_cat("spawned ", escape(as_bytes(actor.name)), "; next: theater actor request ", short_id(actor.id), " TEXT"));
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

  add_actor_look_commands(noun);
  add_actor_message_commands(noun);
  add_actor_logs_command(noun);
  add_actor_end_commands(noun);
}

}  // namespace theater::cli
