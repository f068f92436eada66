// Collects, item by item of one frame, which chain's events stand where: the rows of the segment index. Recorder and
// verifier make them with the same code, so that a stored row can be compared with what it should be.
#pragma once

#include <vector>

#include "persist/rules.h"

namespace theater::persist {

class SegmentBuilder {
 public:
  void begin_frame(uint64_t frame) { frame_ = frame; }

  // `item` is the number of the item in its frame.
  void add(ChainEntry& entry, uint64_t sequence, size_t item, uint32_t offset) {
    if (entry.segment_run != run_) {
      entry.segment_run = run_;
      entry.segment = open_.size();
      open_.push_back({&entry, sequence, {frame_, {{offset, 1}}}, item});
      return;
    }
    Open& open = open_[entry.segment];
    if (open.last_item + 1 == item) {
      ++open.segment.runs.back().count;
    } else {
      open.segment.runs.push_back({offset, 1});
    }
    open.last_item = item;
  }

  // What follows doesn't continue the chain's segment.
  static void split(ChainEntry& entry) { entry.segment_run = 0; }

  // Calls `row(entry, key, value)` for each segment and begins anew. Before any of the entries goes away.
  template <typename Row>
  void flush(Row&& row) {
    for (Open& open : open_) {
      row(*open.entry, segment_key(open.entry->number, open.first_sequence), encode_row(open.segment));
    }
    open_.clear();
    ++run_;
  }

 private:
  struct Open {
    ChainEntry* entry;
    uint64_t first_sequence;
    Segment segment;
    size_t last_item;
  };
  std::vector<Open> open_;
  uint64_t frame_ = 0;
  uint64_t run_ = 1;
};

}  // namespace theater::persist
