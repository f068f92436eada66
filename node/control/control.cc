#include "node/control/control.h"

#include <span>

#include "node/control/answers.h"
#include "node/control/auditor_values.h"
#include "node/control/log_stream.h"

namespace theater::node {
namespace {

using bus::ControlPeer;
using bus::ControlRequest;
using bus::ControlResponse;
using bus::Responder;
using schema::Value;

constexpr uint64_t kRequestTimeoutMs = 30'000;
constexpr uint64_t kGraceMs = 10'000;
constexpr uint64_t kWaitMax = 24 * 3'600'000;  // ms

Value record_of(const ActorInfo& info) {
  const auto hex = [](const auto& id) { return Value::string(id.is_zero() ? "" : id.hex()); };
  const GateInfo gate = info.gate.value_or(GateInfo{});
  std::vector<Value> names, children;
  for (const auto& name : info.names) names.push_back(Value::string(name));
  for (const auto& child : info.children) children.push_back(hex(child));
  return Value::record({{"id", hex(info.id)},
                        {"name", Value::string(info.name)},
                        {"names", Value::list(std::move(names))},
                        {"state", Value::string(info.state)},
                        {"waits-for", Value::string(info.waits_for)},
                        {"waiting-ms", Value::u64(info.waiting_ms)},
                        {"head", hex(info.head)},
                        {"ended", Value::string(info.ended)},
                        {"events", Value::u64(info.events)},
                        {"mailbox", Value::u64(info.mailbox)},
                        {"mailbox-bytes", Value::u64(info.mailbox_bytes)},
                        {"memory-bytes", Value::u64(info.memory_bytes)},
                        {"fuel", Value::u64(info.fuel)},
                        {"effects", Value::string(info.gate ? "gated" : "at-once")},
                        {"held", Value::u64(gate.held)},
                        {"released", Value::u64(gate.released)},
                        {"discarded", Value::u64(gate.discarded)},
                        {"held-us", Value::u64(gate.wait_ns / 1'000)},
                        {"parent", hex(info.parent)},
                        {"child-id", Value::string(info.child_id)},
                        {"strategy", Value::string(info.strategy)},
                        {"restarts", Value::u64(info.restarts)},
                        {"children", Value::list(std::move(children))}});
}

// A number or flag that may be left out.
Result<uint64_t> number_or(const Value& args, std::string_view name, uint64_t otherwise, uint64_t max) {
  if (bus::find_field(args, name) == nullptr) return otherwise;
  TRY_ASSIGN(const uint64_t number, bus::number_field(args, name));
  if (number <= max) return number;
  return Error{ErrorCode::kInvalid, str_cat("'", name, "' is ", number, "; it may be at most ", max)};
}

Result<bool> flag_or(const Value& args, std::string_view name, bool otherwise) {
  const auto* found = bus::find_field(args, name);
  if (found == nullptr) return otherwise;
  if (const auto* flag = found->get<bool>()) return *flag;
  return Error{ErrorCode::kInvalid, str_cat("'", name, "' must be true or false")};
}

// One request on its way through the runtime: whatever happens, exactly one last response.
class Exchange {
 public:
  Exchange(Answers& answers, const ControlPeer& peer, ControlRequest asked, std::shared_ptr<Responder> responder)
      : request(std::move(asked)),
        origin{peer.identity, request.request_id},
        answers_(answers),
        responder_(std::move(responder)) {}

  void done(Result<Value> result) {
    ControlResponse response;
    response.id = request.id;
    if (result.ok()) {
      response.result = std::move(result).value();
    } else {
      response.error = std::move(result).error();
    }
    if (remembered) {
      answers_.answer(origin.key, origin.request_id, response);
    } else {
      responder_->respond(std::move(response));
    }
  }
  const std::shared_ptr<Responder>& responder() const { return responder_; }
  const Value& args() const { return request.args; }

  const ControlRequest request;
  const schema::Operator origin;
  bool remembered = false;

 private:
  Answers& answers_;
  const std::shared_ptr<Responder> responder_;
};
using ExchangePtr = std::shared_ptr<Exchange>;

class RuntimeControl final : public bus::ControlHandler {
 public:
  static std::vector<std::pair<std::string_view, bus::Role>> names_and_roles() {
    std::vector<std::pair<std::string_view, bus::Role>> all;
    for (const auto& verb : verbs()) all.emplace_back(verb.name, verb.role);
    return all;
  }

  explicit RuntimeControl(Runtime& runtime) : runtime_(runtime) {}

  void handle(const ControlPeer& peer, ControlRequest request, std::shared_ptr<Responder> responder) override;

 private:
  struct Verb {
    std::string_view name;
    bus::Role role;
    bool once;  // a repeated request id must not run it again
    void (RuntimeControl::*run)(const ExchangePtr&);
  };
  static std::span<const Verb> verbs();
  static const Verb* find_verb(std::string_view name);

  void spawn(const ExchangePtr& exchange);
  void list(const ExchangePtr& exchange);
  void show(const ExchangePtr& exchange);
  void send(const ExchangePtr& exchange);
  void request(const ExchangePtr& exchange);
  void logs(const ExchangePtr& exchange);
  bool make_room_for_stream();
  void stop(const ExchangePtr& exchange);
  void kill(const ExchangePtr& exchange);
  void status(const ExchangePtr& exchange);
  void subscription_add(const ExchangePtr& exchange);
  void subscription_remove(const ExchangePtr& exchange);
  void subscription_demote(const ExchangePtr& exchange) { set_demoted(exchange, true); }
  void subscription_promote(const ExchangePtr& exchange) { set_demoted(exchange, false); }
  void set_demoted(const ExchangePtr& exchange, bool demoted);
  void subscription_list(const ExchangePtr& exchange);
  std::vector<Value> auditors() const;

  // Calls `what` with the actor that the argument `actor` names.
  void with_actor(const ExchangePtr& exchange, std::function<void(const ActorId&)> what);

  Runtime& runtime_;
  Answers answers_;
  // Logs that are followed. Of the bus thread.
  static constexpr size_t kStreamsMax = 256;
  std::vector<std::pair<ActorId, std::weak_ptr<LogStream>>> streams_;
};

// A manifest, its package, and the children that it names, with theirs. A Value isn't deep enough to go on for long.
Result<Bundle> read_bundle(const Value& record) {
  Bundle bundle;
  TRY_ASSIGN(bundle.manifest, bus::text_field(record, "manifest"));
  TRY_ASSIGN(bundle.package, bus::bytes_field(record, "package"));
  const Value* children = bus::find_field(record, "children");
  if (children == nullptr) return bundle;
  const auto* list = children->get<Value::List>();
  if (list == nullptr) return Error{ErrorCode::kInvalid, "'children' must be a list of records"};
  for (const Value& each : list->items) {
    TRY_ASSIGN(auto id, bus::text_field(each, "id"));
    TRY_ASSIGN(auto child, read_bundle(each));
    bundle.children.emplace(std::move(id), std::move(child));
  }
  return bundle;
}

// A callback that answers with an empty record.
Callback<Ok> nothing_but(const ExchangePtr& exchange) {
  return [exchange](Result<Ok> result) {
    if (!result.ok()) return exchange->done(std::move(result).error());
    exchange->done(Value::record({}));
  };
}

Callback<ActorInfo> the_actor(const ExchangePtr& exchange) {
  return [exchange](Result<ActorInfo> result) {
    if (!result.ok()) return exchange->done(std::move(result).error());
    exchange->done(record_of(*result));
  };
}

std::span<const RuntimeControl::Verb> RuntimeControl::verbs() {
  using bus::Role;
  static constexpr Verb kVerbs[] = {
      {"actor.spawn", Role::kOperator, true, &RuntimeControl::spawn},
      {"actor.list", Role::kReader, false, &RuntimeControl::list},
      {"actor.show", Role::kReader, false, &RuntimeControl::show},
      {"actor.send", Role::kOperator, true, &RuntimeControl::send},
      {"actor.request", Role::kOperator, true, &RuntimeControl::request},
      {"actor.logs", Role::kReader, false, &RuntimeControl::logs},
      {"actor.stop", Role::kOperator, true, &RuntimeControl::stop},
      {"actor.kill", Role::kOperator, true, &RuntimeControl::kill},
      {"node.status", Role::kReader, false, &RuntimeControl::status},
      {"subscription.add", Role::kOperator, true, &RuntimeControl::subscription_add},
      {"subscription.remove", Role::kOperator, true, &RuntimeControl::subscription_remove},
      {"subscription.demote", Role::kOperator, true, &RuntimeControl::subscription_demote},
      {"subscription.promote", Role::kOperator, true, &RuntimeControl::subscription_promote},
      {"subscription.list", Role::kReader, false, &RuntimeControl::subscription_list},
  };
  return kVerbs;
}

const RuntimeControl::Verb* RuntimeControl::find_verb(std::string_view name) {
  for (const auto& verb : verbs()) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

void RuntimeControl::handle(const ControlPeer& peer, ControlRequest request, std::shared_ptr<Responder> responder) {
  const auto* verb = find_verb(request.verb);
  const bool repeatable = verb != nullptr && verb->once && !request.request_id.empty();
  auto exchange = std::make_shared<Exchange>(answers_, peer, std::move(request), responder);
  if (verb == nullptr) {
    return exchange->done(Error{ErrorCode::kInvalid,
                                str_cat("this node knows no verb '", escape(as_bytes(exchange->request.verb)), "'")});
  }
  if (!peer.local && !peer.may(verb->role)) {
    return exchange->done(
        Error{ErrorCode::kRefused, str_cat("'", peer.name, "' may not ", verb->name, ": that needs the role ",
                                           bus::role_name(verb->role), " in the node's authorized keys")});
  }
  if (repeatable) {
    if (!answers_.begin(exchange->origin.key, exchange->request, std::move(responder))) return;
    exchange->remembered = true;
  }
  (this->*verb->run)(exchange);
}

void RuntimeControl::with_actor(const ExchangePtr& exchange, std::function<void(const ActorId&)> what) {
  auto name = bus::text_field(exchange->args(), "actor");
  if (!name.ok()) return exchange->done(std::move(name).error());
  runtime_.resolve(std::move(*name), [exchange, what = std::move(what)](Result<ActorId> actor) {
    if (!actor.ok()) return exchange->done(std::move(actor).error());
    what(*actor);
  });
}

void RuntimeControl::spawn(const ExchangePtr& exchange) {
  SpawnRequest request;
  auto bundle = read_bundle(exchange->args());
  if (!bundle.ok()) return exchange->done(std::move(bundle).error());
  static_cast<Bundle&>(request) = std::move(*bundle);
  if (bus::find_field(exchange->args(), "initial-state") != nullptr) {
    auto state = bus::bytes_field(exchange->args(), "initial-state");
    if (!state.ok()) return exchange->done(std::move(state).error());
    request.initial_state = std::move(*state);
  }
  request.requested_by = exchange->origin;
  runtime_.defer([this, exchange, request = std::move(request)]() mutable {
    runtime_.spawn(std::move(request), the_actor(exchange));
  });
}

void RuntimeControl::list(const ExchangePtr& exchange) {
  runtime_.defer([this, exchange] {
    runtime_.list([this, exchange](Result<std::vector<ActorInfo>> actors) {
      if (!actors.ok()) return exchange->done(std::move(actors).error());
      std::vector<Value> records;
      for (const auto& info : *actors) records.push_back(record_of(info));
      exchange->done(Value::record(
          {{"actors", Value::list(std::move(records))}, {"registered", Value::u64(runtime_.counts().registered)}}));
    });
  });
}

void RuntimeControl::show(const ExchangePtr& exchange) {
  with_actor(exchange, [this, exchange](const ActorId& actor) { runtime_.show(actor, the_actor(exchange)); });
}

void RuntimeControl::send(const ExchangePtr& exchange) {
  with_actor(exchange, [this, exchange](const ActorId& actor) {
    auto message = bus::bytes_field(exchange->args(), "message");
    if (!message.ok()) return exchange->done(std::move(message).error());
    runtime_.send(actor, std::move(*message), exchange->origin, nothing_but(exchange));
  });
}

void RuntimeControl::request(const ExchangePtr& exchange) {
  with_actor(exchange, [this, exchange](const ActorId& actor) {
    auto message = bus::bytes_field(exchange->args(), "message");
    if (!message.ok()) return exchange->done(std::move(message).error());
    const auto timeout_ms = number_or(exchange->args(), "timeout-ms", kRequestTimeoutMs, kWaitMax);
    if (!timeout_ms.ok()) return exchange->done(timeout_ms.error());
    const auto durable = flag_or(exchange->args(), "durable", false);
    if (!durable.ok()) return exchange->done(durable.error());
    runtime_.request(actor, std::move(*message), exchange->origin, *timeout_ms, *durable,
                     [exchange](Result<std::optional<Bytes>> reply) {
                       if (!reply.ok()) return exchange->done(std::move(reply).error());
                       auto value = *reply ? Value::some(Value::bytes(std::move(**reply))) : Value::none();
                       exchange->done(Value::record({{"reply", std::move(value)}}));
                     });
  });
}

// Of the streams that were there before, those whose clients are gone are taken away, and the others asked to find out:
// an actor that says nothing wouldn't notice.
bool RuntimeControl::make_room_for_stream() {
  std::erase_if(streams_, [this](const auto& each) {
    const auto stream = each.second.lock();
    if (stream == nullptr) return true;
    if (!stream->closed()) {
      stream->ping();
      return false;
    }
    runtime_.unsubscribe(each.first, stream, [](const Result<bool>&) {});
    return true;
  });
  return streams_.size() < kStreamsMax;
}

// The stream's end is the chain's; an error only if it never began.
void RuntimeControl::logs(const ExchangePtr& exchange) {
  if (!make_room_for_stream()) {
    return exchange->done(Error{ErrorCode::kUnavailable,
                                str_cat(kStreamsMax, " logs are followed at this node already; try again later")});
  }
  with_actor(exchange, [this, exchange](const ActorId& actor) {
    auto stream = std::make_shared<LogStream>(exchange->request.id, exchange->responder());
    streams_.emplace_back(actor, stream);
    runtime_.subscribe(actor, std::move(stream), [exchange](Result<Ok> subscribed) {
      if (!subscribed.ok()) exchange->done(std::move(subscribed).error());
    });
  });
}

void RuntimeControl::stop(const ExchangePtr& exchange) {
  with_actor(exchange, [this, exchange](const ActorId& actor) {
    const auto grace_ms = number_or(exchange->args(), "grace-ms", kGraceMs, kWaitMax);
    if (!grace_ms.ok()) return exchange->done(grace_ms.error());
    runtime_.stop_actor(actor, exchange->origin, *grace_ms, nothing_but(exchange));
  });
}

void RuntimeControl::kill(const ExchangePtr& exchange) {
  with_actor(exchange, [this, exchange](const ActorId& actor) {
    auto reason = bus::text_field(exchange->args(), "reason");
    if (!reason.ok()) return exchange->done(std::move(reason).error());
    const auto abandon = flag_or(exchange->args(), "abandon", false);
    if (!abandon.ok()) return exchange->done(abandon.error());
    if (!*abandon) return runtime_.kill(actor, exchange->origin, std::move(*reason), nothing_but(exchange));
    // In this order: what is to be given up is the terminal event that the kill makes.
    runtime_.kill(actor, exchange->origin, std::move(*reason), [](const Result<Ok>&) {});
    runtime_.abandon(actor, nothing_but(exchange));
  });
}

void RuntimeControl::status(const ExchangePtr& exchange) {
  const auto about = runtime_.about();
  exchange->done(Value::record({{"name", Value::string(about.name)},
                                {"version", Value::string(about.version)},
                                {"identity", Value::string(about.identity.hex())},
                                {"engine-profile", Value::string(about.engine_profile.hex())},
                                {"chain", Value::string(runtime_.node_chain().hex())},
                                {"actors", Value::u64(runtime_.counts().registered)},
                                {"auditors", Value::list(auditors())}}));
}

std::vector<Value> RuntimeControl::auditors() const {
  std::vector<Value> records;
  for (const auto& info : runtime_.auditors()) records.push_back(record_of(info));
  return records;
}

void RuntimeControl::subscription_list(const ExchangePtr& exchange) {
  exchange->done(Value::record({{"auditors", Value::list(auditors())}}));
}

// A living actor is named as everywhere.
void RuntimeControl::subscription_add(const ExchangePtr& exchange) {
  auto auditor = read_auditor(exchange->args());
  if (!auditor.ok()) return exchange->done(std::move(auditor).error());
  std::string actors = "all";
  if (bus::find_field(exchange->args(), "actors") != nullptr) {
    auto given = bus::text_field(exchange->args(), "actors");
    if (!given.ok()) return exchange->done(std::move(given).error());
    actors = std::move(*given);
  }
  const auto add = [this, exchange, auditor = std::move(*auditor)](const ActorFilter& filter) {
    Auditor taking = auditor;
    taking.actors = filter;
    runtime_.add_auditor(std::move(taking), exchange->origin, [exchange](Result<bool> added) {
      if (!added.ok()) return exchange->done(std::move(added).error());
      exchange->done(Value::record({{"added", Value::boolean(*added)}}));
    });
  };
  constexpr std::string_view kId = "id:";
  if (actors.starts_with(kId)) {
    return runtime_.resolve(actors.substr(kId.size()), [exchange, add](const Result<ActorId>& actor) {
      if (!actor.ok()) return exchange->done(actor.error());
      add(ActorFilter::only(*actor));
    });
  }
  const auto filter = ActorFilter::parse(actors);
  if (!filter.ok()) return exchange->done(filter.error());
  add(*filter);
}

void RuntimeControl::subscription_remove(const ExchangePtr& exchange) {
  const auto name = bus::text_field(exchange->args(), "name");
  if (!name.ok()) return exchange->done(name.error());
  runtime_.remove_auditor(*name, exchange->origin, [exchange](Result<RemovedAuditor> removed) {
    if (!removed.ok()) return exchange->done(std::move(removed).error());
    exchange->done(Value::record(
        {{"removed", Value::boolean(removed->removed)}, {"lost-events", Value::u64(removed->lost_events)}}));
  });
}

void RuntimeControl::set_demoted(const ExchangePtr& exchange, bool demoted) {
  const auto name = bus::text_field(exchange->args(), "name");
  if (!name.ok()) return exchange->done(name.error());
  runtime_.demote_auditor(*name, demoted, exchange->origin, [exchange](Result<bool> changed) {
    if (!changed.ok()) return exchange->done(std::move(changed).error());
    exchange->done(Value::record({{"changed", Value::boolean(*changed)}}));
  });
}

}  // namespace

std::vector<std::pair<std::string_view, bus::Role>> control_verbs() { return RuntimeControl::names_and_roles(); }

std::unique_ptr<bus::ControlHandler> make_control_handler(Runtime& runtime) {
  return std::make_unique<RuntimeControl>(runtime);
}

}  // namespace theater::node
