// The text form of WebAssembly, for tests that write their guests beside what they expect of them.
#pragma once

#include <string_view>

#include "base/result.h"

namespace theater::wasm {

// The binary form, or where the text is wrong. Nothing is checked but the syntax.
Result<Bytes> wat_to_wasm(std::string_view text);

}  // namespace theater::wasm
