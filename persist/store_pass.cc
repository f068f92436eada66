#include "persist/store_pass.h"

#include <algorithm>

#include "base/crypto.h"

namespace theater::persist {
namespace {

constexpr size_t kStoreFaultsMax = 20;  // who reads more than that learns nothing new

}  // namespace

uint64_t segment_sum(const Segment& segment) {
  uint64_t sum = segment.first_sequence * 0x9E37'79B9'7F4A'7C15 + segment.frame;
  for (const Segment::Run& run : segment.runs) {
    sum = (sum ^ (uint64_t{run.offset} << 32 | run.count)) * 0xFF51'AFD7'ED55'8CCD;
    sum ^= sum >> 32;
  }
  return sum;
}

Result<void> StorePass::run() {
  TRY_ASSIGN(const auto tip, get_row<StoreTip>(store_, Table::kRows, tip_key(), "its tip"));
  if (!tip) return Error{ErrorCode::kCorrupt, "the store has no tip row: it was cut short"};
  TRY(read_numbers());
  TRY(read_stops());
  evidence_ = store_.scan(Table::kRows, tag_prefix(kEvidenceTag));
  TRY(read_frames(tip->next_frame));
  check_no_more_evidence(tip->next_evidence);
  index_chains();
  read_index();
  check_chain_rows(tip->next_chain);
  check_names();
  check_gaps_and_stops();
  check_streams();
  check_blobs(tip->next_blob);
  return Ok{};
}

Result<void> StorePass::read_frames(uint64_t end) {
  uint64_t expected = 1;
  while (true) {
    const auto rows = store_.scan(Table::kFrames, {}, frame_key(expected));
    for (; rows->valid(); rows->next()) {
      const uint64_t number = RowReader(rows->key()).be64();
      if (number >= end) {
        store_fault(str_cat("frame ", number, " is there, but the tip row counts ", end - 1));
        break;
      }
      if (number > expected) bad_frames(expected, number - 1, "it isn't there");
      TRY(on_frame(number, rows->value()));
      expected = number + 1;
    }
    const auto status = rows->status();
    if (status.ok() || expected >= end) break;
    bad_frames(expected, expected, status.error().message);  // and on with the next one
    ++expected;
  }
  if (expected < end) bad_frames(expected, end - 1, "it isn't there");
  return Ok{};
}

Result<void> StorePass::on_frame(uint64_t number, BytesView row) {
  const auto frame = decode_stored_frame(row);
  if (!frame.ok()) {
    bad_frames(number, number, frame.error().message);
    return Ok{};
  }
  frame_ = number;
  received_ns_ = frame->received_ns;
  filled_frame_ = frame->filled;
  std::string wrong = check_link(*frame);
  TRY_ASSIGN(const std::string unfit, read_items(*frame));
  if (wrong.empty()) wrong = unfit;
  if (wrong.empty()) wrong = check_items(*frame);
  check_evidence(wrong.empty());
  if (!wrong.empty()) bad_frames(number, number, wrong);
  return Ok{};
}

// Empty, or what is wrong with one of them.
Result<std::string> StorePass::read_items(const StoredFrame& frame) {
  std::string wrong;
  digests_.clear();
  expected_.clear();
  segments_.begin_frame(frame_);
  std::vector<FillEvent> fill;
  ItemWalk walk(frame.bytes);
  StoredItem item;
  for (item_ = 0; walk.next(item); ++item_) {
    offset_ = item.offset;
    if (item.kind == kStubKind) {
      TRY_ASSIGN(const Stub stub, decode_stub(item.content));
      digests_.push_back(stub.digest);
      continue;
    }
    digests_.push_back(sha256(item.content));
    if (frame.filled) {
      fill.push_back({item.content, digests_.back()});
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kEvent)) {
      TRY(on_event(frame.node, item.content, digests_.back(), item.offset));
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kGap)) {
      const auto gap = bus::parse_gap(item.content);
      if (gap.ok()) TRY(on_gap(frame.node, *gap));
      if (!gap.ok() && wrong.empty()) wrong = gap.error().message;
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kTip)) {
      if (wrong.empty()) wrong = check_tip(frame, item.content);
    } else {
      wrong = str_cat("item ", item_, " is of a kind that no frame is stored with");
    }
  }
  flush_segments();
  if (!fill.empty()) {
    offset_ = bus::kFrameHeaderSize / 8;
    TRY_ASSIGN(const FillVerdict verdict, on_fill(fill));
    if (wrong.empty()) wrong = verdict.reason;
  }
  return walk.broken() ? std::string("its items don't follow each other") : wrong;
}

std::string StorePass::check_link(const StoredFrame& frame) {
  Stream& stream = streams_[{frame.node, frame.stream}];
  if (stream.began_in == 0) stream.began_in = frame_;
  std::string wrong;
  if (frame.sequence != stream.sequence + 1 || frame.previous != stream.link_hash) {
    wrong = str_cat("it is frame ", frame.sequence, " of its stream and doesn't continue frame ", stream.sequence);
  }
  stream.sequence = frame.sequence;
  stream.link_hash = sha256(frame.header());
  return wrong;
}

std::string StorePass::check_tip(const StoredFrame& frame, BytesView content) {
  const auto tip = bus::parse_tip(content);
  if (!tip.ok()) return tip.error().message;
  bus::FrameHeader header;
  header.sequence = frame.sequence;
  header.previous = frame.previous;
  header.stream = frame.stream;
  if (!bus::verify_tip(frame.node, header, *tip)) return "its tip isn't signed by the node";
  streams_[{frame.node, frame.stream}].tip =
      encode_row(TipRow{frame.sequence - 1, tip->time_ns, frame.previous, tip->signature});
  return {};
}

std::string StorePass::check_items(const StoredFrame& frame) const {
  static_assert(sizeof(Hash) == Hash::kSize);
  const BytesView all(reinterpret_cast<const uint8_t*>(digests_.data()), digests_.size() * sizeof(Hash));
  if (digests_.size() != frame.items || sha256(all) != frame.body_digest)
    return "its items aren't those that its header covers";
  return {};
}

void StorePass::bad_frames(uint64_t first, uint64_t last, std::string why) {
  bad_frames_.emplace(first, BadFrames{last, std::move(why)});
}

std::map<uint64_t, StorePass::BadFrames>::const_iterator StorePass::bad_at(uint64_t frame) const {
  const auto after = bad_frames_.upper_bound(frame);
  if (after == bad_frames_.begin()) return bad_frames_.end();
  const auto at = std::prev(after);
  return frame <= at->second.last ? at : bad_frames_.end();
}

void StorePass::store_fault(std::string what) {
  if (store_faults_.size() < kStoreFaultsMax) store_faults_.push_back(std::move(what));
}

// --- what the rules ask for

Result<ChainEntry*> StorePass::find(const ActorId& actor) {
  if (last_ != nullptr && last_->row.actor == actor) return last_;
  const auto found = entries_.find(actor);
  return last_ = found == entries_.end() ? nullptr : &found->second;
}

// Numbers as the rows have them: an actor's chains got theirs in the order in which they began.
ChainEntry& StorePass::begin(ChainRow row) {
  const ActorId actor = row.actor;
  uint64_t number = 0;
  if (const auto older = entries_.find(actor); older != entries_.end()) {
    flush_segments();  // as the recorder does
    number = older->second.number;
    former_.try_emplace(number, Former{std::move(older->second), std::move(gaps_[actor])});
    gaps_.erase(actor);
  }
  const auto next = std::upper_bound(numbers_.begin(), numbers_.end(), std::pair(actor, number));
  number = next != numbers_.end() && next->first == actor ? next->second : 0;
  last_ = &(entries_[actor] = entry_of(number, std::move(row), {}, {}));
  last_->touched = frame_;  // here: the frame that it began in
  return *last_;
}

Result<bool> StorePass::has_blob(const BlobNeed& need) {
  auto [at, fresh] = blobs_.try_emplace(need.hash, UINT64_MAX);
  if (fresh) {
    const auto blob = read_blob(store_, need.hash);
    if (blob.ok()) at->second = blob->size();
  }
  if (at->second != need.length) return false;
  TRY_ASSIGN(const bool late, came_too_late());
  return !late;
}

// A blob may have come after the event that lacked it. The frames don't say when it was whole: so the chain's stop is
// believed where nothing else is wrong with the event, and the index doesn't have it.
Result<bool> StorePass::came_too_late() {
  const uint64_t sequence = last_->state.next_sequence;
  const auto stop = filled_frame_ ? stops_.end() : stops_.find(last_->number);
  if (stop == stops_.end() || last_->stop || stop->second != sequence) return false;
  TRY_ASSIGN(const auto taken_then, stored(*last_, sequence));
  return !taken_then;
}

void StorePass::taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) {
  segments_.add(entry, sequence, item_, offset);
}

void StorePass::flush_segments() {
  segments_.flush([](ChainEntry& entry, const Segment& segment) { entry.index_sum += segment_sum(segment); });
}

void StorePass::missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) {
  SegmentBuilder::split(entry);
  gaps_[entry.row.actor][first] = {first, last, head};
}

Result<std::optional<OpenGap>> StorePass::gap_around(const ChainEntry& entry, uint64_t sequence) {
  const Gaps& gaps = gaps_[entry.row.actor];
  auto after = gaps.upper_bound(sequence);
  if (after == gaps.begin() || (--after)->second.last < sequence) return std::optional<OpenGap>();
  return std::optional(after->second);
}

// By the stored index: it may show neighbours that the auditor didn't see then, and a pass in order of sequence, which
// verify_all() makes, then finds the same.
Result<std::optional<Misfit>> StorePass::misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                                const ChainState& last) {
  const Deltas::Chain* newest = deltas_.find(entry.number);
  return find_misfit(store_, entry, newest != nullptr ? newest->segments : Bytes(), gap, first, last);
}

void StorePass::narrowed(ChainEntry& entry, const OpenGap& gap) { gaps_[entry.row.actor][gap.first] = gap; }

Result<bool> StorePass::closed(ChainEntry& entry, const OpenGap& gap) {
  Gaps& gaps = gaps_[entry.row.actor];
  gaps.erase(gap.first);
  return !gaps.empty();
}

void StorePass::filled(ChainEntry& entry, uint64_t first, uint32_t count) {
  entry.index_sum += segment_sum({first, frame_, {{bus::kFrameHeaderSize / 8, count}}});
  filled_.insert(entry.row.actor);
}

// Behind damage, only what a stored stop confirms is certain: the rest may be what the damage looks like. So it is of
// what another auditor gave, since misfit() sees more than the recorder did.
Result<void> StorePass::evidence(const PublicKey& node, const ActorId& actor, uint64_t sequence,
                                 const Finding& finding) {
  Expected& expected = expected_.emplace_back();
  expected.row.received_ns = received_ns_;
  expected.row.peer = node;
  expected.row.actor = actor;
  expected.row.frame = frame_;
  expected.row.sequence = sequence;
  expected.row.kind = finding.kind;
  expected.row.item = offset_;
  if (finding.chain != nullptr) {
    TRY_ASSIGN(const auto beside, stored(*finding.chain, finding.beside));
    if (beside) expected.row.beside = beside->place;
  }
  if (bad_frames_.empty() && !filled_frame_) return Ok{};
  const auto stop = last_ != nullptr ? stops_.find(last_->number) : stops_.end();
  expected.certain = stop != stops_.end() && last_->row.actor == actor && stop->second == sequence;
  return Ok{};
}

// By the stored index, which only grows. If that is damaged, the chain is found to be so anyway.
Result<std::optional<StoredEvent>> StorePass::stored(const ChainEntry& entry, uint64_t sequence) {
  const Deltas::Chain* newest = deltas_.find(entry.number);
  auto found = find_stored_event(store_, entry.number, sequence, newest != nullptr ? newest->segments : Bytes());
  return found.ok() ? std::move(found).value() : std::nullopt;
}

}  // namespace theater::persist
