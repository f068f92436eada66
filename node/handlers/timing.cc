// The handler `timing`. `now` isn't here: it answers from the call's own time and never reaches the host.
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus sleep(Services& services, HostCall& call) {
  if (!services.wait_ns(*call.args[0].get<uint64_t>())) return HostStatus::kParked;
  call.results.push_back(Value::ok());
  return HostStatus::kDone;
}

constexpr HandlerEntry kEntries[] = {{"sleep", sleep}};

}  // namespace

std::span<const HandlerEntry> timing_handler() { return kEntries; }

}  // namespace theater::node
