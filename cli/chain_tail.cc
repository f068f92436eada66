// theater chain tail: the last events, and then what an auditor writes.
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/store_access.h"

namespace theater::cli {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(200);

struct Options {
  StoreOptions store;
  std::optional<std::string> actor;
  std::optional<uint64_t> lines;
};

bool has_ended(const persist::ChainSummary& chain) { return chain.status == persist::ChainStatus::kComplete; }

// Prints from `next` on and moves it behind the last event that is there.
Result<void> print_new(persist::ChainReader& store, const persist::ChainSummary& chain, const EventPrinter& printer,
                       uint64_t& next) {
  if (chain.events == 0 || chain.last_sequence < next) return Ok{};
  TRY_ASSIGN(const auto cursor, store.events(chain.actor, next));
  while (true) {
    TRY_ASSIGN(const auto item, cursor->next());
    if (!item) return Ok{};
    TRY(printer.print(chain.actor, *item));
    next = item->sequence + 1;
  }
}

Result<ExitCode> tail_one(persist::ChainReader& store, const Options& options) {
  TRY_ASSIGN(const auto actor, store.resolve(*options.actor));
  const EventPrinter printer{options.store.json, false, terminal_width()};
  const uint64_t lines = options.lines.value_or(10);
  std::optional<uint64_t> next;
  while (true) {
    TRY_ASSIGN(const auto chain, store.summary(actor));
    if (!next) next = chain.last_sequence + 1 > lines ? chain.last_sequence + 1 - lines : 0;
    TRY(print_new(store, chain, printer, *next));
    TRY(finish_stdout());
    if (has_ended(chain)) return ExitCode::kDone;
    std::this_thread::sleep_for(kPollInterval);
    TRY(store.refresh());
  }
}

Result<ExitCode> tail_all(persist::ChainReader& store, const Options& options) {
  const EventPrinter printer{options.store.json, true, terminal_width()};
  std::map<ActorId, uint64_t> next;
  bool first = true;
  while (true) {
    TRY_ASSIGN(const auto chains, store.list());
    for (const auto& chain : chains) {
      const auto [at, is_new] = next.try_emplace(chain.actor, 0);
      if (is_new && first && chain.events != 0) at->second = chain.last_sequence + 1;
      TRY(print_new(store, chain, printer, at->second));
    }
    first = false;
    TRY(finish_stdout());
    std::this_thread::sleep_for(kPollInterval);
    TRY(store.refresh());
  }
}

Result<ExitCode> tail(const Options& options) {
  TRY_ASSIGN(const auto store, open_store(options.store));
  return options.actor ? tail_one(*store, options) : tail_all(*store, options);
}

}  // namespace

void add_chain_tail(Command& noun) {
  auto options = std::make_shared<Options>();
  Command verb = noun.add("tail", "Prints a chain's last events and goes on as more arrive, until it ends or ctrl-C");
  verb.optional_argument("ACTOR", options->actor,
                         "Id, at least 3 digits of it, or name; without it: what is new in any chain");
  verb.option("-n,--lines", options->lines, "N", "How many of the last events come first (default: 10)");
  add_store_options(verb, options->store);
  verb.runs([options] { return tail(*options); });
}

}  // namespace theater::cli
