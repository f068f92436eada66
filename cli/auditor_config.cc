#include "cli/auditor_config.h"

#include "base/config.h"
#include "base/file.h"
#include "cli/metrics_door.h"
#include "cli/paths.h"

namespace theater::cli {
namespace {

constexpr ConfigKey kKeys[] = {
    {"store", "path", "theater-data", "Folder of the store. Made if it isn't there."},
    {"key", "path", "(required)", "The auditor's secret keys, as made by `theater keys new`. Mode 0600."},
    {"data", "endpoint", "tcp://127.0.0.1:7401", "Where nodes push their events to."},
    {"control", "endpoint", "tcp://127.0.0.1:7402", "Where nodes take acknowledgements from."},
    {"authorized_keys", "path", "(required)", "Who may connect: one line a node, `node tk1… NAME`."},
    {"window", "size", "8 MiB", "How many unacknowledged bytes each node may have in flight."},
    {"batch", "size", "1 MiB", "The most that one synced write to the store takes."},
    {"log.format", "string", "text",
     "text: a line for people; json: an object a line, with the actor's id and the event's hash."},
    {"log.file", "path", "(none)", "A file for the log, instead of stderr."},
    {"log.file_max", "size", "64 MiB", "A log file that would become larger is renamed to FILE.1, FILE.1 to FILE.2, …"},
    {"log.files", "number", "3", "Log files that are kept; the oldest one goes when another is begun."},
    {"metrics.listen", "address", "(none)",
     "Where /metrics and /healthz are served over HTTP, to whoever asks: `127.0.0.1:9464`."},
};

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
  for (const auto key : {"data", "control"}) {
    const auto& endpoint = key == std::string_view("data") ? config.data : config.control;
    if (auto checked = check_tcp_endpoint(endpoint); !checked.ok()) root.fail(key, checked.error().message);
  }
  config.log = read_log_config(root, path);
  config.metrics = read_metrics_config(root);
  TRY(file.finish());
  return config;
}

Result<AuditorConfig> load_auditor_config(const std::string& path) {
  TRY_ASSIGN(const auto text, read_file(path, Config::kTextMax));
  return parse_auditor_config(as_text(text), path);
}

}  // namespace theater::cli
