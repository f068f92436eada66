// The handler `rpc`: calls of other actors' own functions. Granted, it also lets others call this actor's.
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/call.h"

namespace theater::node {

using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus prepare_call(Services& services, HostCall& call) {
  const bool ready =
      services.call_with_event(text_arg(call, 0), text_arg(call, 1), bytes_arg(call, 2), optional_u64(call.args[3]));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

constexpr HandlerEntry kEntries[] = {{"call", give_answer, prepare_call}};

}  // namespace

std::span<const HandlerEntry> rpc_handler() { return kEntries; }

Result<void> check_rpc(const Manifest& manifest, const wasm::Module& module) {
  if (!manifest.permissions.rpc.functions) return Ok{};
  const auto& callables = module.callables();
  for (const auto& name : *manifest.permissions.rpc.functions) {
    if (std::any_of(callables.begin(), callables.end(), [&](const auto& each) { return each.name == name; })) continue;
    return Error{ErrorCode::kRefused, str_cat("the manifest of '", manifest.name, "' lets others call ", name,
                                              ", but the package doesn't export it as ", wasm::callable_type().wit())};
  }
  return Ok{};
}

}  // namespace theater::node
