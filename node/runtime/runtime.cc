#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/crypto.h"
#include "node/runtime/runtime_impl.h"

namespace theater::node {

namespace {

// What stands in an event must be UTF-8 and short, and this comes from anywhere.
Result<void> check_origin(const schema::Origin& origin) {
  const auto* from = std::get_if<schema::Operator>(&origin);
  if (from == nullptr) return Ok{};
  if (from->request_id.size() <= RuntimeImpl::kRequestIdMax && is_utf8(as_bytes(from->request_id))) return Ok{};
  return Error{ErrorCode::kInvalid,
               str_cat("a request id is at most ", RuntimeImpl::kRequestIdMax, " bytes of UTF-8 text")};
}

}  // namespace

// --- what callers see: everything is done on the caller's thread, under short locks, or handed to the actor ---

template <typename T>
void RuntimeImpl::order(const ActorId& actor, Callback<T> done, std::function<void(Actor&, const Callback<T>&)> what) {
  const auto found = find(actor);
  if (found == nullptr) return done(no_such_actor(actor));
  if (found->post([what = std::move(what), done](Actor& self) { what(self, done); })) return;
  done(Error{ErrorCode::kUnavailable, "too many orders wait for this actor; try again"});
}

NodeAbout RuntimeImpl::about() const {
  return NodeAbout{options_.name, THEATER_VERSION, options_.identity, options_.engine->profile().hash};
}

void RuntimeImpl::send(const ActorId& actor, Bytes message, schema::Origin origin, Callback<Ok> done) {
  if (auto checked = check_origin(origin); !checked.ok()) return done(std::move(checked).error());
  const auto found = find(actor);
  if (found == nullptr) return done(no_such_actor(actor));
  auto offered = found->offer(make_message("operator", std::move(message), std::move(origin), nullptr));
  if (!offered.ok()) return done(std::move(offered).error());
  done(Ok{});
}

void RuntimeImpl::request(const ActorId& actor, Bytes message, schema::Origin origin, uint64_t timeout_ms, bool durable,
                          Callback<std::optional<Bytes>> done) {
  if (auto checked = check_origin(origin); !checked.ok()) return done(std::move(checked).error());
  const auto found = find(actor);
  if (found == nullptr) return done(no_such_actor(actor));
  const auto reply = std::make_shared<Reply>(std::move(done));
  reply->durable = durable;
  reply->from_outside = true;
  if (timeout_ms != 0) {
    const auto timer = context_->timers.make_id(after_ms(options_.clock->monotonic_ns(), timeout_ms));
    reply->on_answer = [context = context_.get(), timer] { context->timers.cancel(timer); };
    context_->timers.set(timer, [reply, timeout_ms] {
      reply->expire(Error{ErrorCode::kDeadline, str_cat("no answer within ", timeout_ms,
                                                        " ms; if the actor has begun with it, it will still finish")});
    });
  }
  auto offered = found->offer(make_message("operator", std::move(message), std::move(origin), reply));
  if (!offered.ok()) reply->answer(std::move(offered).error());
}

void RuntimeImpl::order_to_end(const ActorId& actor, uint64_t wait_ms, Callback<Ok> done, const Actor::Order& what) {
  const auto found = find(actor);
  if (found == nullptr) return done(no_such_actor(actor));
  struct Waiting {
    std::atomic<bool> answered{false};
    Callback<Ok> done;
    Timers::Id timer;
  };
  auto waiting = std::make_shared<Waiting>();
  waiting->done = std::move(done);
  waiting->timer =
      context_->timers.set(after_ms(options_.clock->monotonic_ns(), wait_ms), [waiting, weak = std::weak_ptr(found)] {
        if (waiting->answered.exchange(true)) return;
        const auto self = weak.lock();
        const std::string room = self == nullptr ? "room" : self->info().waits_for;
        waiting->done(
            Error{ErrorCode::kUnavailable,
                  str_cat("the actor is dead, but its terminal event waits for ", room,
                          "; it will be emitted when there is room, or give it up: theater actor kill --abandon")});
      });
  const bool posted = found->post([this, what, waiting](Actor& self) {
    what(self);
    self.when_ended([this, waiting](const Result<ActorInfo>&) {
      if (waiting->answered.exchange(true)) return;
      context_->timers.cancel(waiting->timer);
      waiting->done(Ok{});
    });
  });
  if (posted || waiting->answered.exchange(true)) return;
  context_->timers.cancel(waiting->timer);
  waiting->done(Error{ErrorCode::kUnavailable, "too many orders wait for this actor; try again"});
}

void RuntimeImpl::stop_actor(const ActorId& actor, schema::Origin origin, uint64_t grace_ms, Callback<Ok> done) {
  if (auto checked = check_origin(origin); !checked.ok()) return done(std::move(checked).error());
  order_to_end(actor, std::min(grace_ms, kLongestWaitMs) + kEndPatienceMs, std::move(done),
               [origin = std::move(origin), grace_ms](Actor& self) { self.stop(origin, "stop", grace_ms); });
}

void RuntimeImpl::kill(const ActorId& actor, schema::Origin origin, std::string reason, Callback<Ok> done) {
  if (auto checked = check_origin(origin); !checked.ok()) return done(std::move(checked).error());
  order_to_end(actor, kEndPatienceMs, std::move(done),
               [origin = std::move(origin), reason](Actor& self) { self.kill(origin, reason); });
}

void RuntimeImpl::abandon(const ActorId& actor, Callback<Ok> done) {
  if (find(actor) == nullptr && context_->directory.find_ended(actor)) return done(Ok{});
  order<Ok>(actor, std::move(done), [](Actor& self, const Callback<Ok>& callback) {
    if (!self.is_ending()) {
      return callback(Error{ErrorCode::kRefused, str_cat("'", self.name(), "' is alive; kill it first")});
    }
    self.abandon_when_terminal();
    self.when_ended([callback](const Result<ActorInfo>&) { callback(Ok{}); });
  });
}

void RuntimeImpl::list(Callback<std::vector<ActorInfo>> done) {
  auto registered = context_->directory.infos(kListMax);  // first, so that none that ends between is missed
  auto all = context_->directory.ended();
  std::unordered_set<ActorId> listed;
  for (const auto& info : all) listed.insert(info.id);
  for (auto& info : registered) {
    if (all.size() < kListMax && !listed.contains(info.id)) all.push_back(std::move(info));
  }
  done(std::move(all));
}

void RuntimeImpl::show(const ActorId& actor, Callback<ActorInfo> done) {
  if (auto info = context_->directory.info(actor)) {
    if (info->strategy.empty()) return done(std::move(*info));
    return defer([this, info = std::move(*info), done = std::move(done)]() mutable {
      info.children = context_->directory.children_of(info.id);
      done(std::move(info));
    });
  }
  if (auto ended = context_->directory.find_ended(actor)) return done(std::move(*ended));
  if (actor == node_chain_->id()) return done(node_info());
  done(no_such_actor(actor));
}

void RuntimeImpl::resolve(std::string id_prefix_or_name, Callback<ActorId> done) {
  done(resolve_now(id_prefix_or_name));
}

void RuntimeImpl::subscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<Ok> done) {
  if (actor == node_chain_->id()) {
    return node_chain_->post([subscriber, done](Chain& chain) {
      chain.add(subscriber);
      done(Ok{});
    });
  }
  order<Ok>(actor, std::move(done), [subscriber](Actor& self, const Callback<Ok>& callback) {
    self.chain().add(subscriber);
    callback(Ok{});
  });
}

// From an actor that has ended, none is removed: its chain let go of all of them.
void RuntimeImpl::unsubscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<bool> done) {
  if (actor == node_chain_->id()) {
    return node_chain_->post([subscriber, done](Chain& chain) { done(chain.remove(*subscriber)); });
  }
  if (find(actor) == nullptr) return done(false);
  order<bool>(actor, std::move(done), [subscriber](Actor& self, const Callback<bool>& callback) {
    callback(self.chain().remove(*subscriber));
  });
}

std::vector<AuditorInfo> RuntimeImpl::auditors() const {
  std::vector<AuditorInfo> infos;
  for (const auto& auditor : context_->auditors.all()) {
    const auto& link = auditor->link;
    infos.push_back({auditor->actors.text(), auditor->key_text(), link.data_endpoint, link.control_endpoint,
                     link.window_bytes, auditor->configured, auditor->outbox->status()});
  }
  return infos;
}

void RuntimeImpl::note_key(const bus::AuthorizedKey& key, bool added) {
  using schema::Value;
  std::vector<Value> roles;
  for (const auto role : key.roles) roles.push_back(Value::string(bus::role_name(role)));
  node_chain_->add(added ? kFactKeyAdded : kFactKeyRemoved, Value::record({{"key", Value::string(key.keys.text())},
                                                                           {"name", Value::string(key.name)},
                                                                           {"roles", Value::list(std::move(roles))}}));
}

void RuntimeImpl::when_ended(const ActorId& actor, Callback<ActorInfo> done) {
  if (find(actor) == nullptr) {
    if (auto ended = context_->directory.find_ended(actor)) return done(std::move(*ended));
  }
  order<ActorInfo>(actor, std::move(done),
                   [](Actor& self, const Callback<ActorInfo>& callback) { self.when_ended(callback); });
}

// --- the command thread ---

void RuntimeImpl::run_commands() {
  // A clock that isn't the system's may move on its own; look again now and then.
  constexpr uint64_t kLookAgainNs = 20'000'000;
  while (!closing_) {
    context_->timers.run_due(options_.clock->monotonic_ns());
    std::optional<std::chrono::nanoseconds> wait;
    if (const auto next_ns = context_->timers.next_deadline_ns()) {
      const uint64_t now_ns = options_.clock->monotonic_ns();
      wait = std::chrono::nanoseconds(*next_ns <= now_ns ? 0 : std::min(*next_ns - now_ns, kLookAgainNs));
    }
    if (auto work = context_->commands.pop(wait)) (*work)();
  }
}

// --- spawn ---

void RuntimeImpl::spawn(SpawnRequest request, Callback<ActorInfo> done) {
  context_->counters.add_outside(Count::kSpawnRequests);
  if (context_->directory.closed()) return done(stopping());
  if (auto checked = check_origin(request.requested_by); !checked.ok()) return done(std::move(checked).error());
  if (const auto own = node_chain_->status(); own.waiting >= NodeChain::kFactsMax) {
    return done(
        Error{ErrorCode::kUnavailable, str_cat("the node's own chain waits for ", own.waits_for,
                                               ", so that no spawn could be recorded; see theater node status")});
  }
  auto recipe = make_recipe(std::move(static_cast<Bundle&>(request)), &manifests_);
  if (!recipe.ok()) {
    refusals_->note("", request.requested_by, recipe.error());
    return done(std::move(recipe).error());
  }
  LifeRequest life;
  life.recipe = std::move(recipe).value();
  life.initial_state = std::move(request.initial_state);
  life.requested_by = std::move(request.requested_by);
  life.subscribers = std::move(request.subscribers);
  spawn_life(std::move(life), std::move(done));
}

void RuntimeImpl::spawn_life(LifeRequest life, Callback<ActorInfo> done) {
  const auto recipe = life.recipe;
  const auto& manifest = *recipe->manifest;
  done = noting_refusal(life, std::move(done));
  if (auto allowed = check_policy(manifest, options_.policy); !allowed.ok()) return done(std::move(allowed).error());
  auto birth = std::make_unique<Birth>();
  auto& genesis = birth->genesis;
  genesis.name = manifest.name;
  genesis.manifest = recipe->text_hash;
  genesis.manifest_length = recipe->text->size();
  genesis.node = options_.identity;
  genesis.engine_profile = options_.engine->profile().hash;
  genesis.audit = {manifest.audit_mode, manifest.quorum, 0, false};
  options_.random->fill(genesis.nonce);
  genesis.requested_by = std::move(life.requested_by);
  genesis.previous_life = life.previous_life;
  birth->blobs = {Blob{recipe->text_hash, recipe->text}};
  birth->initial_state = std::move(life.initial_state);
  if (!birth->initial_state && manifest.has_initial_state) birth->initial_state = to_bytes(manifest.initial_state);
  birth->done = std::move(done);

  if (auto expected = context_->directory.expect(); !expected.ok()) return birth->done(std::move(expected).error());
  const auto spawning = std::make_shared<Spawning>(Spawning{std::move(life), std::move(birth)});
  const auto go_on = [this, spawning](Result<std::shared_ptr<wasm::Module>> module) {
    auto created = module.ok() ? create(std::move(module).value(), *spawning) : Result<void>(std::move(module).error());
    if (created.ok()) return;
    context_->directory.give_up();
    spawning->birth->done(std::move(created).error());
  };
  if (recipe->package == nullptr) return go_on(std::shared_ptr<wasm::Module>());
  genesis.package = recipe->package_hash;
  genesis.package_length = recipe->package->size();
  spawning->birth->blobs.push_back(Blob{recipe->package_hash, recipe->package});
  modules_->get(recipe->package_hash, recipe->package, go_on);
}

Callback<ActorInfo> RuntimeImpl::noting_refusal(const LifeRequest& life, Callback<ActorInfo> done) {
  return [this, name = life.recipe->manifest->name, asked_by = life.requested_by,
          done = std::move(done)](Result<ActorInfo> result) {
    // What failed after genesis stands on the actor's own chain.
    const bool refused = !result.ok() && result.error().code != ErrorCode::kActorFailed;
    if (refused && !context_->directory.closed()) refusals_->note(name, asked_by, result.error());
    done(std::move(result));
  };
}

Result<void> RuntimeImpl::create(std::shared_ptr<wasm::Module> module, Spawning& spawning) {
  if (context_->directory.closed()) return stopping();
  const auto& manifest = *spawning.life.recipe->manifest;
  if (module != nullptr) TRY(check_grants(manifest, *module));
  auto actor =
      std::make_shared<Actor>(context_, std::move(module), std::move(spawning.life), std::move(spawning.birth));
  context_->directory.begin(actor);
  // If the node began to stop just now, it may not have seen this one.
  if (context_->directory.closed()) actor->post([](Actor& self) { self.stop({}, "node stop", 0); });
  actor->wake();
  return Ok{};
}

void RuntimeImpl::not_born(Actor& actor, bool was_allowed) {
  if (was_allowed) node_chain_->give_back();
  node_chain_->forget(actor);
}

void RuntimeImpl::on_born(Actor& actor, const Hash& package) {
  using schema::Value;
  node_chain_->add_reserved(kFactSpawn, Value::record({{"actor", Value::string(actor.id().hex())},
                                                       {"name", Value::string(actor.name())},
                                                       {"package", Value::string(package.hex())}}));
}

void RuntimeImpl::on_ended(const ActorInfo& info) {
  using schema::Value;
  if (info.events > 0) {
    node_chain_->add(kFactEnd, Value::record({{"actor", Value::string(info.id.hex())},
                                              {"events", Value::u64(info.events)},
                                              {"head", Value::string(info.head.hex())},
                                              {"reason", Value::string(info.ended)}}));
  }
  if (info.ended.starts_with(schema::kTypeError) && context_->directory.closed()) all_clean_ = false;
}

std::shared_ptr<Actor> RuntimeImpl::find(const ActorId& id) const { return context_->directory.find(id); }

Error RuntimeImpl::stopping() { return Error{ErrorCode::kUnavailable, "the node is stopping"}; }

Error RuntimeImpl::no_such_actor(const ActorId& id) const {
  if (const auto ended = context_->directory.find_ended(id)) {
    return Error{ErrorCode::kNotFound, str_cat("'", ended->name, "' ", id.short_hex(), " has ended: ", ended->ended)};
  }
  return Error{ErrorCode::kNotFound, str_cat("there is no actor ", id.short_hex(), "; see theater actor list")};
}

// A whole id, a registered name, then an actor's own name, then an id's beginning. Of several that have ended, the
// newest counts.
Result<ActorId> RuntimeImpl::resolve_now(const std::string& text) const {
  if (const auto id = ActorId::from_hex_text(text); id && context_->directory.contains(*id)) return *id;
  if (const auto named = context_->directory.whereis(text)) return *named;
  // Asked of a million actors, mostly with a text that can't begin an id.
  const bool is_prefix = text.size() >= 3 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  const auto begins = [&](const ActorId& id) { return is_prefix && id.hex().starts_with(text); };
  std::unordered_set<ActorId> named, begun;
  context_->directory.for_each([&](const ActorId& id, const std::string& name, const Parentage*) {
    if (name == text) named.insert(id);
    if (begins(id)) begun.insert(id);
  });
  const auto ended = context_->directory.ended();
  std::vector<ActorId> found(named.begin(), named.end());
  if (found.empty() && is_prefix) {
    for (const auto& info : ended) {
      if (begins(info.id)) begun.insert(info.id);
    }
    found.assign(begun.begin(), begun.end());
    if (begins(node_chain_->id())) found.push_back(node_chain_->id());
  }
  if (found.empty()) {
    for (const auto& info : ended) {
      if (info.name == text) found = {info.id};
    }
  }
  if (found.size() == 1) return found[0];
  const std::string shown = escape(as_bytes(text));
  if (found.empty()) {
    return Error{ErrorCode::kNotFound, str_cat("there is no actor '", shown, "'; see theater actor list")};
  }
  std::string all;
  for (size_t i = 0; i < std::min<size_t>(found.size(), 5); ++i) all += " " + found[i].short_hex();
  return Error{ErrorCode::kInvalid, str_cat("'", shown, "' may be one of ", found.size(), " actors:", all,
                                            found.size() > 5 ? " …" : "", "; give more of the id")};
}

ActorInfo RuntimeImpl::node_info() const {
  const auto status = node_chain_->status();
  ActorInfo info;
  info.id = node_chain_->id();
  info.name = options_.name;
  info.state = status.ended ? "ended" : status.waits_for.empty() ? "idle" : "waiting";
  info.waits_for = status.waits_for;
  info.head = status.head;
  info.events = status.events;
  return info;
}

}  // namespace theater::node
