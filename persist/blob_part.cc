#include "persist/blob_part.h"

#include <algorithm>

#include "bus/frame.h"
#include "persist/rows.h"

namespace theater::persist {

Result<std::optional<BlobPart>> read_blob_part(const Store& store, const Hash& hash, uint64_t offset, size_t most) {
  TRY_ASSIGN(const auto row, get_row<BlobRow>(store, Table::kRows, blob_key(hash), "a blob"));
  if (!row || offset > row->length) return std::optional<BlobPart>();
  BlobPart part{row->length, {}};
  // The piece that holds the offset begins at most one piece earlier; no piece is larger than a frame.
  const uint64_t from = offset - std::min<uint64_t>(offset, bus::kFrameBodyMax);
  const Bytes prefix = piece_prefix(row->number);
  const auto pieces = store.scan(Table::kBlobs, prefix, piece_key(row->number, from));
  for (; pieces->valid() && part.bytes.size() < most; pieces->next()) {
    uint64_t at = 0;
    for (const uint8_t byte : pieces->key().subspan(prefix.size())) at = at << 8 | byte;
    const uint64_t wanted = offset + part.bytes.size();
    const BytesView bytes = pieces->value();
    if (at > wanted) break;  // a hole: what is missing can't be answered
    if (at + bytes.size() <= wanted) continue;
    const BytesView rest = bytes.subspan(wanted - at);
    part.bytes.insert(part.bytes.end(), rest.begin(),
                      rest.begin() + static_cast<ptrdiff_t>(std::min(rest.size(), most - part.bytes.size())));
  }
  TRY(pieces->status());
  if (part.bytes.empty() && offset < row->length) {
    return Error{ErrorCode::kCorrupt, str_cat("blob sha256:", hash.hex(), " ends before byte ", row->length)};
  }
  return std::optional(std::move(part));
}

}  // namespace theater::persist
