// Every chain of a store: the pass over all of it (store_pass.h) says which chains don't agree with their frames, and
// verify_chain() then says where.
#include <set>

#include "persist/deltas.h"
#include "persist/store_pass.h"

namespace theater::persist {
namespace {

// What verify_chain says about a chain that the pass found fault with.
Result<VerifyReport> examine(ChainReader& reader, const ActorId& actor, const std::string& fault) {
  TRY_ASSIGN(VerifyReport report, verify_chain(reader, actor));
  if (fault.empty()) return report;
  if (report.stopped) report.reason += str_cat("; besides, ", fault);
  if (report.sequence) return report;
  report.sequence = report.verified == 0 ? 0 : report.summary.last_sequence;
  report.reason = fault;
  report.summary.status = ChainStatus::kBroken;
  return report;
}

VerifyReport missing(const ActorId& actor, std::string reason) {
  VerifyReport report;
  report.summary.actor = actor;
  report.summary.status = ChainStatus::kBroken;
  report.sequence = 0;
  report.reason = std::move(reason);
  return report;
}

VerifyReport without_rows(const ChainEntry& entry) {
  VerifyReport report = missing(
      entry.row.actor, str_cat("its rows are missing from the store; the frames hold ", entry.events, " events of it"));
  report.summary.node = entry.row.node;
  report.summary.name = entry.row.name;
  return report;
}

}  // namespace

Result<StoreReport> verify_all(ChainReader& reader) {
  TRY_ASSIGN(const std::vector<ChainSummary> summaries, reader.list());
  StoreReport out;
  const Store* store = reader.store();
  if (store == nullptr) {
    for (const ChainSummary& summary : summaries) {
      TRY_ASSIGN(VerifyReport report, verify_chain(reader, summary.actor));
      out.chains.push_back(std::move(report));
    }
    return out;
  }
  TRY_ASSIGN(const Deltas deltas, Deltas::load(*store));
  std::unordered_map<ActorId, uint64_t> numbers;
  std::unordered_map<ActorId, HeadRow> heads;
  for (const ChainSummary& summary : summaries) {
    TRY_ASSIGN(const auto number, get_row<uint64_t>(*store, Table::kRows, actor_key(summary.actor), "an actor"));
    TRY_ASSIGN(const auto head, deltas.head(*store, number.value_or(0)));
    numbers[summary.actor] = number.value_or(0);
    heads[summary.actor] = head.value_or(HeadRow{});
  }
  TipNote promise;  // only if the store is known to be damaged: otherwise it is kept
  if (!store->damage().empty()) promise = store->promised().value_or(TipNote{});
  std::set<ActorId> promised;
  for (const TipNote::Chain& chain : promise.chains) promised.insert(chain.actor);
  StorePass pass(*store, deltas);
  TRY(pass.run());
  for (const ChainSummary& summary : summaries) {
    const std::string fault = pass.fault(summary.actor, numbers[summary.actor], heads[summary.actor]);
    VerifyReport report;
    if (fault.empty() && summary.status != ChainStatus::kBroken && !promised.contains(summary.actor) &&
        !pass.out_of_order(summary.actor)) {
      report.summary = summary;
      report.verified = summary.events;
    } else {
      TRY_ASSIGN(report, examine(reader, summary.actor, fault));
    }
    out.chains.push_back(std::move(report));
  }
  for (const auto& [actor, entry] : pass.chains()) {
    if (!numbers.contains(actor) && !pass.doubtful(entry)) out.chains.push_back(without_rows(entry));
  }
  for (const TipNote::Chain& chain : promise.chains) {
    if (numbers.contains(chain.actor) || pass.chains().contains(chain.actor) || chain.next_sequence == 0) continue;
    out.chains.push_back(
        missing(chain.actor, str_cat("events 0 to ", chain.next_sequence - 1, " were acknowledged and are missing")));
  }
  out.faults = pass.store_faults();
  if (!store->damage().empty()) out.faults.insert(out.faults.begin(), str_cat("the store ", store->damage()));
  return out;
}

}  // namespace theater::persist
