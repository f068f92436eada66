// auditor.toml: where an auditor keeps what it is sent, on which ports it listens, and whom it lets in.
// Paths in the file are relative to the file's folder.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "bus/keys.h"
#include "cli/config_key.h"
#include "cli/daemon_log.h"
#include "persist/holdings.h"

namespace theater::cli {

struct AuditorConfig {
  std::string store;            // path
  std::string key;              // path of the secret keys
  std::string data;             // tcp://host:port
  std::string control;          // tcp://host:port
  std::string authorized_keys;  // path
  uint64_t window_bytes = 0;
  uint64_t batch_bytes = 0;
  persist::HoldingLimits limits;
  std::string serve;      // unix:/path, or empty
  std::string serve_tcp;  // tcp://host:port, or empty
  struct Peer {
    std::string name, endpoint;
    bus::PublicKeys key;
  };
  std::vector<Peer> peers;
  uint64_t backfill_interval_ms = 0;
  LogConfig log;
  std::string metrics;  // address of /metrics and /healthz, or empty
};

std::span<const ConfigKey> auditor_config_keys();

Result<AuditorConfig> parse_auditor_config(std::string_view text, const std::string& path);
Result<AuditorConfig> load_auditor_config(const std::string& path);

}  // namespace theater::cli
