#include "persist/evidence.h"

#include "persist/stored_frame.h"

namespace theater::persist {

namespace {

uint64_t number_of(BytesView key) {
  uint64_t number = 0;
  for (const uint8_t byte : key.subspan(1)) number = number << 8 | byte;
  return number;
}

}  // namespace

Result<void> walk_evidence(const Store& store,
                           const std::function<bool(uint64_t number, const EvidenceRow& row)>& each) {
  const Bytes prefix = tag_prefix(kEvidenceTag);
  for (const auto rows = store.scan(Table::kRows, prefix);; rows->next()) {
    if (!rows->valid()) return rows->status();
    const uint64_t number = number_of(rows->key());
    const auto row = decode_row<EvidenceRow>(rows->value());
    if (!row.ok() || rows->key().size() != prefix.size() + sizeof number) {
      return Error{ErrorCode::kCorrupt, str_cat("the store's record of evidence ", number, " is damaged")};
    }
    if (!each(number, *row)) return Ok{};
  }
}

Result<EvidenceRow> find_evidence(const Store& store, uint64_t number) {
  std::optional<EvidenceRow> found;
  TRY(walk_evidence(store, [&](uint64_t at, const EvidenceRow& row) {
    if (at == number) found = row;
    return !found;
  }));
  if (found) return std::move(*found);
  return Error{ErrorCode::kNotFound,
               str_cat("the store has no evidence number ", number, "; see theater evidence list")};
}

Result<EvidenceBytes> read_evidence_frame(const Store& store, const EvidenceRow& row) {
  if (row.frame == 0) return EvidenceBytes{row.bytes, true};
  TRY_ASSIGN(const auto stored, store.get(Table::kFrames, frame_key(row.frame)));
  if (!stored) return Error{ErrorCode::kCorrupt, str_cat("frame ", row.frame, " isn't in the store")};
  TRY_ASSIGN(const auto frame, decode_stored_frame(*stored));
  EvidenceBytes found{Bytes(frame.bytes.begin(), frame.bytes.end()), true};
  ItemWalk walk(found.frame);
  for (StoredItem item; walk.next(item);) found.as_sent = found.as_sent && item.kind != kStubKind;
  return found;
}

}  // namespace theater::persist
