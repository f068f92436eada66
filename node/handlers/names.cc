// The handler `names`: by which name other actors of the node find this one.
#include "node/actor/directory.h"
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

HostStatus register_name(Services& services, HostCall& call) {
  return answer_with(call, services.directory().register_name(*call.args[0].get<std::string>(), services.self()));
}

HostStatus unregister_name(Services& services, HostCall& call) {
  return answer_with(call, services.directory().unregister_name(*call.args[0].get<std::string>(), services.self()));
}

HostStatus whereis(Services& services, HostCall& call) {
  const auto id = services.directory().whereis(*call.args[0].get<std::string>());
  call.results.push_back(id ? Value::some(Value::string(id->hex())) : Value::none());
  return HostStatus::kDone;
}

constexpr HandlerEntry kEntries[] = {
    {"register", register_name}, {"unregister", unregister_name}, {"whereis", whereis}};

}  // namespace

std::span<const HandlerEntry> names_handler() { return kEntries; }

}  // namespace theater::node
