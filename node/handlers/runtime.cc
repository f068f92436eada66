// The handler `runtime`: the actor's own affairs.
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus log(Services& services, HostCall& call) {
  services.log_line(text_arg(call, 0));
  return HostStatus::kDone;
}

HostStatus get_self(Services& services, HostCall& call) {
  return answer_with(call, Value::string(services.self().hex()));
}

// The newest event before the one that this call leaves.
HostStatus get_chain_head(Services& services, HostCall& call) {
  const auto head = services.chain_head();
  return answer_with(call, head ? Value::some(Value::string(head->hex())) : Value::none());
}

HostStatus shutdown(Services& services, HostCall& call) {
  services.end_after_call(optional_bytes(call.args[0]));
  return answer_with(call, Value::ok());
}

constexpr HandlerEntry kEntries[] = {
    {"log", log}, {"get-self", get_self}, {"get-chain-head", get_chain_head}, {"shutdown", shutdown}};

}  // namespace

std::span<const HandlerEntry> runtime_handler() { return kEntries; }

}  // namespace theater::node
