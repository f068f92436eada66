#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

std::optional<uint64_t> optional_u64(const Value& value) {
  const auto& payload = value.get<Value::Option>()->payload;
  return payload == nullptr ? std::nullopt : std::optional(*payload->get<uint64_t>());
}

std::optional<Bytes> optional_bytes(const Value& value) {
  const auto& payload = value.get<Value::Option>()->payload;
  return payload == nullptr ? std::nullopt : std::optional(*payload->get<Bytes>());
}

Value option_of(std::optional<Bytes> bytes) {
  return bytes ? Value::some(Value::bytes(std::move(*bytes))) : Value::none();
}

Value list_of(const std::vector<uint64_t>& numbers) {
  std::vector<Value> values;
  values.reserve(numbers.size());
  for (const uint64_t number : numbers) values.push_back(Value::u64(number));
  return Value::list(std::move(values));
}

Value err(const Error& why) { return Value::err(Value::string(why.message)); }

HostStatus answer_with(HostCall& call, Value value) {
  call.results.push_back(std::move(value));
  return HostStatus::kDone;
}

HostStatus answer_with(HostCall& call, const Result<void>& result) {
  return answer_with(call, result.ok() ? Value::ok() : err(result.error()));
}

HostStatus refuse(HostCall& call, const Error& why) { return answer_with(call, err(why)); }

HostStatus give_answer(Services& services, HostCall& call) {
  auto answer = services.take_answer();
  if (!answer) return HostStatus::kParked;
  if (!answer->ok()) return refuse(call, answer->error());
  return answer_with(call, Value::ok(option_of(std::move(**answer))));
}

}  // namespace theater::node
