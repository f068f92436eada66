// One line of a daemon's log: a text for people, and for machines what it is about. Whoever writes the log decides how
// it looks (cli/daemon_log.h); whoever only wants text gets it by conversion.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/text.h"

namespace theater {

struct LogLine {
  LogLine(std::string line) : text(std::move(line)) {}  // NOLINT(google-explicit-constructor)
  LogLine(const char* line) : text(line) {}             // NOLINT(google-explicit-constructor)

  std::string text;
  std::string actor_name;
  ActorId actor;              // zero: about none
  std::optional<Hash> event;  // of that actor's chain: the one that the line tells of

  // "[counter 1a2b3c4d] added"
  std::string for_people() const {
    return actor_name.empty() ? text : str_cat("[", actor_name, " ", actor.short_hex(), "] ", text);
  }
  operator std::string() const { return for_people(); }  // NOLINT(google-explicit-constructor)
};

// Any thread. May be empty: nobody wants to know.
using Log = std::function<void(const LogLine&)>;

}  // namespace theater
