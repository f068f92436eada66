// The handler `message-server`: lets messages in, which need an export to go to, and sends to other actors.
#include <algorithm>

#include "node/actor/manifest.h"
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

HostStatus send(Services& services, HostCall& call) {
  const auto sent = services.send_with_event(*call.args[0].get<std::string>(), *call.args[1].get<Bytes>());
  if (!sent.ok()) return answer_with(call, sent.error());
  return *sent ? answer_with(call, Ok{}) : HostStatus::kParked;
}

HostStatus prepare_request(Services& services, HostCall& call) {
  const auto& timeout = call.args[2].get<Value::Option>()->payload;
  const bool ready =
      services.request_with_event(*call.args[0].get<std::string>(), *call.args[1].get<Bytes>(),
                                  timeout == nullptr ? std::nullopt : std::optional(*timeout->get<uint64_t>()));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

HostStatus request(Services& services, HostCall& call) {
  auto answer = services.take_answer();
  if (!answer) return HostStatus::kParked;
  if (!answer->ok()) {
    call.results.push_back(Value::err(Value::string(answer->error().message)));
  } else {
    auto& bytes = **answer;
    call.results.push_back(Value::ok(bytes ? Value::some(Value::bytes(std::move(*bytes))) : Value::none()));
  }
  return HostStatus::kDone;
}

HostStatus current_request(Services& services, HostCall& call) {
  const auto number = services.current_request();
  call.results.push_back(number ? Value::some(Value::u64(*number)) : Value::none());
  return HostStatus::kDone;
}

HostStatus list_outstanding_requests(Services& services, HostCall& call) {
  std::vector<Value> numbers;
  for (const uint64_t number : services.outstanding_requests()) numbers.push_back(Value::u64(number));
  call.results.push_back(Value::list(std::move(numbers)));
  return HostStatus::kDone;
}

HostStatus respond_to_request(Services& services, HostCall& call) {
  return answer_with(
      call, services.answer_with_event(*call.args[0].get<uint64_t>(), std::optional(*call.args[1].get<Bytes>())));
}

HostStatus cancel_request(Services& services, HostCall& call) {
  return answer_with(call, services.answer_with_event(*call.args[0].get<uint64_t>(),
                                                      Error{ErrorCode::kRefused, "the actor gave up on the request"}));
}

constexpr HandlerEntry kEntries[] = {
    {"send", send},
    {"request", request, prepare_request},
    {"current-request", current_request},
    {"list-outstanding-requests", list_outstanding_requests},
    {"respond-to-request", respond_to_request},
    {"cancel-request", cancel_request},
};

}  // namespace

std::span<const HandlerEntry> message_server_handler() { return kEntries; }

Result<void> check_message_server(const Manifest& manifest, const wasm::Module& module) {
  if (!manifest.grants("message-server")) return Ok{};
  if (module.exports(wasm::handle_send_function()) || module.exports(wasm::handle_request_function())) return Ok{};
  const auto& imports = module.imports();
  if (std::any_of(imports.begin(), imports.end(), [](auto* import) { return import->handler == "message-server"; })) {
    return Ok{};  // it only sends
  }
  return Error{ErrorCode::kRefused,
               str_cat("the manifest of '", manifest.name, "' grants message-server, but the package exports neither ",
                       wasm::handle_request_function().name, " nor ", wasm::handle_send_function().name,
                       "; export one of them, or take the handler out of the manifest")};
}

}  // namespace theater::node
