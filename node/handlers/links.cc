// The handler `links`: who wants to know, or to share, another actor's end.
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus link(Services& services, HostCall& call) { return answer_with(call, services.link(text_arg(call, 0))); }

HostStatus unlink(Services& services, HostCall& call) { return answer_with(call, services.unlink(text_arg(call, 0))); }

HostStatus monitor(Services& services, HostCall& call) {
  const auto number = services.monitor(text_arg(call, 0));
  return number.ok() ? answer_with(call, Value::ok(Value::u64(*number))) : refuse(call, number.error());
}

HostStatus demonitor(Services& services, HostCall& call) {
  return answer_with(call, Value::boolean(services.demonitor(u64_arg(call, 0))));
}

constexpr HandlerEntry kEntries[] = {
    {"link", link}, {"unlink", unlink}, {"monitor", monitor}, {"demonitor", demonitor}};

}  // namespace

std::span<const HandlerEntry> links_handler() { return kEntries; }

}  // namespace theater::node
