// theater auditor start|check
#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "bus/loop.h"
#include "cli/auditor_config.h"
#include "cli/auditor_metrics.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/daemon_log.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "persist/auditor.h"
#include "persist/chain_reader.h"

namespace theater::cli {
namespace {

constexpr uint64_t kGoodbyeGraceMs = 2'000;
constexpr int kStatusIntervalMs = 1'000;

struct Options {
  std::string config;
  bool json = false;
};

// Everything that runs in an auditor's process, stopped in the order that loses nothing: what arrived is made durable
// and acknowledged before the sockets close.
struct Running {
  std::unique_ptr<persist::Auditor> auditor;
  std::unique_ptr<bus::Loop> loop;  // goes first: it calls the auditor

  ~Running() { stop(); }
  void stop() {
    if (auditor) auditor->stop();
    if (loop) loop->stop(kGoodbyeGraceMs);
  }
};

Result<void> begin(Running& running, const AuditorConfig& config, const bus::SecretKeys& keys, Clock& clock,
                   Random& random, const Log& log) {
  bus::LoopOptions looping;
  looping.keys = &keys;
  looping.identity = keys.public_keys().identity;
  looping.name = "auditor";
  looping.clock = &clock;
  looping.random = &random;
  looping.log = log;
  TRY_ASSIGN(running.loop, bus::make_loop(std::move(looping)));
  persist::AuditorOptions options;
  options.store_path = config.store;
  options.window_bytes = config.window_bytes;
  options.batch_bytes = config.batch_bytes;
  options.limits = config.limits;
  options.clock = &clock;
  options.keys = &keys;
  options.log = log;
  options.reply = [loop = running.loop.get()](const bus::CurveKey& peer, Bytes message) {
    loop->reply(peer, std::move(message));
  };
  options.backfill_interval_ms = config.backfill_interval_ms;
  for (const auto& peer : config.peers) {
    options.peers.push_back(persist::make_remote_peer({peer.name, peer.endpoint, peer.key, config.key}));
  }
  TRY_ASSIGN(running.auditor, persist::start_auditor(std::move(options)));
  for (const auto& endpoint : {config.serve, config.serve_tcp}) {
    if (endpoint.empty()) continue;
    TRY(running.loop->serve({.endpoint = endpoint, .authorized_keys_file = config.authorized_keys},
                            running.auditor->service()));
  }
  return running.loop->listen(
      {.data_endpoint = config.data,
       .control_endpoint = config.control,
       .authorized_keys_file = config.authorized_keys},
      [auditor = running.auditor.get()](bus::Inbound message) { return auditor->offer(std::move(message)); });
}

// Until a signal; says once when the store can't be written and once when it can again.
int watch(StopSignals& signals, const persist::Auditor& auditor, const Log& log) {
  std::string last_error;
  while (!signals.received()) {
    signals.wait(kStatusIntervalMs);
    const auto status = auditor.status();
    if (status.last_error == last_error) continue;
    last_error = status.last_error;
    log(last_error.empty() ? "acknowledging again" : "nothing is acknowledged: " + last_error);
  }
  return *signals.received();
}

// What is missing here is missing there, too, if the peer is this auditor.
Result<std::string> check_peers(const AuditorConfig& config, const bus::PublicKeys& own) {
  std::string names;
  for (const auto& peer : config.peers) {
    if (peer.key.shares_a_key_with(own)) {
      return Error{ErrorCode::kInvalid, str_cat("peer '", peer.name, "' has this auditor's own key; take it out")};
    }
    names += str_cat(names.empty() ? "" : ", ", peer.name);
  }
  return names;
}

Result<ExitCode> start(const Options& options) {
  StopSignals signals;
  TRY_ASSIGN(const auto config, load_auditor_config(options.config));
  TRY_ASSIGN(const auto keys, bus::SecretKeys::load(config.key));
  TRY(check_peers(config, keys.public_keys()));
  TRY_ASSIGN(const auto log, daemon_log("auditor", config.log));
  SystemClock clock;
  SystemRandom random;
  Running running;
  TRY_ASSIGN(const auto door, MetricsDoor::open(config.metrics, clock));
  TRY(begin(running, config, keys, clock, random, log));
  door->serve({[&running](Metrics& metrics) { add_auditor_metrics(metrics, running.auditor->status()); },
               [&running] { return auditor_health(running.auditor->status()); }});
  log(str_cat("ready: store ", config.store, ", data ", config.data, ", control ", config.control, ", public key ",
              keys.public_keys().text()));
  const int signal = watch(signals, *running.auditor, log);
  log("stopping");
  door->stopping();
  running.stop();
  const auto status = running.auditor->status();
  log(str_cat("stopped: ", counted(status.events, "event"), " made durable in ",
              counted(status.commits, "synced write"), ", ", status.evidence,
              " recorded as evidence of something wrong"));
  return exit_code_of_signal(signal);
}

Result<std::string> check_store(const std::string& path) {
  if (!std::filesystem::exists(path)) {
    TRY(check_folder(path));
    return str_cat(path, " isn't there yet and will be made");
  }
  if (!std::filesystem::is_directory(path)) return Error{ErrorCode::kInvalid, str_cat(path, " is no folder")};
  TRY_ASSIGN(const auto reader, persist::open_chain_reader(path));
  TRY_ASSIGN(const auto chains, reader->list());
  return str_cat(path, ", ", counted(chains.size(), "chain"));
}

Result<ExitCode> check(const Options& options) {
  TRY_ASSIGN(const auto config, load_auditor_config(options.config));
  Checks checks(options.json);
  checks.add("configuration", options.config);
  checks.add("key", check_secret_keys(config.key));
  checks.add("authorized_keys", check_authorized_keys(config.authorized_keys));
  checks.add("store", check_store(config.store));
  const auto keys = bus::SecretKeys::load(config.key);
  if (keys.ok() && !config.peers.empty()) checks.add("peers", check_peers(config, keys->public_keys()));
  if (!config.serve.empty()) checks.add("serve", check_unix_socket_is_free(config.serve));
  if (!config.serve_tcp.empty()) checks.add("serve_tcp", check_port_is_free(config.serve_tcp));
  checks.add("data", check_port_is_free(config.data));
  checks.add("control", check_port_is_free(config.control));
  if (!config.metrics.empty()) checks.add("metrics", check_port_is_free("tcp://" + config.metrics));
  return checks.exit_code();
}

}  // namespace

void add_auditor_commands(Command& root) {
  Command noun = root.add("auditor", "Takes chains from nodes, verifies them and keeps them");

  auto starting = std::make_shared<Options>();
  Command verb = noun.add("start", "Runs an auditor until SIGINT or SIGTERM");
  verb.required_option("--config", starting->config, "FILE", "auditor.toml (see docs/configuration.md)");
  verb.runs([starting] { return start(*starting); });

  auto checking = std::make_shared<Options>();
  Command trying = noun.add("check", "Tests a configuration, its keys, store and ports, and starts nothing");
  trying.required_option("--config", checking->config, "FILE", "auditor.toml (see docs/configuration.md)");
  trying.flag("--json", checking->json, kJsonHelp);
  trying.runs([checking] { return check(*checking); });

  add_auditor_status(noun);
}

}  // namespace theater::cli
