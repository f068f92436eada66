#include "persist/holdings.h"

#include <algorithm>

#include "base/check.h"
#include "schema/codec.h"

namespace theater::persist {

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

void Holdings::blob_is_wanted(const PublicKey& node, uint64_t length) {
  uint64_t& bytes = change(node).loose_bytes;
  bytes -= std::min(bytes, length);
}

std::string Holdings::refuses(const PublicKey& node, const bus::FrameView& frame) const {
  const auto found = entries_.find(node);
  CHECK(found != entries_.end(), "what node ", node.short_hex(), " holds wasn't loaded");
  const HoldingRow& row = found->second.row;
  const auto any = [&](auto is_it) { return std::any_of(frame.items.begin(), frame.items.end(), is_it); };
  if (row.loose_bytes >= limits_.loose_bytes &&
      any([](const bus::ItemView& item) { return item.kind == bus::ItemKind::kBlob; })) {
    return str_cat("it has sent ", row.loose_bytes, " bytes of blobs that no event refers to; limits.unreferenced of ",
                   "this auditor allows ", limits_.loose_bytes);
  }
  // Looked for only when there are too many: it means reading each event.
  if (row.open_chains >= limits_.open_chains && any([](const bus::ItemView& item) {
        if (item.kind != bus::ItemKind::kEvent) return false;
        const auto event = schema::check_event(item.content);
        return event.ok() && event->kind == schema::BodyKind::kGenesis;
      })) {
    return str_cat("it has ", row.open_chains, " chains here that haven't ended; limits.open_chains of this auditor ",
                   "allows ", limits_.open_chains);
  }
  return {};
}

void Holdings::write(Batch& batch) {
  for (auto& [node, entry] : entries_) {
    if (std::exchange(entry.dirty, false)) batch.put(Table::kRows, holding_key(node), encode_row(entry.row));
  }
}

}  // namespace theater::persist
