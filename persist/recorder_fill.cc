// The recorder's other source: what another auditor gave.
#include <algorithm>

#include "base/crypto.h"
#include "persist/recorder.h"
#include "persist/store_reader.h"

namespace theater::persist {
namespace {

constexpr size_t kPieceMax = 32u << 10;  // bytes of a blob in one item
// One stream for each auditor that gives, for good: its mark says where it stands.
constexpr bus::StreamId kFillStream = {'t', 'h', 'e', 'a', 't', 'e', 'r', '-', 'b', 'a', 'c', 'k', 'f', 'i', 'l', 'l'};

}  // namespace

Result<void> Recorder::count_gaps() {
  const auto chain_of = [](const Cursor& rows) { return RowReader(rows.key().subspan(1)).be64(); };
  const auto rows = store_.scan(Table::kRows, tag_prefix(kGapTag));
  const auto stops = store_.scan(Table::kRows, tag_prefix(kStopTag));
  uint64_t seen = 0;
  for (; rows->valid(); rows->next()) {
    const uint64_t chain = chain_of(*rows);
    if (std::exchange(seen, chain) == chain) continue;
    while (stops->valid() && chain_of(*stops) < chain) stops->next();
    if (!stops->valid() || chain_of(*stops) != chain) gaps_.fetch_add(1, std::memory_order_relaxed);
  }
  TRY(stops->status());
  return rows->status();
}

Result<Recorder::Filled> Recorder::fill(const Fill& fill, uint64_t received_ns) {
  TRY(holdings_.load(fill.peer));
  fill_ = &fill;
  offset_ = bus::kFrameHeaderSize / 8;  // its frames are looked at as a whole
  gaps_changed_.clear();
  received_ns_ = received_ns;
  evidence_in_frame_ = 0;
  Filled out;
  const uint64_t before = prepared_.filled;
  if (fill.part) {
    TRY_ASSIGN(out.outcome.refused, fill_part(*fill.part));
  }
  std::vector<FillEvent> events;
  events.reserve(fill.events.size());
  for (const Bytes& bytes : fill.events) events.push_back({bytes, sha256(bytes)});
  // From the end, a frame's worth at a time: each ends where the gap then ends.
  for (std::span<const FillEvent> left = events; !left.empty();) {
    size_t count = 0, body = 0;
    while (count < left.size() && count < bus::kFrameItemsMax) {
      body += bus::item_size(left[left.size() - 1 - count].bytes.size());
      if (body > bus::kFrameBodyMax) break;
      ++count;
    }
    if (count == 0) {
      out.outcome.refused = "an event is larger than any event may be";
      break;
    }
    TRY_ASSIGN(FillVerdict verdict, fill_events(left.last(count)));
    if (verdict.kind == FillVerdict::Kind::kLeft) out.outcome.left = std::move(verdict.reason);
    if (verdict.kind == FillVerdict::Kind::kFalse) {
      refuse_fill(left.last(count), verdict.reason);
      out.outcome.refused = std::move(verdict.reason);
    }
    if (verdict.kind != FillVerdict::Kind::kTaken) break;
    left = left.first(left.size() - count);
  }
  out.outcome.events = prepared_.filled - before;
  out.alarms = std::exchange(alarms_, {});
  fill_ = nullptr;
  return out;
}

Result<FillVerdict> Recorder::fill_events(std::span<const FillEvent> events) {
  frame_ = tip_.next_frame;
  const auto belongs = schema::check_event(events.front().bytes);
  if (!belongs.ok()) return FillVerdict{FillVerdict::Kind::kFalse, belongs.error().message};
  const bool is_genesis = belongs->kind == schema::BodyKind::kGenesis;
  if ((is_genesis ? actor_id_of(events.front().hash) : belongs->header.actor) != fill_->actor) {
    return FillVerdict{FillVerdict::Kind::kFalse, "they are of another chain than was asked for"};
  }
  TRY_ASSIGN(const ChainEntry* entry, find(fill_->actor));
  if (fill_->chain != 0 && (entry == nullptr || entry->number != fill_->chain)) {
    return FillVerdict{FillVerdict::Kind::kLeft, "the chain has been replaced meanwhile"};
  }
  if (is_genesis) {  // its node may be new here
    TRY_ASSIGN(const schema::Event genesis, schema::decode_event(events.front().bytes));
    TRY(holdings_.load(std::get<schema::Genesis>(genesis.body).node));
  }
  TRY_ASSIGN(FillVerdict verdict, on_fill(events));
  if (verdict.kind != FillVerdict::Kind::kTaken) return verdict;
  bus::FrameBuilder builder;
  for (const FillEvent& event : events) builder.append_event(event.bytes, event.hash);
  TRY(put_filled(builder));
  return verdict;
}

// Empty, or what is wrong with it.
Result<std::string> Recorder::fill_part(const Fill::Part& part) {
  const BytesView all = part.bytes;
  for (size_t at = 0; at < all.size() || all.empty(); at += kPieceMax) {
    const BytesView bytes = all.subspan(at, std::min(kPieceMax, all.size() - at));
    bus::FrameBuilder builder;
    builder.append_blob(part.hash, part.length, part.offset + at, bytes);
    frame_ = tip_.next_frame;
    TRY(put_filled(builder));
    TRY_ASSIGN(const std::string wrong,
               blobs_.add(fill_->peer, {part.hash, part.length, part.offset + at, bytes}, batch(), tip_.commit + 1));
    if (!wrong.empty()) {
      TRY(evidence(fill_->peer, fill_->actor, 0, {EvidenceKind::kBadBlob, wrong}));
      return wrong;
    }
    if (all.empty()) break;
  }
  return std::string();
}

Result<void> Recorder::put_filled(Builder& builder) {
  const StreamKey key{fill_->peer, kFillStream};
  TRY_ASSIGN(Stream * stream, stream_of(key));
  auto sealed = builder.seal(stream->mark.sequence + 1, received_ns_, stream->mark.link_hash, kFillStream);
  const Hash link_hash = [&] {
    Bytes& bytes = sealed.bytes;
    const auto frame = bus::parse_frame(bytes);
    CHECK(frame.ok(), "what was just built");
    prepared_.bytes += frame->header.body_bytes;
    const bool pieces = frame->items.front().kind == bus::ItemKind::kBlob;
    if (pieces) bytes = with_stubs(*frame, {bus::item_digest(frame->items.front())});
    return mark_filled(bytes);
  }();
  batch().put(Table::kFrames, frame_key(tip_.next_frame++), stored_frame_prefix(received_ns_, fill_->peer),
              sealed.bytes);
  stream->mark = {stream->mark.sequence + 1, link_hash, stream->mark.bytes + sealed.bytes.size()};
  auto* slot = &*streams_.find(key);
  if (std::find(marked_.begin(), marked_.end(), slot) == marked_.end()) marked_.push_back(slot);
  ++prepared_.frames;
  return Ok{};
}

void Recorder::refuse_fill(std::span<const FillEvent> events, const std::string& reason) {
  bus::FrameBuilder builder;
  for (const FillEvent& event : events) builder.append_event(event.bytes, event.hash);
  auto sealed = builder.seal(1, received_ns_, Hash{}, kFillStream);
  const auto view = schema::check_event(events.front().bytes);
  EvidenceRow row;
  row.received_ns = received_ns_;
  row.peer = fill_->peer;
  row.actor = fill_->actor;
  row.sequence = view.ok() ? view->header.sequence : 0;
  row.kind = EvidenceKind::kFalseFill;
  row.reason = str_cat("what this auditor gave for a gap is refused: ", reason);
  row.bytes = std::move(sealed.bytes);
  count(row.kind);
  keep(row);
  LogLine alarm(str_cat("EVIDENCE against auditor ", fill_->peer.short_hex(), ": chain ", fill_->actor.short_hex(),
                        ", event ", row.sequence, ": ", row.reason));
  alarm.actor = fill_->actor;
  alarms_.push_back(std::move(alarm));
}

// The gap that was asked about, or the first of the chain, which may be after its genesis: no others are looked for
// here.
Result<std::optional<OpenGap>> Recorder::gap_around(const ChainEntry& entry, uint64_t sequence) {
  for (const uint64_t first : {fill_->gap_first, uint64_t{0}, uint64_t{1}}) {
    std::optional<OpenGap> gap;
    if (const auto changed = gaps_changed_.find(first); changed != gaps_changed_.end()) {
      gap = changed->second;
    } else {
      TRY_ASSIGN(const auto row, get_row<GapRow>(store_, Table::kRows, gap_key(entry.number, first), "a gap"));
      if (row) gap = OpenGap{first, row->last, row->head};
    }
    if (gap && gap->first <= sequence && sequence <= gap->last) return gap;
  }
  return std::optional<OpenGap>();
}

Result<std::optional<Misfit>> Recorder::misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                               const ChainState& last) {
  return find_misfit(store_, entry, entry.segments, gap, first, last);
}

void Recorder::narrowed(ChainEntry& entry, const OpenGap& gap) {
  touch(entry);
  gaps_changed_[gap.first] = gap;
  batch().put(Table::kRows, gap_key(entry.number, gap.first), encode_row(GapRow{gap.last, gap.head}));
}

Result<bool> Recorder::closed(ChainEntry& entry, const OpenGap& gap) {
  touch(entry);
  gaps_changed_[gap.first] = std::nullopt;
  batch().remove(Table::kRows, gap_key(entry.number, gap.first));
  // In this order: one that isn't durable when asked about is seen in the store otherwise.
  if (entry.gap_commit > durable_.load(std::memory_order_acquire)) return true;
  const auto rows = store_.scan(Table::kRows, gap_prefix(entry.number));
  for (; rows->valid(); rows->next()) {
    if (RowReader(rows->key().last(8)).be64() != gap.first) return true;
  }
  TRY(rows->status());
  gaps_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

// All of them stand one after the other in a frame of their own.
void Recorder::filled(ChainEntry& entry, uint64_t first, uint32_t count) {
  touch(entry);
  prepared_.events += count;
  prepared_.filled += count;
  if (entry.state.ended && first + count == entry.state.next_sequence) holdings_.chain_over(entry.row.node);
  Bytes value;
  append_segment(value, {first, frame_, {{bus::kFrameHeaderSize / 8, count}}});
  batch().put(Table::kRows, fill_key(entry.number, first), value);
}

void Recorder::identified(ChainEntry& entry) {
  touch(entry);
  batch().put(Table::kRows, chain_key(entry.number), encode_row(entry.row));
  if (!entry.row.name.empty()) batch().put(Table::kRows, name_key(entry.row.name, entry.number), {});
}

}  // namespace theater::persist
