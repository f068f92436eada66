// The handler `message-server`. It has no host functions yet; granting it lets messages in, and they need an export to
// go to.
#include "node/actor/manifest.h"
#include "node/handlers/handlers.h"

namespace theater::node {

Result<void> check_message_server(const Manifest& manifest, const wasm::Module& module) {
  if (!manifest.grants("message-server")) return Ok{};
  if (module.exports(wasm::handle_send_function()) || module.exports(wasm::handle_request_function())) return Ok{};
  return Error{ErrorCode::kRefused,
               str_cat("the manifest of '", manifest.name, "' grants message-server, but the package exports neither ",
                       wasm::handle_request_function().name, " nor ", wasm::handle_send_function().name,
                       "; export one of them, or take the handler out of the manifest")};
}

}  // namespace theater::node
