// What a package must look like before an actor is made of it. Each refusal names the import, export, signature or
// proposal, and what to do about it.
#include <algorithm>

#include "base/crypto.h"
#include "base/text.h"
#include "wasm/wasmtime_internal.h"

namespace theater::wasm {
namespace {

Error refuse(std::string message) { return Error{ErrorCode::kInvalid, std::move(message)}; }

std::string_view text_of(const wasm_name_t* name) { return {name->data, name->size}; }

using ValtypePtr = std::unique_ptr<wasm_valtype_t, Deleter<wasm_valtype_delete>>;

// No value when one of them is something that the ABI doesn't use (v128, references). By comparison:
// wasm_valtype_kind() ends the process when it meets a v128.
std::optional<std::vector<CoreType>> core_types(const wasm_valtype_vec_t* types) {
  static const ValtypePtr known[] = {ValtypePtr(wasm_valtype_new(WASM_I32)), ValtypePtr(wasm_valtype_new(WASM_I64)),
                                     ValtypePtr(wasm_valtype_new(WASM_F32)), ValtypePtr(wasm_valtype_new(WASM_F64))};
  std::vector<CoreType> out;
  for (size_t i = 0; i < types->size; ++i) {
    size_t k = 0;
    while (k < std::size(known) && !wasmtime_wasm_valtype_equal(types->data[i], known[k].get())) ++k;
    if (k == std::size(known)) return std::nullopt;
    out.push_back(static_cast<CoreType>(k));
  }
  return out;
}

std::optional<CoreSignature> signature_of(const wasm_functype_t* type) {
  auto params = core_types(wasm_functype_params(type));
  auto results = core_types(wasm_functype_results(type));
  if (!params || !results) return std::nullopt;
  return CoreSignature{std::move(*params), std::move(*results)};
}

std::string signature_text(const std::optional<CoreSignature>& signature) {
  return signature ? signature->text() : "one with vectors or references";
}

Result<void> check_header(BytesView package) {
  static constexpr uint8_t kMagic[] = {0, 'a', 's', 'm'};
  if (package.size() < 8 || !std::equal(kMagic, kMagic + 4, package.begin())) {
    return refuse(
        "not a WebAssembly module: it doesn't begin with \\0asm (text form? assemble it with wat2wasm first)");
  }
  if (package[4] == 0x0d && package[6] == 1) {
    return refuse(
        "a WebAssembly component; Theater runs core modules with the component model's ABI: build it for "
        "wasm32-wasi or wasm32-unknown-unknown, without wrapping it as a component");
  }
  if (package[4] != 1 || package[5] != 0 || package[6] != 0 || package[7] != 0) {
    return refuse("a WebAssembly module of an unknown version; version 1 is what Theater runs");
  }
  return Ok{};
}

std::string known_names(const EngineState& engine, std::string_view interface) {
  std::string names;
  for (const auto& import : engine.imports) {
    if (import->function->interface == interface) names += (names.empty() ? "" : ", ") + import->function->name;
  }
  return names;
}

std::string known_interfaces(const EngineState& engine) {
  std::vector<std::string> names;
  for (const auto& import : engine.imports) names.push_back(import->function->interface);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

Result<void> check_import(ModuleState& module, const wasm_importtype_t* type) {
  const std::string_view interface = text_of(wasm_importtype_module(type));
  const std::string_view name = text_of(wasm_importtype_name(type));
  const std::string where = str_cat("imports ", escape(as_bytes(interface)), " ", escape(as_bytes(name)));
  const wasm_externtype_t* external = wasm_importtype_type(type);
  if (wasm_externtype_kind(external) != WASM_EXTERN_FUNC) {
    return refuse(str_cat(where,
                          ", which isn't a function; only functions can be imported (memory and tables must be the "
                          "module's own)"));
  }
  const Import* import = module.engine->find_import(interface, name);
  if (import == nullptr) {
    const std::string names = known_names(*module.engine, interface);
    if (names.empty()) {
      return refuse(
          str_cat(where, ", but no interface of that name is known; known are: ", known_interfaces(*module.engine)));
    }
    return refuse(str_cat(where, ", which doesn't exist; this interface has: ", names));
  }
  const auto signature = signature_of(wasm_externtype_as_functype_const(external));
  if (!signature || *signature != import->signature) {
    const bool typed = import->kind != Import::Kind::kPreview1;
    return refuse(str_cat(where, " with the signature ", signature_text(signature), ", but it is ",
                          import->signature.text(),
                          typed ? str_cat(", for ", import->function->type.wit()) : std::string(),
                          "; was the guest built against another version?"));
  }
  if (std::find(module.imports.begin(), module.imports.end(), import->function) == module.imports.end()) {
    module.imports.push_back(import->function);
  }
  return Ok{};
}

void note_export(ModuleState& module, const wasm_exporttype_t* type, bool* has_memory) {
  const std::string_view name = text_of(wasm_exporttype_name(type));
  const wasm_externtype_t* external = wasm_exporttype_type(type);
  if (wasm_externtype_kind(external) == WASM_EXTERN_MEMORY && name == "memory") {
    *has_memory = true;
    module.memory_min_bytes = wasmtime_memorytype_minimum(wasm_externtype_as_memorytype_const(external)) * 64 * 1024;
  }
  if (wasm_externtype_kind(external) != WASM_EXTERN_FUNC) return;
  // Exports with vectors or references get a signature that fits nothing Theater calls.
  static const CoreSignature kForeign{std::vector<CoreType>(1000), {}};
  module.export_names.emplace_back(name);
  module.export_signatures.push_back(signature_of(wasm_externtype_as_functype_const(external)).value_or(kForeign));
}

Result<void> check_export(const ModuleState& module, std::string_view name, const CoreSignature& expected,
                          bool required, std::string_view meaning) {
  const CoreSignature* signature = module.export_signature(name);
  if (signature == nullptr) {
    if (!required) return Ok{};
    return refuse(str_cat("doesn't export ", name, " (", meaning, ")"));
  }
  if (*signature == expected) return Ok{};
  return refuse(str_cat("exports ", name, " with the signature ",
                        signature->params.size() >= 1000 ? "one with vectors or references" : signature->text(),
                        ", but it is ", expected.text(), ", for ", meaning,
                        "; was the guest built against another version?"));
}

Result<void> check_exports(const ModuleState& module) {
  const CoreType i = CoreType::kI32;
  TRY(check_export(module, "cabi_realloc", {{i, i, i, i}, {i}}, true,
                   "the function by which the host gets memory from the guest; wit-bindgen and sdk/c provide it"));
  TRY(check_export(module, "_initialize", {}, false, "the constructors' call"));
  for (const ExportFunction& function : export_functions()) {
    if (&function == &initialize_function()) continue;
    const FunctionLayout layout = lay_out(function.type);
    const bool required = &function == &init_function();
    TRY(check_export(module, function.name, layout.export_signature, required, function.type.wit()));
    TRY(check_export(module, "cabi_post_" + function.name, {layout.export_signature.results, {}}, false,
                     "the clean-up after that call"));
  }
  return Ok{};
}

// Exports that can't be told apart from what rpc calls. Any other is left alone.
void find_callables(ModuleState& module) {
  static const CoreSignature entry = lay_out(callable_type()).export_signature;
  static const CoreSignature post{entry.results, {}};
  for (size_t i = 0; i < module.export_names.size(); ++i) {
    const std::string& name = module.export_names[i];
    auto function = callable_function(name);
    if (!function || module.export_signatures[i] != entry) continue;
    const CoreSignature* clean_up = module.export_signature("cabi_post_" + name);
    if (clean_up != nullptr && *clean_up != post) continue;
    const auto& others = module.other_exports;
    if (std::find(others.begin(), others.end(), name) == others.end()) module.callables.push_back(std::move(*function));
  }
}

template <typename Vec, void (*Delete)(Vec*)>
struct VecOf {
  Vec vec{};
  ~VecOf() { Delete(&vec); }
};

}  // namespace

const CoreSignature* ModuleState::export_signature(std::string_view name) const {
  for (size_t i = 0; i < export_names.size(); ++i) {
    if (export_names[i] == name) return &export_signatures[i];
  }
  return nullptr;
}

Result<std::shared_ptr<ModuleState>> make_module(const std::shared_ptr<EngineState>& engine, BytesView package,
                                                 BytesView serialized) {
  TRY(check_header(package));
  auto module = std::make_shared<ModuleState>();
  TRY(check_sections(*engine, package, *module));
  module->engine = engine;
  module->package = sha256(package);

  wasmtime_module_t* compiled = nullptr;
  wasmtime_error_t* error =
      serialized.empty()
          ? wasmtime_module_new(engine->engine.get(), package.data(), package.size(), &compiled)
          : wasmtime_module_deserialize(engine->engine.get(), serialized.data(), serialized.size(), &compiled);
  if (error != nullptr) return refuse(str_cat("refused by the engine: ", take_message(error)));
  module->module.reset(compiled);

  VecOf<wasm_importtype_vec_t, wasm_importtype_vec_delete> imports;
  wasmtime_module_imports(compiled, &imports.vec);
  for (size_t i = 0; i < imports.vec.size; ++i) TRY(check_import(*module, imports.vec.data[i]));

  VecOf<wasm_exporttype_vec_t, wasm_exporttype_vec_delete> exports;
  wasmtime_module_exports(compiled, &exports.vec);
  bool has_memory = false;
  for (size_t i = 0; i < exports.vec.size; ++i) note_export(*module, exports.vec.data[i], &has_memory);
  if (!has_memory) return refuse("doesn't export its memory under the name `memory`");
  TRY(check_exports(*module));
  find_callables(*module);
  module->has_initialize = module->export_signature("_initialize") != nullptr;

  wasmtime_instance_pre_t* pre = nullptr;
  error = wasmtime_linker_instantiate_pre(engine->linker.get(), compiled, &pre);
  if (error != nullptr) return refuse(str_cat("can't be linked: ", take_message(error)));
  module->pre.reset(pre);
  return module;
}

}  // namespace theater::wasm
