#include "node/actor/policy.h"

#include <algorithm>
#include <deque>

namespace theater::node {
namespace {

using Names = std::vector<std::string>;

std::string listed(const Names& names) {
  std::string all;
  for (const auto& name : names) all += str_cat(all.empty() ? "" : ", ", escape(as_bytes(name)));
  return all.empty() ? "none" : all;
}

// That it may have at once.
uint64_t children_of(const Manifest& manifest) {
  if (manifest.supervisor) return manifest.supervisor->max_children;
  return manifest.grants("supervisor") ? SupervisorSpec().max_children : 0;
}

Names folders_of(const Manifest& manifest, bool writable) {
  Names paths;
  for (const auto& folder : manifest.permissions.filesystem.folders) {
    if (folder.writable == writable) paths.push_back(folder.path);
  }
  return paths;
}

bool equal(std::string_view allowed, std::string_view granted) { return allowed == granted; }

const PermissionKey* find_key(std::string_view name) {
  for (const auto& key : permission_keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

// The most that may be granted, and how messages call where that stands.
struct Ceiling {
  const ManifestLimits& most;
  uint64_t children;
  const Names* handlers;  // nullptr: all
  schema::AuditMode audit_floor;
  uint64_t quorum_floor;  // of the mode quorum
  bool gated;
  std::optional<Names> (*permission)(const void* of, const PermissionKey& key);  // none: whatever it says
  const void* of;
  std::string whose;  // "this node" or "its parent 'boss'"
  // "policy.memory in node.toml", of "limits.memory"; for a parent the manifest's own words.
  std::string (*place)(std::string_view key);
};

Error refused(const Manifest& manifest, std::string_view key, const std::string& asked, const Ceiling& ceiling,
              std::string_view place, const std::string& most) {
  return Error{ErrorCode::kRefused, str_cat(key, " of '", manifest.name, "' is ", asked, ", and ", ceiling.whose,
                                            " has ", most, " (", place, ")")};
}

Result<void> check_handlers(const Manifest& manifest, const Ceiling& ceiling) {
  if (ceiling.handlers == nullptr) return Ok{};
  for (const auto& handler : manifest.handlers) {
    if (std::find(ceiling.handlers->begin(), ceiling.handlers->end(), handler) != ceiling.handlers->end()) continue;
    return Error{ErrorCode::kRefused,
                 str_cat("handler.type of '", manifest.name, "' is ", handler, ", and ", ceiling.whose, " has only ",
                         listed(*ceiling.handlers), " (", ceiling.place("handlers"), ")")};
  }
  return Ok{};
}

Result<void> check_limits(const Manifest& manifest, const Ceiling& ceiling) {
  static const ManifestLimits defaults;
  for (const auto& key : limit_keys()) {
    const uint64_t asked = key.get(manifest.limits), most = key.get(ceiling.most);
    if (asked <= most) continue;
    const bool unsaid = asked == key.get(defaults);
    return refused(manifest, key.key, str_cat(key.text(asked), unsaid ? " unless it says less" : ""), ceiling,
                   ceiling.place(key.key), str_cat("at most ", key.text(most)));
  }
  if (const uint64_t asked = children_of(manifest); asked > ceiling.children) {
    return refused(manifest, "supervisor.max_children", str_cat(asked), ceiling, ceiling.place("children"),
                   str_cat("at most ", ceiling.children));
  }
  return Ok{};
}

Result<void> check_permissions(const Manifest& manifest, const Ceiling& ceiling) {
  for (const auto& key : permission_keys()) {
    auto allowed = ceiling.permission(ceiling.of, key);
    if (!allowed) continue;
    if (const auto* other = find_key(key.also)) {
      const auto more = ceiling.permission(ceiling.of, *other);
      if (!more) continue;
      allowed->insert(allowed->end(), more->begin(), more->end());
    }
    for (const auto& asked : key.granted(manifest)) {
      const bool covered =
          std::any_of(allowed->begin(), allowed->end(), [&](const auto& each) { return key.covers(each, asked); });
      if (covered) continue;
      return refused(manifest, key.key, str_cat("'", escape(as_bytes(asked)), "'"), ceiling, ceiling.place(key.key),
                     listed(*allowed));
    }
  }
  return Ok{};
}

// The weaker a mode, the later it stands in the type.
Result<void> check_audit(const Manifest& manifest, const Ceiling& ceiling) {
  if (manifest.audit_mode > ceiling.audit_floor) {
    return refused(manifest, "audit.mode", schema::audit_mode_name(manifest.audit_mode), ceiling,
                   ceiling.place("audit.mode"), str_cat("at least ", schema::audit_mode_name(ceiling.audit_floor)));
  }
  if (ceiling.gated && !manifest.gated) {
    return refused(manifest, "audit.effects", "at-once", ceiling, ceiling.place("audit.effects"), "gated");
  }
  if (manifest.audit_mode != schema::AuditMode::kQuorum || manifest.quorum >= ceiling.quorum_floor) return Ok{};
  return refused(manifest, "audit.quorum", str_cat(manifest.quorum), ceiling, ceiling.place("audit.quorum"),
                 str_cat("at least ", ceiling.quorum_floor));
}

Result<void> check(const Manifest& manifest, const Ceiling& ceiling) {
  TRY(check_handlers(manifest, ceiling));
  TRY(check_limits(manifest, ceiling));
  TRY(check_permissions(manifest, ceiling));
  return check_audit(manifest, ceiling);
}

// "limits.memory" of a manifest is policy.memory.
std::string policy_key(std::string_view key) {
  for (const auto& permission : permission_keys()) {
    if (permission.key == key) return str_cat("policy.", permission.name);
  }
  if (key.starts_with("limits.")) key.remove_prefix(7);
  if (key == "audit.quorum") return "policy.quorum";
  if (key == "audit.effects") return "policy.effects";
  return str_cat("policy.", key == "audit.mode" ? "audit" : key);
}

}  // namespace

std::span<const PermissionKey> permission_keys() {
  static constexpr PermissionKey kKeys[] = {
      {"handler.variables", "variables", "The variables of the node that a manifest may be granted.",
       [](const Manifest& manifest) { return manifest.permissions.environment.variables; }, equal, ""},
      {"handler.secrets", "secrets", "The same for secrets; those above are allowed as secrets, too.",
       [](const Manifest& manifest) { return manifest.permissions.environment.secrets; }, equal, "variables"},
      {"handler.folder.path", "folders", "The folders that a manifest may be granted for reading and writing.",
       [](const Manifest& manifest) { return folders_of(manifest, true); }, equal, ""},
      {"handler.folder.path (read)", "folders_read", "The same for reading; those above are allowed, too.",
       [](const Manifest& manifest) { return folders_of(manifest, false); }, equal, "folders"},
  };
  return kKeys;
}

Result<void> check_policy(const Manifest& manifest, const Policy& policy) {
  const auto permission = [](const void* of, const PermissionKey& key) -> std::optional<Names> {
    const auto& all = static_cast<const Policy*>(of)->permissions;
    const auto found = all.find(key.name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  };
  return check(manifest, {policy.most, policy.children, policy.handlers ? &*policy.handlers : nullptr,
                          policy.audit_floor, policy.quorum_floor, policy.gated, permission, &policy, "this node",
                          [](std::string_view key) { return str_cat(policy_key(key), " in its node.toml"); }});
}

Result<void> check_grants_no_more(const Manifest& child, const Manifest& parent) {
  const auto permission = [](const void* of, const PermissionKey& key) -> std::optional<Names> {
    return key.granted(*static_cast<const Manifest*>(of));
  };
  TRY(check(child, {parent.limits, children_of(parent), &parent.handlers, parent.audit_mode, parent.quorum,
                    parent.gated, permission, &parent, str_cat("its parent '", parent.name, "'"),
                    [](std::string_view) { return std::string("a child gets at most what its parent has"); }}));
  const auto beyond = handler_beyond(child.permissions, parent.permissions);
  if (beyond.empty()) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the [[handler]] table of ", beyond, " in the manifest of '", child.name,
                                            "' grants more than that of its parent '", parent.name,
                                            "' (a child gets at most what its parent has)")};
}

const std::vector<ManifestKey>& policy_keys() {
  static const std::vector<ManifestKey> keys = [] {
    static std::deque<std::string> texts;  // what the rows refer to
    const auto keep = [](std::string text) -> std::string_view { return texts.emplace_back(std::move(text)); };
    std::vector<ManifestKey> all = {
        {"policy.handlers", "list of strings", "(all)", "The handlers that a manifest may be granted."},
        {"policy.audit", "string", "best-effort",
         "The weakest audit.mode that a manifest may have: strict, quorum or best-effort."},
        {"policy.quorum", "number", "1", "The least that a manifest with the mode quorum may have as audit.quorum."},
        {"policy.effects", "string", "at-once", "gated: every manifest must have audit.effects = \"gated\"."},
        {"policy.children", "number", "(none)", "The most that a manifest may have as supervisor.max_children."},
    };
    for (const auto& key : limit_keys()) {
      const bool memory = key.name() == "memory";
      all.push_back({keep(policy_key(key.key)), key.type(), memory ? "limits.memory_max" : "(none)",
                     keep(str_cat("The most that a manifest may have as ", key.key, "."))});
    }
    for (const auto& key : permission_keys()) {
      all.push_back({keep(policy_key(key.key)), "list of strings", "(none)", key.meaning});
    }
    return all;
  }();
  return keys;
}

Policy read_policy(const Config::Table& root, uint64_t memory_max) {
  Policy policy;
  policy.most.instance.memory_bytes = memory_max;
  for (const auto& key : permission_keys()) policy.permissions[key.name] = {};
  const auto table = root.table("policy");
  if (!table) return policy;
  if (table->has("handlers")) policy.handlers = table->texts("handlers");
  for (const auto& handler : policy.handlers.value_or(Names{})) {
    const auto& known = handler_types();
    if (std::find(known.begin(), known.end(), handler) != known.end()) continue;
    table->fail("handlers", str_cat("policy.handlers: there is no handler '", escape(as_bytes(handler)),
                                    "'; there are: ", listed(Names(known.begin(), known.end()))));
  }
  policy.audit_floor = read_audit_mode(*table, "audit", schema::AuditMode::kBestEffort);
  policy.gated = table->choice("effects", {"at-once", "gated"}, "at-once") == "gated";
  policy.quorum_floor = static_cast<uint16_t>(table->number("quorum", 1, 1, kQuorumMax));
  policy.children = table->number("children", kUnlimited, 0, supervise::kSupervisedChildrenMax);
  for (const auto& key : limit_keys()) key.set(policy.most, key.read(*table, key.get(policy.most)));
  if (const uint64_t memory = policy.most.instance.memory_bytes; memory > memory_max) {
    table->fail("memory", str_cat("policy.memory is ", memory,
                                  " bytes, and the engine is set up for limits.memory_max, ", memory_max));
  }
  for (const auto& key : permission_keys()) policy.permissions[key.name] = table->texts(key.name);
  return policy;
}

}  // namespace theater::node
