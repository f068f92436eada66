// Collects, item by item of one frame, which chain's events stand where: the rows of the segment index. Recorder and
// verifier make them with the same code, so that what is stored can be compared with what it should be.
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
      entry.segment = used_;
      if (used_ == open_.size()) open_.emplace_back();
      Open& open = open_[used_++];
      open.entry = &entry;
      open.segment.first_sequence = sequence;
      open.segment.frame = frame_;
      open.segment.runs.clear();
      open.segment.runs.push_back({offset, 1});
      open.last_item = item;
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

  // Calls `take(entry, segment)` for each and begins anew. Before any of the entries goes away.
  template <typename Take>
  void flush(Take&& take) {
    for (size_t i = 0; i < used_; ++i) take(*open_[i].entry, open_[i].segment);
    used_ = 0;
    ++run_;
  }

 private:
  struct Open {
    ChainEntry* entry = nullptr;
    Segment segment;
    size_t last_item = 0;
  };
  std::vector<Open> open_;  // the first `used_`; the rest keep their memory for the next frame
  size_t used_ = 0;
  uint64_t frame_ = 0;
  uint64_t run_ = 1;
};

}  // namespace theater::persist
