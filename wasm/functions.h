// CONTRACT. The table of functions at an actor's boundary: what a guest may import, what the host may call, and what
// each means for the record. Plain data; the WIT in sdk/wit says the same and a test holds the two together. What a
// host function does is not here but in node/handlers (live) and replay/ (from the record).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/event.h"
#include "wasm/type.h"

namespace theater::wasm {

struct HostFunction {
  std::string interface;  // import module: "theater:simple/runtime@0.1.0"
  std::string name;       // import name: "log"
  std::string type_name;  // the event's type: interface + "/" + name
  FunctionType type;
  schema::Effect effect;  // declared by every function; there is no default
  // False for the few answers that are a pure function of what the record holds anyway (clocks, and preview1 calls
  // whose answer is the same for every actor): the engine itself answers, from Host's two clocks at most; they leave no
  // event, never reach Host::call, and replay computes them again.
  bool recorded;
  bool waits;  // may take as long as it likes (timers): not to be called while the host is inside cabi_realloc
  std::string_view handler;  // the manifest's [[handler]] type that grants it
  // Each argument that is a list<u8> stands in the event as a reference, however small: it is to be found by its hash.
  bool by_reference = false;
};

struct ExportFunction {
  std::string name;       // export name: "theater:simple/actor@0.1.0#init"
  std::string type_name;  // the event's type: "theater:simple/actor@0.1.0/init"
  FunctionType type;
};

// All host functions, preview1's subset included: the recorded ones as the typed calls that wasm/preview1.h makes of
// them, the others with no type that means anything (their core signature stands in preview1.h).
const std::vector<HostFunction>& host_functions();
const HostFunction* find_host_function(std::string_view interface, std::string_view name);
const HostFunction* find_host_function_by_type(std::string_view type_name);

// The exports that Theater knows how to call.
const std::vector<ExportFunction>& export_functions();
const ExportFunction* find_export_function(std::string_view type_name);

// What `rpc` may call of a package: every export INTERFACE#FUNCTION of this type,
// func(state: option<list<u8>>, params: tuple<list<u8>>) -> result<tuple<option<list<u8>>, tuple<option<list<u8>>>>,
// string>, whose interface isn't one of theater:simple's. Which ones there are, the module says.
const FunctionType& callable_type();
std::optional<ExportFunction> callable_function(std::string_view export_name);  // none: it can't be one
bool is_callable_type_name(std::string_view type_name);                         // whether it may name one

const ExportFunction& initialize_function();  // type "_initialize", no parameters, no result
const ExportFunction& init_function();
const ExportFunction& handle_send_function();
const ExportFunction& handle_request_function();
const ExportFunction& handle_child_error_function();
const ExportFunction& handle_child_exit_function();
const ExportFunction& handle_child_external_stop_function();
const ExportFunction& handle_child_event_function();
const ExportFunction& handle_exit_function();
const ExportFunction& handle_down_function();
const ExportFunction& handle_tick_function();
const ExportFunction& handle_channel_open_function();
const ExportFunction& handle_channel_message_function();
const ExportFunction& handle_channel_close_function();

}  // namespace theater::wasm
