#include "cli/contexts.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/config.h"
#include "base/file.h"
#include "cli/paths.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

constexpr ConfigKey kKeys[] = {
    {"selected", "string", "(none)", "The name of the context that commands use."},
    {"context[].name", "string", "(required)", "How you call it."},
    {"context[].node", "endpoint", "unix:theater-node.sock",
     "The node: `unix:/path` or `tcp://host:port`. THEATER_NODE, `--node`."},
    {"context[].node_key", "key", "(none)",
     "The node's public key, needed for tcp: `tk1…`, or the path of a file that holds it. THEATER_NODE_KEY, "
     "`--node-key`."},
    {"context[].store", "path", "./theater-data",
     "The store that `chain` and `replay` read. THEATER_STORE, `--store`."},
    {"context[].key", "path", "(none)", "Your secret keys, needed for tcp. THEATER_KEY, `--key`."},
};

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

// The selected context, or an empty one.
Result<Context> selected_context() {
  TRY_ASSIGN(const auto contexts, load_contexts());
  if (contexts.selected.empty()) return Context{};
  const auto* context = contexts.find(contexts.selected);
  if (context == nullptr) {
    return Error{ErrorCode::kInvalid, str_cat(contexts_path(), " selects the context '", contexts.selected,
                                              "', which it doesn't hold; see: theater context list")};
  }
  return *context;
}

std::string first_of(const std::optional<std::string>& flag, const char* variable, const std::string& in_context,
                     const char* otherwise) {
  if (flag) return *flag;
  if (const auto value = environment(variable)) return *value;
  return in_context.empty() ? otherwise : in_context;
}

// How messages call the setting that first_of() found.
std::string source_of(const std::optional<std::string>& flag, const char* flag_name, const char* variable,
                      const Context& context) {
  if (flag) return flag_name;
  if (environment(variable)) return variable;
  return str_cat("the context '", context.name, "'");
}

}  // namespace

std::span<const ConfigKey> context_keys() { return kKeys; }

const Context* Contexts::find(std::string_view name) const {
  const auto at = std::find_if(all.begin(), all.end(), [&](const Context& context) { return context.name == name; });
  return at == all.end() ? nullptr : &*at;
}

std::string contexts_path() {
  if (const auto folder = environment("THEATER_CONFIG_DIR")) return *folder + "/contexts.toml";
  if (const auto folder = environment("XDG_CONFIG_HOME")) return *folder + "/theater/contexts.toml";
  return environment("HOME").value_or(".") + "/.config/theater/contexts.toml";
}

Result<Contexts> parse_contexts(std::string_view text, const std::string& path) {
  TRY_ASSIGN(const auto file, Config::parse(text, path));
  const auto root = file.root();
  Contexts contexts;
  contexts.selected = root.text("selected");
  for (const auto& table : root.tables("context")) {
    Context context;
    context.name = table.required_text("name");
    context.node = table.text("node");
    context.node_key = table.text("node_key");
    context.store = table.text("store");
    context.key = table.text("key");
    if (!context.node.empty()) {
      if (auto checked = check_control_endpoint(context.node); !checked.ok())
        table.fail("node", checked.error().message);
    }
    if (contexts.find(context.name) != nullptr) table.fail("name", "there is another context of this name above");
    contexts.all.push_back(std::move(context));
  }
  TRY(file.finish());
  return contexts;
}

std::string to_toml(const Contexts& contexts) {
  std::string out;
  const auto put = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out += str_cat(key, " = ", schema::json_string(value), "\n");
  };
  put("selected", contexts.selected);
  for (const auto& context : contexts.all) {
    out += "\n[[context]]\n";
    put("name", context.name);
    put("node", context.node);
    put("node_key", context.node_key);
    put("store", context.store);
    put("key", context.key);
  }
  return out;
}

Result<Contexts> load_contexts() {
  const auto path = contexts_path();
  const auto text = read_file(path, Config::kTextMax);
  if (!text.ok()) {
    if (text.error().code == ErrorCode::kNotFound) return Contexts{};
    return text.error();
  }
  return parse_contexts(as_text(*text), path);
}

Result<void> save_contexts(const Contexts& contexts) {
  const auto path = contexts_path();
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return Error{ErrorCode::kIo, str_cat("can't make the folder ", folder.string(), ": ", failed.message())};
  return write_file(path, as_bytes(to_toml(contexts)), 0600);
}

Result<std::string> find_store(const std::optional<std::string>& flag) {
  if (flag) return *flag;
  TRY_ASSIGN(const auto context, selected_context());
  return first_of(flag, "THEATER_STORE", context.store, kDefaultStore);
}

Result<NodePlace> find_node(const std::optional<std::string>& node_flag,
                            const std::optional<std::string>& node_key_flag,
                            const std::optional<std::string>& key_flag) {
  TRY_ASSIGN(const auto context, selected_context());
  NodePlace place;
  place.endpoint = first_of(node_flag, "THEATER_NODE", context.node, kDefaultNode);
  place.node_key = first_of(node_key_flag, "THEATER_NODE_KEY", context.node_key, "");
  place.node_key_from = source_of(node_key_flag, "--node-key", "THEATER_NODE_KEY", context);
  place.key_from = source_of(key_flag, "--key", "THEATER_KEY", context);
  const auto key = first_of(key_flag, "THEATER_KEY", context.key, "");
  if (!key.empty()) place.key_file = key;
  return place;
}

}  // namespace theater::cli
