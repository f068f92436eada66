#include "bench/node_rig.h"

#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "base/file.h"

namespace theater::bench {
namespace {

constexpr uint64_t kRequestTimeoutMs = 600'000;
constexpr uint64_t kStopGraceMs = 10'000;

// Starts something that answers by callback, and waits for the answer.
template <typename T, typename Start>
Result<T> wait_for(Start&& start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  start([promise](Result<T> result) { promise->set_value(std::move(result)); });
  return future.get();
}

schema::Origin origin() { return schema::Operator{}; }

}  // namespace

Result<Package> load_example(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string folder = (self.parent_path().parent_path() / "examples" / name).string();
  Package package;
  TRY_ASSIGN(const Bytes manifest, read_file(folder + "/manifest.toml"));
  // A million calls may take longer than they usually may, where the disk is slow.
  package.manifest = str_cat(as_text(manifest), "\n[limits]\ncall_timeout = \"1 h\"\nwait_timeout = \"1 h\"\n");
  TRY_ASSIGN(package.module, read_file(str_cat(folder, "/", name, ".wasm")));
  return package;
}

Result<std::unique_ptr<NodeRig>> NodeRig::start(const Options& options) {
  auto rig = std::unique_ptr<NodeRig>(new NodeRig);
  wasm::EngineOptions engine_options;
  engine_options.instances_max = options.instances_max;
  TRY_ASSIGN(rig->engine_, wasm::make_wasmtime_engine(engine_options));

  node::RuntimeOptions runtime_options;
  runtime_options.engine = rig->engine_.get();
  runtime_options.clock = &rig->clock_;
  runtime_options.random = &rig->random_;
  runtime_options.name = "bench";
  if (!options.modules_folder.empty()) {
    TRY_ASSIGN(
        runtime_options.module_files,
        node::ModuleFiles::open({options.modules_folder, uint64_t{1} << 30, {}, rig->engine_->profile().hash, {}}));
  }
  runtime_options.actors_max = 2 * node::kActorsMax;
  // No log: a guest's lines would come by it, and printing them isn't what is measured.
  if (options.auditor != nullptr) {
    const bus::SecretKeys& keys = options.auditor->node_keys();
    bus::LoopOptions loop_options;
    loop_options.keys = &keys;
    loop_options.identity = keys.public_keys().identity;
    loop_options.clock = &rig->clock_;
    loop_options.random = &rig->random_;
    TRY_ASSIGN(rig->loop_, bus::make_loop(std::move(loop_options)));
    TRY_ASSIGN(rig->outbox_, rig->loop_->dial(options.auditor->dial_options()));
    runtime_options.identity = keys.public_keys().identity;
    runtime_options.auditors = {rig->outbox_};
    if (options.second_auditor != nullptr) {
      bus::DialOptions second = options.second_auditor->dial_options();
      second.name = "bench-2";
      TRY_ASSIGN(rig->second_outbox_, rig->loop_->dial(std::move(second)));
      runtime_options.auditors.push_back(rig->second_outbox_);
    }
  }
  TRY_ASSIGN(rig->runtime_, node::start_runtime(std::move(runtime_options)));
  return rig;
}

NodeRig::~NodeRig() {
  if (runtime_ != nullptr) runtime_->stop(kStopGraceMs);
  if (loop_ != nullptr) loop_->stop(kStopGraceMs);
}

Result<ActorId> NodeRig::spawn(const Package& package, std::shared_ptr<node::Subscriber> subscriber,
                               uint64_t* told_ns) {
  node::SpawnRequest request;
  request.manifest = package.manifest;
  request.package = package.module;
  request.requested_by = origin();
  if (subscriber != nullptr) request.subscribers.push_back(std::move(subscriber));
  auto info = wait_for<node::ActorInfo>([&](auto done) {
    runtime_->spawn(std::move(request), [this, told_ns, done = std::move(done)](Result<node::ActorInfo> result) {
      if (told_ns != nullptr) *told_ns = clock_.monotonic_ns();
      done(std::move(result));
    });
  });
  if (!info.ok()) return std::move(info).error();
  return info->id;
}

Result<ActorId> NodeRig::spawn(node::Bundle bundle) {
  node::SpawnRequest request;
  static_cast<node::Bundle&>(request) = std::move(bundle);
  request.requested_by = origin();
  TRY_ASSIGN(const auto info,
             wait_for<node::ActorInfo>([&](auto done) { runtime_->spawn(std::move(request), std::move(done)); }));
  return info.id;
}

Result<void> NodeRig::burst(const ActorId& actor, uint64_t calls, bool durable) {
  TRY(wait_for<std::optional<Bytes>>([&](auto done) {
    runtime_->request(actor, to_bytes(str_cat(calls)), origin(), kRequestTimeoutMs, durable, std::move(done));
  }));
  return Ok{};
}

Result<void> NodeRig::burst_in_turn(const std::vector<ActorId>& actors, uint64_t calls, size_t in_flight) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    size_t running = 0;
    std::optional<Error> error;
  };
  auto shared = std::make_shared<Shared>();
  const Bytes message = to_bytes(str_cat(calls));
  std::unique_lock lock(shared->mutex);
  for (const ActorId& actor : actors) {
    shared->changed.wait(lock, [&] { return shared->running < in_flight || shared->error; });
    if (shared->error) break;
    ++shared->running;
    lock.unlock();
    runtime_->request(actor, message, origin(), kRequestTimeoutMs, false,
                      [shared](const Result<std::optional<Bytes>>& result) {
                        std::lock_guard callback_lock(shared->mutex);
                        --shared->running;
                        if (!result.ok() && !shared->error) shared->error = result.error();
                        shared->changed.notify_one();
                      });
    lock.lock();
  }
  shared->changed.wait(lock, [&] { return shared->running == 0; });
  if (shared->error) return *shared->error;
  return Ok{};
}

Result<std::optional<Bytes>> NodeRig::request(const ActorId& actor, const std::string& message, uint64_t* told_ns) {
  return wait_for<std::optional<Bytes>>([&](const auto& done) {
    runtime_->request(actor, to_bytes(message), origin(), kRequestTimeoutMs, false,
                      [this, told_ns, done](Result<std::optional<Bytes>> answer) {
                        if (told_ns != nullptr) *told_ns = clock_.monotonic_ns();
                        done(std::move(answer));
                      });
  });
}

Result<void> NodeRig::wait_until_at_rest() {
  for (uint64_t waited_ms = 0; waited_ms < kRequestTimeoutMs; ++waited_ms) {
    const auto counts = runtime_->counts();
    if (counts.laid_down == counts.registered && counts.starting == 0) return Ok{};
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return Error{ErrorCode::kDeadline, "some actor isn't passivated"};
}

Result<double> NodeRig::spawn_many(const Package& package, size_t count, size_t in_flight, bool stay) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    size_t running = 0;
    std::optional<Error> error;
  };
  auto shared = std::make_shared<Shared>();
  const auto over = [shared](const Error* error) {
    std::lock_guard lock(shared->mutex);
    --shared->running;
    if (error != nullptr && !shared->error) shared->error = *error;
    shared->changed.notify_one();
  };
  const uint64_t begin_ns = clock_.monotonic_ns();
  std::unique_lock lock(shared->mutex);
  for (size_t i = 0; i < count && !shared->error; ++i) {
    shared->changed.wait(lock, [&] { return shared->running < in_flight; });
    ++shared->running;
    lock.unlock();
    node::SpawnRequest request;
    request.manifest = package.manifest;
    request.package = package.module;
    request.requested_by = origin();
    request.initial_state = package.initial_state;
    runtime_->spawn(std::move(request), [this, over, stay](const Result<node::ActorInfo>& actor) {
      if (!actor.ok() || stay) return over(actor.ok() ? nullptr : &actor.error());
      runtime_->kill(actor->id, origin(), "the benchmark has it",
                     [over](const Result<Ok>& killed) { over(killed.ok() ? nullptr : &killed.error()); });
    });
    lock.lock();
  }
  shared->changed.wait(lock, [&] { return shared->running == 0; });
  if (shared->error) return *shared->error;
  return static_cast<double>(clock_.monotonic_ns() - begin_ns) / 1e9;
}

Result<node::GateInfo> NodeRig::gate_of(const ActorId& actor) {
  TRY_ASSIGN(const auto info, wait_for<node::ActorInfo>([&](auto done) { runtime_->show(actor, std::move(done)); }));
  CHECK(info.gate.has_value(), "the actor isn't gated");
  return *info.gate;
}

Result<void> NodeRig::kill(const ActorId& actor) {
  TRY(wait_for<Ok>([&](auto done) { runtime_->kill(actor, origin(), "the benchmark is over", std::move(done)); }));
  return Ok{};
}

Result<void> NodeRig::wait_durable() {
  for (const auto& outbox : {outbox_, second_outbox_}) {
    if (outbox == nullptr) continue;
    auto promise = std::make_shared<std::promise<void>>();
    auto future = promise->get_future();
    outbox->when_durable([promise](bus::Durability) { promise->set_value(); });
    if (future.wait_for(std::chrono::milliseconds(kRequestTimeoutMs)) != std::future_status::ready) {
      return Error{ErrorCode::kDeadline, "the auditor didn't acknowledge everything in time"};
    }
  }
  return Ok{};
}

}  // namespace theater::bench
