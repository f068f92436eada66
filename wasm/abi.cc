#include "wasm/abi.h"

namespace theater::wasm {
namespace {

std::string list_text(const std::vector<CoreType>& types) {
  static constexpr const char* kNames[] = {"i32", "i64", "f32", "f64"};
  std::string out = "(";
  for (size_t i = 0; i < types.size(); ++i) {
    if (i > 0) out += ", ";
    out += kNames[static_cast<size_t>(types[i])];
  }
  return out + ")";
}

}  // namespace

std::string CoreSignature::text() const { return list_text(params) + " -> " + list_text(results); }

FunctionLayout lay_out(const FunctionType& type) {
  FunctionLayout layout;
  std::vector<CoreType> params;
  std::vector<Type> param_types;
  for (const auto& [name, param] : type.params) {
    params.insert(params.end(), param.flat().begin(), param.flat().end());
    param_types.push_back(param);
  }
  if (params.size() > kFlatParamsMax) {
    layout.params_area = Type::tuple(std::move(param_types));
    params = {CoreType::kI32};
  }
  layout.import_signature.params = layout.export_signature.params = std::move(params);
  if (!type.result) return layout;
  if (type.result->flat().size() <= kFlatResultsMax) {
    layout.import_signature.results = layout.export_signature.results = type.result->flat();
    return layout;
  }
  layout.result_in_memory = true;
  layout.import_signature.params.push_back(CoreType::kI32);
  layout.export_signature.results = {CoreType::kI32};
  return layout;
}

}  // namespace theater::wasm
