// How a WIT function looks at the boundary of a core module: the canonical ABI's flattening of parameters and results.
// Plain data, computed once per function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wasm/type.h"

namespace theater::wasm {

inline constexpr size_t kFlatParamsMax = 16;  // more go through memory, behind one pointer
inline constexpr size_t kFlatResultsMax = 1;  // more go through memory

struct CoreSignature {
  std::vector<CoreType> params;
  std::vector<CoreType> results;

  std::string text() const;  // "(i32, i32) -> (i64)"
  bool operator==(const CoreSignature&) const = default;
};

struct FunctionLayout {
  std::optional<Type> params_area;  // the tuple of the parameters, if they go through memory
  bool result_in_memory = false;    // imports: the last core parameter says where; exports: the core result does
  CoreSignature import_signature;   // as the guest imports it
  CoreSignature export_signature;   // as the guest exports it
};

FunctionLayout lay_out(const FunctionType& type);

}  // namespace theater::wasm
