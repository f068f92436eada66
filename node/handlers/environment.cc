// The handler `environment`: the node's own variables, as far as the manifest names them. A secret's value is hidden by
// the chain, wherever it stands (schema/secrets.h).
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/call.h"
#include "schema/secrets.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

Result<Value> value_of(Services& services, const std::string& name) {
  const auto& granted = services.manifest().permissions.environment;
  const bool is_secret = contains(granted.secrets, name);
  const std::string shown = quote(name);
  if (!is_secret && !contains(granted.variables, name)) {
    return Error{ErrorCode::kRefused,
                 str_cat("the variable ", shown, " isn't granted; add it to the manifest:\n", grant_line("environment"),
                         "\nvariables = [\"", is_plain(name) ? name : "…", "\"]")};
  }
  const std::string* value = services.variable(name);
  if (value == nullptr) return Value::none();
  if (!is_utf8(as_bytes(*value))) {
    return Error{ErrorCode::kInvalid, str_cat("the value of ", shown, " isn't UTF-8 text")};
  }
  if (is_secret && value->size() < schema::kSecretMin) {
    return Error{ErrorCode::kRefused, str_cat("the secret ", shown, " has fewer than ", schema::kSecretMin,
                                              " bytes: it could be guessed from its commitment")};
  }
  return Value::some(Value::string(*value));
}

HostStatus get(Services& services, HostCall& call) {
  auto value = value_of(services, text_arg(call, 0));
  return value.ok() ? answer_with(call, Value::ok(std::move(*value))) : refuse(call, value.error());
}

// Those that are granted and set.
HostStatus list(Services& services, HostCall& call) {
  const auto& granted = services.manifest().permissions.environment;
  std::vector<Value> names;
  for (const auto* each : {&granted.variables, &granted.secrets}) {
    for (const auto& name : *each) {
      if (services.variable(name) != nullptr) names.push_back(Value::string(name));
    }
  }
  return answer_with(call, Value::list(std::move(names)));
}

constexpr HandlerEntry kEntries[] = {{"get", get}, {"list", list}};

}  // namespace

std::span<const HandlerEntry> environment_handler() { return kEntries; }

}  // namespace theater::node
