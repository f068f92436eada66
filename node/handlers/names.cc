// The handler `names`: by which name other actors of the node find this one.
#include "base/check.h"
#include "node/actor/directory.h"
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

// The name is taken at the call, so that two can't get it, and others may see that a moment before its event; if the
// actor ends in between, the name is free again, as all of its names are.
HostStatus register_name(Services& services, HostCall& call) {
  return answer_with(call, services.directory().register_name(text_arg(call, 0), services.self()));
}

HostStatus unregister_name(Services& services, HostCall& call) {
  auto& directory = services.directory();
  const auto& name = text_arg(call, 0);
  if (directory.whereis(name) != services.self()) {
    return answer_with(call, directory.unregister_name(name, services.self()));  // says why not
  }
  services.with_event([&directory, name, self = services.self()](bool emitted) {
    if (emitted) CHECK(directory.unregister_name(name, self).ok(), "a name went without its actor");
  });
  return answer_with(call, Value::ok());
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
