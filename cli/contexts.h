// Named places, as in kubectl: which node to talk to, with which key, and which store to read. Kept in contexts.toml in
// $THEATER_CONFIG_DIR, or $XDG_CONFIG_HOME/theater, or ~/.config/theater.
//
// Each setting is looked for in this order: a flag, the environment (THEATER_NODE, THEATER_KEY, THEATER_STORE), the
// selected context, the default. A file that can't be read is an error, not an absence.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/config_key.h"

namespace theater::cli {

inline constexpr const char* kDefaultStore = "./theater-data";
inline constexpr const char* kDefaultNode = "unix:theater-node.sock";

struct Context {
  std::string name;
  std::string node;      // unix:/path or tcp://host:port
  std::string node_key;  // tk1…; pinned, needed for tcp
  std::string store;     // path
  std::string key;       // path of the operator's secret keys
};

struct Contexts {
  std::string selected;  // empty: none
  std::vector<Context> all;

  const Context* find(std::string_view name) const;
};

std::span<const ConfigKey> context_keys();

std::string contexts_path();
Result<Contexts> parse_contexts(std::string_view text, const std::string& path);
std::string to_toml(const Contexts& contexts);
Result<Contexts> load_contexts();  // none if the file doesn't exist
Result<void> save_contexts(const Contexts& contexts);

// The four settings, from flag, environment, context or default.
struct NodePlace {
  std::string endpoint;
  std::string node_key;  // tk1… or a file that holds it; may be empty
  std::string node_key_from;
  std::optional<std::string> key_file;
  std::string key_from;  // where the setting comes from, for messages: "THEATER_KEY"
};
Result<std::string> find_store(const std::optional<std::string>& flag);
Result<NodePlace> find_node(const std::optional<std::string>& node_flag,
                            const std::optional<std::string>& node_key_flag,
                            const std::optional<std::string>& key_flag);

}  // namespace theater::cli
