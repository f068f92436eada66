// What the newest commits did to heads and segments, as a reader lays it over the tables: see recorder.h. Small: the
// recorder settles after kDeltaBytesMax.
#pragma once

#include <map>

#include "persist/rows.h"

namespace theater::persist {

class Deltas {
 public:
  struct Chain {
    HeadRow head;
    Bytes segments;
  };

  static Result<Deltas> load(const Store& store) {
    Deltas out;
    const auto rows = store.scan(Table::kRows, tag_prefix(kDeltaTag));
    for (; rows->valid(); rows->next()) {
      out.commits_.push_back(RowReader(rows->key().subspan(1)).be64());
      DeltaReader in(rows->value());
      Delta delta;
      while (in.next(delta)) {
        Chain& chain = out.chains_[delta.chain];
        chain.head = delta.head;
        chain.segments.insert(chain.segments.end(), delta.segments.begin(), delta.segments.end());
      }
      if (!in.ok())
        return Error{ErrorCode::kCorrupt, str_cat("the delta of commit ", out.commits_.back(), " is damaged")};
    }
    TRY(rows->status());
    return out;
  }

  bool empty() const { return commits_.empty(); }
  const std::vector<uint64_t>& commits() const { return commits_; }
  const Chain* find(uint64_t chain) const {
    const auto found = chains_.find(chain);
    return found == chains_.end() ? nullptr : &found->second;
  }
  template <typename Take>
  void each(Take&& take) const {
    for (const auto& [number, chain] : chains_) take(number, chain);
  }

  // The head of a chain, from here or from the table.
  Result<std::optional<HeadRow>> head(const Store& store, uint64_t chain) const {
    if (const Chain* found = find(chain)) return std::optional<HeadRow>(found->head);
    return get_row<HeadRow>(store, Table::kHeads, head_key(chain), "a chain's head");
  }

 private:
  std::map<uint64_t, Chain> chains_;
  std::vector<uint64_t> commits_;
};

}  // namespace theater::persist
