#include "wasm/functions.h"

#include <unordered_map>

#include "base/check.h"
#include "base/text.h"

namespace theater::wasm {
namespace {

using schema::Effect;

constexpr std::string_view kOurPackage = "theater:simple/";
constexpr std::string_view kRuntime = "theater:simple/runtime@0.1.0";
constexpr std::string_view kTiming = "theater:simple/timing@0.1.0";
constexpr std::string_view kRandom = "theater:simple/random@0.1.0";
constexpr std::string_view kActor = "theater:simple/actor@0.1.0";
constexpr std::string_view kMessageClient = "theater:simple/message-server-client@0.1.0";
constexpr std::string_view kMessageHost = "theater:simple/message-server-host@0.1.0";
constexpr std::string_view kTimer = "theater:simple/timer@0.1.0";
constexpr std::string_view kTimerClient = "theater:simple/timer-client@0.1.0";
constexpr std::string_view kRpc = "theater:simple/rpc@0.1.0";
constexpr std::string_view kNames = "theater:simple/names@0.1.0";
constexpr std::string_view kEnvironment = "theater:simple/environment@0.1.0";
constexpr std::string_view kSupervisor = "theater:simple/supervisor@0.1.0";
constexpr std::string_view kSupervisorClient = "theater:simple/supervisor-client@0.1.0";
constexpr std::string_view kLinks = "theater:simple/links@0.1.0";
constexpr std::string_view kLinksClient = "theater:simple/links-client@0.1.0";
constexpr std::string_view kFilesystem = "theater:simple/filesystem@0.1.0";
constexpr std::string_view kStore = "theater:simple/store@0.1.0";
constexpr std::string_view kPreview1 = "wasi_snapshot_preview1";

Type bytes() { return Type::list(Type::u8()); }

Type child_spec() {
  return Type::record(
      {{"id", Type::string()},
       {"manifest", Type::string()},
       {"package", Type::option(bytes())},
       {"state", Type::option(bytes())},
       {"restart", Type::enumeration({"permanent", "transient", "temporary"})},
       {"shutdown", Type::option(Type::variant(
                        {{"brutal-kill", std::nullopt}, {"timeout-ms", Type::u64()}, {"infinity", std::nullopt}}))}});
}

Type child_info() {
  return Type::record({{"id", Type::string()},
                       {"actor", Type::option(Type::string())},
                       {"state", Type::enumeration({"undefined", "starting", "running", "restarting", "stopping"})}});
}

struct Traits {
  bool recorded = true;
  bool waits = false;
  bool by_reference = false;
};

HostFunction host_function(std::string_view interface, std::string_view name, FunctionType type, Effect effect,
                           std::string_view handler, Traits traits = {}) {
  return HostFunction{std::string(interface),
                      std::string(name),
                      str_cat(interface, "/", name),
                      std::move(type),
                      effect,
                      traits.recorded,
                      traits.waits,
                      handler,
                      traits.by_reference};
}

std::vector<HostFunction> make_host_functions() {
  const Type error = Type::string();
  std::vector<HostFunction> table = {
      host_function(kRuntime, "log", {{{"msg", Type::string()}}, std::nullopt}, Effect::kNone, "runtime"),
      host_function(kRuntime, "get-self", {{}, Type::string()}, Effect::kNone, "runtime"),
      host_function(kRuntime, "get-chain-head", {{}, Type::option(Type::string())}, Effect::kNone, "runtime"),
      host_function(kRuntime, "shutdown", {{{"data", Type::option(bytes())}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "runtime"),
      host_function(kTiming, "now", {{}, Type::u64()}, Effect::kNone, "timing", {.recorded = false}),
      host_function(kTiming, "sleep", {{{"duration-ns", Type::u64()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "timing", {.waits = true}),
      host_function(kRandom, "bytes", {{{"len", Type::u32()}}, Type::result(bytes(), error)}, Effect::kNone, "random"),
      host_function(kRandom, "u64", {{}, Type::u64()}, Effect::kNone, "random"),

      host_function(kMessageHost, "send",
                    {{{"target", Type::string()}, {"msg", bytes()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "message-server", {.waits = true}),
      host_function(kMessageHost, "request",
                    {{{"target", Type::string()}, {"msg", bytes()}, {"timeout-ns", Type::option(Type::u64())}},
                     Type::result(Type::option(bytes()), error)},
                    Effect::kOutside, "message-server", {.waits = true}),
      host_function(kMessageHost, "current-request", {{}, Type::option(Type::u64())}, Effect::kNone, "message-server"),
      host_function(kMessageHost, "list-outstanding-requests", {{}, Type::list(Type::u64())}, Effect::kNone,
                    "message-server"),
      host_function(kMessageHost, "respond-to-request",
                    {{{"request", Type::u64()}, {"answer", bytes()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "message-server"),
      host_function(kMessageHost, "cancel-request", {{{"request", Type::u64()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "message-server"),
      host_function(kMessageHost, "open-channel",
                    {{{"target", Type::string()}, {"msg", bytes()}, {"timeout-ns", Type::option(Type::u64())}},
                     Type::result(Type::tuple({Type::u64(), Type::option(bytes())}), error)},
                    Effect::kOutside, "message-server", {.waits = true}),
      host_function(kMessageHost, "send-on-channel",
                    {{{"channel", Type::u64()}, {"msg", bytes()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "message-server", {.waits = true}),
      host_function(kMessageHost, "close-channel", {{{"channel", Type::u64()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "message-server"),

      host_function(kTimer, "set-interval",
                    {{{"period-ns", Type::u64()}, {"data", bytes()}}, Type::result(Type::u64(), error)}, Effect::kNone,
                    "timer"),
      host_function(kTimer, "set-once",
                    {{{"delay-ns", Type::u64()}, {"data", bytes()}}, Type::result(Type::u64(), error)}, Effect::kNone,
                    "timer"),
      host_function(kTimer, "cancel", {{{"id", Type::u64()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "timer"),
      host_function(kTimer, "list", {{}, Type::list(Type::u64())}, Effect::kNone, "timer"),

      host_function(kRpc, "call",
                    {{{"target", Type::string()},
                      {"function", Type::string()},
                      {"args", bytes()},
                      {"timeout-ns", Type::option(Type::u64())}},
                     Type::result(Type::option(bytes()), error)},
                    Effect::kOutside, "rpc", {.waits = true}),

      host_function(kNames, "register", {{{"name", Type::string()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "names"),
      host_function(kNames, "unregister", {{{"name", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "names"),
      host_function(kNames, "whereis", {{{"name", Type::string()}}, Type::option(Type::string())}, Effect::kNone,
                    "names"),

      host_function(kEnvironment, "get",
                    {{{"name", Type::string()}}, Type::result(Type::option(Type::string()), error)}, Effect::kNone,
                    "environment"),
      host_function(kEnvironment, "list", {{}, Type::list(Type::string())}, Effect::kNone, "environment"),

      host_function(kSupervisor, "spawn", {{{"spec", child_spec()}}, Type::result(Type::string(), error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "spawn-and-wait",
                    {{{"spec", child_spec()}, {"timeout-ns", Type::option(Type::u64())}},
                     Type::result(Type::option(bytes()), error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "start-child",
                    {{{"state", Type::option(bytes())}}, Type::result(Type::string(), error)}, Effect::kNone,
                    "supervisor", {.waits = true}),
      host_function(kSupervisor, "restart-child", {{{"child", Type::string()}}, Type::result(Type::string(), error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "resume",
                    {{{"child", Type::string()}, {"state", bytes()}}, Type::result(Type::string(), error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "stop-child", {{{"child", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "delete-child", {{{"child", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "supervisor", {.waits = true}),
      host_function(kSupervisor, "list-children", {{}, Type::list(child_info())}, Effect::kNone, "supervisor"),
      host_function(kSupervisor, "get-child-state",
                    {{{"child", Type::string()}}, Type::result(Type::option(bytes()), error)}, Effect::kNone,
                    "supervisor", {.waits = true}),
      host_function(kSupervisor, "subscribe-to-child", {{{"child", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "supervisor"),
      host_function(kSupervisor, "unsubscribe-from-child",
                    {{{"child", Type::string()}}, Type::result(std::nullopt, error)}, Effect::kNone, "supervisor"),

      host_function(kLinks, "link", {{{"target", Type::string()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "links"),
      host_function(kLinks, "unlink", {{{"target", Type::string()}}, Type::result(std::nullopt, error)}, Effect::kNone,
                    "links"),
      host_function(kLinks, "monitor", {{{"target", Type::string()}}, Type::result(Type::u64(), error)}, Effect::kNone,
                    "links"),
      host_function(kLinks, "demonitor", {{{"monitor", Type::u64()}}, Type::boolean()}, Effect::kNone, "links"),

      host_function(kFilesystem, "read", {{{"path", Type::string()}}, Type::result(bytes(), error)}, Effect::kNone,
                    "filesystem", {.waits = true}),
      host_function(
          kFilesystem, "read-range",
          {{{"path", Type::string()}, {"offset", Type::u64()}, {"length", Type::u64()}}, Type::result(bytes(), error)},
          Effect::kNone, "filesystem", {.waits = true}),
      host_function(kFilesystem, "list",
                    {{{"path", Type::string()}},
                     Type::result(Type::tuple({Type::list(Type::tuple({Type::string(), Type::boolean(), Type::u64()})),
                                               Type::u32()}),
                                  error)},
                    Effect::kNone, "filesystem", {.waits = true}),
      host_function(kFilesystem, "stat",
                    {{{"path", Type::string()}},
                     Type::result(Type::option(Type::tuple({Type::boolean(), Type::u64(), Type::u64()})), error)},
                    Effect::kNone, "filesystem", {.waits = true}),
      host_function(kFilesystem, "write",
                    {{{"path", Type::string()}, {"content", bytes()}}, Type::result(std::nullopt, error)},
                    Effect::kOutside, "filesystem", {.waits = true}),
      host_function(kFilesystem, "append",
                    {{{"path", Type::string()}, {"content", bytes()}}, Type::result(std::nullopt, error)},
                    Effect::kOutside, "filesystem", {.waits = true}),
      host_function(kFilesystem, "create-dir", {{{"path", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kOutside, "filesystem", {.waits = true}),
      host_function(kFilesystem, "remove", {{{"path", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kOutside, "filesystem", {.waits = true}),
      host_function(kFilesystem, "rename",
                    {{{"old", Type::string()}, {"new", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kOutside, "filesystem", {.waits = true}),

      host_function(kStore, "put", {{{"content", bytes()}}, Type::result(Type::string(), error)}, Effect::kNone,
                    "store", {.by_reference = true}),
      host_function(kStore, "get", {{{"hash", Type::string()}}, Type::result(Type::option(bytes()), error)},
                    Effect::kNone, "store", {.waits = true}),
      host_function(kStore, "exists", {{{"hash", Type::string()}}, Type::result(Type::boolean(), error)}, Effect::kNone,
                    "store", {.waits = true}),
      host_function(kStore, "label-set",
                    {{{"label", Type::string()}, {"hash", Type::string()}}, Type::result(std::nullopt, error)},
                    Effect::kNone, "store"),
      host_function(kStore, "label-get", {{{"label", Type::string()}}, Type::option(Type::string())}, Effect::kNone,
                    "store"),
      host_function(kStore, "label-delete", {{{"label", Type::string()}}, Type::boolean()}, Effect::kNone, "store"),
      host_function(kStore, "list-labels", {{}, Type::list(Type::tuple({Type::string(), Type::string()}))},
                    Effect::kNone, "store"),

      host_function(kPreview1, "random_get", {{{"len", Type::u32()}}, bytes()}, Effect::kNone, "wasi"),
      host_function(kPreview1, "fd_write", {{{"fd", Type::u32()}, {"data", bytes()}}, Type::u16()}, Effect::kNone,
                    "wasi"),
      host_function(kPreview1, "proc_exit", {{{"code", Type::u32()}}, std::nullopt}, Effect::kNone, "wasi"),
      host_function(kPreview1, "poll_oneoff", {{{"duration-ns", Type::u64()}}, std::nullopt}, Effect::kNone, "wasi",
                    {.waits = true}),
  };
  for (const char* name : {"args_get", "args_sizes_get", "clock_res_get", "clock_time_get", "environ_get",
                           "environ_sizes_get", "fd_close", "fd_fdstat_get", "fd_fdstat_set_flags",
                           "fd_prestat_dir_name", "fd_prestat_get", "fd_read", "fd_seek", "sched_yield"}) {
    table.push_back(host_function(kPreview1, name, {}, Effect::kNone, "wasi", {.recorded = false}));
  }
  return table;
}

ExportFunction export_function(std::string_view interface, std::string_view name, FunctionType type) {
  return ExportFunction{str_cat(interface, "#", name), str_cat(interface, "/", name), std::move(type)};
}

// What the host tells an actor of its own accord.
ExportFunction callback(std::string_view interface, std::string_view name, std::vector<Type> params) {
  const Type state = Type::option(bytes());
  return export_function(interface, name,
                         {{{"state", state}, {"params", Type::tuple(std::move(params))}},
                          Type::result(Type::tuple({state}), Type::string())});
}

Type next_state_and_reply() {
  return Type::result(Type::tuple({Type::option(bytes()), Type::tuple({Type::option(bytes())})}), Type::string());
}

std::vector<ExportFunction> make_export_functions() {
  const Type state = Type::option(bytes());
  const Type message = Type::tuple({Type::string(), bytes()});
  const Type next_state = Type::result(Type::tuple({state}), Type::string());
  return {
      ExportFunction{std::string(schema::kTypeInitialize), std::string(schema::kTypeInitialize), {}},
      export_function(kActor, "init", {{{"state", state}, {"params", Type::tuple({Type::string()})}}, next_state}),
      export_function(kMessageClient, "handle-send", {{{"state", state}, {"params", message}}, next_state}),
      export_function(kMessageClient, "handle-request",
                      {{{"state", state}, {"params", message}}, next_state_and_reply()}),
      callback(kSupervisorClient, "handle-child-error", {Type::string(), Type::string(), Type::string()}),
      callback(kSupervisorClient, "handle-child-exit", {Type::string(), Type::string(), Type::option(bytes())}),
      callback(kSupervisorClient, "handle-child-external-stop", {Type::string(), Type::string()}),
      callback(kSupervisorClient, "handle-child-event",
               {Type::string(), Type::u64(), Type::string(), bytes(), Type::u64()}),
      callback(kLinksClient, "handle-exit", {Type::string(), Type::string()}),
      callback(kLinksClient, "handle-down", {Type::u64(), Type::string(), Type::string()}),
      export_function(
          kMessageClient, "handle-channel-open",
          {{{"state", state}, {"params", Type::tuple({Type::string(), Type::u64(), bytes()})}},
           Type::result(Type::tuple({state, Type::tuple({Type::boolean(), Type::option(bytes())})}), Type::string())}),
      callback(kMessageClient, "handle-channel-message", {Type::u64(), bytes()}),
      callback(kMessageClient, "handle-channel-close", {Type::u64(), Type::string()}),
      callback(kTimerClient, "handle-tick", {Type::u64(), bytes()}),
  };
}

// Of the table, for whoever calls it often.
const ExportFunction& known_export(std::string_view interface, std::string_view name) {
  const ExportFunction* function = find_export_function(str_cat(interface, "/", name));
  CHECK(function != nullptr, interface, "/", name, " isn't in the table");
  return *function;
}

}  // namespace

const std::vector<HostFunction>& host_functions() {
  static const std::vector<HostFunction> table = make_host_functions();
  return table;
}

const HostFunction* find_host_function(std::string_view interface, std::string_view name) {
  for (const HostFunction& function : host_functions()) {
    if (function.name == name && function.interface == interface) return &function;
  }
  return nullptr;
}

const HostFunction* find_host_function_by_type(std::string_view type_name) {
  static const std::unordered_map<std::string_view, const HostFunction*> index = [] {
    std::unordered_map<std::string_view, const HostFunction*> map;
    for (const HostFunction& function : host_functions()) map.emplace(function.type_name, &function);
    return map;
  }();
  const auto found = index.find(type_name);
  return found == index.end() ? nullptr : found->second;
}

const std::vector<ExportFunction>& export_functions() {
  static const std::vector<ExportFunction> table = make_export_functions();
  return table;
}

const ExportFunction* find_export_function(std::string_view type_name) {
  for (const ExportFunction& function : export_functions()) {
    if (function.type_name == type_name) return &function;
  }
  return nullptr;
}

const FunctionType& callable_type() {
  static const FunctionType type{{{"state", Type::option(bytes())}, {"params", Type::tuple({bytes()})}},
                                 next_state_and_reply()};
  return type;
}

std::optional<ExportFunction> callable_function(std::string_view export_name) {
  const size_t mark = export_name.find('#');
  if (mark == 0 || mark == std::string_view::npos || mark + 1 == export_name.size()) return std::nullopt;
  if (export_name.find('/', mark) != std::string_view::npos) return std::nullopt;  // types must tell them apart
  if (export_name.size() > schema::kEventTypeMax || !is_utf8(as_bytes(export_name))) return std::nullopt;
  const std::string_view interface = export_name.substr(0, mark);
  if (interface.starts_with(kOurPackage) || interface.starts_with("cabi_post_")) return std::nullopt;
  return export_function(interface, export_name.substr(mark + 1), callable_type());
}

bool is_callable_type_name(std::string_view type_name) {
  return type_name.find('/') != std::string_view::npos && !type_name.starts_with(kOurPackage);
}

const ExportFunction& initialize_function() { return export_functions()[0]; }
const ExportFunction& init_function() { return export_functions()[1]; }
const ExportFunction& handle_send_function() { return export_functions()[2]; }
const ExportFunction& handle_request_function() { return export_functions()[3]; }
const ExportFunction& handle_child_error_function() {
  static const ExportFunction& function = known_export(kSupervisorClient, "handle-child-error");
  return function;
}
const ExportFunction& handle_child_exit_function() {
  static const ExportFunction& function = known_export(kSupervisorClient, "handle-child-exit");
  return function;
}
const ExportFunction& handle_child_external_stop_function() {
  static const ExportFunction& function = known_export(kSupervisorClient, "handle-child-external-stop");
  return function;
}
const ExportFunction& handle_child_event_function() {
  static const ExportFunction& function = known_export(kSupervisorClient, "handle-child-event");
  return function;
}
const ExportFunction& handle_exit_function() {
  static const ExportFunction& function = known_export(kLinksClient, "handle-exit");
  return function;
}
const ExportFunction& handle_down_function() {
  static const ExportFunction& function = known_export(kLinksClient, "handle-down");
  return function;
}
const ExportFunction& handle_tick_function() {
  static const ExportFunction& function = known_export(kTimerClient, "handle-tick");
  return function;
}
const ExportFunction& handle_channel_open_function() {
  static const ExportFunction& function = known_export(kMessageClient, "handle-channel-open");
  return function;
}
const ExportFunction& handle_channel_message_function() {
  static const ExportFunction& function = known_export(kMessageClient, "handle-channel-message");
  return function;
}
const ExportFunction& handle_channel_close_function() {
  static const ExportFunction& function = known_export(kMessageClient, "handle-channel-close");
  return function;
}

}  // namespace theater::wasm
