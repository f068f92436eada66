// The log of `node start` and `auditor start`: one line an event, with the time in UTC, on stderr or in a file that
// can't fill the disk. The logging library stops in daemon_log.cc.
#pragma once

#include <functional>
#include <string>

#include "base/config.h"
#include "base/result.h"

namespace theater::cli {

// The table [log] of node.toml and auditor.toml.
struct LogConfig {
  std::string file;  // path; empty: stderr
  uint64_t file_max_bytes = 0;
  uint64_t files = 0;  // the one that is written, and older ones: FILE.1, FILE.2 …
};
LogConfig read_log_config(const Config::Table& root, const std::string& config_path);

using Log = std::function<void(const std::string&)>;

// Lines begin with the time and `who` ("node", "auditor"). Any thread. May be called until the process ends. kIo if the
// file can't be written.
Result<Log> daemon_log(const std::string& who, const LogConfig& config);

}  // namespace theater::cli
