#include "persist/stored_event.h"

#include "base/crypto.h"
#include "persist/deltas.h"
#include "schema/codec.h"

namespace theater::persist {
namespace {

Error corrupt(uint64_t frame, std::string_view why) {
  return {ErrorCode::kCorrupt, str_cat("frame ", frame, " ", why)};
}

bool holds(const Segment& segment, uint64_t sequence) {
  return sequence >= segment.first_sequence && sequence - segment.first_sequence < segment.events();
}

Result<std::optional<Segment>> find_in(BytesView segments, uint64_t sequence) {
  SegmentReader in(segments);
  Segment segment;
  while (in.next(segment)) {
    if (holds(segment, sequence)) return std::optional(std::move(segment));
  }
  if (!in.ok()) return Error{ErrorCode::kCorrupt, "a row of the segment index is damaged"};
  return std::optional<Segment>();
}

Result<std::optional<Segment>> find_in_table(const Store& store, uint64_t chain, uint64_t sequence) {
  TRY_ASSIGN(const auto rows, scan_from(store, Table::kSegments, segment_prefix(chain), sequence));
  if (rows->valid()) return find_in(rows->value(), sequence);
  TRY(rows->status());
  return std::optional<Segment>();
}

Result<std::optional<Segment>> find_anywhere(const Store& store, uint64_t chain, uint64_t sequence, BytesView newest) {
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

// Nothing if the frame doesn't hold what the segment says.
std::optional<StoredItem> item_of(const Segment& segment, const StoredFrame& frame, uint64_t sequence) {
  uint64_t left = sequence - segment.first_sequence;
  for (const Segment::Run& run : segment.runs) {
    if (left >= run.count) {
      left -= run.count;
      continue;
    }
    ItemWalk walk(frame.bytes, run.offset);
    StoredItem item;
    for (uint64_t i = 0; i <= left; ++i) {
      if (!walk.next(item) || item.kind != static_cast<uint8_t>(bus::ItemKind::kEvent)) return std::nullopt;
    }
    return item;
  }
  return std::nullopt;
}

}  // namespace

// Cursors only walk upwards, so by halves.
Result<std::unique_ptr<Cursor>> scan_from(const Store& store, Table table, const Bytes& prefix, uint64_t sequence) {
  const auto scan = [&](uint64_t from) {
    Bytes key = prefix;
    put_be64(key, from);
    return store.scan(table, prefix, key);
  };
  uint64_t found = 0;
  for (uint64_t low = 0, high = sequence; low <= high;) {
    const uint64_t middle = low + (high - low) / 2;
    const auto rows = scan(middle);
    if (!rows->valid()) TRY(rows->status());
    const uint64_t first = rows->valid() ? RowReader(rows->key().last(8)).be64() : UINT64_MAX;
    if (first <= sequence) {
      found = first;
      if (first == UINT64_MAX) break;
      low = first + 1;
    } else {
      if (middle == 0) break;
      high = middle - 1;
    }
  }
  return scan(found);
}

Result<std::optional<StoredEvent>> StoredEvents::find(uint64_t chain, uint64_t sequence, BytesView newest) {
  if (chain != chain_ || !holds(segment_, sequence)) {
    TRY_ASSIGN(auto found, find_anywhere(store_, chain, sequence, newest));
    if (!found) return std::optional<StoredEvent>();
    chain_ = chain;
    segment_ = std::move(*found);
  }
  if (segment_.frame != frame_) {
    TRY_ASSIGN(auto row, store_.get(Table::kFrames, frame_key(segment_.frame)));
    if (!row) return corrupt(segment_.frame, "isn't in the store");
    frame_ = segment_.frame;
    frame_row_ = std::move(*row);
  }
  TRY_ASSIGN(const StoredFrame frame, decode_stored_frame(frame_row_));
  const auto item = item_of(segment_, frame, sequence);
  if (!item) return corrupt(frame_, "doesn't hold what the index says");
  TRY_ASSIGN(const auto view, schema::check_event(item->content));
  return std::optional<StoredEvent>({{frame_, item->offset}, sha256(item->content), view.header.incarnation});
}

Result<StoredItemAt> read_item_at(const Store& store, const EventPlace& place) {
  TRY_ASSIGN(auto row, store.get(Table::kFrames, frame_key(place.frame)));
  if (!row) return corrupt(place.frame, "isn't in the store");
  StoredItemAt at;
  at.row = std::move(*row);
  TRY_ASSIGN(at.frame, decode_stored_frame(at.row));
  ItemWalk walk(at.frame.bytes);
  StoredItem item;
  bool found = false;
  for (uint32_t i = 0; walk.next(item); ++i) {
    if (item.offset == place.item) {
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
  if (!found || walk.broken()) return corrupt(place.frame, "doesn't hold what the index says");
  return at;
}

}  // namespace theater::persist
