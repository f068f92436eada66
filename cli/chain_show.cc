// theater chain show
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/store_access.h"

namespace theater::cli {
namespace {

struct Options {
  StoreOptions store;
  std::string actor;
  std::optional<uint64_t> from;
  std::optional<uint64_t> to;
  bool whole = false;
};

Result<ExitCode> show(const Options& options) {
  TRY_ASSIGN(const auto store, open_store(options.store));
  TRY_ASSIGN(const auto actor, store->resolve(options.actor));
  TRY_ASSIGN(const auto cursor, store->events(actor, options.from.value_or(0)));
  const EventPrinter printer{options.store.json, false, options.whole ? 0 : terminal_width()};
  while (true) {
    TRY_ASSIGN(const auto item, cursor->next());
    if (!item || (options.to && item->sequence > *options.to)) return ExitCode::kDone;
    TRY(printer.print(actor, *item));
  }
}

}  // namespace

void add_chain_show(Command& noun) {
  auto options = std::make_shared<Options>();
  Command verb = noun.add("show", "Prints a chain's events, one a line");
  verb.argument("ACTOR", options->actor, "Id, at least 3 digits of it, or name");
  verb.option("--from", options->from, "N", "First sequence");
  verb.option("--to", options->to, "N", "Last sequence");
  verb.flag("--whole", options->whole, "Don't cut lines to the terminal's width");
  add_store_options(verb, options->store);
  verb.runs([options] { return show(*options); });
}

}  // namespace theater::cli
