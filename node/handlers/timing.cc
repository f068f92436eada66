// The handler `timing`. `now` isn't here: it answers from the call's own time and never reaches the host.
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus sleep(Services& services, HostCall& call) {
  if (!services.wait_ns(u64_arg(call, 0))) return HostStatus::kParked;
  return answer_with(call, Value::ok());
}

constexpr HandlerEntry kEntries[] = {{"sleep", sleep}};

}  // namespace

std::span<const HandlerEntry> timing_handler() { return kEntries; }

}  // namespace theater::node
