// One row of a table that says which keys a configuration file has. docs/configuration.md shows exactly these rows, and
// tests/cli holds parser, table and page together, in all directions.
#pragma once

#include <string_view>

namespace theater::cli {

struct ConfigKey {
  std::string_view key;        // "name", "limits.memory_max", "auditor[].data"
  std::string_view type;       // "string", "path", "endpoint", "size", "duration", "number", "key", "list of strings"
  std::string_view otherwise;  // the default as one would write it; "(required)"; or "(none)": what happens without it
  std::string_view meaning;
};

}  // namespace theater::cli
