// Shared by the files that hold Wasmtime: wasmtime_config.cc (settings and profile), wasmtime_sections.cc and
// wasmtime_module.cc (what a package must look like), wasmtime_instance.cc (one actor's memory and stack),
// wasmtime_engine.cc (which ties them together). No other file includes this one, and no Wasmtime type leaves these.
#pragma once

#include <theater_wasmtime.h>
#include <wasm.h>
#include <wasmtime.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "wasm/abi.h"
#include "wasm/engine.h"
#include "wasm/preview1.h"

namespace theater::wasm {

template <auto Delete>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    if (object != nullptr) Delete(object);
  }
};
using EnginePtr = std::unique_ptr<wasm_engine_t, Deleter<wasm_engine_delete>>;
using LinkerPtr = std::unique_ptr<wasmtime_linker_t, Deleter<wasmtime_linker_delete>>;
using ModulePtr = std::unique_ptr<wasmtime_module_t, Deleter<wasmtime_module_delete>>;
using InstancePrePtr = std::unique_ptr<wasmtime_instance_pre_t, Deleter<wasmtime_instance_pre_delete>>;
using StorePtr = std::unique_ptr<wasmtime_store_t, Deleter<wasmtime_store_delete>>;
using FuturePtr = std::unique_ptr<wasmtime_call_future_t, Deleter<wasmtime_call_future_delete>>;
using FunctypePtr = std::unique_ptr<wasm_functype_t, Deleter<wasm_functype_delete>>;

// Takes ownership; the message without the trailing backtrace noise.
std::string take_message(wasmtime_error_t* error);

// One importable function, as the linker and the instances see it. Lives as long as the engine.
struct Import {
  enum class Kind : uint8_t { kTyped, kNow, kPreview1 };

  const HostFunction* function;
  Kind kind;
  Preview1 preview1{};
  FunctionLayout layout;  // kTyped
  CoreSignature signature;
  bool needs_realloc = false;
};

// Of each guest; nothing that a manifest could change, because where it ends moves with the compiler.
inline constexpr size_t kWasmStackMax = 512 * 1024;

// What makes an engine; wasmtime_profile() says what a replay must find equal.
Result<EnginePtr> make_configured_engine(const EngineOptions& options, uint32_t instances_max);
// The most instances that this machine's vm.max_map_count has room for.
uint32_t instances_that_fit(std::string* why);

// Shared by modules and instances, so that neither needs the Engine object itself.
struct EngineState {
  EngineOptions options;
  uint32_t instances_max = 0;
  std::string limit_reason;  // names what instances_max comes from
  EngineProfile profile;
  EnginePtr engine;
  std::vector<HostFunction> more_functions;
  std::vector<std::unique_ptr<Import>> imports;  // of every function that may be imported
  LinkerPtr linker;
  std::atomic<uint32_t> instances{0};

  const Import* find_import(std::string_view interface, std::string_view name) const;
};

struct ModuleState {
  std::shared_ptr<EngineState> engine;
  Hash package;
  ModulePtr module;
  InstancePrePtr pre;
  std::vector<const HostFunction*> imports;
  std::vector<std::string> export_names;  // functions, sorted
  std::vector<CoreSignature> export_signatures;
  std::vector<std::string> other_exports;  // of another type than rpc calls, says a `component-type` section
  std::vector<ExportFunction> callables;
  uint64_t memory_min_bytes = 0;
  bool has_initialize = false;

  const CoreSignature* export_signature(std::string_view name) const;
};

// Refuses exceptions, and functions whose WIT types in a `component-type` section aren't those of the tables. `package`
// has a module's header; its other bytes may be anything. Notes the module's other_exports.
Result<void> check_sections(const EngineState& engine, BytesView package, ModuleState& module);

// Takes the code from `serialized` if that isn't empty, and compiles otherwise.
Result<std::shared_ptr<ModuleState>> make_module(const std::shared_ptr<EngineState>& engine, BytesView package,
                                                 BytesView serialized);

Result<std::unique_ptr<Instance>> make_instance(std::shared_ptr<ModuleState> module, Host& host, const Limits& limits);

// The callback behind every import (wasmtime_instance.cc).
void on_import(void* env, wasmtime_caller_t* caller, const wasmtime_val_t* args, size_t nargs, wasmtime_val_t* results,
               size_t nresults, wasm_trap_t** trap_ret, wasmtime_async_continuation_t* continuation);

}  // namespace theater::wasm
