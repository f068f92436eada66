// node.toml: who a node is, where it can be talked to, which auditors take its chains, and its limits.
// Paths in the file are relative to the file's folder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/keys.h"
#include "cli/config_key.h"
#include "cli/daemon_log.h"
#include "node/actor/auditors.h"
#include "node/actor/policy.h"

namespace theater::cli {

struct AuditorLink {
  std::string name;
  std::string data;     // tcp://host:port
  std::string control;  // tcp://host:port
  bus::PublicKeys key;  // pinned
  uint64_t window_bytes = 0;
  node::ActorFilter actors;  // whose chains it takes
};

struct NodeConfig {
  std::string name;
  std::string key;              // path of the secret keys
  std::string control;          // unix:/path
  std::string control_tcp;      // tcp://host:port, or empty
  std::string authorized_keys;  // path; needed for control_tcp
  std::vector<AuditorLink> auditors;
  uint64_t workers = 0;  // 0: one a core
  uint64_t stop_grace_ms = 0;
  uint64_t memory_max_bytes = 0;
  uint64_t instances_max = 0;
  uint64_t actors_max = 0;
  uint64_t passivate_after_ms = 0;  // 0: never
  node::Policy policy;
  std::string receipts_folder;
  std::string modules_folder;  // empty: compiled packages aren't kept
  uint64_t modules_bytes_max = 0;
  LogConfig log;
  std::string metrics;  // address of /metrics and /healthz, or empty
  std::string text;     // of the file: its hash stands in the node's chain
};

// As a file and the command line name an auditor.
Result<void> check_auditor_name(const std::string& name);

std::span<const ConfigKey> node_config_keys();

// Reads key files that the configuration names, too.
Result<NodeConfig> parse_node_config(std::string_view text, const std::string& path);
Result<NodeConfig> load_node_config(const std::string& path);

}  // namespace theater::cli
