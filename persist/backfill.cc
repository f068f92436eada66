#include "persist/backfill.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/thread.h"
#include "persist/blob_intake.h"

namespace theater::persist {
namespace {

// Whether the events lead to the gap's end: only then anything is fetched for them.
bool lead_to(const std::vector<Bytes>& events, const OpenGap& gap) {
  Hash wanted = gap.head;
  uint64_t sequence = gap.last;
  for (auto at = events.rbegin(); at != events.rend(); ++at, --sequence) {
    const auto view = schema::check_event(*at);
    if (!view.ok() || view->header.sequence != sequence || sha256(*at) != wanted) return false;
    wanted = view->header.parent;
  }
  return true;
}

}  // namespace

Backfill::Backfill(Options options) : options_(std::move(options)) {
  for (const auto& peer : options_.peers) {
    State& state = states_.emplace_back();
    state.peer = peer;
    state.status.name = peer->name();
  }
}

void Backfill::start() {
  if (!states_.empty()) thread_ = start_thread("backfill", [this] { run(); });
}

void Backfill::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Backfill::now() {
  {
    std::lock_guard lock(mutex_);
    now_ = true;
  }
  wake_.notify_all();
}

bool Backfill::stopping() const {
  std::lock_guard lock(mutex_);
  return stopping_;
}

std::vector<PeerStatus> Backfill::status() const {
  std::lock_guard lock(mutex_);
  std::vector<PeerStatus> out;
  for (const State& state : states_) out.push_back(state.status);
  return out;
}

void Backfill::run() {
  while (true) {
    const auto came = round();
    if (!came.ok() && options_.log) options_.log(str_cat("nothing is backfilled now: ", came.error().message));
    std::unique_lock lock(mutex_);
    if (!came.ok() || !*came) {
      wake_.wait_for(lock, std::chrono::milliseconds(options_.interval_ms), [&] { return stopping_ || now_; });
    }
    now_ = false;
    if (stopping_) return;
  }
}

Result<bool> Backfill::round() {
  for (State& state : states_) state.away = false;
  TRY_ASSIGN(auto places, next_places());
  std::vector<State*> order;
  for (State& state : states_) order.push_back(&state);
  bool any = false;
  for (Place& place : places) {
    std::ranges::stable_sort(order, {}, [](const State* state) { return state->in_vain_ns; });
    for (State* from : order) {
      if (stopping()) return false;
      if (from->away || from->distrusted || from->barred.contains(place.actor)) continue;
      const uint64_t begin_ns = options_.clock->monotonic_ns();
      const auto came = fill(*from, place);
      from->in_vain_ns = came.ok() && *came ? 0 : options_.clock->monotonic_ns() - begin_ns;
      if (!came.ok()) {
        from->away = true;
        tell(*from, came.error().message);
        continue;
      }
      any = any || *came;
      if (place.gap.first > place.gap.last) break;  // closed
    }
  }
  return any;
}

Result<std::vector<Backfill::Place>> Backfill::next_places() {
  const Store& store = *options_.store;
  std::vector<Place> places, rest;
  for (auto& [node, turn] : turns_) turn.places = 0;
  const auto rows = store.scan(Table::kRows, tag_prefix(kGapTag), at_);
  std::optional<ChainRow> chain_row;
  uint64_t chain = 0;
  for (size_t seen = 0; rows->valid() && seen < kRowsARound && places.size() < kGapsARound; rows->next(), ++seen) {
    RowReader key(rows->key().subspan(1));
    const RowKey at{key.be64(), key.be64()};
    TRY_ASSIGN(const GapRow row, decode_row<GapRow>(rows->value()));
    if (at.first != chain) {
      chain = at.first;
      TRY_ASSIGN(chain_row, get_row<ChainRow>(store, Table::kRows, chain_key(chain), "a chain"));
    }
    if (!chain_row) continue;
    Turn& turn = turns_[chain_row->node];
    if (turn.asked && at <= *turn.asked) continue;
    const bool is_its_turn = turn.places < kGapsOfNodeARound;
    if (!is_its_turn && rest.size() >= kGapsARound) {
      turn.more = true;
      continue;
    }
    const Place place{chain, chain_row->actor, {at.second, row.last, row.head}, chain_row->node};
    TRY_ASSIGN(const bool fillable, may_be_filled(place));
    if (!fillable) continue;
    (is_its_turn ? places : rest).push_back(place);
    ++turn.places;
  }
  const bool is_over = !rows->valid();
  at_ = is_over ? Bytes() : Bytes(rows->key().begin(), rows->key().end());
  if (is_over) TRY(rows->status());
  for (const Place& place : rest) {
    if (places.size() < kGapsARound) {
      places.push_back(place);
    } else {
      turns_[place.node].more = true;
    }
  }
  for (const Place& place : places) turns_[place.node].asked = RowKey{place.chain, place.gap.first};
  if (is_over) end_walk();
  return places;
}

// Whose rows were all asked about begins again.
void Backfill::end_walk() {
  std::erase_if(turns_, [](const auto& entry) { return !entry.second.more; });
  for (auto& [node, turn] : turns_) turn.more = false;
}

// False where nothing can be: the gap's end isn't known, unless it begins with genesis, or the chain is stopped or not
// its actor's any more.
Result<bool> Backfill::may_be_filled(const Place& place) const {
  if (place.gap.head.is_zero() && place.gap.first != 0) return false;
  const Store& store = *options_.store;
  TRY_ASSIGN(const auto stop, get_row<StopRow>(store, Table::kRows, stop_key(place.chain), "a stopped chain"));
  if (stop) return false;
  TRY_ASSIGN(const auto number, get_row<uint64_t>(store, Table::kRows, actor_key(place.actor), "an actor"));
  return number && *number == place.chain;
}

Result<bool> Backfill::fill(State& from, Place& place) {
  OpenGap& gap = place.gap;
  bool any = false;
  from.deadline_ns = options_.clock->monotonic_ns() + kPeerTimeNs;
  if (gap.head.is_zero()) return ask_genesis(from, place);
  for (int answers = 0; answers < kAnswersAGap && gap.first <= gap.last && !stopping(); ++answers) {
    if (took_long(from, place)) return any;
    const uint64_t first = gap.last - gap.first >= kRangeEventsMax ? gap.last - kRangeEventsMax + 1 : gap.first;
    TRY_ASSIGN(auto events, from.peer->range(place.actor, first, gap.last));
    if (events.empty()) {
      if (!any) tell(from, str_cat("has no event ", gap.last, " of chain ", place.actor.short_hex()));
      if (!any && gap.first == 0) return ask_genesis(from, place);
      return any;
    }
    if (events.size() <= gap.last - gap.first + 1 && lead_to(events, gap)) {
      TRY_ASSIGN(const size_t usable, fetch_blobs(from, place, events));
      if (usable == 0) return any;
      events.erase(events.begin(), events.end() - static_cast<ptrdiff_t>(usable));
    }
    const FillOutcome outcome =
        options_.submit({from.peer->identity(), place.actor, gap.first, std::move(events), {}, place.chain});
    {
      std::lock_guard lock(mutex_);
      from.status.events += outcome.events;
    }
    any = any || outcome.events > 0;
    if (!outcome.refused.empty()) {
      bar(from, place.actor);
      tell(from, str_cat("gave something wrong for chain ", place.actor.short_hex(), ": ", outcome.refused));
    } else if (!outcome.left.empty()) {
      tell(from, str_cat("gave events of chain ", place.actor.short_hex(), " that aren't taken: ", outcome.left));
      if (gap.first == 0) return ask_genesis(from, place);
    } else if (outcome.events > 0) {
      tell(from, str_cat("gave ", outcome.events, " events of chain ", place.actor.short_hex()));
    }
    TRY_ASSIGN(const auto left,
               get_row<GapRow>(*options_.store, Table::kRows, gap_key(place.chain, gap.first), "a gap"));
    if (!left) {
      gap.last = gap.first - 1;  // closed; with a first of 0 the largest number there is
      if (gap.first == 0) gap = {1, 0, {}};
      return any;
    }
    gap = {gap.first, left->last, left->head};
    if (outcome.events == 0 || from.barred.contains(place.actor)) return any;
  }
  return any;
}

Result<bool> Backfill::ask_genesis(State& from, const Place& place) {
  TRY_ASSIGN(auto events, from.peer->range(place.actor, 0, 0));
  if (events.size() != 1 || actor_id_of(sha256(events.front())) != place.actor) return false;
  TRY_ASSIGN(const size_t usable, fetch_blobs(from, place, events));
  if (usable == 0) return false;
  const FillOutcome outcome =
      options_.submit({from.peer->identity(), place.actor, 0, std::move(events), {}, place.chain});
  if (outcome.events == 0) return false;
  tell(from, str_cat("gave the genesis of chain ", place.actor.short_hex(), ", which names another node"));
  std::lock_guard lock(mutex_);
  from.status.events += outcome.events;
  return true;
}

Result<size_t> Backfill::fetch_blobs(State& from, const Place& place, const std::vector<Bytes>& events) {
  for (size_t usable = 0; usable < events.size(); ++usable) {
    const Bytes& event = events[events.size() - 1 - usable];
    TRY_ASSIGN(const auto view, schema::check_event(event));
    for (const BlobNeed& need : blobs_needed(event, view.kind)) {
      TRY_ASSIGN(const bool here, fetch_blob(from, place, need));
      if (!here) return usable;
    }
  }
  return events.size();
}

// False if the peer can't give it.
Result<bool> Backfill::fetch_blob(State& from, const Place& place, const BlobNeed& need) {
  const auto is_here = [&]() -> Result<bool> {
    TRY_ASSIGN(const auto row, get_row<BlobRow>(*options_.store, Table::kRows, blob_key(need.hash), "a blob"));
    return row && row->length == need.length;
  };
  TRY_ASSIGN(const bool already, is_here());
  if (already) return true;
  if (need.length > kBlobMax) return false;
  // What it gave when it took too long, or this process ended.
  const PublicKey& who = from.peer->identity();
  TRY_ASSIGN(const auto begun,
             get_row<PieceRow>(*options_.store, Table::kRows, unfinished_key(who, need.hash), "a blob's beginning"));
  uint64_t offset = begun && begun->length == need.length ? begun->next_offset : 0;
  while (!stopping() && !took_long(from, place)) {
    TRY_ASSIGN(auto part, from.peer->blob(need.hash, offset));
    // Each part is as long as an answer may be, but the last: so there are only so many.
    const uint64_t size = std::min<uint64_t>(need.length - offset, kBlobAnswerMax);
    if (!part || part->length != need.length || part->bytes.size() != size) {
      tell(from,
           str_cat("hasn't the blob sha256:", need.hash.hex(), " that chain ", place.actor.short_hex(), " refers to"));
      return false;
    }
    Fill fill{who, place.actor, place.gap.first, {}, {}, place.chain};
    fill.part = Fill::Part{need.hash, need.length, offset, std::move(part->bytes)};
    const FillOutcome outcome = options_.submit(std::move(fill));
    if (!outcome.refused.empty()) {
      bar(from, place.actor);
      tell(from, str_cat("gave something wrong for chain ", place.actor.short_hex(), ": ", outcome.refused));
      return false;
    }
    offset += size;
    if (offset == need.length) return is_here();
  }
  return false;
}

bool Backfill::took_long(State& from, const Place& place) {
  if (options_.clock->monotonic_ns() < from.deadline_ns) return false;
  from.away = true;
  tell(from, str_cat("takes long over chain ", place.actor.short_hex()));
  return true;
}

void Backfill::tell(State& from, std::string result) {
  std::lock_guard lock(mutex_);
  from.status.last_result = shortened(result, 500);  // a peer's words may be in it
}

void Backfill::bar(State& from, const ActorId& actor) {
  {
    std::lock_guard lock(mutex_);
    ++from.status.refused;
  }
  from.barred.insert(actor);
  if (from.barred.size() < kBarredMax) return;
  from.distrusted = true;
  from.barred.clear();
}

}  // namespace theater::persist
