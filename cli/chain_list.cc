// theater chain list
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/store_access.h"

namespace theater::cli {
namespace {

Result<ExitCode> list(const StoreOptions& options) {
  TRY_ASSIGN(const auto store, open_store(options));
  TRY_ASSIGN(const auto chains, store->list());
  if (options.json) {
    for (const auto& chain : chains) {
      JsonLine line;
      put_summary(line, chain);
      line.boolean("node_chain", chain.is_node_chain)
          .text("node", chain.node.hex())
          .number("incarnation", chain.incarnation)
          .text("first_time", format_time(chain.first_time_ns))
          .text("last_time", format_time(chain.last_time_ns));
      print_line(line.str());
    }
    return ExitCode::kDone;
  }
  if (chains.empty()) {
    note("the store holds no chains yet");
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"ACTOR", "NAME", "EVENTS", "STATUS", "LAST EVENT"}};
  for (const auto& chain : chains) {
    rows.push_back({chain.actor.short_hex(), name_of(chain), str_cat(chain.events),
                    persist::chain_status_name(chain.status), format_time(chain.last_time_ns)});
  }
  print_table(rows);
  return ExitCode::kDone;
}

}  // namespace

void add_chain_list(Command& noun) {
  auto options = std::make_shared<StoreOptions>();
  Command verb = noun.add("list", "Prints the chains of a store, in order of arrival; checks nothing (see verify)");
  add_store_options(verb, *options);
  verb.runs([options] { return list(*options); });
}

}  // namespace theater::cli
