// The runtime behind runtime.h. Who lives is in the directory (node/actor/directory.h); callers look there themselves
// and leave orders with actors. The command thread serves timers, and what compilers and auditors report. Internal to
// node/runtime.
#pragma once

#include <atomic>
#include <mutex>

#include "node/actor/actor.h"
#include "node/actor/manifest_cache.h"
#include "node/runtime/command_queue.h"
#include "node/runtime/module_cache.h"
#include "node/runtime/node_chain.h"
#include "node/runtime/refusals.h"
#include "node/runtime/runtime.h"
#include "node/runtime/subscriptions.h"

namespace theater::node {

class RuntimeImpl final : public Runtime, private ActorListener {
 public:
  static constexpr size_t kRequestIdMax = 256;  // bytes

  explicit RuntimeImpl(RuntimeOptions options);
  ~RuntimeImpl() override;

  NodeAbout about() const override;
  void spawn(SpawnRequest request, Callback<ActorInfo> done) override;
  void send(const ActorId& actor, Bytes message, schema::Origin origin, Callback<Ok> done) override;
  void request(const ActorId& actor, Bytes message, schema::Origin origin, uint64_t timeout_ms, bool durable,
               Callback<std::optional<Bytes>> done) override;
  void stop_actor(const ActorId& actor, schema::Origin origin, uint64_t grace_ms, Callback<Ok> done) override;
  void kill(const ActorId& actor, schema::Origin origin, std::string reason, Callback<Ok> done) override;
  void abandon(const ActorId& actor, Callback<Ok> done) override;
  void list(Callback<std::vector<ActorInfo>> done) override;
  ActorCounts counts() const override { return context_->directory.counts(); }
  void show(const ActorId& actor, Callback<ActorInfo> done) override;
  void resolve(std::string id_prefix_or_name, Callback<ActorId> done) override;
  void subscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<Ok> done) override;
  void unsubscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<bool> done) override;
  void when_ended(const ActorId& actor, Callback<ActorInfo> done) override;
  std::vector<AuditorInfo> auditors() const override;
  void add_auditor(Auditor auditor, schema::Operator by, Callback<bool> done) override {
    subscriptions_->add(std::move(auditor), by, std::move(done));
  }
  void remove_auditor(const std::string& name, schema::Operator by, Callback<RemovedAuditor> done) override {
    subscriptions_->remove(name, by, std::move(done));
  }
  void demote_auditor(const std::string& name, bool demoted, schema::Operator by, Callback<bool> done) override {
    subscriptions_->demote(name, demoted, by, std::move(done));
  }
  void note_key(const bus::AuthorizedKey& key, bool added) override;
  const ActorId& node_chain() const override { return node_chain_->id(); }
  RuntimeMetrics metrics() const override;
  void defer(std::function<void()> work) override { context_->commands.push(std::move(work)); }
  bool stop(uint64_t grace_ms) override;

 private:
  // ActorListener: called on workers.
  bool may_be_born(Actor& actor) override { return node_chain_->reserve(actor.shared_from_this()); }
  void not_born(Actor& actor, bool was_allowed) override;
  void on_born(Actor& actor, const Hash& package) override;
  void on_ended(const ActorInfo& info) override;
  void spawn_life(LifeRequest life, Callback<ActorInfo> done) override;

  // Finds the living actor and gives it an order; `done` gets the error otherwise.
  template <typename T>
  void order(const ActorId& actor, Callback<T> done, std::function<void(Actor&, const Callback<T>&)> what);
  // The same for an order that ends the actor; `done` when it has ended, or an error after `wait_ms`.
  void order_to_end(const ActorId& actor, uint64_t wait_ms, Callback<Ok> done, const Actor::Order& what);

  void run_commands();
  // Notes it if the spawn is refused, whenever that is.
  Callback<ActorInfo> noting_refusal(const LifeRequest& life, Callback<ActorInfo> done);
  struct Spawning {
    LifeRequest life;
    std::unique_ptr<Birth> birth;  // its `done` is called once
  };
  // Takes both parts if it succeeds.
  Result<void> create(std::shared_ptr<wasm::Module> module, Spawning& spawning);
  schema::Genesis node_genesis(size_t auditors);
  void boot();
  std::shared_ptr<Actor> find(const ActorId& id) const;
  static Error stopping();
  Error no_such_actor(const ActorId& id) const;
  Result<ActorId> resolve_now(const std::string& text) const;
  ActorInfo node_info() const;
  void for_each_actor(const std::function<void(Actor&)>& what);
  bool stop_laid_down(std::chrono::milliseconds patience);

  const RuntimeOptions options_;
  const std::shared_ptr<ActorContext> context_;
  std::shared_ptr<NodeChain> node_chain_;
  std::shared_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<Refusals> refusals_;
  std::unique_ptr<ModuleCache> modules_;
  ManifestCache manifests_;

  std::atomic<bool> all_clean_{true};
  bool closing_ = false;  // run_commands returns when nothing is left to do; of the command thread

  std::mutex stop_mutex_;  // serializes stop()
  std::optional<bool> stopped_;

  std::thread command_;
};

}  // namespace theater::node
