#include "persist/recorder.h"

#include <algorithm>
#include <set>

#include "base/crypto.h"
#include "persist/deltas.h"

namespace theater::persist {
namespace {

void write_chain(Batch& out, uint64_t chain, const HeadRow& head, const Bytes& segments) {
  out.put(Table::kHeads, head_key(chain), encode_row(head));
  if (!segments.empty()) out.put(Table::kSegments, segment_key(chain, RowReader(segments).varint()), segments);
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(Store& store, HoldingLimits limits) {
  std::unique_ptr<Recorder> recorder(new Recorder(store, limits));
  TRY_ASSIGN(const auto tip, get_row<StoreTip>(store, Table::kRows, tip_key(), "its tip"));
  if (!tip) {
    const auto rows = store.scan(Table::kRows, {});
    if (rows->valid()) return Error{ErrorCode::kCorrupt, "the store has rows but no tip: it was cut short"};
    TRY(rows->status());
    auto first = store.batch();
    recorder->tip_.commit = 1;
    first->put(Table::kRows, version_key(), encode_number(kStoreVersion));
    first->put(Table::kRows, tip_key(), encode_row(recorder->tip_));
    TRY(store.commit(*first, TipNote{1, {}}));
  } else {
    TRY(check_version(store));
    recorder->tip_ = *tip;
    TRY(recorder->blobs_.load());
    TRY(recorder->settle_what_was_left());
    TRY(recorder->count_gaps());
  }
  recorder->durable(recorder->tip_.commit);
  return recorder;
}

Result<Recorder::Outcome> Recorder::add(const PublicKey& node, uint64_t received_ns, const bus::FrameView& frame) {
  const StreamKey key{node, frame.header.stream};
  TRY_ASSIGN(Stream * stream, stream_of(key));
  Outcome outcome;
  if (frame.header.sequence <= stream->mark.sequence) return outcome;
  if (frame.header.sequence != stream->mark.sequence + 1 || frame.header.previous != stream->mark.link_hash) {
    outcome.refused = str_cat("frame ", frame.header.sequence, " doesn't continue frame ", stream->mark.sequence,
                              " of its stream as this auditor holds it");
    return outcome;
  }
  TRY_ASSIGN(outcome.refused, beyond_limits(node, frame));
  if (!outcome.refused.empty()) return outcome;
  std::vector<Hash> digests;
  digests.reserve(frame.items.size());
  bool has_pieces = false;
  for (const bus::ItemView& item : frame.items) {
    digests.push_back(bus::item_digest(item));
    has_pieces |= item.kind == bus::ItemKind::kBlob;
  }
  if (!bus::verify_frame_digest(frame, digests)) {
    outcome.refused = str_cat("the body of frame ", frame.header.sequence, " isn't what its header says");
    refuse(node, received_ns, frame, EvidenceKind::kBadFrame, outcome.refused);
    outcome.for_good = true;
    return outcome;
  }
  for (const bus::ItemView& item : frame.items) {
    if (item.kind != bus::ItemKind::kTip) continue;
    TRY_ASSIGN(const bus::Tip tip, bus::parse_tip(item.content));
    if (bus::verify_tip(node, frame.header, tip)) continue;
    outcome.refused = str_cat("the tip in frame ", frame.header.sequence, " isn't signed by this node");
    refuse(node, received_ns, frame, EvidenceKind::kFalseTip, outcome.refused);
    outcome.for_good = true;
    return outcome;
  }
  frame_ = tip_.next_frame++;
  received_ns_ = received_ns;
  evidence_in_frame_ = 0;
  segments_.begin_frame(frame_);
  const Bytes stubs = has_pieces ? with_stubs(frame, digests) : Bytes();
  const BytesView stored = has_pieces ? BytesView(stubs) : frame.bytes;
  batch().put(Table::kFrames, frame_key(frame_), stored_frame_prefix(received_ns, node), stored);
  TRY(add_items(node, frame, digests, stored));
  close_segments();

  stream->mark = {frame.header.sequence, frame.link_hash, stream->mark.bytes + frame.header.body_bytes};
  auto* slot = &*streams_.find(key);
  if (std::find(marked_.begin(), marked_.end(), slot) == marked_.end()) marked_.push_back(slot);
  ++prepared_.frames;
  prepared_.bytes += frame.header.body_bytes;
  outcome.alarms = std::exchange(alarms_, {});
  return outcome;
}

// Why the frame isn't taken, by what its node makes this auditor hold; empty if it is.
Result<std::string> Recorder::beyond_limits(const PublicKey& node, const bus::FrameView& frame) {
  TRY(holdings_.load(node));
  const bool has_pieces = std::any_of(frame.items.begin(), frame.items.end(),
                                      [](const bus::ItemView& item) { return item.kind == bus::ItemKind::kBlob; });
  if (has_pieces) {
    std::string refused = holdings_.refuses_blobs(node);
    if (!refused.empty()) return refused;
  }
  // Each item may begin a chain. Which of them do is looked at only when they would be too many.
  if (holdings_.refuses_chains(node, frame.items.size()).empty()) return std::string();
  TRY_ASSIGN(const uint64_t begun, chains_begun_by(node, frame));
  return holdings_.refuses_chains(node, begun);
}

// What on_event and on_gap make a chain of: whatever is said of an actor that isn't known, and a genesis where another
// node has claimed the actor.
Result<uint64_t> Recorder::chains_begun_by(const PublicKey& node, const bus::FrameView& frame) {
  std::set<ActorId> begun;
  for (const bus::ItemView& item : frame.items) {
    ActorId actor;
    bool is_genesis = false;
    if (item.kind == bus::ItemKind::kGap) {
      TRY_ASSIGN(const bus::Gap gap, bus::parse_gap(item.content));
      actor = gap.actor;
    } else if (item.kind == bus::ItemKind::kEvent) {
      const auto view = schema::check_event(item.content);
      if (!view.ok()) continue;
      is_genesis = view->kind == schema::BodyKind::kGenesis;
      actor = is_genesis ? actor_id_of(sha256(item.content)) : view->header.actor;
    } else {
      continue;
    }
    TRY_ASSIGN(const ChainEntry* entry, find(actor));
    if (entry == nullptr || (is_genesis && entry->row.node != node)) begun.insert(actor);
  }
  return begun.size();
}

Result<void> Recorder::add_items(const PublicKey& node, const bus::FrameView& frame, const std::vector<Hash>& digests,
                                 BytesView stored) {
  ItemWalk walk(stored);
  StoredItem place;
  for (item_ = 0; item_ < frame.items.size(); ++item_) {
    CHECK(walk.next(place));
    const bus::ItemView& item = frame.items[item_];
    offset_ = place.offset;
    switch (item.kind) {
      case bus::ItemKind::kEvent: TRY(on_event(node, item.content, digests[item_], place.offset)); break;
      case bus::ItemKind::kBlob: {
        TRY_ASSIGN(const bus::BlobPiece piece, bus::parse_blob_piece(item.content));
        TRY_ASSIGN(const std::string wrong, blobs_.add(node, piece, batch(), tip_.commit + 1));
        if (!wrong.empty()) TRY(evidence(node, ActorId{}, 0, {EvidenceKind::kBadBlob, wrong}));
        break;
      }
      case bus::ItemKind::kGap: {
        TRY_ASSIGN(const bus::Gap gap, bus::parse_gap(item.content));
        TRY(on_gap(node, gap));
        break;
      }
      case bus::ItemKind::kTip: {
        TRY_ASSIGN(const bus::Tip tip, bus::parse_tip(item.content));
        const TipRow row{frame.header.sequence - 1, tip.time_ns, frame.header.previous, tip.signature};
        batch().put(Table::kRows, signed_tip_key(node, frame.header.stream), encode_row(row));
        break;
      }
    }
  }
  return Ok{};
}

void Recorder::refuse(const PublicKey& node, uint64_t received_ns, const bus::FrameView& frame, EvidenceKind kind,
                      const std::string& reason) {
  count(kind);
  if (!holdings_.refuses_blobs(node).empty()) return;  // what it sent and nothing asks for is too much already
  EvidenceRow row;
  row.received_ns = received_ns;
  row.peer = node;
  row.reason = reason;
  row.kind = kind;
  row.bytes.assign(frame.bytes.begin(), frame.bytes.end());
  holdings_.bytes_came(node, row.bytes.size());
  keep(row);
}

void Recorder::count(EvidenceKind kind) {
  ++prepared_.evidence;
  ++prepared_.evidence_by_kind[static_cast<size_t>(kind)];
}

void Recorder::keep(const EvidenceRow& row) {
  batch().put(Table::kRows, evidence_key(tip_.next_evidence++), encode_row(row));
}

Result<Recorder::Stream*> Recorder::stream_of(const StreamKey& key) {
  const auto found = streams_.find(key);
  if (found != streams_.end()) return &found->second;
  if (streams_.size() >= kStreamsMax) {
    const uint64_t durable = durable_.load(std::memory_order_acquire);
    std::erase_if(streams_, [&](const auto& entry) {
      return entry.second.commit <= durable && std::find(marked_.begin(), marked_.end(), &entry) == marked_.end();
    });
  }
  TRY_ASSIGN(const auto mark,
             get_row<bus::StreamMark>(store_, Table::kRows, mark_key(key.node, key.stream), "a stream"));
  return &(streams_[key] = {mark.value_or(bus::StreamMark{}), 0});
}

Batch& Recorder::batch() {
  if (prepared_.batch == nullptr) prepared_.batch = store_.batch();
  return *prepared_.batch;
}

Prepared Recorder::take() {
  CHECK(!empty());
  const uint64_t commit = ++tip_.commit;
  Batch& out = batch();
  prepared_.tip.commit = commit;
  std::sort(touched_.begin(), touched_.end(),
            [](const ChainEntry* a, const ChainEntry* b) { return a->number < b->number; });
  for (const ChainEntry* entry : touched_) {
    if (prepared_.tip.chains.size() == kTipChainsMax) break;
    prepared_.tip.chains.push_back({entry->row.actor, entry->state.next_sequence});
  }
  if (settle_now_ || deltas_.size() >= kDeltasMax || delta_bytes_ >= kDeltaBytesMax) {
    write_settled(out);
  } else if (!touched_.empty()) {
    write_delta(out);
  }
  for (auto* stream : marked_) {
    out.put(Table::kRows, mark_key(stream->first.node, stream->first.stream), encode_row(stream->second.mark));
    stream->second.commit = commit;
  }
  blobs_.write_progress(out);
  holdings_.write(out);
  out.put(Table::kRows, tip_key(), encode_row(tip_));
  touched_.clear();
  marked_.clear();
  if (!recent_now_.empty()) recent_.emplace_back(commit, std::exchange(recent_now_, {}));
  evict();
  return std::exchange(prepared_, {});
}

void Recorder::write_delta(Batch& out) {
  Bytes value;
  for (ChainEntry* entry : touched_) {
    append_delta(value, {entry->number, head_row(*entry), BytesView(entry->segments).subspan(entry->segments_kept)});
    entry->segments_kept = entry->segments.size();
  }
  out.put(Table::kRows, delta_key(tip_.commit), value);
  deltas_.push_back(tip_.commit);
  delta_bytes_ += value.size();
}

void Recorder::write_settled(Batch& out) {
  std::sort(unsettled_.begin(), unsettled_.end(),
            [](const ChainEntry* a, const ChainEntry* b) { return a->number < b->number; });
  for (ChainEntry* entry : unsettled_) {
    write_chain(out, entry->number, head_row(*entry), entry->segments);
    entry->segments = {};
    entry->segments_kept = 0;
    entry->unsettled = false;
    entry->touched = tip_.commit;  // until that is durable, the store still shows what stood before
  }
  for (const uint64_t commit : deltas_) out.remove(Table::kRows, delta_key(commit));
  unsettled_.clear();
  deltas_.clear();
  delta_bytes_ = 0;
  settle_now_ = false;
}

void Recorder::settle() {
  if (unsettled_.empty()) return;
  settle_now_ = true;
  batch();
}

// What a recorder that didn't end in order left in deltas.
Result<void> Recorder::settle_what_was_left() {
  TRY_ASSIGN(const Deltas left, Deltas::load(store_));
  if (left.empty()) return Ok{};
  Batch& out = batch();
  left.each([&](uint64_t chain, const Deltas::Chain& it) { write_chain(out, chain, it.head, it.segments); });
  for (const uint64_t commit : left.commits()) out.remove(Table::kRows, delta_key(commit));
  Prepared prepared = take();
  return store_.commit(*prepared.batch, prepared.tip);
}

void Recorder::evict() {
  const uint64_t durable = durable_.load(std::memory_order_acquire);
  blobs_.forget_known(durable);
  while (!recent_.empty() && recent_.front().first <= durable) recent_.pop_front();
  if (entries_.size() <= kEntriesMax) return;
  last_ = nullptr;
  for (auto it = entries_.begin(); it != entries_.end() && entries_.size() > kEntriesMax / 4 * 3;) {
    it = it->second.touched <= durable && !it->second.unsettled ? entries_.erase(it) : std::next(it);
  }
}

void Recorder::touch(ChainEntry& entry) {
  if (entry.touched == tip_.commit + 1) return;
  entry.touched = tip_.commit + 1;
  touched_.push_back(&entry);
  if (std::exchange(entry.unsettled, true)) return;
  unsettled_.push_back(&entry);
}

Result<ChainEntry*> Recorder::find(const ActorId& actor) {
  if (last_ != nullptr && last_->row.actor == actor) return last_;
  if (const auto found = entries_.find(actor); found != entries_.end()) return last_ = &found->second;
  TRY_ASSIGN(const auto number, get_row<uint64_t>(store_, Table::kRows, actor_key(actor), "an actor"));
  if (!number) return nullptr;
  TRY_ASSIGN(auto row, get_row<ChainRow>(store_, Table::kRows, chain_key(*number), "a chain"));
  TRY_ASSIGN(const auto head, get_row<HeadRow>(store_, Table::kHeads, head_key(*number), "a chain's head"));
  if (!row || !head) return Error{ErrorCode::kCorrupt, str_cat("the store lacks a row of chain ", actor.hex())};
  TRY(holdings_.load(row->node));
  TRY_ASSIGN(auto stop, get_row<StopRow>(store_, Table::kRows, stop_key(*number), "a stopped chain"));
  last_ = &(entries_[actor] = entry_of(*number, std::move(*row), *head, std::move(stop)));
  return last_;
}

ChainEntry& Recorder::begin(ChainRow row) {
  holdings_.chain_begun(row.node);
  const uint64_t number = tip_.next_chain++;
  batch().put(Table::kRows, actor_key(row.actor), encode_number(number));
  batch().put(Table::kRows, chain_key(number), encode_row(row));
  if (row.has_genesis && !row.name.empty()) batch().put(Table::kRows, name_key(row.name, number), {});
  if (const auto older = entries_.find(row.actor); older != entries_.end()) {
    // What belongs to it goes into the batch now: the new chain takes its place.
    close_segments();
    write_chain(batch(), older->second.number, head_row(older->second), older->second.segments);
    std::erase(touched_, &older->second);
    std::erase(unsettled_, &older->second);
  }
  const ActorId actor = row.actor;
  ChainEntry& entry = entries_[actor] = entry_of(number, std::move(row), HeadRow{}, std::nullopt);
  last_ = &entry;
  touch(entry);
  return entry;
}

void Recorder::taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) {
  touch(entry);
  ++prepared_.events;
  segments_.add(entry, sequence, item_, offset);
  recent_now_.push_back({entry.number, sequence, {{frame_, offset}, entry.state.head, entry.state.incarnation}});
  if (entry.state.ended) holdings_.chain_over(entry.row.node);
}

Result<std::optional<StoredEvent>> Recorder::stored(const ChainEntry& entry, uint64_t sequence) {
  const auto among = [&](const std::vector<Recent>& events) {
    return std::find_if(events.begin(), events.end(),
                        [&](const Recent& it) { return it.chain == entry.number && it.sequence == sequence; });
  };
  if (const auto it = among(recent_now_); it != recent_now_.end()) return std::optional(it->event);
  for (const auto& [commit, events] : recent_) {
    if (const auto it = among(events); it != events.end()) return std::optional(it->event);
  }
  return stored_.find(entry.number, sequence, entry.segments);
}

void Recorder::close_segments() {
  segments_.flush([](ChainEntry& entry, const Segment& segment) { append_segment(entry.segments, segment); });
}

void Recorder::missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) {
  touch(entry);
  SegmentBuilder::split(entry);
  entry.gap_commit = tip_.commit + 1;
  if (!entry.gaps) gaps_.fetch_add(1, std::memory_order_relaxed);
  batch().put(Table::kRows, gap_key(entry.number, first), encode_row(GapRow{last, head}));
}

void Recorder::stopped(ChainEntry& entry) {
  touch(entry);
  if (!entry.state.ended) holdings_.chain_over(entry.row.node);
  if (entry.gaps) gaps_.fetch_sub(1, std::memory_order_relaxed);
  batch().put(Table::kRows, stop_key(entry.number), encode_row(*entry.stop));
}

Result<void> Recorder::evidence(const PublicKey& node, const ActorId& actor, uint64_t sequence,
                                const Finding& finding) {
  count(finding.kind);
  if (++evidence_in_frame_ > kEvidencePerFrameMax) return Ok{};
  EvidenceRow row;
  row.received_ns = received_ns_;
  row.peer = node;
  row.actor = actor;
  row.frame = frame_;
  row.item = offset_;
  row.sequence = sequence;
  row.kind = finding.kind;
  row.reason = finding.reason;
  if (finding.chain != nullptr) {
    TRY_ASSIGN(const auto beside, stored(*finding.chain, finding.beside));
    if (beside) row.beside = beside->place;
  }
  keep(row);
  LogLine alarm(str_cat("EVIDENCE against ", fill_ != nullptr && node == fill_->peer ? "auditor " : "node ",
                        node.short_hex(), ": "));
  if (!actor.is_zero()) alarm.text += str_cat("chain ", actor.short_hex(), ", event ", sequence, ": ");
  alarm.text += str_cat(evidence_kind_name(finding.kind), ": ", finding.reason);
  alarm.actor = actor;
  alarms_.push_back(std::move(alarm));
  return Ok{};
}

}  // namespace theater::persist
