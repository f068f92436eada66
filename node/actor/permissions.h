// What a manifest's [[handler]] tables grant beyond the handler itself: which variables, which folders. Denied by
// default: a handler without these keys grants nothing of them.
//
// Each grant can be compared: grants_at_most() says whether a child would get nothing that its parent hasn't. Plain
// data and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace theater::node {

struct EnvironmentGrant {
  std::vector<std::string> variables;  // read, and recorded
  std::vector<std::string> secrets;    // read; the record holds a commitment
  bool operator==(const EnvironmentGrant&) const = default;
};

// A variable that the parent has only as a secret isn't the child's to record.
bool grants_at_most(const EnvironmentGrant& child, const EnvironmentGrant& parent);

// What others may call of this actor. Nothing that a parent could give to a child.
struct RpcGrant {
  std::optional<std::vector<std::string>> functions;  // as exports are named; none: all
};

struct Permissions {
  EnvironmentGrant environment;
  RpcGrant rpc;
};

bool grants_at_most(const Permissions& child, const Permissions& parent);

// Reads the keys that a [[handler]] of this type has beside `type`; errors go to the table.
void read_permissions(const Config::Table& handler, std::string_view type, Permissions& permissions);

}  // namespace theater::node
