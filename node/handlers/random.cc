// The handler `random`. What it answers stands in the chain.
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus bytes(Services& services, HostCall& call) {
  const uint64_t length = *call.args[0].get<uint64_t>();
  if (length > kRandomBytesMax) {
    call.results.push_back(
        Value::err(Value::string(str_cat(length, " random bytes at once are more than ", kRandomBytesMax))));
    return HostStatus::kDone;
  }
  Bytes out(length);
  services.random_bytes(out);
  call.results.push_back(Value::ok(Value::bytes(std::move(out))));
  return HostStatus::kDone;
}

HostStatus u64(Services& services, HostCall& call) {
  uint64_t number = 0;
  services.random_bytes({reinterpret_cast<uint8_t*>(&number), sizeof number});
  call.results.push_back(Value::u64(number));
  return HostStatus::kDone;
}

constexpr HandlerEntry kEntries[] = {{"bytes", bytes}, {"u64", u64}};

}  // namespace

std::span<const HandlerEntry> random_handler() { return kEntries; }

}  // namespace theater::node
