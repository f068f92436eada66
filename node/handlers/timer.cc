// The handler `timer`. What it sets ticks by calls of handle-tick (node/actor/actor_timers.h).
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus set(Services& services, HostCall& call, bool repeats) {
  const auto number = services.set_timer(u64_arg(call, 0), repeats, bytes_arg(call, 1));
  return number.ok() ? answer_with(call, Value::ok(Value::u64(*number))) : refuse(call, number.error());
}

HostStatus set_interval(Services& services, HostCall& call) { return set(services, call, true); }
HostStatus set_once(Services& services, HostCall& call) { return set(services, call, false); }

HostStatus cancel(Services& services, HostCall& call) {
  return answer_with(call, services.cancel_timer(u64_arg(call, 0)));
}

HostStatus list(Services& services, HostCall& call) { return answer_with(call, list_of(services.timers())); }

constexpr HandlerEntry kEntries[] = {
    {"set-interval", set_interval}, {"set-once", set_once}, {"cancel", cancel}, {"list", list}};

}  // namespace

std::span<const HandlerEntry> timer_handler() { return kEntries; }

Result<void> check_timer(const Manifest& manifest, const wasm::Module& module) {
  if (module.exports(wasm::handle_tick_function())) return Ok{};
  for (const auto* import : module.imports()) {
    if (import->handler != "timer" || !import->name.starts_with("set-")) continue;
    return Error{ErrorCode::kRefused,
                 str_cat("the package of '", manifest.name, "' imports ", import->interface, " ", import->name,
                         ", but doesn't export ", wasm::handle_tick_function().name, ", to which ticks would go")};
  }
  return Ok{};
}

}  // namespace theater::node
