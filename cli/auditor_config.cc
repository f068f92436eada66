#include "cli/auditor_config.h"

#include <set>

#include "base/config.h"
#include "base/file.h"
#include "bus/endpoint.h"
#include "cli/metrics_door.h"
#include "cli/paths.h"

namespace theater::cli {
namespace {

constexpr ConfigKey kKeys[] = {
    {"store", "path", "theater-data", "Folder of the store. Made if it isn't there."},
    {"key", "path", "(required)", "The auditor's secret keys, as made by `theater keys new`. Mode 0600."},
    {"data", "endpoint", "tcp://127.0.0.1:7401", "Where nodes push their events to."},
    {"control", "endpoint", "tcp://127.0.0.1:7402", "Where nodes take acknowledgements from."},
    {"authorized_keys", "path", "(required)",
     "Who may connect: one line a key, `node tk1… NAME`; for serve_tcp `auditor` and `reader`. Read again when it "
     "changes."},
    {"serve", "endpoint", "(none)", "The Unix socket that `theater auditor status` talks to: `unix:PATH`. Mode 0600."},
    {"serve_tcp", "endpoint", "(none)",
     "Where other auditors ask for what they miss: `tcp://host:port`, encrypted, only for authorized keys."},
    {"backfill_interval", "duration", "5 s", "How often it asks its peers for events that are missing here."},
    {"window", "size", "8 MiB", "How many unacknowledged bytes each node may have in flight."},
    {"batch", "size", "1 MiB", "The most that one synced write to the store takes."},
    {"limits.open_chains", "number", "10000000",
     "Chains of one node that haven't ended; with more of them its link is refused."},
    {"limits.unreferenced", "size", "4 GiB",
     "Bytes of blobs from one node, whole or not, that no event refers to, and of its frames that are kept as "
     "evidence; with more of them its link is refused, and further frames are counted and not kept."},
    {"log.format", "string", "text",
     "text: a line for people; json: an object a line, with the actor's id and the event's hash."},
    {"log.file", "path", "(none)", "A file for the log, instead of stderr."},
    {"log.file_max", "size", "64 MiB", "A log file that would become larger is renamed to FILE.1, FILE.1 to FILE.2, …"},
    {"log.files", "number", "3", "Log files that are kept; the oldest one goes when another is begun."},
    {"metrics.listen", "address", "(none)",
     "Where /metrics and /healthz are served over HTTP, to whoever asks: `127.0.0.1:9464`."},
    {"peer[].name", "string", "(required)",
     "How messages call this auditor, which is asked for events that are missing here."},
    {"peer[].endpoint", "endpoint", "(required)", "Its `serve_tcp`: `tcp://host:port`."},
    {"peer[].key", "key", "(required)", "Its public key: `tk1…`, or the path of a file that holds it."},
};

AuditorConfig::Peer read_peer(const Config::Table& table, const std::string& path) {
  AuditorConfig::Peer peer;
  peer.name = table.required_text("name");
  peer.endpoint = table.required_text("endpoint");
  if (auto checked = bus::check_tcp_endpoint(peer.endpoint); !peer.endpoint.empty() && !checked.ok()) {
    table.fail("endpoint", checked.error().message);
  }
  const auto key = table.required_text("key");
  if (key.empty()) return peer;
  auto keys = read_public_key(key.starts_with("tk1") ? key : beside(path, key));
  if (keys.ok()) {
    peer.key = *keys;
  } else {
    table.fail("key", keys.error().message);
  }
  return peer;
}

void read_serving(const Config::Table& root, const std::string& path, AuditorConfig& config) {
  config.serve = root.text("serve");
  if (!config.serve.empty()) {
    if (auto made = unix_endpoint_beside(path, config.serve); made.ok()) {
      config.serve = *made;
    } else {
      root.fail("serve", made.error().message);
    }
  }
  config.serve_tcp = root.text("serve_tcp");
  if (config.serve_tcp.empty()) return;
  if (auto checked = bus::check_tcp_endpoint(config.serve_tcp); !checked.ok()) {
    root.fail("serve_tcp", checked.error().message);
  }
}

// One after the other could listen there, and the last one couldn't.
void check_apart(const Config::Table& root, const AuditorConfig& config) {
  const std::string metrics = config.metrics.empty() ? "" : "tcp://" + config.metrics;
  const std::pair<const char*, const std::string&> doors[] = {
      {"data", config.data}, {"control", config.control}, {"serve_tcp", config.serve_tcp}, {"metrics", metrics}};
  for (auto at = std::begin(doors); at != std::end(doors); ++at) {
    for (auto before = std::begin(doors); before != at; ++before) {
      if (at->second.empty() || at->second != before->second) continue;
      root.fail(at->first, str_cat("that is the endpoint of `", before->first, "` already: each needs its own port"));
    }
  }
}

}  // namespace

std::span<const ConfigKey> auditor_config_keys() { return kKeys; }

Result<AuditorConfig> parse_auditor_config(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const auto file, Config::parse(text, path));
  const auto root = file.root();
  AuditorConfig config;
  config.store = beside(path, root.text("store", "theater-data"));
  config.key = beside(path, root.required_text("key"));
  config.data = root.text("data", "tcp://127.0.0.1:7401");
  config.control = root.text("control", "tcp://127.0.0.1:7402");
  config.authorized_keys = beside(path, root.required_text("authorized_keys"));
  config.window_bytes = root.size_bytes("window", 8u << 20, 64u << 10, uint64_t{1} << 30);
  config.batch_bytes = root.size_bytes("batch", 1u << 20, 4u << 10, 64u << 20);
  if (const auto limits = root.table("limits")) {
    config.limits.open_chains = limits->number("open_chains", config.limits.open_chains, 1, UINT64_MAX / 2);
    config.limits.loose_bytes =
        limits->size_bytes("unreferenced", config.limits.loose_bytes, 1u << 20, uint64_t{1} << 50);
  }
  for (const auto key : {"data", "control"}) {
    const auto& endpoint = key == std::string_view("data") ? config.data : config.control;
    if (auto checked = bus::check_tcp_endpoint(endpoint); !checked.ok()) root.fail(key, checked.error().message);
  }
  read_serving(root, path, config);
  config.backfill_interval_ms = root.duration_ms("backfill_interval", 5'000, 100, 86'400'000);
  std::set<std::string> names;
  for (const auto& table : root.tables("peer")) {
    config.peers.push_back(read_peer(table, path));
    const auto& name = config.peers.back().name;
    if (!names.insert(name).second) table.fail("name", str_cat("there is another peer called '", name, "' above"));
  }
  config.log = read_log_config(root, path);
  config.metrics = read_metrics_config(root);
  check_apart(root, config);
  TRY(file.finish());
  return config;
}

Result<AuditorConfig> load_auditor_config(const std::string& path) {
  TRY_ASSIGN(const auto text, read_file(path, Config::kTextMax));
  return parse_auditor_config(as_text(text), path);
}

}  // namespace theater::cli
