#include "node/handlers/handlers.h"

#include "node/actor/manifest.h"

namespace theater::node {

const HandlerEntry* find_implementation(const wasm::HostFunction& function) {
  if (!function.recorded) return nullptr;
  std::span<const HandlerEntry> entries;
  if (function.handler == "runtime") entries = runtime_handler();
  if (function.handler == "timing") entries = timing_handler();
  if (function.handler == "random") entries = random_handler();
  if (function.handler == "wasi") entries = wasi_handler();
  if (function.handler == "message-server") entries = message_server_handler();
  if (function.handler == "timer") entries = timer_handler();
  if (function.handler == "rpc") entries = rpc_handler();
  if (function.handler == "names") entries = names_handler();
  if (function.handler == "environment") entries = environment_handler();
  if (function.handler == "supervisor") entries = supervisor_handler();
  if (function.handler == "links") entries = links_handler();
  if (function.handler == "filesystem") entries = filesystem_handler();
  if (function.handler == "store") entries = store_handler();
  for (const auto& entry : entries) {
    if (entry.function == function.name) return &entry;
  }
  return nullptr;
}

std::string grant_line(std::string_view handler) { return str_cat("[[handler]]\ntype = \"", handler, "\""); }

Result<void> check_grants(const Manifest& manifest, const wasm::Module& module) {
  for (const auto* import : module.imports()) {
    if (import->handler.empty() || manifest.grants(import->handler)) continue;
    return Error{ErrorCode::kRefused,
                 str_cat("the package of '", manifest.name, "' imports ", import->interface, " ", import->name,
                         ", which its manifest doesn't grant; add to the manifest:\n", grant_line(import->handler))};
  }
  TRY(check_timer(manifest, module));
  TRY(check_rpc(manifest, module));
  return check_message_server(manifest, module);
}

}  // namespace theater::node
