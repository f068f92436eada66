#include "node/actor/manifest.h"

#include <algorithm>

#include "base/config.h"
#include "node/handlers/handlers.h"

namespace theater::node {
namespace {

void read_handlers(const Config::Table& root, Manifest& manifest) {
  for (const auto& handler : root.tables("handler")) {
    std::string type = handler.required_text("type");
    if (type.empty()) continue;
    const auto& known = handler_types();
    if (std::find(known.begin(), known.end(), type) == known.end()) {
      std::string all;
      for (const auto name : known) all += str_cat(all.empty() ? "" : ", ", name);
      handler.fail("type", str_cat("there is no handler '", escape(as_bytes(type)), "'; there are: ", all));
    } else if (manifest.grants(type)) {
      handler.fail("type", str_cat("the handler '", type, "' is granted twice"));
    } else {
      read_permissions(handler, type, manifest.permissions);
      manifest.handlers.push_back(std::move(type));
    }
  }
}

// Empty if there is none.
std::string read_name(const Config::Table& root, const std::string& key, std::string name) {
  if (!name.empty() && !is_actor_name(name)) {
    root.fail(key, str_cat("'", key, "' must be 1 to ", kActorNameMax,
                           " of the characters a-z A-Z 0-9 - _ . ; here it is \"", escape(as_bytes(name)), "\""));
  }
  return name;
}

void read_audit(const Config::Table& audit, Manifest& manifest) {
  const auto mode = read_audit_mode(audit, "mode", schema::AuditMode::kStrict);
  manifest.audit_mode = mode;
  manifest.quorum = static_cast<uint16_t>(audit.number("quorum", 0, 0, kQuorumMax));
  if (mode == schema::AuditMode::kQuorum && manifest.quorum == 0) {
    audit.fail("quorum", "audit.mode is quorum, and audit.quorum must say how many auditors that is: 1 or more");
  } else if (mode != schema::AuditMode::kQuorum && manifest.quorum != 0) {
    audit.fail("quorum", "audit.quorum is of use with audit.mode = \"quorum\" only");
  }
  manifest.gated = audit.choice("effects", {"at-once", "gated"}, "at-once") == "gated";
  if (manifest.gated && mode == schema::AuditMode::kBestEffort) {
    audit.fail("effects", "audit.effects is gated, and with audit.mode = \"best-effort\" there is nobody to wait for");
  }
}

}  // namespace

schema::AuditMode read_audit_mode(const Config::Table& table, const std::string& key, schema::AuditMode otherwise) {
  const auto mode = table.choice(key, {"strict", "quorum", "best-effort"}, schema::audit_mode_name(otherwise));
  if (mode == "strict") return schema::AuditMode::kStrict;
  return mode == "quorum" ? schema::AuditMode::kQuorum : schema::AuditMode::kBestEffort;
}

bool is_actor_name(std::string_view name) {
  if (name.empty() || name.size() > kActorNameMax) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

bool Manifest::grants(std::string_view handler) const {
  return std::find(handlers.begin(), handlers.end(), handler) != handlers.end();
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const auto config, Config::parse(text, path));
  const auto root = config.root();
  Manifest manifest;
  manifest.name = read_name(root, "name", root.required_text("name"));
  manifest.registered_name = read_name(root, "register", root.text("register"));
  manifest.package = root.text("package");
  if (auto state = root.optional_text("initial_state")) {
    manifest.initial_state = std::move(*state);
    manifest.has_initial_state = true;
  }
  read_handlers(root, manifest);
  if (const auto limits = root.table("limits")) read_limits(*limits, manifest.limits);
  manifest.supervisor = supervise::read_spec(root);
  if (const auto audit = root.table("audit")) read_audit(*audit, manifest);
  TRY(config.finish());
  return manifest;
}

const std::vector<std::string_view>& handler_types() {
  static const std::vector<std::string_view> types = [] {
    std::vector<std::string_view> all;
    for (const auto& handler : handlers()) all.push_back(handler.type);
    return all;
  }();
  return types;
}

const std::vector<ManifestKey>& manifest_keys() {
  static const std::vector<ManifestKey> keys = [] {
    std::vector<ManifestKey> all = {
        {"name", "string", "(required)", "What people call the actor: 1 to 64 of a-z A-Z 0-9 - _ ."},
        {"package", "string", "", "The WebAssembly module: a path beside the manifest."},
        {"register", "string", "(none)",
         "A name by which other actors of the node reach it; refused while another living actor has it."},
        {"initial_state", "string", "(none)", "What the first call, init, gets as its state."},
        {"handler.type", "string", "(required)",
         "One [[handler]] for each thing the actor may use; docs/guest-abi.md lists them."},
        {"handler.variables", "list of strings", "(none)",
         "environment: variables of the node that the actor may read."},
        {"handler.secrets", "list of strings", "(none)",
         "environment: the same, but the record holds only a commitment to the value, wherever it stands."},
        {"handler.functions", "list of strings", "(all)",
         "rpc: exports INTERFACE#FUNCTION that others may call. [] lets this actor call others and be called by none."},
        {"handler.file_bytes", "size", "4 MiB",
         "filesystem: the largest file that the actor may write, or read at once; at most 64 MiB."},
        {"handler.folder.name", "string", "(required)",
         "filesystem: what the actor calls the folder, in front of each path: `NAME/…`."},
        {"handler.folder.path", "path", "(required)",
         "filesystem: the folder on the node; not absolute: from where the node was started."},
        {"handler.folder.mode", "string", "read", "filesystem: read or read-write."},
        {"handler.labels", "string", "actor",
         "store: whose labels the actor sets and sees: actor, its own; node, those that the node's actors share."},
    };
    for (const auto& key : limit_keys()) all.push_back({key.key, key.type(), key.otherwise, key.meaning});
    const std::initializer_list<ManifestKey> others = {
        {"limits.mailbox_full", "string", "wait",
         "What an actor that sends meets when the mailbox is full: wait or refuse. The command line is refused."},
        {"limits.passivate_after", "duration", "(the node's)",
         "An actor that has had nothing to do for this long (at most twice as long) gives up its instance and keeps "
         "its "
         "state. `0 s` means never."},
        {"supervisor.strategy", "string", "one_for_one",
         "Who is restarted when a child ends: one_for_one, one_for_all, rest_for_one, or simple_one_for_one, whose one "
         "[[child]] is the pattern of all children."},
        {"supervisor.intensity", "number", "1", "More restarts than this within the period end the supervisor."},
        {"supervisor.period", "duration", "5 s", "The period in which restarts are counted."},
        {"supervisor.max_children", "number", "10000", "Children that it may have."},
        {"supervisor.backoff.initial", "duration", "100 ms",
         "With a table [supervisor.backoff]: the wait before the first restart in a row; each further one waits twice "
         "as "
         "long. Without: no wait."},
        {"supervisor.backoff.max", "duration", "10 s", "The longest of these waits."},
        {"supervisor.backoff.jitter", "number", "20", "Up to so many percent are taken off a wait by chance."},
        {"child[].id", "string", "(required)",
         "One [[child]] for each child, in the order of starting: what its supervisor calls it."},
        {"child[].manifest", "string", "(required)", "The child's manifest: a path beside this one."},
        {"child[].restart", "string", "permanent",
         "permanent: always restarted; transient: if it ended abnormally; temporary: never."},
        {"child[].shutdown", "string", "5 s",
         "How long it may take to stop before it is killed: a duration, brutal_kill (at once), or infinity (the "
         "default "
         "of a child that is a supervisor itself)."},
        {"audit.mode", "string", "strict",
         "strict: the actor waits for all its auditors; quorum: for so many of them; best-effort: it never waits. What "
         "an auditor then misses is marked."},
        {"audit.quorum", "number", "(none)",
         "With mode quorum: at how many auditors each event needs room; 1 or more."},
        {"audit.effects", "string", "at-once",
         "gated: a call that changes something outside of the node, and an answer to whoever asked from outside, wait "
         "until the record of them is durable at as many auditors as the mode says. at-once: they don't."},
    };
    all.insert(all.end(), others);
    return all;
  }();
  return keys;
}

}  // namespace theater::node
