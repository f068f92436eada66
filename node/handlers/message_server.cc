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
  const bool ready = services.request_with_event(*call.args[0].get<std::string>(), *call.args[1].get<Bytes>(),
                                                 optional_u64(call.args[2]));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

HostStatus prepare_open_channel(Services& services, HostCall& call) {
  const bool ready = services.open_channel_with_event(*call.args[0].get<std::string>(), *call.args[1].get<Bytes>(),
                                                      optional_u64(call.args[2]));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

HostStatus open_channel(Services& services, HostCall& call) {
  auto opened = services.take_channel();
  if (!opened) return HostStatus::kParked;
  if (!opened->ok()) {
    call.results.push_back(Value::err(Value::string(opened->error().message)));
  } else {
    auto& [number, said] = **opened;
    std::vector<Value> parts;
    parts.push_back(Value::u64(number));
    parts.push_back(said ? Value::some(Value::bytes(std::move(*said))) : Value::none());
    call.results.push_back(Value::ok(Value::tuple(std::move(parts))));
  }
  return HostStatus::kDone;
}

HostStatus send_on_channel(Services& services, HostCall& call) {
  const auto sent = services.send_on_channel_with_event(*call.args[0].get<uint64_t>(), *call.args[1].get<Bytes>());
  if (!sent.ok()) return answer_with(call, sent.error());
  return *sent ? answer_with(call, Ok{}) : HostStatus::kParked;
}

HostStatus close_channel(Services& services, HostCall& call) {
  return answer_with(call, services.close_channel_with_event(*call.args[0].get<uint64_t>()));
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
    {"request", give_answer, prepare_request},
    {"current-request", current_request},
    {"list-outstanding-requests", list_outstanding_requests},
    {"respond-to-request", respond_to_request},
    {"cancel-request", cancel_request},
    {"open-channel", open_channel, prepare_open_channel},
    {"send-on-channel", send_on_channel},
    {"close-channel", close_channel},
};

}  // namespace

std::span<const HandlerEntry> message_server_handler() { return kEntries; }

Result<void> check_message_server(const Manifest& manifest, const wasm::Module& module) {
  if (!manifest.grants("message-server")) return Ok{};
  for (const auto* taken :
       {&wasm::handle_send_function(), &wasm::handle_request_function(), &wasm::handle_channel_open_function()}) {
    if (module.exports(*taken)) return Ok{};
  }
  const auto& imports = module.imports();
  if (std::any_of(imports.begin(), imports.end(), [](auto* import) { return import->handler == "message-server"; })) {
    return Ok{};  // it only sends
  }
  return Error{ErrorCode::kRefused,
               str_cat("the manifest of '", manifest.name, "' grants message-server, but the package exports none of ",
                       wasm::handle_request_function().name, ", ", wasm::handle_send_function().name, " and ",
                       wasm::handle_channel_open_function().name,
                       "; export one of them, or take the handler out of the manifest")};
}

}  // namespace theater::node
