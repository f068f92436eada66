// theater evidence list|show: what an auditor found wrong. The other verbs are in evidence_file_command.cc.
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/store_access.h"
#include "persist/evidence.h"

namespace theater::cli {
namespace {

using persist::EvidenceRow;

// A store's rows, beside its chains. Every store that the command line opens has them.
const persist::Store& rows_of(const persist::ChainReader& reader) {
  CHECK(reader.store() != nullptr);
  return *reader.store();
}

JsonLine json_of(uint64_t number, const EvidenceRow& row) {
  JsonLine line;
  line.number("number", number)
      .text("kind", persist::evidence_kind_name(row.kind))
      .text("received", format_time(row.received_ns))
      .text("node", row.peer.hex());
  if (!row.actor.is_zero()) line.text("actor", row.actor.hex()).number("sequence", row.sequence);
  if (row.frame != 0) line.number("frame", row.frame);
  if (row.beside.frame != 0) line.number("beside_frame", row.beside.frame);
  line.text("reason", row.reason);
  return line;
}

Result<ExitCode> list(const StoreOptions& options) {
  TRY_ASSIGN(const auto store, open_store(options));
  std::vector<std::vector<std::string>> rows = {{"NUMBER", "KIND", "RECEIVED", "NODE", "ACTOR", "EVENT", "REASON"}};
  TRY(persist::walk_evidence(rows_of(*store), [&](uint64_t number, const EvidenceRow& row) {
    if (options.json) {
      print_line(json_of(number, row).str());
    } else {
      const bool of_actor = !row.actor.is_zero();
      rows.push_back({str_cat(number), persist::evidence_kind_name(row.kind), format_time(row.received_ns),
                      row.peer.short_hex(), of_actor ? row.actor.short_hex() : "-",
                      of_actor ? str_cat(row.sequence) : "-", escape(as_bytes(row.reason))});
    }
    return true;
  }));
  if (options.json) return ExitCode::kDone;
  if (rows.size() == 1) {
    note("the store holds no evidence of anything wrong");
  } else {
    print_table(rows);
  }
  return ExitCode::kDone;
}

struct ShowOptions {
  StoreOptions store;
  uint64_t number = 0;
  bool raw = false;
};

Result<ExitCode> show(const ShowOptions& options) {
  TRY_ASSIGN(const auto store, open_store(options.store));
  TRY_ASSIGN(const EvidenceRow found, persist::find_evidence(rows_of(*store), options.number));
  TRY_ASSIGN(const auto bytes, persist::read_evidence_frame(rows_of(*store), found));
  if (options.raw) {
    print_raw(bytes.frame);
    return ExitCode::kDone;
  }
  if (options.store.json) {
    JsonLine line = json_of(options.number, found);
    print_line(line.number("bytes", bytes.frame.size()).boolean("as_sent", bytes.as_sent).str());
    return ExitCode::kDone;
  }
  print_line(str_cat("kind      ", persist::evidence_kind_name(found.kind)));
  print_line(str_cat("received  ", format_time(found.received_ns), " over the link of node ", found.peer.hex()));
  if (!found.actor.is_zero()) print_line(str_cat("about     event ", found.sequence, " of ", found.actor.hex()));
  print_line(str_cat("reason    ", escape(as_bytes(found.reason))));
  if (found.beside.frame != 0)
    print_line(str_cat("beside    an event in the stored frame number ", found.beside.frame));
  print_line(str_cat("frame     ", bytes.frame.size(), " bytes",
                     found.frame != 0 ? str_cat(", stored as number ", found.frame) : ", refused and kept here",
                     bytes.as_sent ? "" : "; pieces of blobs stand apart", "; --raw prints it"));
  return ExitCode::kDone;
}

}  // namespace

void add_evidence_commands(Command& root) {
  Command noun = root.add("evidence", "Looks at what an auditor found wrong");

  auto list_options = std::make_shared<StoreOptions>();
  Command list_verb = noun.add("list", "Prints the records of a store, in the order in which they came");
  add_store_options(list_verb, *list_options);
  list_verb.runs([list_options] { return list(*list_options); });

  auto show_options = std::make_shared<ShowOptions>();
  Command show_verb = noun.add("show", "Prints one record, or the frame that it is about");
  show_verb.argument("NUMBER", show_options->number, "As list prints it");
  show_verb.flag("--raw", show_options->raw, "The frame's bytes (docs/formats/frame.md) and nothing else");
  add_store_options(show_verb, show_options->store);
  show_verb.runs([show_options] { return show(*show_options); });

  add_evidence_file_commands(noun);
}

}  // namespace theater::cli
