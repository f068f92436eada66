// theater evidence export|check|compare: evidence that leaves the store and convinces others.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/store_access.h"
#include "persist/evidence.h"
#include "persist/evidence_export.h"

namespace theater::cli {
namespace {

using persist::EvidenceVerdict;

JsonLine json_of(const persist::EvidenceFile& file, const EvidenceVerdict& verdict) {
  JsonLine line;
  line.text("kind", persist::evidence_kind_name(file.kind))
      .text("outcome", persist::evidence_outcome_name(verdict.outcome))
      .text("node", file.node.hex())
      .text("statement", verdict.statement)
      .texts("events", verdict.events);
  return line;
}

struct ExportOptions {
  StoreOptions store;
  uint64_t number = 0;
  std::string out;
};

Result<ExitCode> export_one(const ExportOptions& options) {
  TRY_ASSIGN(const auto reader, open_store(options.store));
  CHECK(reader->store() != nullptr);
  const persist::Store& store = *reader->store();
  TRY_ASSIGN(const auto row, persist::find_evidence(store, options.number));
  TRY_ASSIGN(const auto file, persist::export_evidence(store, row));
  TRY_ASSIGN(const auto verdict, persist::check_evidence(file));
  TRY(write_file(options.out, persist::encode_evidence(file)));
  if (options.store.json) {
    print_line(json_of(file, verdict).text("file", options.out).str());
    return ExitCode::kDone;
  }
  note(str_cat("written to ", options.out, "; ", persist::evidence_outcome_name(verdict.outcome), ": ",
               verdict.statement));
  return ExitCode::kDone;
}

struct CheckOptions {
  std::string file;
  bool json = false;
};

Result<ExitCode> check(const CheckOptions& options) {
  TRY_ASSIGN(const auto bytes, read_file(options.file, persist::kEvidenceFileMax));
  TRY_ASSIGN(const auto file, persist::decode_evidence(bytes));
  TRY_ASSIGN(const auto verdict, persist::check_evidence(file));
  if (options.json) {
    print_line(json_of(file, verdict).str());
  } else {
    const bool proved = verdict.outcome == EvidenceVerdict::Outcome::kProved;
    print_line(str_cat(styled(proved ? Style::kGreen : Style::kYellow, persist::evidence_outcome_name(verdict.outcome)),
                       "  ", persist::evidence_kind_name(file.kind), ": ", verdict.statement));
    for (const std::string& event : verdict.events) print_line(str_cat("  ", event));
  }
  return verdict.outcome == EvidenceVerdict::Outcome::kProved ? ExitCode::kDone : ExitCode::kVerificationFailed;
}

struct CompareOptions {
  std::string one, other;
  std::optional<std::string> out;
  bool json = false;
};

Result<ExitCode> compare(const CompareOptions& options) {
  TRY_ASSIGN(const auto one, persist::open_chain_reader(options.one));
  TRY_ASSIGN(const auto other, persist::open_chain_reader(options.other));
  TRY_ASSIGN(const auto differences, persist::compare_stores(*one, *other));
  if (options.out && !differences.empty() && mkdir(options.out->c_str(), 0777) != 0 && errno != EEXIST) {
    return Error{ErrorCode::kIo, str_cat("can't make the folder ", *options.out, ": ", std::strerror(errno))};
  }
  for (const persist::Difference& each : differences) {
    TRY_ASSIGN(const auto verdict, persist::check_evidence(each.proof));
    std::string path;
    if (options.out) {
      path = str_cat(*options.out, "/", each.actor.hex(), ".evidence");
      TRY(write_file(path, persist::encode_evidence(each.proof)));
    }
    if (options.json) {
      JsonLine line = json_of(each.proof, verdict);
      line.text("actor", each.actor.hex()).number("sequence", each.sequence);
      if (options.out) line.text("file", path);
      print_line(line.str());
      continue;
    }
    print_line(str_cat(each.actor.hex(), "  differs from event ", each.sequence, " on; ",
                       persist::evidence_outcome_name(verdict.outcome), ": ", verdict.statement));
    if (options.out) note(str_cat("written to ", path));
  }
  if (!differences.empty()) return ExitCode::kVerificationFailed;
  if (!options.json) note("no chain differs between the two stores, as far as both hold it");
  return ExitCode::kDone;
}

}  // namespace

void add_evidence_file_commands(Command& noun) {
  auto export_options = std::make_shared<ExportOptions>();
  Command export_verb = noun.add("export", "Writes one record as a file that others can check without the store");
  export_verb.argument("NUMBER", export_options->number, "As list prints it");
  export_verb.required_option("--out", export_options->out, "FILE", "The file to write");
  add_store_options(export_verb, export_options->store);
  export_verb.runs([export_options] { return export_one(*export_options); });

  auto check_options = std::make_shared<CheckOptions>();
  Command check_verb = noun.add("check", "Says what such a file proves; needs nothing else");
  check_verb.argument("FILE", check_options->file, "As export or compare wrote it");
  check_verb.flag("--json", check_options->json, kJsonHelp);
  check_verb.runs([check_options] { return check(*check_options); });

  auto compare_options = std::make_shared<CompareOptions>();
  Command compare_verb = noun.add("compare", "Finds chains of which two auditors were told different stories");
  compare_verb.argument("STORE", compare_options->one, "One auditor's store");
  compare_verb.argument("OTHER", compare_options->other, "Another's");
  compare_verb.option("--out", compare_options->out, "FOLDER", "Where to write a file of evidence for each such chain");
  compare_verb.flag("--json", compare_options->json, kJsonHelp);
  compare_verb.runs([compare_options] { return compare(*compare_options); });
}

}  // namespace theater::cli
