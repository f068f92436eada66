// The handler `runtime`: the actor's own affairs.
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus log(Services& services, HostCall& call) {
  services.log_line(*call.args[0].get<std::string>());
  return HostStatus::kDone;
}

HostStatus get_self(Services& services, HostCall& call) {
  call.results.push_back(Value::string(services.self().hex()));
  return HostStatus::kDone;
}

// The newest event before the one that this call leaves.
HostStatus get_chain_head(Services& services, HostCall& call) {
  const auto head = services.chain_head();
  call.results.push_back(head ? Value::some(Value::string(head->hex())) : Value::none());
  return HostStatus::kDone;
}

HostStatus shutdown(Services& services, HostCall& call) {
  const auto& data = call.args[0].get<Value::Option>()->payload;
  services.end_after_call(data == nullptr ? std::nullopt : std::optional(*data->get<Bytes>()));
  call.results.push_back(Value::ok());
  return HostStatus::kDone;
}

constexpr HandlerEntry kEntries[] = {
    {"log", log}, {"get-self", get_self}, {"get-chain-head", get_chain_head}, {"shutdown", shutdown}};

}  // namespace

std::span<const HandlerEntry> runtime_handler() { return kEntries; }

}  // namespace theater::node
