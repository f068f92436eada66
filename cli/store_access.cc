#include "cli/store_access.h"

#include <algorithm>

#include "base/crypto.h"
#include "cli/contexts.h"
#include "cli/output.h"
#include "schema/codec.h"
#include "schema/display.h"

namespace theater::cli {

void add_store_options(Command& verb, StoreOptions& options) {
  verb.option("--store", options.store, "FOLDER", "The store to read (THEATER_STORE; default: ./theater-data)");
  verb.flag("--json", options.json, kJsonHelp);
}

Result<std::unique_ptr<persist::ChainReader>> open_store(const StoreOptions& options) {
  TRY_ASSIGN(const auto path, find_store(options.store));
  return persist::open_chain_reader(path);
}

void put_summary(JsonLine& line, const persist::ChainSummary& summary) {
  line.text("actor", summary.actor.hex())
      .text("name", summary.name)
      .number("events", summary.events)
      .text("head", summary.head.hex())
      .text("status", persist::chain_status_name(summary.status));
  if (summary.missing.empty()) return;
  std::vector<std::string> ranges;
  ranges.reserve(summary.missing.size());
  for (const auto& range : summary.missing) ranges.push_back(str_cat("[", range.first, ",", range.last, "]"));
  line.raw("missing", json_array(ranges));
}

std::string missing_text(const persist::ChainSummary& summary) {
  constexpr size_t kShown = 10;
  const auto& missing = summary.missing;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, missing.size()); ++i) {
    const auto& [first, last] = missing[i];
    text += str_cat(i == 0 ? "" : ", ", first == last ? str_cat(first) : str_cat(first, "–", last));
  }
  if (missing.size() <= kShown) return text;
  uint64_t events = 0;
  for (const auto& range : missing) events += range.last + 1 - range.first;
  return str_cat(text, ", … (", events, " in ", missing.size(), " places; --json prints them all)");
}

std::string name_of(const persist::ChainSummary& summary) {
  const auto name = summary.name.empty() ? std::string("-") : escape(as_bytes(summary.name));
  return summary.is_node_chain ? name + " (node)" : name;
}

Result<void> EventPrinter::print(const ActorId& actor, const persist::EventCursor::Item& item) const {
  const auto event = schema::decode_event(item.bytes);
  if (!event.ok()) {
    return Error{ErrorCode::kCorrupt,
                 str_cat("chain ", actor.short_hex(), ", event ", item.sequence, ": ", event.error().message,
                         "; see: theater chain verify ", actor.short_hex())};
  }
  if (json) {
    auto object = schema::to_json(*event, sha256(item.bytes));
    if (with_actor) object.insert(1, str_cat("\"actor\":\"", actor.hex(), "\","));
    print_line(object);
    return Ok{};
  }
  const auto prefix = with_actor ? actor.short_hex() + "  " : std::string();
  print_line(prefix + schema::to_line(*event, width > prefix.size() ? width - prefix.size() : width));
  return Ok{};
}

}  // namespace theater::cli
