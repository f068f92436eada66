#include "persist/chain_reader.h"

#include <algorithm>
#include <list>

#include "base/crypto.h"
#include "persist/deltas.h"
#include "persist/rocks_store.h"
#include "persist/store_reader.h"
#include "persist/stored_event.h"
#include "persist/stored_frame.h"

namespace theater::persist {
namespace {

constexpr size_t kFramesKept = 16;
constexpr size_t kPrefixDigitsMin = 3;

using FrameBytes = std::shared_ptr<const Bytes>;

// The last frames that were read, so that chains in the same frames don't read them again.
class FrameCache {
 public:
  explicit FrameCache(const Store& store) : store_(store) {}
  Result<FrameBytes> get(uint64_t number) {
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->first != number) continue;
      kept_.splice(kept_.begin(), kept_, it);
      return kept_.front().second;
    }
    TRY_ASSIGN(auto row, store_.get(Table::kFrames, frame_key(number)));
    if (!row) return Error{ErrorCode::kCorrupt, "it isn't there"};
    kept_.emplace_front(number, std::make_shared<const Bytes>(std::move(*row)));
    if (kept_.size() > kFramesKept) kept_.pop_back();
    return kept_.front().second;
  }
  void clear() { kept_.clear(); }

 private:
  const Store& store_;
  std::list<std::pair<uint64_t, FrameBytes>> kept_;
};

// The segments of a chain in order of sequence: those that came live stand in the table and then in deltas, those that
// another auditor gave in rows of their own, and both are in order.
class SegmentMerge {
 public:
  // Begins about where `first_sequence` is. `newest`: what stands in deltas. If that is older than the table, what it
  // holds is there twice, and passed over.
  SegmentMerge(const Store& store, uint64_t chain, Bytes newest, uint64_t first_sequence)
      : store_(store), chain_(chain), first_(first_sequence), newest_(std::move(newest)) {}

  // False at the end. An error's message is the reason alone.
  Result<bool> next(Segment& segment) {
    if (live_ == nullptr) {
      TRY_ASSIGN(fills_, scan_from(store_, Table::kRows, fill_prefix(chain_), first_));
      TRY_ASSIGN(live_, scan_from(store_, Table::kSegments, segment_prefix(chain_), first_));
    }
    while (true) {
      if (!live_next_ && !live_done_) TRY(read_live());
      if (!fill_next_ && fills_->valid()) TRY(read_fill());
      if (!fill_next_) TRY(fills_->status());
      if (!live_next_ && !fill_next_) return false;
      const bool is_fill = !live_next_ || (fill_next_ && fill_next_->first_sequence < live_next_->first_sequence);
      std::optional<Segment>& from = is_fill ? fill_next_ : live_next_;
      segment = std::move(*from);
      from.reset();
      const uint64_t end = segment.first_sequence + segment.events();
      if (end <= end_) continue;
      end_ = end;
      return true;
    }
  }

 private:
  Result<void> read_live() {
    Segment segment;
    while (!reader_.next(segment)) {
      if (!reader_.ok()) return Error{ErrorCode::kCorrupt, "its index row is damaged"};
      if (in_newest_) {
        live_done_ = true;
        return Ok{};
      }
      if (in_rows_) live_->next();
      in_rows_ = true;
      if (live_->valid()) {
        value_.assign(live_->value().begin(), live_->value().end());
      } else {
        TRY(live_->status());
        value_ = std::move(newest_);
        in_newest_ = true;
      }
      reader_ = SegmentReader(value_);
    }
    live_next_ = std::move(segment);
    return Ok{};
  }

  Result<void> read_fill() {
    Segment segment;
    SegmentReader in(fills_->value());
    if (!in.next(segment)) return Error{ErrorCode::kCorrupt, "its index row of what was filled in is damaged"};
    fill_next_ = std::move(segment);
    fills_->next();
    return Ok{};
  }

  const Store& store_;
  const uint64_t chain_, first_;
  Bytes newest_;
  std::unique_ptr<Cursor> live_, fills_;
  bool in_rows_ = false, in_newest_ = false, live_done_ = false;
  Bytes value_;
  SegmentReader reader_{{}};
  std::optional<Segment> live_next_, fill_next_;
  uint64_t end_ = 0;  // of what was given
};

class StoreCursor final : public EventCursor {
 public:
  // `newest`: the segments that stand in deltas.
  StoreCursor(const Store& store, FrameCache& frames, const ActorId& actor, uint64_t chain, Bytes newest,
              uint64_t first_sequence)
      : frames_(frames),
        actor_(actor),
        first_(first_sequence),
        segments_(store, chain, std::move(newest), first_sequence) {}

  Result<std::optional<Item>> next() override {
    while (true) {
      if (left_in_run_ > 0) {
        StoredItem item;
        if (!walk_.next(item) || item.kind != static_cast<uint8_t>(bus::ItemKind::kEvent)) {
          return corrupt(str_cat("frame ", segment_.frame, " doesn't hold what the index says"));
        }
        --left_in_run_;
        const uint64_t sequence = sequence_++;
        if (sequence < first_) continue;
        return std::optional<Item>(Item{item.content, sequence});
      }
      if (run_ < segment_.runs.size()) {
        const Segment::Run& run = segment_.runs[run_++];
        walk_ = ItemWalk(bytes_, run.offset);
        left_in_run_ = run.count;
        continue;
      }
      TRY_ASSIGN(const bool more, next_segment());
      if (!more) return std::optional<Item>();
    }
  }

 private:
  Error corrupt(const std::string& why) const {
    return Error{ErrorCode::kCorrupt, str_cat("chain ", actor_.short_hex(), ", event ", sequence_, ": ", why)};
  }

  // False at the end. Skips segments that lie before `first_` without reading their frames.
  Result<bool> next_segment() {
    while (true) {
      const auto more = segments_.next(segment_);
      if (!more.ok()) return corrupt(more.error().message);
      if (!*more) return false;
      sequence_ = segment_.first_sequence;
      if (sequence_ + segment_.events() <= first_) continue;
      run_ = 0;
      return read_frame();
    }
  }

  Result<bool> read_frame() {
    auto row = frames_.get(segment_.frame);
    if (!row.ok()) return corrupt(str_cat("frame ", segment_.frame, " can't be read: ", row.error().message));
    row_ = *row;
    const auto frame = decode_stored_frame(*row_);
    if (!frame.ok()) return corrupt(frame.error().message);
    bytes_ = frame->bytes;
    return true;
  }

  FrameCache& frames_;
  const ActorId actor_;
  const uint64_t first_;
  SegmentMerge segments_;
  Segment segment_;
  size_t run_ = 0;
  FrameBytes row_;
  BytesView bytes_;
  ItemWalk walk_{{}};
  uint32_t left_in_run_ = 0;
  uint64_t sequence_ = 0;  // of the next event
};

class StoreReader final : public ChainReader {
 public:
  StoreReader(std::shared_ptr<Store> store, Deltas deltas)
      : store_(std::move(store)), deltas_(std::move(deltas)), frames_(*store_) {}

  Result<std::vector<ChainSummary>> list() override {
    std::vector<ChainSummary> out;
    const auto chains = store_->scan(Table::kRows, tag_prefix(kChainTag));
    for (; chains->valid(); chains->next()) {
      const uint64_t number = RowReader(chains->key().subspan(1)).be64();
      TRY_ASSIGN(const ChainRow row, decode_row<ChainRow>(chains->value()));
      TRY_ASSIGN(const auto current, get_row<uint64_t>(*store_, Table::kRows, actor_key(row.actor), "an actor"));
      if (current != number) continue;  // its actor's genesis came later, from another node
      TRY_ASSIGN(ChainSummary summary, summarize(number, row));
      out.push_back(std::move(summary));
    }
    TRY(chains->status());
    return out;
  }

  Result<ChainSummary> summary(const ActorId& actor) override {
    TRY_ASSIGN(const uint64_t number, number_of(actor));
    TRY_ASSIGN(const auto row, get_row<ChainRow>(*store_, Table::kRows, chain_key(number), "a chain"));
    if (!row) return Error{ErrorCode::kCorrupt, str_cat("the store lacks the row of chain ", actor.hex())};
    return summarize(number, *row);
  }

  Result<ActorId> resolve(std::string_view id_or_name) override;

  Result<std::unique_ptr<EventCursor>> events(const ActorId& actor, uint64_t first_sequence) override {
    TRY_ASSIGN(const uint64_t number, number_of(actor));
    const Deltas::Chain* newest = deltas_.find(number);
    return std::unique_ptr<EventCursor>(std::make_unique<StoreCursor>(
        *store_, frames_, actor, number, newest != nullptr ? newest->segments : Bytes(), first_sequence));
  }

  Result<Bytes> blob(const Hash& hash) override { return read_blob(*store_, hash); }

  Result<void> refresh() override {
    TRY_ASSIGN(const bool changed, store_->refresh());
    if (!changed) return Ok{};
    frames_.clear();
    TRY_ASSIGN(deltas_, Deltas::load(*store_));
    return Ok{};
  }

  const Store* store() const override { return store_.get(); }

 private:
  Result<uint64_t> number_of(const ActorId& actor) {
    TRY_ASSIGN(const auto number, get_row<uint64_t>(*store_, Table::kRows, actor_key(actor), "an actor"));
    if (!number) return Error{ErrorCode::kNotFound, str_cat("no chain ", actor.hex(), " in this store")};
    return *number;
  }

  Result<ChainSummary> summarize(uint64_t number, const ChainRow& row);
  Result<std::vector<ActorId>> with_prefix(std::string_view digits);
  Result<std::vector<ActorId>> with_name(std::string_view name);

  const std::shared_ptr<Store> store_;
  Deltas deltas_;
  FrameCache frames_;
};

Result<ChainSummary> StoreReader::summarize(uint64_t number, const ChainRow& row) {
  TRY_ASSIGN(const auto head, deltas_.head(*store_, number));
  if (!head) return Error{ErrorCode::kCorrupt, str_cat("the store lacks the head of chain ", row.actor.hex())};
  ChainSummary out;
  out.actor = row.actor;
  out.name = row.name;
  out.node = row.node;
  out.first_time_ns = row.first_time_ns;
  out.is_node_chain = row.is_node_chain;
  out.events = head->events;
  out.head = head->head;
  out.last_sequence = head->next_sequence == 0 ? 0 : head->next_sequence - 1;
  out.last_time_ns = head->last_time_ns;
  out.incarnation = head->incarnation;
  if (head->gaps) {
    TRY_ASSIGN(const auto gaps, read_gaps(*store_, number));
    for (const StoredGap& gap : gaps) {
      if (!out.missing.empty() && out.missing.back().last + 1 == gap.first) {
        out.missing.back().last = gap.last;
      } else {
        out.missing.push_back({gap.first, gap.last});
      }
    }
  }
  out.status = head->stopped ? ChainStatus::kBroken
               : head->gaps  ? ChainStatus::kPartial
               : head->ended ? ChainStatus::kComplete
                             : ChainStatus::kOpen;
  return out;
}

Result<std::vector<ActorId>> StoreReader::with_prefix(std::string_view digits) {
  const auto whole = from_hex(digits.substr(0, digits.size() / 2 * 2));
  std::vector<ActorId> found;
  if (!whole || digits.size() > 2 * ActorId::kSize) return found;
  std::string lower(digits);
  for (char& digit : lower) digit = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit;
  const auto rows = store_->scan(Table::kRows, actor_prefix(*whole));
  for (; rows->valid(); rows->next()) {
    const auto actor = ActorId::from_view(rows->key().subspan(1));
    if (actor && actor->hex().starts_with(lower)) found.push_back(*actor);
  }
  TRY(rows->status());
  return found;
}

// In order of arrival.
Result<std::vector<ActorId>> StoreReader::with_name(std::string_view name) {
  std::vector<ActorId> found;
  const auto rows = store_->scan(Table::kRows, name_prefix(name));
  for (; rows->valid(); rows->next()) {
    const uint64_t number = RowReader(rows->key().last(8)).be64();
    TRY_ASSIGN(const auto row, get_row<ChainRow>(*store_, Table::kRows, chain_key(number), "a chain"));
    if (row) found.push_back(row->actor);
  }
  TRY(rows->status());
  return found;
}

Result<ActorId> StoreReader::resolve(std::string_view id_or_name) {
  TRY_ASSIGN(const auto named, with_name(id_or_name));
  if (!named.empty()) return resolve_named(*this, id_or_name, named);
  std::vector<ActorId> found;
  const bool is_digits = id_or_name.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
  if (is_digits && id_or_name.size() >= kPrefixDigitsMin) {
    TRY_ASSIGN(found, with_prefix(id_or_name));
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return Error{ErrorCode::kNotFound,
                 str_cat("no chain is called ", escape(as_bytes(id_or_name)), " or has an id that begins with it",
                         is_digits && id_or_name.size() < kPrefixDigitsMin ? " (a prefix needs at least 3 digits)" : "",
                         "; `theater chain list` shows those that are here")};
  }
  return Error{ErrorCode::kInvalid,
               str_cat(id_or_name, " stands for ", found.size(), " chains:", candidates(found), "; type more digits")};
}

}  // namespace

std::string candidates(const std::vector<ActorId>& actors) {
  constexpr size_t kShownMax = 8;
  std::string out;
  for (size_t i = 0; i < std::min(actors.size(), kShownMax); ++i) out += str_cat(" ", actors[i].short_hex());
  if (actors.size() > kShownMax) out += " …";
  return out;
}

// Several lives of one actor share a name: the newest stands for all, if each of the others was ended before it began.
Result<ActorId> resolve_named(ChainReader& reader, std::string_view name, const std::vector<ActorId>& found) {
  if (found.size() == 1) return found.front();
  std::vector<ActorId> alive;
  for (const ActorId& actor : found) {
    TRY_ASSIGN(const ChainSummary summary, reader.summary(actor));
    if (summary.status == ChainStatus::kOpen) alive.push_back(actor);
  }
  if (alive.empty()) return found.back();
  if (alive.size() == 1 && alive.front() == found.back()) return found.back();
  return Error{ErrorCode::kInvalid, str_cat("the name ", escape(as_bytes(name)), " stands for ", found.size(),
                                            " chains:", candidates(found), "; use an id")};
}

Result<std::vector<StoredGap>> read_gaps(const Store& store, uint64_t chain) {
  std::vector<StoredGap> out;
  const auto rows = store.scan(Table::kRows, gap_prefix(chain));
  for (; rows->valid(); rows->next()) {
    TRY_ASSIGN(const GapRow row, decode_row<GapRow>(rows->value()));
    out.push_back({RowReader(rows->key().last(8)).be64(), row.last, row.head});
  }
  TRY(rows->status());
  return out;
}

Result<std::optional<Bytes>> read_event(const Store& store, const ActorId& actor, uint64_t chain, const Bytes& newest,
                                        uint64_t sequence) {
  FrameCache frames(store);
  StoreCursor cursor(store, frames, actor, chain, newest, sequence);
  TRY_ASSIGN(const auto item, cursor.next());
  if (!item || item->sequence != sequence) return std::optional<Bytes>();
  return std::optional<Bytes>(Bytes(item->bytes.begin(), item->bytes.end()));
}

Result<std::optional<Misfit>> find_misfit(const Store& store, ChainEntry& entry, const Bytes& newest,
                                          const OpenGap& gap, const FillEvent& first, const ChainState& last) {
  TRY_ASSIGN(const auto view, schema::check_event(first.bytes));
  const auto neighbour = [&](uint64_t sequence) {
    auto read = read_event(store, entry.row.actor, entry.number, newest, sequence);
    return read.ok() ? std::move(read).value() : std::nullopt;
  };
  const auto found = [&](uint64_t sequence, uint64_t beside, const Error& why) {
    return std::optional(Misfit{
        sequence,
        {EvidenceKind::kBrokenLink,
         str_cat("event ", sequence, ", by what came after it, doesn't follow event ", sequence - 1, ": ", why.message),
         &entry, beside}});
  };
  if (const auto below = view.header.sequence == gap.first && gap.first > 0 ? neighbour(gap.first - 1) : std::nullopt) {
    const auto before = schema::check_event(*below);
    ChainState state =
        !before.ok() || before->kind == schema::BodyKind::kGenesis ? ChainState{} : joined_before(*before);
    if (before.ok() && advance(state, *before, sha256(*below)).ok()) {
      const auto advanced = advance(state, view, first.hash);
      if (!advanced.ok()) return found(gap.first, gap.first - 1, advanced.error());
    }
  }
  if (const auto above = neighbour(gap.last + 1)) {
    const auto after = schema::check_event(*above);
    ChainState state = last;
    const auto advanced = after.ok() ? advance(state, *after, sha256(*above)) : Result<void>(Ok{});
    if (!advanced.ok()) return found(gap.last + 1, gap.last + 1, advanced.error());
  }
  return std::optional<Misfit>();
}

Result<Bytes> read_blob(const Store& store, const Hash& hash) {
  TRY_ASSIGN(const auto row, get_row<BlobRow>(store, Table::kRows, blob_key(hash), "a blob"));
  if (!row) return Error{ErrorCode::kNotFound, str_cat("the store doesn't hold the blob sha256:", hash.hex())};
  Bytes out;
  const auto pieces = store.scan(Table::kBlobs, piece_prefix(row->number));
  for (; pieces->valid() && out.size() < row->length; pieces->next()) {
    out.insert(out.end(), pieces->value().begin(), pieces->value().end());
  }
  const auto status = pieces->status();
  if (!status.ok())
    return Error{ErrorCode::kCorrupt, str_cat("blob sha256:", hash.hex(), ": ", status.error().message)};
  if (out.size() != row->length || sha256(out) != hash) {
    return Error{ErrorCode::kCorrupt,
                 str_cat("the blob sha256:", hash.hex(), " is damaged: its bytes have another hash")};
  }
  return out;
}

const char* chain_status_name(ChainStatus status) {
  switch (status) {
    case ChainStatus::kComplete: return "complete";
    case ChainStatus::kOpen: return "open";
    case ChainStatus::kPartial: return "partial";
    case ChainStatus::kOrphaned: return "orphaned";
    case ChainStatus::kErased: return "erased";
    case ChainStatus::kBroken: return "broken";
  }
  return "unknown";
}

Result<std::unique_ptr<ChainReader>> make_chain_reader(std::shared_ptr<Store> store) {
  const auto version = check_version(*store);
  if (!version.ok()) {
    if (store->damage().empty()) return version.error();
    return Error{ErrorCode::kCorrupt, str_cat("it ", store->damage())};
  }
  TRY_ASSIGN(Deltas deltas, Deltas::load(*store));
  return std::unique_ptr<ChainReader>(std::make_unique<StoreReader>(std::move(store), std::move(deltas)));
}

Result<std::unique_ptr<ChainReader>> open_chain_reader(const std::string& store_path) {
  TRY_ASSIGN(std::unique_ptr<Store> store, open_rocks_store_for_reading(store_path));
  auto reader = make_chain_reader(std::move(store));
  if (!reader.ok()) {
    return Error{reader.error().code, str_cat("the store ", store_path, ": ", reader.error().message)};
  }
  return reader;
}

}  // namespace theater::persist
