// How the runtime begins and ends.
#include <algorithm>
#include <fstream>
#include <future>

#include "base/check.h"
#include "base/crypto.h"
#include "base/thread.h"
#include "node/runtime/runtime_impl.h"

namespace theater::node {

namespace {

// The program that runs right now. Zero if /proc doesn't say.
Hash hash_of_this_binary() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  if (!file) return {};
  Sha256 digest;
  std::vector<char> buffer(size_t{1} << 20);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    digest.update({reinterpret_cast<const uint8_t*>(buffer.data()), static_cast<size_t>(file.gcount())});
  }
  return digest.finish();
}

size_t worker_count(size_t asked) {
  return asked != 0 ? asked : std::max<size_t>(1, std::thread::hardware_concurrency());
}

Auditors::Outboxes node_auditors(const std::vector<Auditor>& auditors) {
  Auditors::Outboxes outboxes;
  for (const auto& auditor : auditors) {
    if (auditor.actors.takes_all()) outboxes.push_back(auditor.outbox);
  }
  return outboxes;
}

}  // namespace

RuntimeImpl::RuntimeImpl(RuntimeOptions options)
    : options_(std::move(options)), context_(std::make_shared<ActorContext>(worker_count(options_.workers))) {
  context_->auditors.begin_with(options_.auditors);
  context_->clock = options_.clock;
  context_->random = options_.random;
  context_->passivate_after_ms = options_.passivate_after_ms;
  context_->directory.set_actors_max(options_.actors_max);
  context_->listener = this;
  context_->log = options_.log;
  context_->environment = options_.environment;
  Auditors::Outboxes all;
  for (const auto& auditor : options_.auditors) all.push_back(auditor.outbox);
  context_->content->set_auditors(std::move(all));
  for (const auto& function : wasm::host_functions()) context_->handlers.push_back(find_implementation(function));

  const auto links = std::make_shared<AuditLinks>(schema::AuditMode::kStrict, 0, node_auditors(options_.auditors));
  node_chain_ = std::make_shared<NodeChain>(context_, context_->scheduler, *options_.clock, node_genesis(links->size()),
                                            std::vector<std::shared_ptr<Subscriber>>{links});
  subscriptions_ = std::make_shared<Subscriptions>(context_, *node_chain_, links, options_.bus, options_.kept_receipts);
  links->find_others_by([weak = std::weak_ptr(subscriptions_)](const ActorId&) {
    const auto subscriptions = weak.lock();
    return subscriptions == nullptr ? Auditors::Outboxes() : subscriptions->of_node_chain();
  });
  node_chain_->wake();
  refusals_ = std::make_unique<Refusals>(*node_chain_, context_->timers, *options_.clock);
  modules_ = std::make_unique<ModuleCache>(*options_.engine, *options_.clock, options_.module_files,
                                           [this](std::function<void()> work) { defer(std::move(work)); });
  boot();
  command_ = start_thread("command", [this] { run_commands(); });
}

RuntimeImpl::~RuntimeImpl() { stop(0); }

schema::Genesis RuntimeImpl::node_genesis(size_t auditors) {
  schema::Genesis genesis;
  genesis.name = options_.name;
  genesis.node = options_.identity;
  genesis.engine_profile = options_.engine->profile().hash;
  genesis.audit = {schema::AuditMode::kStrict, 0, static_cast<uint16_t>(auditors), false};
  options_.random->fill(genesis.nonce);
  return genesis;
}

void RuntimeImpl::boot() {
  using schema::Value;
  node_chain_->add(kFactBoot,
                   Value::record({{"binary", Value::string(hash_of_this_binary().hex())},
                                  {"configuration", Value::string(sha256(as_bytes(options_.config_text)).hex())},
                                  {"version", Value::string(THEATER_VERSION)}}));
}

void RuntimeImpl::for_each_actor(const std::function<void(Actor&)>& what) {
  for (const auto& actor : context_->directory.starting()) actor->post_always(what);
  for (const auto& actor : context_->directory.awake()) actor->post_always(what);
}

// Those that are laid down end like all others: each is made again, some at a time, so that a million of them take no
// more room than a few thousand. False if the auditors have no room for that; what is left keeps its chain open.
bool RuntimeImpl::stop_laid_down(std::chrono::milliseconds patience) {
  constexpr size_t kAtOnce = 4'096;
  constexpr size_t kFewer = kAtOnce / 4;
  while (!context_->directory.raise(kAtOnce).empty()) {  // they are told by that
    if (!context_->directory.wait_until_awake(kFewer, patience)) return false;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (node_chain_->status().waiting > kAtOnce) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  return context_->directory.wait_until_awake(0, patience);
}

// Asks, then kills, then gives up: each step only for what the one before left.
bool RuntimeImpl::stop(uint64_t grace_ms) {
  // Beyond the grace: what a kill and a terminal event may take on a busy machine.
  constexpr uint64_t kAfterGraceMs = 2'000;
  std::lock_guard only_once(stop_mutex_);
  if (stopped_) return *stopped_;
  grace_ms = std::min(grace_ms, kLongestWaitMs);

  context_->directory.close();
  // Whoever has a supervisor is stopped by that, in its order.
  for_each_actor([this, grace_ms](Actor& actor) {
    const auto* parent = actor.parent();
    if (parent == nullptr || find(parent->supervisor) == nullptr) actor.stop({}, "node stop", grace_ms);
  });
  const std::chrono::milliseconds patience(grace_ms + kAfterGraceMs);
  bool clean = context_->directory.wait_until_awake(0, patience) && stop_laid_down(patience);
  if (!clean) {
    for_each_actor([](Actor& actor) {
      actor.kill({}, "node stop");
      actor.abandon_when_terminal();
    });
    context_->directory.wait_until_awake(0, std::chrono::seconds(60));
  }

  refusals_->flush();
  auto finished = std::make_shared<std::promise<void>>();
  auto finish = finished->get_future();
  node_chain_->finish("node stop", [finished] { finished->set_value(); });
  if (finish.wait_for(std::chrono::milliseconds(grace_ms + kAfterGraceMs)) != std::future_status::ready) clean = false;

  modules_->stop();
  context_->commands.push([this] { closing_ = true; });
  command_.join();
  context_->io.stop();
  context_->scheduler.stop();
  // What is left there may own actors, which own it.
  context_->directory.clear();
  while (context_->commands.pop(std::chrono::nanoseconds(0))) {
  }
  stopped_ = clean && all_clean_;
  return *stopped_;
}

Result<std::unique_ptr<Runtime>> start_runtime(RuntimeOptions options) {
  CHECK(options.engine != nullptr && options.clock != nullptr && options.random != nullptr,
        "a runtime needs an engine, a clock and a source of randomness");
  if (options.name.empty() || options.name.size() > kActorNameMax || !is_utf8(as_bytes(options.name))) {
    return Error{ErrorCode::kInvalid, str_cat("a node's name has 1 to ", kActorNameMax, " bytes of UTF-8 text")};
  }
  return std::unique_ptr<Runtime>(std::make_unique<RuntimeImpl>(std::move(options)));
}

}  // namespace theater::node
