#include "node/handlers/handlers.h"

#include "node/actor/manifest.h"

namespace theater::node {

std::span<const Handler> handlers() {
  static const Handler all[] = {
      {"runtime", runtime_handler()},
      {"timing", timing_handler()},
      {"random", random_handler()},
      {"message-server", message_server_handler(), check_message_server},
      {"timer", timer_handler(), check_timer},
      {"rpc", rpc_handler(), check_rpc},
      {"names", names_handler()},
      {"supervisor", supervisor_handler()},
      {"links", links_handler()},
      {"environment", environment_handler()},
      {"filesystem", filesystem_handler()},
      {"store", store_handler()},
      {"wasi", wasi_handler()},
  };
  return all;
}

const HandlerEntry* find_implementation(const wasm::HostFunction& function) {
  if (!function.recorded) return nullptr;
  for (const auto& handler : handlers()) {
    if (handler.type != function.handler) continue;
    for (const auto& entry : handler.entries) {
      if (entry.function == function.name) return &entry;
    }
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
  for (const auto& handler : handlers()) {
    if (handler.check != nullptr) TRY(handler.check(manifest, module));
  }
  return Ok{};
}

}  // namespace theater::node
