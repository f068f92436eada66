// Where one event of a chain stands, by the segment index. Only what came live counts: whoever judges an event must
// come to the same result when the store is read again later.
#pragma once

#include <optional>

#include "persist/stored_frame.h"

namespace theater::persist {

struct StoredEvent {
  EventPlace place;
  Hash hash;
  uint32_t incarnation = 0;
};

// One seek for each bit of the sequence, a walk through a row of the index, and one frame. The last segment and the
// last frame are kept, so that whoever asks about many events of one frame pays for it once.
class StoredEvents {
 public:
  explicit StoredEvents(const Store& store) : store_(store) {}
  // `newest`: segments of this chain that aren't in the table yet. Nothing if no event with this sequence is here.
  // kCorrupt if the index or the frame isn't what it should be.
  Result<std::optional<StoredEvent>> find(uint64_t chain, uint64_t sequence, BytesView newest);

 private:
  const Store& store_;
  uint64_t chain_ = 0;  // of which is:
  Segment segment_;
  uint64_t frame_ = 0;  // of which is:
  Bytes frame_row_;
};
inline Result<std::optional<StoredEvent>> find_stored_event(const Store& store, uint64_t chain, uint64_t sequence,
                                                            BytesView newest) {
  return StoredEvents(store).find(chain, sequence, newest);
}

// A cursor over the rows of one chain, whose keys are `prefix` and a first sequence: at the one with the largest that
// isn't above `sequence`; at the first if there is none.
Result<std::unique_ptr<Cursor>> scan_from(const Store& store, Table table, const Bytes& prefix, uint64_t sequence);

// The item at a place: its content, and what the frame around it says.
struct StoredItemAt {
  Bytes row;
  StoredFrame frame;          // of `row`
  uint32_t number = 0;        // among the items
  uint8_t kind = 0;           // kStubKind: the content is a stub
  BytesView content;          // of `row`
  std::vector<Hash> digests;  // of all items, as the frame's header covers them
};
Result<StoredItemAt> read_item_at(const Store& store, const EventPlace& place);

}  // namespace theater::persist
