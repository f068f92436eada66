// What a package's sections tell before it is compiled: that it uses exceptions, and which WIT it was built for.
#include "base/text.h"
#include "wasm/wasmtime_internal.h"

namespace theater::wasm {
namespace {

struct Section {
  uint8_t id;
  BytesView body;
};

std::optional<uint64_t> take_size(BytesView& rest) {
  uint64_t size = 0;
  for (int shift = 0; !rest.empty() && shift < 35; shift += 7) {
    const uint8_t byte = rest[0];
    rest = rest.subspan(1);
    size |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return size;
  }
  return std::nullopt;
}

// None at the end, and where the bytes make no sense: that is for the engine to say.
std::optional<Section> take_section(BytesView& rest) {
  if (rest.empty()) return std::nullopt;
  const uint8_t id = rest[0];
  rest = rest.subspan(1);
  const auto size = take_size(rest);
  if (!size || *size > rest.size()) return std::nullopt;
  const Section section{id, rest.first(*size)};
  rest = rest.subspan(*size);
  return section;
}

struct WorldCheck {
  const EngineState& engine;
  ModuleState& module;
  std::string difference;  // the first one; empty: none
};

const FunctionType* known_type(const EngineState& engine, bool exported, std::string_view interface,
                               std::string_view name) {
  if (exported) {
    const ExportFunction* function = find_export_function(str_cat(interface, "/", name));
    return function == nullptr ? nullptr : &function->type;
  }
  const Import* import = engine.find_import(interface, name);
  return import == nullptr ? nullptr : &import->function->type;
}

void visit_function(void* env, bool exported, const char* interface_data, size_t interface_size, const char* name_data,
                    size_t name_size, const char* wit_data, size_t wit_size) {
  auto& check = *static_cast<WorldCheck*>(env);
  if (!check.difference.empty()) return;
  const std::string_view interface(interface_data, interface_size);
  const std::string_view name(name_data, name_size);
  const std::string_view theirs(wit_data, wit_size);
  // What isn't in the tables is either not used by the module, or named when its imports are checked.
  const FunctionType* known = known_type(check.engine, exported, interface, name);
  if (known == nullptr) {
    if (exported && theirs != callable_type().wit())
      check.module.other_exports.push_back(str_cat(interface, "#", name));
    return;
  }
  const std::string ours = known->wit();
  if (ours == theirs) return;
  constexpr size_t kShownMax = 1'000;
  check.difference = str_cat(exported ? "exports " : "imports ", interface, exported ? "#" : " ", name, " as ",
                             theirs.substr(0, kShownMax), theirs.size() > kShownMax ? "…" : "", ", but it is ", ours);
}

Result<void> check_world(const EngineState& engine, std::string_view section, BytesView world, ModuleState& module) {
  WorldCheck check{engine, module, {}};
  wasmtime_error_t* error = theater_world_functions(world.data(), world.size(), visit_function, &check);
  const std::string reason = take_message(error);
  const std::string where = str_cat("its custom section ", escape(as_bytes(section.substr(0, 200))));
  if (error != nullptr) {
    return Error{ErrorCode::kInvalid, str_cat(where, ", which should say for which WIT it was built, can't be read: ",
                                              reason, "; build it with a current wit-bindgen")};
  }
  if (check.difference.empty()) return Ok{};
  return Error{ErrorCode::kInvalid, str_cat(check.difference, ", says ", where,
                                            "; was the guest built against another version of the WIT?")};
}

}  // namespace

Result<void> check_sections(const EngineState& engine, BytesView package, ModuleState& module) {
  constexpr uint8_t kCustom = 0;
  constexpr uint8_t kTag = 13;
  BytesView rest = package.subspan(8);
  while (auto section = take_section(rest)) {
    // The C API, built without a collector, has no switch for exceptions; what throws one needs a tag section.
    if (section->id == kTag)
      return Error{ErrorCode::kInvalid, "refused: it uses exceptions; build it without them (-fno-exceptions)"};
    if (section->id != kCustom) continue;
    BytesView body = section->body;
    const auto name_size = take_size(body);
    if (!name_size || *name_size > body.size()) continue;
    const std::string_view name = as_text(body.first(*name_size));
    if (name.starts_with("component-type")) TRY(check_world(engine, name, body.subspan(*name_size), module));
  }
  return Ok{};
}

}  // namespace theater::wasm
