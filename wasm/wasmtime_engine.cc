// The engine as wasm/engine.h promises it: it owns Wasmtime's engine and the linker that holds every importable
// function.
#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "wasm/wasmtime_internal.h"

namespace theater::wasm {
namespace {

wasm_valtype_t* value_type(CoreType type) {
  switch (type) {
    case CoreType::kI32: return wasm_valtype_new(WASM_I32);
    case CoreType::kI64: return wasm_valtype_new(WASM_I64);
    case CoreType::kF32: return wasm_valtype_new(WASM_F32);
    default: return wasm_valtype_new(WASM_F64);
  }
}

FunctypePtr function_type(const CoreSignature& signature) {
  const auto list = [](const std::vector<CoreType>& types, wasm_valtype_vec_t* out) {
    std::vector<wasm_valtype_t*> all;
    for (const CoreType type : types) all.push_back(value_type(type));
    wasm_valtype_vec_new(out, all.size(), all.data());
  };
  wasm_valtype_vec_t params;
  wasm_valtype_vec_t results;
  list(signature.params, &params);
  list(signature.results, &results);
  return FunctypePtr(wasm_functype_new(&params, &results));
}

std::unique_ptr<Import> make_import(const HostFunction& function) {
  auto import = std::make_unique<Import>();
  import->function = &function;
  if (const Preview1Function* raw = find_preview1(function.name); raw != nullptr && function.handler == "wasi") {
    import->kind = Import::Kind::kPreview1;
    import->preview1 = raw->id;
    import->signature = raw->signature;
    return import;
  }
  import->kind = function.recorded ? Import::Kind::kTyped : Import::Kind::kNow;
  import->layout = lay_out(function.type);
  import->signature = import->layout.import_signature;
  import->needs_realloc = function.type.result && function.type.result->needs_memory();
  return import;
}

void define_imports(EngineState& state) {
  for (const HostFunction& function : host_functions()) state.imports.push_back(make_import(function));
  for (const HostFunction& function : state.more_functions) state.imports.push_back(make_import(function));
  state.linker.reset(wasmtime_linker_new(state.engine.get()));
  for (const auto& import : state.imports) {
    const HostFunction& f = *import->function;
    wasmtime_error_t* error = wasmtime_linker_define_async_func(
        state.linker.get(), f.interface.data(), f.interface.size(), f.name.data(), f.name.size(),
        function_type(import->signature).get(), on_import, import.get(), nullptr);
    CHECK(error == nullptr, "defining ", f.type_name, ": ", take_message(error));
  }
}

class WasmtimeModule final : public Module {
 public:
  explicit WasmtimeModule(std::shared_ptr<ModuleState> state) : state_(std::move(state)) {}

  const Hash& package() const override { return state_->package; }
  const std::vector<const HostFunction*>& imports() const override { return state_->imports; }
  bool exports(const ExportFunction& function) const override {
    return state_->export_signature(function.name) != nullptr;
  }
  const std::vector<ExportFunction>& callables() const override { return state_->callables; }

  Result<std::unique_ptr<Instance>> instantiate(Host& host, const Limits& limits) override {
    return make_instance(state_, host, limits);
  }
  const ModuleState& state() const { return *state_; }

 private:
  std::shared_ptr<ModuleState> state_;
};

class WasmtimeEngine final : public Engine {
 public:
  explicit WasmtimeEngine(std::shared_ptr<EngineState> state) : state_(std::move(state)) {}

  const EngineProfile& profile() const override { return state_->profile; }

  Result<std::shared_ptr<Module>> compile(BytesView package) override { return make(package, {}); }
  Result<Bytes> serialize(const Module& module) override {
    const auto* state = dynamic_cast<const WasmtimeModule*>(&module);
    CHECK(state != nullptr, "a module of another engine");
    wasm_byte_vec_t all;
    if (auto* error = wasmtime_module_serialize(state->state().module.get(), &all)) {
      return Error{ErrorCode::kIo, str_cat("a compiled package can't be serialized: ", take_message(error))};
    }
    Bytes bytes(all.data, all.data + all.size);
    wasm_byte_vec_delete(&all);
    return bytes;
  }
  Result<std::shared_ptr<Module>> load(BytesView package, BytesView serialized) override {
    if (serialized.empty()) return Error{ErrorCode::kInvalid, "a serialized package of no bytes"};
    return make(package, serialized);
  }

 private:
  Result<std::shared_ptr<Module>> make(BytesView package, BytesView serialized) {
    TRY_ASSIGN(auto module, make_module(state_, package, serialized));
    return std::shared_ptr<Module>(std::make_shared<WasmtimeModule>(std::move(module)));
  }

  std::shared_ptr<EngineState> state_;
};

}  // namespace

std::string refused_text(const RefusedGrowth& refused, const Limits& limits) {
  std::string text;
  if (refused.memory_bytes > (uint64_t{1} << 32)) {
    text += str_cat("; a memory of more than 4 GiB was refused before: limits.memory is ", limits.memory_bytes);
  } else if (refused.memory_bytes != 0) {
    text += str_cat("; a memory of ", refused.memory_bytes, " bytes was refused before: limits.memory is ",
                    limits.memory_bytes);
  }
  if (refused.table_elements != 0) {
    text += str_cat("; a table of ", refused.table_elements, " elements was refused before: limits.table_elements is ",
                    limits.table_elements);
  }
  return text;
}

const Import* EngineState::find_import(std::string_view interface, std::string_view name) const {
  for (const auto& import : imports) {
    if (import->function->name == name && import->function->interface == interface) return import.get();
  }
  return nullptr;
}

std::string take_message(wasmtime_error_t* error) {
  if (error == nullptr) return {};
  wasm_name_t text;
  wasmtime_error_message(error, &text);
  std::string message(text.data, text.size);
  wasm_name_delete(&text);
  wasmtime_error_delete(error);
  // "outer\n\nCaused by:\n    0: middle\n    1: inner": on one line.
  std::string line;
  for (const char c : message) {
    if (c != '\n' && c != ' ') {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

Result<std::unique_ptr<Engine>> make_wasmtime_engine(const EngineOptions& options) {
  auto state = std::make_shared<EngineState>();
  state->options = options;
  state->more_functions = options.more_functions;
  std::string why;
  const uint32_t fit = instances_that_fit(&why);
  state->instances_max = std::min(options.instances_max, fit);
  state->limit_reason = fit < options.instances_max ? why : "limits.instances_max of node.toml";
  TRY_ASSIGN(state->engine, make_configured_engine(options, state->instances_max));
  state->profile = wasmtime_profile(options);
  define_imports(*state);
  return std::unique_ptr<Engine>(std::make_unique<WasmtimeEngine>(std::move(state)));
}

}  // namespace theater::wasm
