// The handler `links`: who wants to know, or to share, another actor's end.
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus answer_with(HostCall& call, const Result<void>& result) {
  call.results.push_back(result.ok() ? Value::ok() : Value::err(Value::string(result.error().message)));
  return HostStatus::kDone;
}

HostStatus link(Services& services, HostCall& call) {
  return answer_with(call, services.link(*call.args[0].get<std::string>()));
}

HostStatus unlink(Services& services, HostCall& call) {
  return answer_with(call, services.unlink(*call.args[0].get<std::string>()));
}

HostStatus monitor(Services& services, HostCall& call) {
  const auto number = services.monitor(*call.args[0].get<std::string>());
  if (!number.ok()) return answer_with(call, number.error());
  call.results.push_back(Value::ok(Value::u64(*number)));
  return HostStatus::kDone;
}

HostStatus demonitor(Services& services, HostCall& call) {
  call.results.push_back(Value::boolean(services.demonitor(*call.args[0].get<uint64_t>())));
  return HostStatus::kDone;
}

constexpr HandlerEntry kEntries[] = {
    {"link", link}, {"unlink", unlink}, {"monitor", monitor}, {"demonitor", demonitor}};

}  // namespace

std::span<const HandlerEntry> links_handler() { return kEntries; }

}  // namespace theater::node
