// The handler `random`. What it answers stands in the chain.
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus bytes(Services& services, HostCall& call) {
  const uint64_t length = u64_arg(call, 0);
  if (length > kRandomBytesMax) {
    return refuse(call,
                  Error{ErrorCode::kRefused, str_cat(length, " random bytes at once are more than ", kRandomBytesMax)});
  }
  Bytes out(length);
  services.random_bytes(out);
  return answer_with(call, Value::ok(Value::bytes(std::move(out))));
}

HostStatus u64(Services& services, HostCall& call) {
  uint64_t number = 0;
  services.random_bytes({reinterpret_cast<uint8_t*>(&number), sizeof number});
  return answer_with(call, Value::u64(number));
}

constexpr HandlerEntry kEntries[] = {{"bytes", bytes}, {"u64", u64}};

}  // namespace

std::span<const HandlerEntry> random_handler() { return kEntries; }

}  // namespace theater::node
