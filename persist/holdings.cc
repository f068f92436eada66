#include "persist/holdings.h"

#include <algorithm>

#include "base/check.h"

namespace theater::persist {
namespace {

constexpr std::string_view kRaise =
    "; if this node may have more, raise it in auditor.toml and start the auditor again";

}  // namespace

Result<void> Holdings::load(const PublicKey& node) {
  if (entries_.contains(node)) return Ok{};
  TRY_ASSIGN(const auto row, get_row<HoldingRow>(store_, Table::kRows, holding_key(node), "what a node makes it hold"));
  entries_[node].row = row.value_or(HoldingRow{});
  return Ok{};
}

HoldingRow& Holdings::change(const PublicKey& node) {
  const auto found = entries_.find(node);
  CHECK(found != entries_.end(), "what node ", node.short_hex(), " holds wasn't loaded");
  found->second.dirty = true;
  return found->second.row;
}

// Less than nothing can only be what an older version didn't count.
void Holdings::chain_over(const PublicKey& node) {
  uint64_t& chains = change(node).open_chains;
  chains -= std::min<uint64_t>(chains, 1);
}

void Holdings::bytes_are_off(const PublicKey& node, uint64_t bytes) {
  uint64_t& held = change(node).loose_bytes;
  held -= std::min(held, bytes);
}

const HoldingRow& Holdings::held(const PublicKey& node) const {
  const auto found = entries_.find(node);
  CHECK(found != entries_.end(), "what node ", node.short_hex(), " holds wasn't loaded");
  return found->second.row;
}

std::string Holdings::refuses_chains(const PublicKey& node, uint64_t begun) const {
  const uint64_t open = held(node).open_chains;
  if (begun == 0 || open + begun <= limits_.open_chains) return {};
  return str_cat("it has ", open, " chains here that haven't ended, and would have ", open + begun,
                 "; limits.open_chains of this auditor allows ", limits_.open_chains, kRaise);
}

std::string Holdings::refuses_blobs(const PublicKey& node) const {
  const uint64_t bytes = held(node).loose_bytes;
  if (bytes < limits_.loose_bytes) return {};
  return str_cat("it has sent ", bytes, " bytes of blobs that no event refers to; limits.unreferenced of this ",
                 "auditor allows ", limits_.loose_bytes, kRaise);
}

void Holdings::write(Batch& batch) {
  for (auto& [node, entry] : entries_) {
    if (std::exchange(entry.dirty, false)) batch.put(Table::kRows, holding_key(node), encode_row(entry.row));
  }
}

}  // namespace theater::persist
