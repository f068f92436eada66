#include "wasm/wasmtime_internal.h"
#include "wasm/wat.h"

namespace theater::wasm {

Result<Bytes> wat_to_wasm(std::string_view text) {
  wasm_byte_vec_t out;
  if (wasmtime_error_t* error = wasmtime_wat2wasm(text.data(), text.size(), &out)) {
    return Error{ErrorCode::kInvalid, take_message(error)};
  }
  Bytes bytes(out.data, out.data + out.size);
  wasm_byte_vec_delete(&out);
  return bytes;
}

}  // namespace theater::wasm
