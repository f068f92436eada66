// theater chain verify: recomputes every hash and link from the stored bytes.
#include <algorithm>
#include <map>
#include <memory>

#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/store_access.h"
#include "persist/verifier.h"

namespace theater::cli {
namespace {

using persist::ChainStatus;
using persist::VerifyReport;

struct Options {
  StoreOptions store;
  std::optional<std::string> actor;
  std::optional<std::string> expect_head;
  bool require_complete = false;
};

// The reason, without the chain and sequence that the line names anyway.
std::string without_place(const VerifyReport& report) {
  const auto place = str_cat("chain ", report.summary.actor.short_hex(), ", event ", report.sequence.value_or(0), ": ");
  return report.reason.starts_with(place) ? report.reason.substr(place.size()) : report.reason;
}

void print_report(const VerifyReport& report, bool json) {
  const auto& chain = report.summary;
  const bool broken = chain.status == ChainStatus::kBroken;
  if (json) {
    JsonLine line;
    put_summary(line, chain);
    if (broken && report.sequence) line.number("sequence", *report.sequence);
    if (broken) line.text("reason", report.reason);
    print_line(line.str());
    return;
  }
  const auto status = styled(broken                                   ? Style::kRed
                             : chain.status == ChainStatus::kComplete ? Style::kGreen
                                                                      : Style::kYellow,
                             persist::chain_status_name(chain.status));
  auto text =
      str_cat(chain.actor.short_hex(), "  ", name_of(chain), "  ", status, "  ", counted(chain.events, "event"));
  if (!broken) text += str_cat("  head ", chain.head.short_hex());
  if (broken && report.sequence) text += str_cat("  at event ", *report.sequence);
  if (broken) text += str_cat(": ", without_place(report));
  print_line(text);
}

// Whether the chain as it is answers the command's question, with a warning where the answer needs one.
bool acceptable(const VerifyReport& report, bool require_complete) {
  const auto& chain = report.summary;
  const auto id = chain.actor.short_hex();
  switch (chain.status) {
    case ChainStatus::kBroken: return false;
    case ChainStatus::kComplete: return true;
    case ChainStatus::kOpen:
      warn(str_cat("chain ", id, " is open: it has no end yet, so what may have come after event ", chain.last_sequence,
                   " isn't known here"));
      return !require_complete;
    case ChainStatus::kPartial:
      warn(str_cat("chain ", id, " is partial: events ", missing_text(chain), " are missing"));
      return !require_complete;
    case ChainStatus::kOrphaned:
      warn(str_cat("chain ", id, " has an orphaned tail: a later incarnation went on from an earlier event"));
      return !require_complete;
    case ChainStatus::kErased:
      warn(str_cat("chain ", id, " verifies, but payloads were erased"));
      return !require_complete;
  }
  return false;
}

// Says where in the chain the expected head stands, if it does.
Result<bool> check_head(persist::ChainReader& store, const VerifyReport& report, const std::string& digits) {
  const auto expected = Hash::from_hex_text(digits);
  CHECK(expected.has_value(), "the command line was checked");
  const auto& chain = report.summary;
  if (chain.head == *expected) return true;
  TRY_ASSIGN(const auto cursor, store.events(chain.actor, 0));
  while (true) {
    const auto item = cursor->next();
    if (!item.ok() || !*item) break;
    if (sha256((*item)->bytes) != *expected) continue;
    print_error(str_cat("chain ", chain.actor.short_hex(), ": the expected head is event ", (*item)->sequence,
                        ", and the chain goes on to event ", chain.last_sequence));
    return false;
  }
  print_error(str_cat("chain ", chain.actor.short_hex(), ": its head is ", chain.head.hex(), ", and no event of it is ",
                      digits, ": this is not the chain you knew, or its end was cut off"));
  return false;
}

void print_sum(const std::vector<VerifyReport>& reports) {
  std::map<std::string, uint64_t> counts;
  for (const auto& report : reports) ++counts[persist::chain_status_name(report.summary.status)];
  std::string text = str_cat(counted(reports.size(), "chain"), " verified");
  const char* separator = ": ";
  for (const auto& [status, count] : counts) {
    text += str_cat(separator, count, " ", status);
    separator = ", ";
  }
  note(text);
}

Result<ExitCode> verify(const Options& options) {
  TRY_ASSIGN(const auto store, open_store(options.store));
  std::vector<VerifyReport> reports;
  std::vector<std::string> faults;
  {
    Progress progress("verifying");
    if (options.actor) {
      TRY_ASSIGN(const auto actor, store->resolve(*options.actor));
      TRY_ASSIGN(auto report, persist::verify_chain(*store, actor));
      reports.push_back(std::move(report));
    } else {
      TRY_ASSIGN(persist::StoreReport whole, persist::verify_all(*store));
      reports = std::move(whole.chains);
      faults = std::move(whole.faults);
    }
  }
  for (const std::string& fault : faults) print_error(fault);
  bool all_good = faults.empty();
  for (const auto& report : reports) {
    print_report(report, options.store.json);
    all_good = acceptable(report, options.require_complete) && all_good;
  }
  if (options.expect_head) {
    TRY_ASSIGN(const bool as_expected, check_head(*store, reports.front(), *options.expect_head));
    all_good = all_good && as_expected;
  }
  if (!options.store.json) print_sum(reports);
  return all_good ? ExitCode::kDone : ExitCode::kVerificationFailed;
}

}  // namespace

void add_chain_verify(Command& noun) {
  auto options = std::make_shared<Options>();
  Command verb = noun.add("verify", "Recomputes every hash and link from the stored bytes");
  verb.optional_argument("ACTOR", options->actor, "Id, at least 3 digits of it, or name; all chains without it");
  verb.flag("--require-complete", options->require_complete,
            "Exit with 4 unless every chain has its beginning and its end");
  verb.option("--expect-head", options->expect_head, "HASH", "Exit with 4 unless the chain ends with this hash");
  verb.check("--expect-head", {nullptr, [options](const std::string& digits) -> Result<void> {
                                 if (!Hash::from_hex_text(digits)) {
                                   return Error{ErrorCode::kInvalid, "it is a hash of 64 hexadecimal digits"};
                                 }
                                 if (options->actor) return Ok{};
                                 return Error{ErrorCode::kInvalid,
                                              "it is about one chain; name it: theater chain verify ACTOR "
                                              "--expect-head HASH"};
                               }});
  add_store_options(verb, options->store);
  verb.runs([options] { return verify(*options); });
}

}  // namespace theater::cli
