#include "persist/blob_intake.h"

namespace theater::persist {
namespace {

constexpr size_t kKnownMax = 16'384;

}  // namespace

Result<void> BlobIntake::load() {
  const auto rows = store_.scan(Table::kRows, tag_prefix(kUnfinishedTag));
  for (; rows->valid(); rows->next()) {
    RowReader key(rows->key().subspan(1));
    const auto node = key.id<PublicKey>();
    const auto hash = key.id<Hash>();
    TRY_ASSIGN(const PieceRow row, decode_row<PieceRow>(rows->value()));
    Unfinished& blob = unfinished_[{node, hash}];
    blob.row = row;
    uint64_t offset = 0;
    const auto pieces = store_.scan(Table::kBlobs, piece_prefix(row.number));
    for (; pieces->valid() && offset < row.next_offset; pieces->next()) {
      blob.offsets.push_back(offset);
      blob.digest.update(pieces->value());
      offset += pieces->value().size();
    }
    TRY(pieces->status());
    if (offset != row.next_offset) {
      return Error{ErrorCode::kCorrupt, str_cat("the pieces of the unfinished blob ", hash.hex(), " end at byte ",
                                                offset, ", its row says ", row.next_offset)};
    }
  }
  return rows->status();
}

Result<BlobIntake::Known*> BlobIntake::known(const Hash& hash) {
  if (const auto found = known_.find(hash); found != known_.end()) return &found->second;
  TRY_ASSIGN(const auto row, get_row<BlobRow>(store_, Table::kRows, blob_key(hash), "a blob"));
  if (!row) return nullptr;
  TRY_ASSIGN(const auto loose, get_row<LooseRow>(store_, Table::kRows, loose_key(hash), "a blob"));
  return &(known_[hash] = {row->length, 0, loose ? std::optional(loose->node) : std::nullopt});
}

Result<bool> BlobIntake::has(const BlobNeed& need, Batch& batch) {
  TRY_ASSIGN(Known* const found, known(need.hash));
  if (found == nullptr || found->length != need.length) return false;
  if (found->loose) {
    TRY(holdings_.load(*found->loose));
    holdings_.bytes_are_off(*found->loose, found->length);
    batch.remove(Table::kRows, loose_key(need.hash));
    found->loose.reset();
  }
  return true;
}

Result<std::string> BlobIntake::add(const PublicKey& node, const bus::BlobPiece& piece, Batch& batch, uint64_t commit) {
  const Key key{node, piece.hash};
  auto at = unfinished_.find(key);
  TRY_ASSIGN(const Known* const already, known(piece.hash));
  if (already != nullptr) {
    if (at != unfinished_.end()) drop(at, batch);  // another node was faster
    return std::string();
  }
  if (piece.length > kBlobMax) return str_cat("a blob of ", piece.length, " bytes; at most ", kBlobMax, " are taken");
  if (at != unfinished_.end() && (piece.offset == 0 || at->second.row.length != piece.length)) {
    drop(at, batch);
    at = unfinished_.end();
  }
  if (piece.gives_up()) {
    if (at != unfinished_.end()) drop(at, batch);
    return std::string();
  }
  if (piece.offset != (at == unfinished_.end() ? 0 : at->second.row.next_offset)) {
    return str_cat("a piece at byte ", piece.offset, " of blob ", piece.hash.hex(), " without those before it");
  }
  Unfinished& blob = at == unfinished_.end() ? begin(key, piece.length, batch) : at->second;
  if (blob.offsets.size() >= kPiecesMax) {
    drop(unfinished_.find(key), batch);
    return str_cat("blob ", piece.hash.hex(), " comes in more than ", kPiecesMax, " pieces");
  }
  blob.digest.update(piece.bytes);
  blob.offsets.push_back(piece.offset);
  blob.row.next_offset += piece.bytes.size();
  holdings_.bytes_came(node, piece.bytes.size());
  blob.dirty = true;
  batch.put(Table::kBlobs, piece_key(blob.row.number, piece.offset), piece.bytes);
  if (blob.row.next_offset < blob.row.length) return std::string();

  if (blob.digest.finish() != piece.hash) {
    drop(unfinished_.find(key), batch);
    return str_cat("the bytes sent as blob ", piece.hash.hex(), " have another hash");
  }
  batch.put(Table::kRows, blob_key(piece.hash), encode_row(BlobRow{blob.row.number, blob.row.length}));
  batch.remove(Table::kRows, unfinished_key(node, piece.hash));
  batch.put(Table::kRows, loose_key(piece.hash), encode_row(LooseRow{node, blob.row.length}));
  known_[piece.hash] = {blob.row.length, commit, node};
  unfinished_.erase(key);
  return std::string();
}

BlobIntake::Unfinished& BlobIntake::begin(const Key& key, uint64_t length, Batch& batch) {
  size_t of_node = 0;
  auto oldest = unfinished_.end();
  for (auto it = unfinished_.lower_bound({key.first, Hash{}}); it != unfinished_.end() && it->first.first == key.first;
       ++it) {
    ++of_node;
    if (oldest == unfinished_.end() || it->second.row.number < oldest->second.row.number) oldest = it;
  }
  if (of_node >= kUnfinishedMax) drop(oldest, batch);
  Unfinished& blob = unfinished_[key];
  blob.row = {next_blob_++, length, 0};
  return blob;
}

void BlobIntake::drop(std::map<Key, Unfinished>::iterator at, Batch& batch) {
  for (const uint64_t offset : at->second.offsets)
    batch.remove(Table::kBlobs, piece_key(at->second.row.number, offset));
  batch.remove(Table::kRows, unfinished_key(at->first.first, at->first.second));
  holdings_.bytes_are_off(at->first.first, at->second.row.next_offset);
  unfinished_.erase(at);
}

void BlobIntake::write_progress(Batch& batch) {
  for (auto& [key, blob] : unfinished_) {
    if (!blob.dirty) continue;
    batch.put(Table::kRows, unfinished_key(key.first, key.second), encode_row(blob.row));
    blob.dirty = false;
  }
}

void BlobIntake::forget_known(uint64_t durable_commit) {
  if (known_.size() <= kKnownMax) return;
  std::erase_if(known_, [&](const auto& entry) { return entry.second.commit <= durable_commit; });
}

}  // namespace theater::persist
