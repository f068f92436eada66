// What every command that reads a store does first: find it, open it, resolve the chain that was named.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "persist/chain_reader.h"

namespace theater::cli {

struct StoreOptions {
  std::optional<std::string> store;
  bool json = false;
};

// --store and --json.
void add_store_options(Command& verb, StoreOptions& options);

Result<std::unique_ptr<persist::ChainReader>> open_store(const StoreOptions& options);

// {"actor":…,"name":…,"events":…,"head":…,"status":…} and, where there are any, "missing":[[first,last],…].
class JsonLine;
void put_summary(JsonLine& line, const persist::ChainSummary& summary);

// "3 and 7–9" of the sequences that a partial chain lacks.
std::string missing_text(const persist::ChainSummary& summary);

// The name, or what stands for it where there is none.
std::string name_of(const persist::ChainSummary& summary);

// Prints one stored event, as text of at most `width` columns (0: whole) or as JSON. kCorrupt if it doesn't decode.
struct EventPrinter {
  bool json = false;
  bool with_actor = false;  // several chains are printed in turn
  size_t width = 0;
  Result<void> print(const ActorId& actor, const persist::EventCursor::Item& item) const;
};

}  // namespace theater::cli
