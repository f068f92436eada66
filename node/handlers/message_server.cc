// The handler `message-server`: lets messages in, which need an export to go to, and sends to other actors.
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus send(Services& services, HostCall& call) {
  const auto sent = services.send_with_event(text_arg(call, 0), bytes_arg(call, 1));
  if (!sent.ok()) return refuse(call, sent.error());
  return *sent ? answer_with(call, Ok{}) : HostStatus::kParked;
}

HostStatus prepare_request(Services& services, HostCall& call) {
  const bool ready = services.request_with_event(text_arg(call, 0), bytes_arg(call, 1), optional_u64(call.args[2]));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

HostStatus prepare_open_channel(Services& services, HostCall& call) {
  const bool ready =
      services.open_channel_with_event(text_arg(call, 0), bytes_arg(call, 1), optional_u64(call.args[2]));
  return ready ? HostStatus::kDone : HostStatus::kParked;
}

HostStatus open_channel(Services& services, HostCall& call) {
  auto opened = services.take_channel();
  if (!opened) return HostStatus::kParked;
  if (!opened->ok()) return refuse(call, opened->error());
  auto& [number, said] = **opened;
  std::vector<Value> parts;
  parts.push_back(Value::u64(number));
  parts.push_back(option_of(std::move(said)));
  return answer_with(call, Value::ok(Value::tuple(std::move(parts))));
}

HostStatus send_on_channel(Services& services, HostCall& call) {
  const auto sent = services.send_on_channel_with_event(u64_arg(call, 0), bytes_arg(call, 1));
  if (!sent.ok()) return refuse(call, sent.error());
  return *sent ? answer_with(call, Ok{}) : HostStatus::kParked;
}

HostStatus close_channel(Services& services, HostCall& call) {
  return answer_with(call, services.close_channel_with_event(u64_arg(call, 0)));
}

HostStatus current_request(Services& services, HostCall& call) {
  const auto number = services.current_request();
  return answer_with(call, number ? Value::some(Value::u64(*number)) : Value::none());
}

HostStatus list_outstanding_requests(Services& services, HostCall& call) {
  return answer_with(call, list_of(services.outstanding_requests()));
}

HostStatus respond_to_request(Services& services, HostCall& call) {
  return answer_with(call, services.answer_with_event(u64_arg(call, 0), std::optional(bytes_arg(call, 1))));
}

HostStatus cancel_request(Services& services, HostCall& call) {
  return answer_with(call, services.answer_with_event(u64_arg(call, 0),
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
