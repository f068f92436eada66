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

wasm::HostStatus give_answer(Services& services, wasm::HostCall& call) {
  using schema::Value;
  auto answer = services.take_answer();
  if (!answer) return wasm::HostStatus::kParked;
  if (!answer->ok()) {
    call.results.push_back(Value::err(Value::string(answer->error().message)));
  } else {
    auto& bytes = **answer;
    call.results.push_back(Value::ok(bytes ? Value::some(Value::bytes(std::move(*bytes))) : Value::none()));
  }
  return wasm::HostStatus::kDone;
}

std::optional<uint64_t> optional_u64(const schema::Value& value) {
  const auto& payload = value.get<schema::Value::Option>()->payload;
  return payload == nullptr ? std::nullopt : std::optional(*payload->get<uint64_t>());
}

std::string grant_line(std::string_view handler) { return str_cat("[[handler]]\ntype = \"", handler, "\""); }

Result<void> check_child_grants(const Manifest& parent, const Manifest& child) {
  for (const auto& handler : child.handlers) {
    if (parent.grants(handler)) continue;
    return Error{
        ErrorCode::kRefused,
        str_cat("the manifest of '", child.name, "' grants ", handler, ", which that of its parent '", parent.name,
                "' doesn't have; a child gets at most what its parent has. Add to the parent's manifest:\n",
                grant_line(handler))};
  }
  const auto beyond = handler_beyond(child.permissions, parent.permissions);
  if (beyond.empty()) return Ok{};
  return Error{
      ErrorCode::kRefused,
      str_cat("the handler ", beyond, " of '", child.name, "' grants more than that of its parent '", parent.name,
              "'; a child gets at most what its parent has. Add it to the parent's manifest, in the table:\n",
              grant_line(beyond))};
}

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
