#include "cli/node_config.h"

#include <algorithm>

#include "base/config.h"
#include "base/file.h"
#include "bus/endpoint.h"
#include "cli/metrics_door.h"
#include "cli/paths.h"
#include "node/runtime/runtime.h"

namespace theater::cli {
namespace {

constexpr uint64_t kYearMs = uint64_t{365} * 24 * 3'600'000;

constexpr ConfigKey kFirstKeys[] = {
    {"name", "string", "node", "The name of the node's own chain, for people."},
    {"key", "path", "(required)", "The node's secret keys, as made by `theater keys new`. Mode 0600."},
    {"control", "endpoint", "unix:theater-node.sock", "The Unix socket that `theater actor …` talks to. Mode 0600."},
    {"control_tcp", "endpoint", "(none)", "The same over TCP: `tcp://host:port`, encrypted, only for authorized keys."},
    {"authorized_keys", "path", "(none)",
     "Who may use control_tcp: one line a key, `operator tk1… NAME` or `reader tk1… NAME`."},
    {"workers", "number", "0", "Threads that run actors. 0 means one a core."},
    {"stop_grace", "duration", "10 s", "How long a stop waits for calls in progress and for acknowledgements."},
    {"limits.memory_max", "size", "64 MiB", "The most memory that a manifest may ask for."},
    {"limits.instances_max", "number", "16000",
     "Actors that have an instance at once. When more are wanted, those that have been idle for longest are "
     "passivated."},
    {"limits.actors_max", "number", "1000000",
     "Actors that are registered at once, passivated ones included; further spawns are refused."},
    {"limits.passivate_after", "duration", "5 min",
     "Actors that have had nothing to do for this long (at most twice as long) give up their instance and keep their "
     "state, unless their manifest says otherwise. `0 s` means never."},
};
constexpr ConfigKey kLastKeys[] = {
    {"receipts", "path", "theater-receipts",
     "A folder of this node alone, where the newest receipt of each auditor is kept: so that one that lost what it "
     "signed is noticed. Made if it isn't there."},
    {"modules.folder", "path", "(none)",
     "A folder of this node alone, where compiled packages are kept for its next start. Made if it isn't there."},
    {"modules.max", "size", "1 GiB", "How much that folder may hold; what wasn't used for longest goes first."},
    {"log.format", "string", "text",
     "text: a line for people; json: an object a line, with the actor's id and the event's hash."},
    {"log.file", "path", "(none)", "A file for the log, instead of stderr."},
    {"log.file_max", "size", "64 MiB", "A log file that would become larger is renamed to FILE.1, FILE.1 to FILE.2, …"},
    {"log.files", "number", "3", "Log files that are kept; the oldest one goes when another is begun."},
    {"metrics.listen", "address", "(none)",
     "Where /metrics and /healthz are served over HTTP, to whoever asks: `127.0.0.1:9464`."},
    {"auditor[].name", "string", "(required)", "How messages call this auditor."},
    {"auditor[].data", "endpoint", "(required)", "The auditor's `data`: `tcp://host:port`."},
    {"auditor[].control", "endpoint", "(required)", "The auditor's `control`: `tcp://host:port`."},
    {"auditor[].key", "key", "(required)", "The auditor's public key: `tk1…`, or the path of a file that holds it."},
    {"auditor[].window", "size", "8 MiB", "The node's own cap on what this auditor hasn't acknowledged yet."},
    {"auditor[].actors", "string", "all",
     "Whose chains it takes: all, or name:PATTERN with * ? and [] as in a shell. The node's own goes to those that "
     "take "
     "all; there must be one."},
};

AuditorLink read_auditor(const Config::Table& table, const std::string& path) {
  AuditorLink link;
  link.name = table.required_text("name");
  if (const auto checked = check_auditor_name(link.name); !link.name.empty() && !checked.ok()) {
    table.fail("name", checked.error().message);
  }
  link.data = table.required_text("data");
  link.control = table.required_text("control");
  link.window_bytes = table.size_bytes("window", 8u << 20, bus::Outbox::kWindowMin, bus::Outbox::kWindowMax);
  const auto actors = node::ActorFilter::parse(table.text("actors", "all"));
  if (!actors.ok()) {
    table.fail("actors", actors.error().message);
  } else if (actors->names_actor()) {
    table.fail("actors", "an actor's id isn't known before it lives: theater subscription add takes one, a file can't");
  } else {
    link.actors = *actors;
  }
  if (auto checked = bus::check_tcp_endpoint(link.data); !checked.ok()) table.fail("data", checked.error().message);
  if (auto checked = bus::check_tcp_endpoint(link.control); !checked.ok())
    table.fail("control", checked.error().message);
  const auto key = table.required_text("key");
  if (key.empty()) return link;
  auto keys = read_public_key(key.starts_with("tk1") ? key : beside(path, key));
  if (keys.ok()) {
    link.key = *keys;
  } else {
    table.fail("key", keys.error().message);
  }
  return link;
}

// Whoever counts auditors must not count one twice.
void check_beside(const Config::Table& table, const AuditorLink& link, const std::vector<AuditorLink>& above) {
  for (const auto& other : above) {
    if (other.name == link.name) {
      table.fail("name", str_cat("there is another auditor called '", link.name, "' above"));
    } else if (link.key != bus::PublicKeys{} && other.key.shares_a_key_with(link.key)) {
      table.fail("key", str_cat("that is the key of auditor '", other.name,
                                "' above; one auditor is named once, however many endpoints it has"));
    }
  }
}

void read_control(const Config::Table& root, const std::string& path, NodeConfig& config) {
  config.control = root.text("control", "unix:theater-node.sock");
  if (auto made = unix_endpoint_beside(path, config.control); made.ok()) {
    config.control = *made;
  } else {
    root.fail("control", made.error().message);
  }
  config.control_tcp = root.text("control_tcp");
  if (const auto file = root.optional_text("authorized_keys")) config.authorized_keys = beside(path, *file);
  if (config.control_tcp.empty()) return;
  if (auto checked = bus::check_tcp_endpoint(config.control_tcp); !checked.ok()) {
    root.fail("control_tcp", checked.error().message);
  }
  if (config.authorized_keys.empty()) root.fail("control_tcp", "control_tcp needs authorized_keys: who may connect");
}

}  // namespace

Result<void> check_auditor_name(const std::string& name) {
  if (node::is_actor_name(name)) return Ok{};
  return Error{ErrorCode::kInvalid, str_cat(quote(name), " is no name: 1 to ", node::kActorNameMax,
                                            " of the characters a-z A-Z 0-9 - _ . are expected")};
}

std::span<const ConfigKey> node_config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all(std::begin(kFirstKeys), std::end(kFirstKeys));
    for (const auto& key : node::policy_keys()) all.push_back({key.key, key.type, key.otherwise, key.meaning});
    all.insert(all.end(), std::begin(kLastKeys), std::end(kLastKeys));
    return all;
  }();
  return keys;
}

Result<NodeConfig> parse_node_config(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const auto file, Config::parse(text, path));
  const auto root = file.root();
  NodeConfig config;
  config.text = text;
  config.name = root.text("name", "node");
  config.key = beside(path, root.required_text("key"));
  read_control(root, path, config);
  config.workers = root.number("workers", 0, 0, 1024);
  config.stop_grace_ms = root.duration_ms("stop_grace", 10'000, 0, 3'600'000);
  const auto limits = root.table("limits");
  config.memory_max_bytes =
      limits ? limits->size_bytes("memory_max", 64u << 20, 64u << 10, uint64_t{4} << 30) : uint64_t{64} << 20;
  config.instances_max = limits ? limits->number("instances_max", 16'000, 1, 1'000'000) : 16'000;

  config.actors_max = limits ? limits->number("actors_max", node::kActorsMax, 1, 100'000'000) : node::kActorsMax;
  config.passivate_after_ms =
      limits ? limits->duration_ms("passivate_after", node::kPassivateAfterMs, 0, kYearMs) : node::kPassivateAfterMs;
  config.policy = node::read_policy(root, config.memory_max_bytes);
  config.receipts_folder = beside(path, root.text("receipts", "theater-receipts"));
  config.modules_bytes_max = uint64_t{1} << 30;
  if (const auto modules = root.table("modules")) {
    if (const auto folder = modules->optional_text("folder")) config.modules_folder = beside(path, *folder);
    config.modules_bytes_max = modules->size_bytes("max", config.modules_bytes_max, 1 << 20, uint64_t{1} << 40);
  }
  config.log = read_log_config(root, path);
  config.metrics = read_metrics_config(root);

  for (const auto& table : root.tables("auditor")) {
    const auto link = read_auditor(table, path);
    check_beside(table, link, config.auditors);
    config.auditors.push_back(link);
  }
  if (config.auditors.empty()) {
    root.fail(
        "auditor",
        "a node hands its chains to auditors, and none is named: add [[auditor]] with name, data, control and key");
  }
  const auto takes_all = [](const AuditorLink& link) { return link.actors.takes_all(); };
  if (!config.auditors.empty() && std::ranges::none_of(config.auditors, takes_all)) {
    root.fail("auditor",
              "every auditor takes some actors' chains only, and the node's own must go to one: leave out "
              "`actors` with one of them");
  }
  TRY(file.finish());
  return config;
}

Result<NodeConfig> load_node_config(const std::string& path) {
  TRY_ASSIGN(const auto text, read_file(path, Config::kTextMax));
  return parse_node_config(as_text(text), path);
}

}  // namespace theater::cli
