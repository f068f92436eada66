// The log of `node start` and `auditor start`: one line an event on stderr, with the time in UTC. The logging library
// stops in daemon_log.cc.
#pragma once

#include <functional>
#include <string>

namespace theater::cli {

// Lines begin with the time and `who` ("node", "auditor"). Any thread. May be called until the process ends.
std::function<void(const std::string&)> daemon_log(const std::string& who);

}  // namespace theater::cli
