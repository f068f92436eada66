// The pass's other half: what the rows say, beside what the frames gave.
#include <algorithm>

#include "persist/recorder.h"
#include "persist/store_pass.h"

namespace theater::persist {
namespace {

bool same_place(const EventPlace& one, const EventPlace& other) {
  return one.frame == other.frame && one.item == other.item;
}

// The reason is words, which a later program may choose otherwise; of rows that older ones wrote, there is less.
bool is_expected(const EvidenceRow& row, const EvidenceRow& expected, bool damaged) {
  if (row.peer != expected.peer || row.actor != expected.actor || row.sequence != expected.sequence) return false;
  if (row.received_ns != expected.received_ns || !row.bytes.empty()) return false;
  if (row.kind == EvidenceKind::kUnsorted && row.item == 0) return true;
  const bool no_beside = damaged && expected.beside.frame == 0;  // it may have been lost since
  return row.kind == expected.kind && row.item == expected.item &&
         (no_beside || same_place(row.beside, expected.beside));
}

std::string against(const EvidenceRow& row) {
  return str_cat(evidence_kind_name(row.kind), " of node ", row.peer.short_hex(),
                 row.actor.is_zero() ? std::string() : str_cat(", chain ", row.actor.short_hex()), ", event ",
                 row.sequence, ", in frame ", row.frame);
}

}  // namespace

Result<void> StorePass::read_numbers() {
  const auto rows = store_.scan(Table::kRows, tag_prefix(kChainTag));
  for (; rows->valid(); rows->next()) {
    TRY_ASSIGN(const ChainRow row, decode_row<ChainRow>(rows->value()));
    numbers_.emplace_back(row.actor, RowReader(rows->key().subspan(1)).be64());
  }
  std::sort(numbers_.begin(), numbers_.end());
  return rows->status();
}

Result<void> StorePass::read_stops() {
  const auto rows = store_.scan(Table::kRows, tag_prefix(kStopTag));
  for (; rows->valid(); rows->next()) {
    const auto row = decode_row<StopRow>(rows->value());
    if (row.ok()) stops_[RowReader(rows->key().subspan(1)).be64()] = row->sequence;
  }
  return rows->status();
}

void StorePass::index_chains() {
  for (const auto& [actor, entry] : entries_) by_number_[entry.number] = &entry;
  for (const auto& [number, former] : former_) by_number_[number] = &former.entry;
  by_number_.erase(0);  // without rows
}

// Numbers are given in turn and never taken back.
bool StorePass::has_row(uint64_t chain) const { return chain - 1 < numbers_.size() || by_number_.contains(chain); }

void StorePass::chain_fault(uint64_t chain, std::string what) {
  if (!former_.contains(chain)) {
    faults_.try_emplace(chain, std::move(what));
    return;
  }
  store_fault(str_cat("of an earlier claim to chain ", by_number_.at(chain)->row.actor.short_hex(), ": ", what));
}

// Records stand in the order of the frames that they are about. Those that are about no stored frame (a frame that was
// refused, what another auditor gave) or about a piece of a blob can't be computed again: of them only the numbers show
// that none is gone.
void StorePass::check_evidence(bool good) {
  size_t at = 0, kept = 0;
  for (; evidence_->valid() && evidence_waits_for_ <= frame_; evidence_->next()) {
    const uint64_t number = RowReader(evidence_->key().subspan(1)).be64();
    const auto row = decode_row<EvidenceRow>(evidence_->value());
    if (row.ok() && row->frame > frame_) {
      evidence_waits_for_ = row->frame;
      break;
    }
    if (number != next_evidence_)
      store_fault(str_cat("the records of evidence before number ", number, " are missing"));
    next_evidence_ = number + 1;
    if (!row.ok()) store_fault(str_cat("the record of evidence ", number, " is damaged"));
    if (!row.ok() || row->frame == 0) continue;
    kept += row->frame == frame_ ? 1 : 0;
    check_evidence_row(number, *row, good, at);
  }
  if (good && kept < Recorder::kEvidencePerFrameMax) lacks_evidence(at, expected_.size());
}

void StorePass::check_evidence_row(uint64_t number, const EvidenceRow& row, bool good, size_t& at) {
  const bool here = row.frame == frame_;
  if (here ? !good || row.kind == EvidenceKind::kBadBlob : is_bad(row.frame)) return;
  const auto found =
      std::find_if(expected_.begin() + static_cast<ptrdiff_t>(at), expected_.end(),
                   [&](const Expected& it) { return here && is_expected(row, it.row, !bad_frames_.empty()); });
  if (found != expected_.end()) {
    const size_t index = static_cast<size_t>(found - expected_.begin());
    lacks_evidence(at, index);
    at = index + 1;
  } else if (bad_frames_.empty() && !is_disputed(row.actor)) {
    store_fault(str_cat("the record of evidence ", number, " isn't what the frames give: ", against(row)));
  }
}

// The pass stopped a chain where the auditor didn't: that is said of the chain, and what comes later doesn't count.
bool StorePass::is_disputed(const ActorId& actor) const {
  const auto found = entries_.find(actor);
  if (found == entries_.end() || !found->second.stop) return false;
  const auto stop = stops_.find(found->second.number);
  return stop == stops_.end() || stop->second != found->second.stop->sequence;
}

void StorePass::lacks_evidence(size_t from, size_t to) {
  for (; from < to; ++from) {
    if (!expected_[from].certain) continue;
    store_fault(str_cat("a record of evidence is missing or altered: ", against(expected_[from].row)));
  }
}

void StorePass::check_no_more_evidence(uint64_t next) {
  expected_.clear();
  frame_ = UINT64_MAX;
  check_evidence(true);
  const auto status = evidence_->status();
  if (!status.ok()) store_fault(str_cat("the records of evidence can't be read: ", status.error().message));
  if (next_evidence_ != next) {
    store_fault(str_cat("there are ", next_evidence_ - 1, " records of evidence, the tip row counts ", next - 1));
  }
}

void StorePass::read_index() {
  const auto rows = store_.scan(Table::kSegments, {});
  for (; rows->valid(); rows->next()) read_segments(RowReader(rows->key()).be64(), rows->value());
  const auto status = rows->status();
  if (!status.ok()) store_fault(str_cat("the segment index can't be read: ", status.error().message));
  const auto fills = store_.scan(Table::kRows, tag_prefix(kFillTag));
  for (; fills->valid(); fills->next()) read_segments(RowReader(fills->key().subspan(1)).be64(), fills->value());
  if (!fills->status().ok())
    store_fault(str_cat("the index of what was filled in can't be read: ", fills->status().error().message));
  deltas_.each([&](uint64_t chain, const Deltas::Chain& it) { read_segments(chain, it.segments); });
  for (const auto& [first, bad] : bad_frames_) {
    if (blamed_.contains(first)) continue;
    const std::string which = first == bad.last
                                  ? str_cat("frame ", first, ", which holds no events, is")
                                  : str_cat("frames ", first, " to ", bad.last, ", which hold no events, are");
    store_fault(str_cat(which, " damaged: ", bad.why));
  }
}

void StorePass::read_segments(uint64_t chain, BytesView value) {
  if (!has_row(chain)) return store_fault(str_cat("the segment index names a chain ", chain, " that doesn't exist"));
  SegmentReader in(value);
  Segment segment;
  while (in.next(segment)) {
    found_sums_[chain] += segment_sum(segment);
    const auto bad = bad_at(segment.frame);
    if (bad == bad_frames_.end()) continue;
    blamed_.insert(bad->first);
    faults_.try_emplace(chain, str_cat("frame ", segment.frame, ", which holds event ", segment.first_sequence,
                                       ", is damaged: ", bad->second.why));
  }
  if (!in.ok()) faults_.try_emplace(chain, "its index row is damaged");
}

// The marks say how far each stream was acknowledged.
void StorePass::check_streams() {
  std::set<std::pair<PublicKey, bus::StreamId>> marked, signed_;
  const auto each = [&](char tag, const char* what, const auto& check) {
    const auto rows = store_.scan(Table::kRows, tag_prefix(tag));
    for (; rows->valid(); rows->next()) {
      RowReader key(rows->key().subspan(1));
      std::pair<PublicKey, bus::StreamId> id;
      id.first = key.id<PublicKey>();
      const BytesView stream = key.take(id.second.size());
      if (!key.done()) {
        store_fault(str_cat("the ", what, " of a stream is damaged"));
        continue;
      }
      std::copy(stream.begin(), stream.end(), id.second.begin());
      const auto read = streams_.find(id);
      check(id, read == streams_.end() ? Stream{} : read->second, rows->value());
    }
    if (!rows->status().ok()) store_fault(str_cat("a ", what, " can't be read: ", rows->status().error().message));
  };
  each(kMarkTag, "mark", [&](const auto& id, const Stream& read, BytesView value) {
    marked.insert(id);
    const auto mark = decode_row<bus::StreamMark>(value);
    if (!mark.ok()) return store_fault("the mark of a stream is damaged");
    if (read.sequence == mark->sequence && read.link_hash == mark->link_hash) return;
    store_fault(str_cat("a stream of node ", id.first.short_hex(), " was acknowledged to frame ", mark->sequence,
                        ", the store holds it to frame ", read.sequence));
  });
  const auto wrong_tip = [&](const PublicKey& node) {
    store_fault(str_cat("the newest signed tip of a stream of node ", node.short_hex(), " isn't that of its frames"));
  };
  each(kSignedTipTag, "tip", [&](const auto& id, const Stream& read, BytesView value) {
    signed_.insert(id);
    if (!std::equal(value.begin(), value.end(), read.tip.begin(), read.tip.end())) wrong_tip(id.first);
  });
  for (const auto& [id, read] : streams_) {
    if (is_bad(read.began_in)) continue;  // maybe none at all
    if (!marked.contains(id))
      store_fault(str_cat("no row says how far a stream of node ", id.first.short_hex(), " was acknowledged"));
    if (!read.tip.empty() && !signed_.contains(id)) wrong_tip(id.first);
  }
}

void StorePass::check_chain_rows(uint64_t next) {
  if (numbers_.size() != next - 1) {
    store_fault(str_cat("there are rows of ", numbers_.size(), " chains, the tip row counts ", next - 1));
  }
  const auto rows = store_.scan(Table::kRows, tag_prefix(kChainTag));
  for (; rows->valid(); rows->next()) {
    const uint64_t number = RowReader(rows->key().subspan(1)).be64();
    const auto found = by_number_.find(number);
    if (found != by_number_.end()) {
      const Bytes expected = encode_row(found->second->row);
      if (std::equal(expected.begin(), expected.end(), rows->value().begin(), rows->value().end())) continue;
      chain_fault(number, "its row (name, node, time of the first event) isn't what its frames give");
      continue;
    }
    const ActorId actor = RowReader(rows->value()).id<ActorId>();
    const auto newer = std::upper_bound(numbers_.begin(), numbers_.end(), std::pair(actor, number));
    if (newer != numbers_.end() && newer->first == actor)
      store_fault(str_cat("chain ", actor.short_hex(), " has a row more than its frames give"));
  }
  const auto actors = store_.scan(Table::kRows, tag_prefix(kActorTag));
  for (; actors->valid(); actors->next()) {
    const ActorId actor = RowReader(actors->key().subspan(1)).id<ActorId>();
    const auto number = decode_number(actors->value());
    if (number.ok() && std::binary_search(numbers_.begin(), numbers_.end(), std::pair(actor, *number))) continue;
    store_fault(str_cat("the row of actor ", actor.short_hex(), " names a chain that isn't one of its own"));
  }
}

void StorePass::check_names() {
  std::set<uint64_t> named;
  const auto rows = store_.scan(Table::kRows, tag_prefix(kNameTag));
  for (; rows->valid(); rows->next()) {
    RowReader key(rows->key().subspan(1));
    const std::string name = key.text();
    const uint64_t number = key.be64();
    const auto found = by_number_.find(number);
    named.insert(number);
    if (found == by_number_.end() ? has_row(number) : found->second->row.name == name) continue;
    if (found == by_number_.end()) store_fault(str_cat("the name ", escape(as_bytes(name)), " stands for no chain"));
    if (found != by_number_.end()) chain_fault(number, "it stands under a name that isn't its own");
  }
  for (const auto& [number, entry] : by_number_) {
    if (!entry->row.name.empty() && !named.contains(number)) chain_fault(number, "its name's row is missing");
  }
}

void StorePass::check_gaps_and_stops() {
  std::map<uint64_t, std::vector<StoredGap>> found;
  const auto rows = store_.scan(Table::kRows, tag_prefix(kGapTag));
  for (; rows->valid(); rows->next()) {
    const uint64_t number = RowReader(rows->key().subspan(1)).be64();
    const auto row = decode_row<GapRow>(rows->value());
    if (!row.ok()) {
      chain_fault(number, "a row of a gap is damaged");
      continue;
    }
    found[number].push_back({RowReader(rows->key().last(8)).be64(), row->last, row->head});
    if (!has_row(number)) store_fault(str_cat("a row of a gap names a chain ", number, " that doesn't exist"));
  }
  const auto same = [](const StoredGap& row, const auto& gap) {
    return row.first == gap.first && row.last == gap.second.last && row.head == gap.second.head;
  };
  for (const auto& [number, entry] : by_number_) {
    const auto former = former_.find(number);
    const auto current = gaps_.find(entry->row.actor);
    const Gaps none;
    const Gaps& gaps = former != former_.end() ? former->second.gaps : current != gaps_.end() ? current->second : none;
    const auto stored = found.find(number);
    const bool any = stored != found.end();
    if (any ? !std::equal(stored->second.begin(), stored->second.end(), gaps.begin(), gaps.end(), same) : !gaps.empty())
      chain_fault(number, "its rows of gaps aren't what its frames give");
    const auto stop = stops_.find(number);
    const bool stopped = stop != stops_.end();
    if (stopped != entry->stop.has_value() || (stopped && stop->second != entry->stop->sequence)) {
      chain_fault(number, entry->stop && !stopped ? entry->stop->reason : "its stop isn't what its frames give");
    }
  }
  for (const auto& [number, sequence] : stops_) {
    if (!has_row(number)) store_fault(str_cat("a stop at event ", sequence, " names a chain that doesn't exist"));
  }
}

// Those that no event asked for on the way; and that the next one takes no other's place.
void StorePass::check_blobs(uint64_t next) {
  uint64_t newest = 0;
  const auto rows = store_.scan(Table::kRows, tag_prefix(kBlobTag));
  for (; rows->valid(); rows->next()) {
    const Hash hash = RowReader(rows->key().subspan(1)).id<Hash>();
    newest = std::max(newest, RowReader(rows->value()).u64());
    if (blobs_.contains(hash)) continue;
    const auto blob = read_blob(store_, hash);
    if (!blob.ok()) store_fault(blob.error().message);
  }
  if (!rows->status().ok()) store_fault(str_cat("a blob's row can't be read: ", rows->status().error().message));
  if (newest >= next) store_fault(str_cat("there is a blob ", newest, ", the tip row counts ", next - 1));
}

std::string StorePass::fault(const ActorId& actor, uint64_t number, const HeadRow& head) const {
  const auto fault = faults_.find(number);
  if (fault != faults_.end()) return fault->second;
  const auto found = entries_.find(actor);
  if (found == entries_.end()) return "no frame holds anything of it";
  const ChainEntry& entry = found->second;
  if (entry.number != number) return "its actor's row names another chain than its frames give";
  if (encode_row(head_row(entry)) != encode_row(head)) {
    return str_cat("the head row says ", head.events, " events up to ", head.head.short_hex(), ", the frames hold ",
                   entry.events, " up to ", entry.state.head.short_hex());
  }
  const auto sum = found_sums_.find(number);
  if ((sum == found_sums_.end() ? 0 : sum->second) != entry.index_sum) return "its index isn't what its frames give";
  return {};
}

}  // namespace theater::persist
