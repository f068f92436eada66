// The handler `supervisor`: an actor starts, watches and stops children by code. What comes of it is decided by
// supervise/; a call waits here until that has answered.
#include "node/actor/supervisor.h"

#include <type_traits>

#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using supervise::ChildState;
using supervise::Restart;
using supervise::Shutdown;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

const std::string& text(const Value& value) { return *value.get<std::string>(); }

// What the supervisor answered, once it has; begins with `ask` before that, which may refuse.
template <typename Ask, typename Show>
HostStatus converse(Services& services, HostCall& call, Ask ask, Show show) {
  auto& supervisor = *services.supervisor();
  if (!supervisor.is_asked()) {
    if constexpr (std::is_void_v<decltype(ask(supervisor))>) {
      ask(supervisor);
    } else if (Result<void> asked = ask(supervisor); !asked.ok()) {
      return refuse(call, asked.error());
    }
  }
  const auto answer = supervisor.take_answer();
  if (!answer) return HostStatus::kParked;
  return answer->ok() ? answer_with(call, show(**answer)) : refuse(call, answer->error());
}

Value show_life(const Supervisor::Answer& answer) { return Value::ok(Value::string(answer.life.hex())); }
Value show_last_word(const Supervisor::Answer& answer) { return Value::ok(option_of(answer.last_word)); }
Value show_nothing(const Supervisor::Answer&) { return Value::ok(); }

Result<Shutdown> shutdown_of(const Value& value) {
  const auto& variant = *value.get<Value::Variant>();
  if (variant.name == "brutal-kill") return Shutdown{Shutdown::Kind::brutal_kill, 0};
  if (variant.name == "infinity") return Shutdown{Shutdown::Kind::infinity, 0};
  return Shutdown{Shutdown::Kind::timeout, *variant.payload->get<uint64_t>()};
}

Restart restart_of(const Value& value) {
  const auto& name = value.get<Value::Enum>()->name;
  return name == "permanent" ? Restart::permanent : name == "transient" ? Restart::transient : Restart::temporary;
}

// A child specification as the guest gives it: id, manifest, package, state, restart, shutdown.
Result<void> spawn_child(Services& services, Supervisor& supervisor, const Value& given, bool and_wait,
                         std::optional<uint64_t> timeout_ns) {
  const auto& fields = given.get<Value::Record>()->fields;
  Bundle bundle;
  bundle.manifest = text(fields[1].value);
  if (auto package = optional_bytes(fields[2].value)) {
    bundle.package = std::move(*package);
  } else {
    TRY_ASSIGN(const auto manifest, parse_manifest(bundle.manifest));
    const std::string_view named = manifest.package;
    const auto hash = named.starts_with("sha256:") ? Hash::from_hex_text(named.substr(7)) : std::nullopt;
    const auto known = hash ? supervisor.find_package(*hash) : nullptr;
    if (known == nullptr) {
      return Error{ErrorCode::kInvalid,
                   str_cat("the child's package: give its bytes, or name one that this actor or a child of its has: "
                           "package = \"sha256:…\"; here it is ",
                           quote(named))};
    }
    bundle.package = *known;
  }
  TRY_ASSIGN(auto recipe, make_recipe(std::move(bundle)));
  TRY(services.may_spawn(*recipe->manifest));
  ChildSpec spec;
  spec.id = text(fields[0].value);
  spec.restart = restart_of(fields[4].value);
  spec.is_supervisor = recipe->manifest->supervisor.has_value();
  if (const auto& shutdown = fields[5].value.get<Value::Option>()->payload) {
    TRY_ASSIGN(spec.shutdown, shutdown_of(*shutdown));
  }
  supervisor.spawn(std::move(spec), {std::move(recipe), optional_bytes(fields[3].value)}, and_wait, timeout_ns);
  return Ok{};
}

HostStatus spawn(Services& services, HostCall& call) {
  return converse(
      services, call,
      [&](Supervisor& supervisor) { return spawn_child(services, supervisor, call.args[0], false, std::nullopt); },
      show_life);
}

HostStatus spawn_and_wait(Services& services, HostCall& call) {
  return converse(
      services, call,
      [&](Supervisor& supervisor) {
        return spawn_child(services, supervisor, call.args[0], true, optional_u64(call.args[1]));
      },
      show_last_word);
}

HostStatus start_child(Services& services, HostCall& call) {
  return converse(
      services, call, [&](Supervisor& supervisor) { supervisor.start_from_pattern(optional_bytes(call.args[0])); },
      show_life);
}

HostStatus restart_child(Services& services, HostCall& call) {
  return converse(
      services, call, [&](Supervisor& supervisor) { supervisor.restart_child(text_arg(call, 0), std::nullopt); },
      show_life);
}

HostStatus resume(Services& services, HostCall& call) {
  return converse(
      services, call, [&](Supervisor& supervisor) { supervisor.restart_child(text_arg(call, 0), bytes_arg(call, 1)); },
      show_life);
}

HostStatus stop_child(Services& services, HostCall& call) {
  return converse(
      services, call, [&](Supervisor& supervisor) { supervisor.stop_child(text_arg(call, 0)); }, show_nothing);
}

HostStatus delete_child(Services& services, HostCall& call) {
  return converse(
      services, call, [&](Supervisor& supervisor) { supervisor.delete_child(text_arg(call, 0)); }, show_nothing);
}

const char* state_name(ChildState state) {
  switch (state) {
    case ChildState::undefined: return "undefined";
    case ChildState::starting: return "starting";
    case ChildState::running: return "running";
    case ChildState::restarting: return "restarting";
    case ChildState::stopping: return "stopping";
  }
  return "undefined";
}

HostStatus list_children(Services& services, HostCall& call) {
  std::vector<Value> children;
  for (const auto& child : services.supervisor()->children()) {
    children.push_back(
        Value::record({{"id", Value::string(child.id)},
                       {"actor", child.life ? Value::some(Value::string(child.life->hex())) : Value::none()},
                       {"state", Value::enumeration(state_name(child.state))}}));
  }
  return answer_with(call, Value::list(std::move(children)));
}

HostStatus get_child_state(Services& services, HostCall& call) {
  if (!services.asks()) {
    const auto life = services.supervisor()->life_of(text_arg(call, 0));
    if (!life || !services.ask_for_state(*life)) {
      return refuse(call, Error{ErrorCode::kNotFound, str_cat("no child '", text_arg(call, 0), "' is running")});
    }
  }
  return give_answer(services, call);
}

HostStatus watch(Services& services, HostCall& call, bool on) {
  const auto actor = ActorId::from_hex_text(text_arg(call, 0));
  const auto child = actor ? actor : services.supervisor()->life_of(text_arg(call, 0));
  if (!child)
    return refuse(call, Error{ErrorCode::kNotFound, str_cat("no child '", text_arg(call, 0), "' is running")});
  return answer_with(call, services.watch_child(*child, on));
}
HostStatus subscribe(Services& services, HostCall& call) { return watch(services, call, true); }
HostStatus unsubscribe(Services& services, HostCall& call) { return watch(services, call, false); }

constexpr HandlerEntry kEntries[] = {
    {"spawn", spawn},
    {"spawn-and-wait", spawn_and_wait},
    {"start-child", start_child},
    {"restart-child", restart_child},
    {"resume", resume},
    {"stop-child", stop_child},
    {"delete-child", delete_child},
    {"list-children", list_children},
    {"get-child-state", get_child_state},
    {"subscribe-to-child", subscribe},
    {"unsubscribe-from-child", unsubscribe},
};

}  // namespace

std::span<const HandlerEntry> supervisor_handler() { return kEntries; }

}  // namespace theater::node
