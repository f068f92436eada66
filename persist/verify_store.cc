// Every chain of a store in one pass over the frames in order of arrival: each byte is read once and hashed once. The
// pass runs the auditor's own rules again and compares what comes out with every row that was stored; it says which
// chains don't agree, and verify_chain() then says where.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "base/crypto.h"
#include "persist/deltas.h"
#include "persist/segments.h"
#include "persist/store_reader.h"
#include "persist/stored_frame.h"
#include "persist/verifier.h"

namespace theater::persist {
namespace {

// Of a set of segments, in any order: what the frames give is compared with what is stored.
uint64_t sum_of(const Segment& segment) {
  uint64_t sum = segment.first_sequence * 0x9E37'79B9'7F4A'7C15 + segment.frame;
  for (const Segment::Run& run : segment.runs) {
    sum = (sum ^ (uint64_t{run.offset} << 32 | run.count)) * 0xFF51'AFD7'ED55'8CCD;
    sum ^= sum >> 32;
  }
  return sum;
}

constexpr size_t kStoreFaultsMax = 20;  // who reads more than that learns nothing new

class StorePass final : private Rules {
 public:
  StorePass(const Store& store, const Deltas& deltas, const std::unordered_map<ActorId, uint64_t>& numbers)
      : store_(store), deltas_(deltas), numbers_(numbers) {}

  Result<void> run() {
    TRY_ASSIGN(const auto tip, get_row<StoreTip>(store_, Table::kRows, tip_key(), "its tip"));
    if (!tip) return Error{ErrorCode::kCorrupt, "the store has no tip row: it was cut short"};
    found_sums_.resize(tip->next_chain);
    TRY(read_stops());
    TRY(read_frames(tip->next_frame));
    read_index();
    check_streams();
    return Ok{};
  }

  // Empty if the frames and the rows agree about this chain.
  std::string fault(const ActorId& actor, const HeadRow& head) const;
  // What is wrong with the store as a whole.
  std::vector<std::string> take_store_faults() { return std::move(store_faults_); }
  // Whether it began where something is damaged, so that it may seem another than it is.
  bool doubtful(const ChainEntry& entry) const { return bad_frames_.contains(entry.touched); }
  // Its events didn't come in order, so that only a reader of the chain sees whether they follow each other.
  bool out_of_order(const ActorId& actor) const { return filled_.contains(actor); }

  std::unordered_map<ActorId, ChainEntry, ActorHash> entries;

 private:
  Result<void> read_frames(uint64_t end);
  Result<void> on_frame(uint64_t number, BytesView row);
  std::string check_link(const StoredFrame& frame);
  std::string check_items(const StoredFrame& frame);
  std::string gap_fault(const ActorId& actor, uint64_t number) const;
  std::string check_tip(const StoredFrame& frame, BytesView content);
  void bad_frame(uint64_t number, std::string why) { bad_frames_.emplace(number, std::move(why)); }
  Result<void> read_stops();
  void read_index();
  void read_segments(uint64_t chain, BytesView value);
  void check_streams();

  Result<ChainEntry*> find(const ActorId& actor) override {
    if (last_ != nullptr && last_->row.actor == actor) return last_;
    const auto found = entries.find(actor);
    return last_ = found == entries.end() ? nullptr : &found->second;
  }
  ChainEntry& begin(ChainRow row) override {
    if (entries.contains(row.actor)) flush_segments();  // as the recorder does
    gaps_.erase(row.actor);
    const auto number = numbers_.find(row.actor);
    const ActorId actor = row.actor;
    last_ = &(entries[actor] = entry_of(number == numbers_.end() ? 0 : number->second, std::move(row), {}, {}));
    last_->touched = frame_;  // here: the frame that it began in
    return *last_;
  }
  Result<bool> has_blob(const BlobNeed& need) override {
    auto [at, fresh] = blobs_.try_emplace(need.hash, UINT64_MAX);
    if (fresh) {
      const auto blob = read_blob(store_, need.hash);
      if (blob.ok()) at->second = blob->size();
    }
    return at->second == need.length && !came_too_late();
  }
  void taken(ChainEntry& entry, uint64_t sequence, uint32_t offset) override {
    segments_.add(entry, sequence, item_, offset);
  }
  void missing(ChainEntry& entry, uint64_t first, uint64_t last, const Hash& head) override {
    SegmentBuilder::split(entry);
    gaps_[entry.row.actor][first] = {first, last, head};
  }
  void stopped(ChainEntry&) override {}
  Result<std::optional<OpenGap>> gap_around(const ChainEntry& entry, uint64_t sequence) override {
    const auto& gaps = gaps_[entry.row.actor];
    auto after = gaps.upper_bound(sequence);
    if (after == gaps.begin() || (--after)->second.last < sequence) return std::optional<OpenGap>();
    return std::optional(after->second);
  }
  // By the stored index: it may show neighbours that the auditor didn't see then, and a pass in order of sequence,
  // which verify_all() makes, then finds the same.
  Result<std::optional<Misfit>> misfit(ChainEntry& entry, const OpenGap& gap, const FillEvent& first,
                                       const ChainState& last) override {
    const Deltas::Chain* newest = deltas_.find(entry.number);
    return find_misfit(store_, entry, newest != nullptr ? newest->segments : Bytes(), gap, first, last);
  }
  void narrowed(ChainEntry& entry, const OpenGap& gap) override { gaps_[entry.row.actor][gap.first] = gap; }
  Result<bool> closed(ChainEntry& entry, const OpenGap& gap) override {
    auto& gaps = gaps_[entry.row.actor];
    gaps.erase(gap.first);
    return !gaps.empty();
  }
  void filled(ChainEntry& entry, uint64_t first, uint32_t count) override {
    entry.index_sum += sum_of({first, frame_, {{bus::kFrameHeaderSize / 8, count}}});
    filled_.insert(entry.row.actor);
  }
  void identified(ChainEntry&) override {}
  Result<void> evidence(const PublicKey&, const ActorId&, uint64_t, const Finding&) override { return Ok{}; }
  // By the stored index, which only grows. If that is damaged, the chain is found to be so anyway.
  Result<std::optional<StoredEvent>> stored(const ChainEntry& entry, uint64_t sequence) override {
    const Deltas::Chain* newest = deltas_.find(entry.number);
    auto found = find_stored_event(store_, entry.number, sequence, newest != nullptr ? newest->segments : Bytes());
    return found.ok() ? std::move(found).value() : std::nullopt;
  }

  // A blob may have come after the event that lacked it. The frames don't say when it was whole: so the chain's stop is
  // believed where nothing else is wrong with the event.
  bool came_too_late() const {
    const auto stop = filled_frame_ ? stops_.end() : stops_.find(last_->number);
    return stop != stops_.end() && !last_->stop && stop->second == last_->state.next_sequence;
  }

  void store_fault(std::string what) {
    if (store_faults_.size() < kStoreFaultsMax) store_faults_.push_back(std::move(what));
  }
  void flush_segments() {
    segments_.flush([](ChainEntry& entry, const Segment& segment) { entry.index_sum += sum_of(segment); });
  }

  struct Stream {
    uint64_t sequence = 0;
    Hash link_hash;
    Bytes tip;  // the newest one, as its row should be
  };

  const Store& store_;
  const Deltas& deltas_;
  const std::unordered_map<ActorId, uint64_t>& numbers_;
  ChainEntry* last_ = nullptr;
  std::map<std::pair<PublicKey, bus::StreamId>, Stream> streams_;
  std::unordered_map<Hash, uint64_t> blobs_;  // length; UINT64_MAX: not here, or damaged
  SegmentBuilder segments_;
  std::vector<Hash> digests_;
  size_t item_ = 0;
  uint64_t frame_ = 0;
  bool filled_frame_ = false;
  std::unordered_map<ActorId, std::map<uint64_t, OpenGap>> gaps_;  // by first sequence
  std::set<ActorId> filled_;                                       // got something from another auditor
  std::vector<uint64_t> found_sums_;                               // of the stored segment rows, by chain
  std::map<uint64_t, std::string> bad_frames_;
  std::set<uint64_t> blamed_;                         // those of them that hold something of a chain
  std::unordered_map<uint64_t, std::string> faults_;  // by chain
  std::unordered_map<uint64_t, uint64_t> stops_;      // by chain: the sequence at which it stopped, as stored
  std::vector<std::string> store_faults_;
};

Result<void> StorePass::read_frames(uint64_t end) {
  uint64_t expected = 1;
  while (expected < end) {
    const auto rows = store_.scan(Table::kFrames, {}, frame_key(expected));
    for (; rows->valid(); rows->next()) {
      const uint64_t number = RowReader(rows->key()).be64();
      for (; expected < number && expected < end; ++expected) bad_frame(expected, "it isn't there");
      TRY(on_frame(number, rows->value()));
      expected = number + 1;
    }
    const auto status = rows->status();
    if (status.ok()) break;
    bad_frame(expected++, status.error().message);  // and on with the next one
  }
  for (; expected < end; ++expected) bad_frame(expected, "it isn't there");
  return Ok{};
}

Result<void> StorePass::read_stops() {
  const auto rows = store_.scan(Table::kRows, tag_prefix(kStopTag));
  for (; rows->valid(); rows->next()) {
    const auto row = decode_row<StopRow>(rows->value());
    if (row.ok()) stops_[RowReader(rows->key().subspan(1)).be64()] = row->sequence;
  }
  return rows->status();
}

Result<void> StorePass::on_frame(uint64_t number, BytesView row) {
  const auto frame = decode_stored_frame(row);
  if (!frame.ok()) {
    bad_frame(number, frame.error().message);
    return Ok{};
  }
  std::string wrong = check_link(*frame);
  digests_.clear();
  segments_.begin_frame(number);
  frame_ = number;
  filled_frame_ = frame->filled;
  std::vector<FillEvent> fill;
  ItemWalk walk(frame->bytes);
  StoredItem item;
  for (item_ = 0; walk.next(item); ++item_) {
    if (item.kind == kStubKind) {
      TRY_ASSIGN(const Stub stub, decode_stub(item.content));
      digests_.push_back(stub.digest);
      continue;
    }
    digests_.push_back(sha256(item.content));
    if (frame->filled) {
      fill.push_back({item.content, digests_.back()});
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kEvent)) {
      TRY(on_event(frame->node, item.content, digests_.back(), item.offset));
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kGap)) {
      const auto gap = bus::parse_gap(item.content);
      if (gap.ok()) TRY(on_gap(frame->node, *gap));
    } else if (item.kind == static_cast<uint8_t>(bus::ItemKind::kTip)) {
      if (wrong.empty()) wrong = check_tip(*frame, item.content);
    }
  }
  flush_segments();
  if (!fill.empty()) {
    TRY_ASSIGN(const FillVerdict verdict, on_fill(fill));
    if (wrong.empty()) wrong = verdict.reason;
  }
  if (walk.broken()) wrong = "its items don't follow each other";
  if (wrong.empty()) wrong = check_items(*frame);
  if (!wrong.empty()) bad_frame(number, wrong);
  return Ok{};
}

std::string StorePass::check_link(const StoredFrame& frame) {
  Stream& stream = streams_[{frame.node, frame.stream}];
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

std::string StorePass::check_items(const StoredFrame& frame) {
  static_assert(sizeof(Hash) == Hash::kSize);
  const BytesView all(reinterpret_cast<const uint8_t*>(digests_.data()), digests_.size() * sizeof(Hash));
  if (digests_.size() != frame.items || sha256(all) != frame.body_digest)
    return "its items aren't those that its header covers";
  return {};
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
  for (const auto& [frame, why] : bad_frames_) {
    if (!blamed_.contains(frame)) store_fault(str_cat("frame ", frame, ", which holds no events, is damaged: ", why));
  }
}

void StorePass::read_segments(uint64_t chain, BytesView value) {
  if (chain >= found_sums_.size()) {
    store_fault(str_cat("the segment index names a chain ", chain, " that doesn't exist"));
    return;
  }
  SegmentReader in(value);
  Segment segment;
  while (in.next(segment)) {
    found_sums_[chain] += sum_of(segment);
    const auto bad = bad_frames_.empty() ? bad_frames_.end() : bad_frames_.find(segment.frame);
    if (bad == bad_frames_.end()) continue;
    blamed_.insert(bad->first);
    faults_.try_emplace(chain, str_cat("frame ", bad->first, ", which holds event ", segment.first_sequence,
                                       ", is damaged: ", bad->second));
  }
  if (!in.ok()) faults_.try_emplace(chain, "its index row is damaged");
}

// The marks say how far each stream was acknowledged.
void StorePass::check_streams() {
  const auto marks = store_.scan(Table::kRows, tag_prefix(kMarkTag));
  for (; marks->valid(); marks->next()) {
    RowReader key(marks->key().subspan(1));
    const auto node = key.id<PublicKey>();
    bus::StreamId stream{};
    const BytesView id = key.take(stream.size());
    const auto mark = decode_row<bus::StreamMark>(marks->value());
    if (!key.done() || !mark.ok()) {
      store_fault("the mark of a stream is damaged");
      continue;
    }
    std::copy(id.begin(), id.end(), stream.begin());
    const Stream& read = streams_[{node, stream}];
    if (read.sequence != mark->sequence || read.link_hash != mark->link_hash) {
      store_fault(str_cat("a stream of node ", node.short_hex(), " was acknowledged to frame ", mark->sequence,
                          ", the store holds it to frame ", read.sequence));
    }
    const auto tip = store_.get(Table::kRows, signed_tip_key(node, stream));
    if (!tip.ok() || tip->value_or(Bytes{}) != read.tip) {
      store_fault(str_cat("the newest signed tip of a stream of node ", node.short_hex(), " isn't that of its frames"));
    }
  }
}

std::string StorePass::fault(const ActorId& actor, const HeadRow& head) const {
  const uint64_t number = numbers_.at(actor);
  const auto fault = faults_.find(number);
  if (fault != faults_.end()) return fault->second;
  const auto found = entries.find(actor);
  if (found == entries.end()) return "no frame holds anything of it";
  const ChainEntry& entry = found->second;
  if (entry.stop && !head.stopped) return entry.stop->reason;
  if (encode_row(head_row(entry)) != encode_row(head)) {
    return str_cat("the head row says ", head.events, " events up to ", head.head.short_hex(), ", the frames hold ",
                   entry.events, " up to ", entry.state.head.short_hex());
  }
  if (number >= found_sums_.size() || found_sums_[number] != entry.index_sum)
    return "its index isn't what its frames give";
  return gap_fault(actor, number);
}

std::string StorePass::gap_fault(const ActorId& actor, uint64_t number) const {
  const auto found = gaps_.find(actor);
  if (found == gaps_.end()) return {};
  const auto stored = read_gaps(store_, number);
  if (!stored.ok()) return stored.error().message;
  const auto same = [](const StoredGap& row, const auto& gap) {
    return row.first == gap.first && row.last == gap.second.last && row.head == gap.second.head;
  };
  if (std::equal(stored->begin(), stored->end(), found->second.begin(), found->second.end(), same)) return {};
  return "its rows of gaps aren't what its frames give";
}

// What verify_chain says about a chain that the pass found fault with.
Result<VerifyReport> examine(ChainReader& reader, const ActorId& actor, const std::string& fault) {
  TRY_ASSIGN(VerifyReport report, verify_chain(reader, actor));
  if (fault.empty()) return report;
  if (report.stopped) report.reason += str_cat("; besides, ", fault);
  if (report.sequence) return report;
  report.sequence = report.verified == 0 ? 0 : report.summary.last_sequence;
  report.reason = fault;
  report.summary.status = ChainStatus::kBroken;
  return report;
}

VerifyReport missing(const ActorId& actor, std::string reason) {
  VerifyReport report;
  report.summary.actor = actor;
  report.summary.status = ChainStatus::kBroken;
  report.sequence = 0;
  report.reason = std::move(reason);
  return report;
}

VerifyReport without_rows(const ChainEntry& entry) {
  VerifyReport report = missing(
      entry.row.actor, str_cat("its rows are missing from the store; the frames hold ", entry.events, " events of it"));
  report.summary.node = entry.row.node;
  report.summary.name = entry.row.name;
  return report;
}

}  // namespace

Result<StoreReport> verify_all(ChainReader& reader) {
  TRY_ASSIGN(const std::vector<ChainSummary> summaries, reader.list());
  StoreReport out;
  const Store* store = reader.store();
  if (store == nullptr) {
    for (const ChainSummary& summary : summaries) {
      TRY_ASSIGN(VerifyReport report, verify_chain(reader, summary.actor));
      out.chains.push_back(std::move(report));
    }
    return out;
  }
  TRY_ASSIGN(const Deltas deltas, Deltas::load(*store));
  std::unordered_map<ActorId, uint64_t> numbers;
  std::unordered_map<ActorId, HeadRow> heads;
  for (const ChainSummary& summary : summaries) {
    TRY_ASSIGN(const auto number, get_row<uint64_t>(*store, Table::kRows, actor_key(summary.actor), "an actor"));
    TRY_ASSIGN(const auto head, deltas.head(*store, number.value_or(0)));
    numbers[summary.actor] = number.value_or(0);
    heads[summary.actor] = head.value_or(HeadRow{});
  }
  TipNote promise;  // only if the store is known to be damaged: otherwise it is kept
  if (!store->damage().empty()) promise = store->promised().value_or(TipNote{});
  std::set<ActorId> promised;
  for (const TipNote::Chain& chain : promise.chains) promised.insert(chain.actor);
  StorePass pass(*store, deltas, numbers);
  TRY(pass.run());
  for (const ChainSummary& summary : summaries) {
    const std::string fault = pass.fault(summary.actor, heads[summary.actor]);
    VerifyReport report;
    if (fault.empty() && summary.status != ChainStatus::kBroken && !promised.contains(summary.actor) &&
        !pass.out_of_order(summary.actor)) {
      report.summary = summary;
      report.verified = summary.events;
    } else {
      TRY_ASSIGN(report, examine(reader, summary.actor, fault));
    }
    out.chains.push_back(std::move(report));
  }
  for (const auto& [actor, entry] : pass.entries) {
    if (!numbers.contains(actor) && !pass.doubtful(entry)) out.chains.push_back(without_rows(entry));
  }
  for (const TipNote::Chain& chain : promise.chains) {
    if (numbers.contains(chain.actor) || pass.entries.contains(chain.actor) || chain.next_sequence == 0) continue;
    out.chains.push_back(
        missing(chain.actor, str_cat("events 0 to ", chain.next_sequence - 1, " were acknowledged and are missing")));
  }
  out.faults = pass.take_store_faults();
  if (!store->damage().empty()) out.faults.insert(out.faults.begin(), str_cat("the store ", store->damage()));
  return out;
}

}  // namespace theater::persist
