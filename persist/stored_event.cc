#include "persist/stored_event.h"

#include "base/crypto.h"
#include "persist/deltas.h"
#include "schema/codec.h"

namespace theater::persist {
namespace {

struct Sought {
  uint64_t frame = 0;
  uint32_t offset = 0;    // of the run's first item
  uint64_t position = 0;  // in the run
};

Result<std::optional<Sought>> find_in(BytesView segments, uint64_t sequence) {
  SegmentReader in(segments);
  Segment segment;
  while (in.next(segment)) {
    if (sequence < segment.first_sequence || sequence - segment.first_sequence >= segment.events()) continue;
    uint64_t left = sequence - segment.first_sequence;
    for (const Segment::Run& run : segment.runs) {
      if (left < run.count) return std::optional<Sought>({segment.frame, run.offset, left});
      left -= run.count;
    }
  }
  if (!in.ok()) return Error{ErrorCode::kCorrupt, "a row of the segment index is damaged"};
  return std::optional<Sought>();
}

// The row with the largest first sequence that isn't above `sequence`: cursors only walk upwards, so by halves.
Result<std::optional<Sought>> find_in_table(const Store& store, uint64_t chain, uint64_t sequence) {
  std::optional<Bytes> row;
  for (uint64_t low = 0, high = sequence; low <= high;) {
    const uint64_t middle = low + (high - low) / 2;
    const auto rows = store.scan(Table::kSegments, segment_prefix(chain), segment_key(chain, middle));
    if (!rows->valid()) TRY(rows->status());
    const uint64_t first = rows->valid() ? RowReader(rows->key().last(8)).be64() : UINT64_MAX;
    if (first <= sequence) {
      row = Bytes(rows->value().begin(), rows->value().end());
      if (first == UINT64_MAX) break;
      low = first + 1;
    } else {
      if (middle == 0) break;
      high = middle - 1;
    }
  }
  if (!row) return std::optional<Sought>();
  return find_in(*row, sequence);
}

Result<std::optional<Sought>> find_anywhere(const Store& store, uint64_t chain, uint64_t sequence, BytesView newest) {
  TRY_ASSIGN(auto found, find_in(newest, sequence));
  if (!found) {
    TRY_ASSIGN(found, find_in_table(store, chain, sequence));
  }
  if (found) return found;
  // A commit under way may move it from the deltas to the table: seen in neither at first, it is in one of them.
  TRY_ASSIGN(const Deltas deltas, Deltas::load(store));
  if (const Deltas::Chain* in = deltas.find(chain)) {
    TRY_ASSIGN(found, find_in(in->segments, sequence));
  }
  if (!found) {
    TRY_ASSIGN(found, find_in_table(store, chain, sequence));
  }
  return found;
}

Result<StoredItemAt> read_from(const Store& store, uint64_t number, uint32_t offset, uint64_t position) {
  const auto corrupt = [number](std::string_view why) {
    return Error{ErrorCode::kCorrupt, str_cat("frame ", number, " ", why)};
  };
  TRY_ASSIGN(auto row, store.get(Table::kFrames, frame_key(number)));
  if (!row) return corrupt("isn't in the store");
  StoredItemAt at;
  at.row = std::move(*row);
  TRY_ASSIGN(at.frame, decode_stored_frame(at.row));
  ItemWalk walk(at.frame.bytes);
  StoredItem item;
  bool begun = false, found = false;
  for (uint32_t i = 0; walk.next(item); ++i) {
    begun |= item.offset == offset;
    if (begun && !found && position-- == 0) {
      found = true;
      at.number = i;
      at.kind = item.kind;
      at.content = item.content;
    }
    if (item.kind == kStubKind) {
      TRY_ASSIGN(const Stub stub, decode_stub(item.content));
      at.digests.push_back(stub.digest);
    } else {
      at.digests.push_back(sha256(item.content));
    }
  }
  if (!found || walk.broken()) return corrupt("doesn't hold what the index says");
  return at;
}

}  // namespace

Result<std::optional<StoredEvent>> find_stored_event(const Store& store, uint64_t chain, uint64_t sequence,
                                                     BytesView newest) {
  TRY_ASSIGN(const auto found, find_anywhere(store, chain, sequence, newest));
  if (!found) return std::optional<StoredEvent>();
  TRY_ASSIGN(const auto at, read_from(store, found->frame, found->offset, found->position));
  TRY_ASSIGN(const auto view, schema::check_event(at.content));
  const auto offset = static_cast<uint32_t>((at.content.data() - at.frame.bytes.data()) - kItemHeadSize) / 8;
  return std::optional<StoredEvent>({{found->frame, offset}, at.digests[at.number], view.header.incarnation});
}

Result<StoredItemAt> read_item_at(const Store& store, const EventPlace& place) {
  return read_from(store, place.frame, place.item, 0);
}

}  // namespace theater::persist
