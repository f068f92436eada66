#include "node/actor/permissions.h"

#include <algorithm>

#include "wasm/functions.h"

namespace theater::node {
namespace {

constexpr size_t kVariablesMax = 256;

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> read_variables(const Config::Table& handler, const char* key,
                                        const std::vector<std::string>& others) {
  auto names = handler.texts(key);
  if (names.size() > kVariablesMax) handler.fail(key, str_cat("'", key, "' has more than ", kVariablesMax, " names"));
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      handler.fail(key, str_cat("'", escape(as_bytes(name)), "' is no name of a variable"));
    } else if (contains(others, name) || std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), name) !=
                                             names.begin() + static_cast<ptrdiff_t>(i)) {
      handler.fail(key, str_cat("the variable '", name, "' is granted twice"));
    }
  }
  return names;
}

std::vector<std::string> read_functions(const Config::Table& handler) {
  auto names = handler.texts("functions");
  for (const auto& name : names) {
    if (wasm::callable_function(name)) continue;
    handler.fail("functions", str_cat("'", escape(as_bytes(name)), "' is no function that others can call: those are ",
                                      "INTERFACE#FUNCTION, with an interface outside of theater:simple"));
  }
  return names;
}

}  // namespace

bool grants_at_most(const EnvironmentGrant& child, const EnvironmentGrant& parent) {
  return std::all_of(child.variables.begin(), child.variables.end(),
                     [&](const std::string& name) { return contains(parent.variables, name); }) &&
         std::all_of(child.secrets.begin(), child.secrets.end(), [&](const std::string& name) {
           return contains(parent.secrets, name) || contains(parent.variables, name);
         });
}

bool grants_at_most(const Permissions& child, const Permissions& parent) {
  return grants_at_most(child.environment, parent.environment);
}

void read_permissions(const Config::Table& handler, std::string_view type, Permissions& permissions) {
  if (type == "rpc") {
    auto functions = read_functions(handler);
    if (handler.has("functions")) permissions.rpc.functions = std::move(functions);
  }
  if (type == "environment") {
    permissions.environment.variables = read_variables(handler, "variables", {});
    permissions.environment.secrets = read_variables(handler, "secrets", permissions.environment.variables);
  }
}

}  // namespace theater::node
