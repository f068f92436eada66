// theater node start|check, and the noun.
#include <atomic>
#include <memory>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/environment.h"
#include "base/random.h"
#include "bus/loop.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/daemon_log.h"
#include "cli/manifest_file.h"
#include "cli/node_config.h"
#include "cli/node_metrics.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/version.h"
#include "node/control/control.h"
#include "node/runtime/runtime.h"
#include "wasm/engine.h"

namespace theater::cli {
namespace {

constexpr int kStatusIntervalMs = 1'000;
constexpr uint64_t kErrorGraceMs = 1'000;

struct Options {
  std::string config;
  std::vector<std::string> manifests;
  bool json = false;
};

// What answers at the control endpoint: it is there first, because who holds the endpoint is the node; until the
// runtime is up it says so.
class FrontDoor final : public bus::ControlHandler {
 public:
  void open(bus::ControlHandler& inside, node::Runtime& runtime) {
    inside_ = &inside;
    std::lock_guard lock(mutex_);
    runtime_ = &runtime;
    for (const auto& [key, added] : keys_) runtime.note_key(key, added);
    keys_.clear();
  }
  void on_key(const bus::AuthorizedKey& key, bool added) {
    std::lock_guard lock(mutex_);
    if (runtime_ != nullptr) return runtime_->note_key(key, added);
    keys_.emplace_back(key, added);
  }
  void handle(const bus::ControlPeer& peer, bus::ControlRequest request,
              std::shared_ptr<bus::Responder> responder) override {
    if (auto* inside = inside_.load()) return inside->handle(peer, std::move(request), std::move(responder));
    bus::ControlResponse answer;
    answer.error = Error{ErrorCode::kUnavailable, "the node is starting; try again"};
    responder->respond(std::move(answer));
  }

 private:
  std::atomic<bus::ControlHandler*> inside_{nullptr};
  std::mutex mutex_;  // guards what follows
  node::Runtime* runtime_ = nullptr;
  std::vector<std::pair<bus::AuthorizedKey, bool>> keys_;  // to be told; bounded by the file's size
};

// Everything that runs in a node's process. The bus thread calls the handler, which calls the runtime: they go in the
// opposite order.
struct Running {
  std::unique_ptr<wasm::Engine> engine;
  std::unique_ptr<node::Runtime> runtime;
  std::unique_ptr<bus::ControlHandler> handler;
  FrontDoor door;
  std::unique_ptr<bus::Loop> loop;

  ~Running() { (void)stop(kErrorGraceMs); }

  // Actors first, then everything durable, then the sockets. Says what didn't work out. Idempotent.
  Result<void> stop(uint64_t grace_ms) {
    const bool actors_stopped = runtime == nullptr || runtime->stop(grace_ms);
    const bool all_durable = loop == nullptr || loop->stop(grace_ms);
    if (!all_durable) {
      return Error{ErrorCode::kDeadline,
                   "stopped, but the newest events weren't acknowledged as durable, and are lost with this process"};
    }
    if (!actors_stopped) {
      return Error{ErrorCode::kDeadline,
                   "stopped, but not cleanly: an actor had to be killed, or an auditor had no room for the last event "
                   "of a chain"};
    }
    return Ok{};
  }
};

Result<std::vector<node::Auditor>> dial_auditors(bus::Loop& loop, const NodeConfig& config,
                                                 const bus::ReceiptFolder& receipts) {
  std::vector<node::Auditor> auditors;
  for (const auto& link : config.auditors) {
    node::Auditor auditor;
    auditor.link.name = link.name;
    auditor.link.data_endpoint = link.data;
    auditor.link.control_endpoint = link.control;
    auditor.link.server = link.key;
    auditor.link.window_bytes = link.window_bytes;
    auditor.actors = link.actors;
    TRY_ASSIGN(auditor.link.kept_receipt, receipts.read(link.name));
    TRY_ASSIGN(auditor.outbox, loop.dial(auditor.link));
    auditors.push_back(std::move(auditor));
  }
  return auditors;
}

Result<void> begin(Running& running, const NodeConfig& config, const bus::SecretKeys& keys,
                   const bus::ReceiptFolder& receipts, Clock& clock, Random& random, const Log& log) {
  wasm::EngineOptions engine;
  engine.memory_max_bytes = config.memory_max_bytes;
  engine.instances_max = static_cast<uint32_t>(config.instances_max);
  TRY_ASSIGN(running.engine, wasm::make_wasmtime_engine(engine));
  bus::LoopOptions looping;
  looping.keys = &keys;
  looping.identity = keys.public_keys().identity;
  looping.name = config.name;
  looping.clock = &clock;
  looping.random = &random;
  looping.log = log;
  TRY_ASSIGN(running.loop, bus::make_loop(std::move(looping)));
  TRY(running.loop->serve({.endpoint = config.control, .authorized_keys_file = ""}, running.door));
  if (!config.control_tcp.empty()) {
    const auto on_key = [&door = running.door](const bus::AuthorizedKey& key, bool added) { door.on_key(key, added); };
    TRY(running.loop->serve(
        {.endpoint = config.control_tcp, .authorized_keys_file = config.authorized_keys, .on_key = on_key},
        running.door));
  }
  node::RuntimeOptions options;
  TRY_ASSIGN(options.auditors, dial_auditors(*running.loop, config, receipts));
  options.bus = running.loop.get();
  options.kept_receipts = [&receipts](const std::string& auditor) { return receipts.read(auditor); };
  options.engine = running.engine.get();
  options.clock = &clock;
  options.random = &random;
  options.identity = keys.public_keys().identity;
  options.name = config.name;
  options.config_text = config.text;
  options.workers = config.workers;
  options.passivate_after_ms = config.passivate_after_ms;
  options.policy = config.policy;
  if (!config.modules_folder.empty()) {
    // Derived, so that there is no second secret to keep.
    const Hash secret = hmac_sha256(keys.identity().seed(), as_bytes("theater: compiled packages on disk"));
    TRY_ASSIGN(options.module_files, node::ModuleFiles::open({config.modules_folder, config.modules_bytes_max, secret,
                                                              running.engine->profile().hash, log}));
  }
  options.actors_max = config.actors_max;
  options.log = log;
  options.environment = process_environment();
  TRY_ASSIGN(running.runtime, node::start_runtime(std::move(options)));
  running.handler = node::make_control_handler(*running.runtime);
  running.door.open(*running.handler, *running.runtime);
  return Ok{};
}

void keep_receipt(bus::ReceiptFolder& receipts, const bus::Outbox::Status& status, const Log& log) {
  const auto kept = receipts.keep(status.auditor, status.receipt);
  if (!kept.ok()) log(str_cat("an auditor's receipt isn't kept: ", kept.error().message));
}

// Until a signal. Says once that an auditor is away, because then this node's actors wait; keeps its receipts.
int watch(StopSignals& signals, const node::Runtime& runtime, bus::ReceiptFolder& receipts, const Log& log) {
  std::set<std::string> away;
  while (!signals.received()) {
    signals.wait(kStatusIntervalMs);
    std::set<std::string> still_away;
    for (const auto& auditor : runtime.auditors()) {
      const auto& status = auditor.status;
      keep_receipt(receipts, status, log);
      if (status.connected || status.demoted) continue;  // that it is there again the bus says itself
      still_away.insert(status.auditor);
      if (away.contains(status.auditor)) continue;
      log(str_cat("waiting for auditor ", status.auditor, status.last_error.empty() ? "" : ": ", status.last_error,
                  "; actors go on when it is there"));
    }
    away = std::move(still_away);
  }
  return *signals.received();
}

Result<ExitCode> start(const Options& options) {
  StopSignals signals;
  TRY_ASSIGN(const auto config, load_node_config(options.config));
  TRY_ASSIGN(const auto keys, bus::SecretKeys::load(config.key));
  TRY_ASSIGN(const auto log, daemon_log(config.name, config.log));
  SystemClock clock;
  SystemRandom random;
  TRY_ASSIGN(auto receipts, bus::ReceiptFolder::open(config.receipts_folder));  // outlives the runtime
  Running running;
  TRY_ASSIGN(const auto door, MetricsDoor::open(config.metrics, clock));
  TRY(begin(running, config, keys, receipts, clock, random, log));
  log(str_cat("ready: control ", config.control, config.control_tcp.empty() ? "" : " and ", config.control_tcp,
              ", node's chain ", running.runtime->node_chain().short_hex(), ", public key ",
              keys.public_keys().text()));
  door->serve({[&](Metrics& metrics) {
                 add_node_metrics(metrics, running.runtime->metrics(), config.instances_max);
                 add_auditor_links(metrics, running.runtime->auditors());
               },
               [&] { return node_health(*running.runtime); }});
  const int signal = watch(signals, *running.runtime, receipts, log);
  log("stopping");
  door->stopping();
  TRY(running.stop(config.stop_grace_ms));
  for (const auto& auditor : running.runtime->auditors()) keep_receipt(receipts, auditor.status, log);
  log("stopped; everything is durable at every auditor");
  return exit_code_of_signal(signal);
}

// Whether the node's [policy] would let it run, and all its children.
Result<void> check_recipe(const node::Recipe& recipe, const node::Policy& policy) {
  TRY(node::check_policy(*recipe.manifest, policy));
  for (const auto& [id, child] : recipe.children) TRY(check_recipe(*child, policy));
  return Ok{};
}

Result<std::string> check_manifest(const std::string& path, const node::Policy& policy) {
  TRY_ASSIGN(auto file, load_manifest(path));
  TRY_ASSIGN(const auto recipe, node::make_recipe(std::move(file.bundle)));
  TRY(check_recipe(*recipe, policy));
  return str_cat(file.path, ": '", recipe->manifest->name, "' is within the policy");
}

Result<std::string> check_receipts(const NodeConfig& config) {
  TRY(check_folder(config.receipts_folder));
  const bus::ReceiptFolder folder(config.receipts_folder);
  uint64_t kept = 0;
  for (const auto& link : config.auditors) {
    TRY_ASSIGN(const auto receipt, folder.read(link.name));
    if (receipt) ++kept;
  }
  return str_cat(config.receipts_folder, ", ", counted(kept, "receipt"));
}

Result<ExitCode> check(const Options& options) {
  TRY_ASSIGN(const auto config, load_node_config(options.config));
  Checks checks(options.json);
  checks.add("configuration", options.config);
  checks.add("key", check_secret_keys(config.key));
  if (!config.authorized_keys.empty()) checks.add("authorized_keys", check_authorized_keys(config.authorized_keys));
  checks.add("control", check_unix_socket_is_free(config.control));
  if (!config.control_tcp.empty()) checks.add("control_tcp", check_port_is_free(config.control_tcp));
  checks.add("receipts", check_receipts(config));
  if (!config.modules_folder.empty()) checks.add("modules", check_folder(config.modules_folder));
  if (!config.metrics.empty()) checks.add("metrics", check_port_is_free("tcp://" + config.metrics));
  for (const auto& auditor : config.auditors) {
    checks.add("auditor", str_cat(auditor.name, " at ", auditor.data, " and ", auditor.control,
                                  auditor.actors.takes_all() ? "" : ", takes ",
                                  auditor.actors.takes_all() ? "" : auditor.actors.text()));
  }
  for (const auto& path : options.manifests) checks.add("manifest", check_manifest(path, config.policy));
  return checks.exit_code();
}

}  // namespace

void add_node_commands(Command& root) {
  Command noun = root.add("node", "Runs actors and hands their chains to auditors");

  auto starting = std::make_shared<Options>();
  Command verb = noun.add("start", "Runs a node until SIGINT or SIGTERM");
  verb.required_option("--config", starting->config, "FILE", "node.toml (see docs/configuration.md)");
  verb.runs([starting] { return start(*starting); });

  auto checking = std::make_shared<Options>();
  Command trying = noun.add("check", "Tests a configuration, its keys and ports, and starts nothing");
  trying.required_option("--config", checking->config, "FILE", "node.toml (see docs/configuration.md)");
  trying.option("--manifest", checking->manifests, "FILE",
                "A manifest to hold against the node's [policy]; may be given often");
  trying.flag("--json", checking->json, kJsonHelp);
  trying.runs([checking] { return check(*checking); });

  add_node_status(noun);
}

}  // namespace theater::cli
