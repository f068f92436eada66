// An actor's manifest: what it is called, which package it runs, what it may use and how much. TOML; the text itself is
// a blob of genesis, so that the record holds what was granted.
//
// Every key has its default in manifest_keys(), which docs/configuration.md is held to. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/actor/limits.h"
#include "node/actor/permissions.h"
#include "schema/event.h"
#include "supervise/spec.h"

namespace theater::node {

using supervise::ChildSpec;
using supervise::SupervisorSpec;

struct Manifest {
  std::string name;
  std::string package;  // a path beside the manifest, or "sha256:…"; whoever reads the file resolves it
  std::string initial_state;
  bool has_initial_state = false;
  std::string registered_name;        // taken at the beginning of the life; empty: none
  std::vector<std::string> handlers;  // the [[handler]] types, in order
  Permissions permissions;            // what their tables grant
  ManifestLimits limits;
  schema::AuditMode audit_mode = schema::AuditMode::kStrict;
  bool gated = false;   // effects wait until the record of them is durable
  uint16_t quorum = 0;  // of the mode quorum: at how many auditors an event needs room
  // From [supervisor] and [[child]]. A child's `start` is the path of its manifest, beside this one.
  std::optional<SupervisorSpec> supervisor;

  bool grants(std::string_view handler) const;
  std::span<ChildSpec> children() { return supervisor ? supervisor->children : std::span<ChildSpec>(); }
  std::span<const ChildSpec> children() const {
    return supervisor ? supervisor->children : std::span<const ChildSpec>();
  }
};

inline constexpr size_t kActorNameMax = 64;

// 1 to kActorNameMax of a-z A-Z 0-9 - _ .
bool is_actor_name(std::string_view name);

// kInvalid with `path:line:column` for what is wrong; `path` is only for messages.
Result<Manifest> parse_manifest(std::string_view text, const std::string& path = "manifest");

inline constexpr uint64_t kQuorumMax = 1'000;
schema::AuditMode read_audit_mode(const Config::Table& table, const std::string& key, schema::AuditMode otherwise);

// The [[handler]] types that there are.
const std::vector<std::string_view>& handler_types();

struct ManifestKey {
  std::string_view key;  // "limits.memory"
  std::string_view type;
  std::string_view otherwise;  // the default, as one would write it
  std::string_view meaning;
};
const std::vector<ManifestKey>& manifest_keys();

}  // namespace theater::node
