// The handler `names`: by which name other actors of the node find this one.
#include "node/actor/directory.h"
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

HostStatus register_name(Services& services, HostCall& call) {
  return answer_with(call, services.directory().register_name(text_arg(call, 0), services.self()));
}

HostStatus unregister_name(Services& services, HostCall& call) {
  return answer_with(call, services.directory().unregister_name(text_arg(call, 0), services.self()));
}

HostStatus whereis(Services& services, HostCall& call) {
  const auto id = services.directory().whereis(text_arg(call, 0));
  return answer_with(call, id ? Value::some(Value::string(id->hex())) : Value::none());
}

constexpr HandlerEntry kEntries[] = {
    {"register", register_name}, {"unregister", unregister_name}, {"whereis", whereis}};

}  // namespace

std::span<const HandlerEntry> names_handler() { return kEntries; }

}  // namespace theater::node
