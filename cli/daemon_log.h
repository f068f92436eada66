// The log of `node start` and `auditor start`: one line an event, with the time in UTC, on stderr or in a file that
// can't fill the disk. As text for people, or as one JSON object a line: time, who, message, and where the line is
// about an actor its name, id, and the hash of the event. The logging library stops in daemon_log.cc.
#pragma once

#include <string>

#include "base/config.h"
#include "base/log.h"
#include "base/result.h"

namespace theater::cli {

// The table [log] of node.toml and auditor.toml.
struct LogConfig {
  std::string file;  // path; empty: stderr
  uint64_t file_max_bytes = 0;
  uint64_t files = 0;  // the one that is written, and older ones: FILE.1, FILE.2 …
  bool json = false;
};
LogConfig read_log_config(const Config::Table& root, const std::string& config_path);

// Lines begin with the time and `who` ("node", "auditor"). Any thread. May be called until the process ends. kIo if the
// file can't be written.
Result<Log> daemon_log(const std::string& who, const LogConfig& config);

}  // namespace theater::cli
