// The handler `timer`. What it sets ticks by calls of handle-tick (node/actor/actor_timers.h).
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus set(Services& services, HostCall& call, bool repeats) {
  const auto number = services.set_timer(*call.args[0].get<uint64_t>(), repeats, *call.args[1].get<Bytes>());
  call.results.push_back(number.ok() ? Value::ok(Value::u64(*number))
                                     : Value::err(Value::string(number.error().message)));
  return HostStatus::kDone;
}

HostStatus set_interval(Services& services, HostCall& call) { return set(services, call, true); }
HostStatus set_once(Services& services, HostCall& call) { return set(services, call, false); }

HostStatus cancel(Services& services, HostCall& call) {
  const auto cancelled = services.cancel_timer(*call.args[0].get<uint64_t>());
  call.results.push_back(cancelled.ok() ? Value::ok() : Value::err(Value::string(cancelled.error().message)));
  return HostStatus::kDone;
}

HostStatus list(Services& services, HostCall& call) {
  std::vector<Value> numbers;
  for (const uint64_t number : services.timers()) numbers.push_back(Value::u64(number));
  call.results.push_back(Value::list(std::move(numbers)));
  return HostStatus::kDone;
}

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
