// How much a manifest may grant: no more than the node's [policy] allows, and for a child no more than its parent has.
// What is refused is named: the key, its value, the most there is and where that stands. Nothing is lowered in silence,
// because the manifest's text is what the record holds.
//
// Pure functions.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "node/actor/manifest.h"

namespace theater::node {

// Something that a handler is granted by name: a folder, a variable. A handler that brings such a key adds a row to
// permission_keys(), and policy and parents bound it.
struct PermissionKey {
  std::string_view key;      // for people: "handler.folders"
  std::string_view name;     // in [policy]: "folders"
  std::string_view meaning;  // of the row in [policy]
  std::vector<std::string> (*granted)(const Manifest&);
  bool (*covers)(std::string_view allowed, std::string_view granted);
  std::string_view also = "";  // the name of a key that allows this as well: who may record a value may hide it
};
std::span<const PermissionKey> permission_keys();

// The ceiling for what any manifest may grant itself, and the floor for its audit mode. As it is made, it allows
// everything.
struct Policy {
  std::optional<std::vector<std::string>> handlers;  // none: all
  ManifestLimits most = most_limits();
  uint64_t children = kUnlimited;  // of a supervisor
  // By PermissionKey::name; a key that isn't there is allowed whatever it says.
  std::map<std::string_view, std::vector<std::string>> permissions;
  schema::AuditMode audit_floor = schema::AuditMode::kBestEffort;
  uint16_t quorum_floor = 1;  // the least that a manifest with the mode quorum may ask for
  bool gated = false;         // every manifest's effects must be
};

// kRefused, naming the manifest's key and the policy's.
Result<void> check_policy(const Manifest& manifest, const Policy& policy);

// Whether `child` grants no more than `parent`: kRefused, naming the key and both values. A child of a strictly audited
// parent is strictly audited; one of a parent with a quorum has the same or more.
Result<void> check_grants_no_more(const Manifest& child, const Manifest& parent);

// The keys of node.toml's [policy], and the policy that it states; without the table, what a node allows that states
// none: every handler and limit, `memory_max` of memory, and nothing by name.
const std::vector<ManifestKey>& policy_keys();
Policy read_policy(const Config::Table& root, uint64_t memory_max);

}  // namespace theater::node
