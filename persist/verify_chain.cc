// One chain by its index: slower than verify_all's pass over the frames, and exact about where it breaks.
#include <algorithm>
#include <unordered_map>

#include "base/crypto.h"
#include "persist/references.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"

namespace theater::persist {
namespace {

struct Event {
  Bytes bytes;
  uint64_t sequence = 0;
  Hash hash;
};

class ChainCheck {
 public:
  ChainCheck(ChainReader& reader, ChainSummary summary) : reader_(reader) { report_.summary = std::move(summary); }

  Result<VerifyReport> run() {
    TRY(load_rows());
    auto cursor = reader_.events(report_.summary.actor, 0);
    if (!cursor.ok()) return cursor.error();
    TRY_ASSIGN(std::optional<Event> event, fetch(**cursor));
    while (event && !report_.sequence) {
      TRY_ASSIGN(const std::optional<Event> after, fetch(**cursor));
      check(*event, after ? &*after : nullptr);
      event = after;
    }
    if (!report_.sequence) check_end();
    if (report_.sequence) report_.summary.status = ChainStatus::kBroken;
    return std::move(report_);
  }

 private:
  void broken(uint64_t sequence, std::string reason) {
    if (report_.sequence) return;
    report_.sequence = sequence;
    report_.reason = std::move(reason);
  }

  Result<void> load_rows() {
    const Store* store = reader_.store();
    if (store == nullptr) {
      for (const SequenceRange& range : report_.summary.missing) gaps_.push_back({range.first, range.last, Hash{}});
      return Ok{};
    }
    TRY_ASSIGN(const auto number,
               get_row<uint64_t>(*store, Table::kRows, actor_key(report_.summary.actor), "an actor"));
    if (!number) return Ok{};
    TRY_ASSIGN(gaps_, read_gaps(*store, *number));
    TRY_ASSIGN(stop_, get_row<StopRow>(*store, Table::kRows, stop_key(*number), "a stopped chain"));
    return Ok{};
  }

  // Nothing at the end, and where the store can't go on: then the failure is kept for its turn.
  Result<std::optional<Event>> fetch(EventCursor& cursor) {
    if (unreadable_) return std::optional<Event>();
    auto item = cursor.next();
    if (!item.ok()) {
      unreadable_ = item.error().message;
      return std::optional<Event>();
    }
    if (!item->has_value()) return std::optional<Event>();
    Event event{Bytes((*item)->bytes.begin(), (*item)->bytes.end()), (*item)->sequence, {}};
    event.hash = sha256(event.bytes);
    return std::optional<Event>(std::move(event));
  }

  void check(const Event& event, const Event* after) {
    ChainState next = state_;
    if (event.sequence != state_.next_sequence && !step_over_gaps(next, event)) {
      broken(state_.next_sequence,
             str_cat("events ", state_.next_sequence, " to ", event.sequence - 1, " are missing"));
      return;
    }
    const auto view = schema::check_event(event.bytes);
    if (!view.ok()) return broken(event.sequence, view.error().message);
    if (joins_) {
      const Hash expected = next.head;
      next = joined_before(*view);
      if (!expected.is_zero()) next.head = expected;
      joins_ = false;
    }
    const Hash parent = next.head;
    const auto advanced = advance(next, *view, event.hash);
    if (!advanced.ok()) {
      // A child that those after it confirm speaks against its parent, not against itself.
      const bool parent_altered = view->header.sequence == state_.next_sequence && view->header.parent != parent &&
                                  event.sequence > 0 && report_.verified > 0 && confirmed(event, after);
      if (!parent_altered) return broken(event.sequence, advanced.error().message);
      return broken(event.sequence - 1, str_cat("its bytes have the hash ", parent.short_hex(), ", but event ",
                                                event.sequence, " names ", view->header.parent.short_hex()));
    }
    if (view->kind == schema::BodyKind::kGenesis && !is_described(event.bytes)) {
      return broken(event.sequence,
                    "the chain's row (name, node, time of the first event) isn't what its genesis says");
    }
    for (const BlobNeed& need : blobs_needed(event.bytes, view->kind)) {
      const std::string& wrong = blob_fault(need);
      if (!wrong.empty()) return broken(event.sequence, wrong);
    }
    state_ = next;
    ++report_.verified;
  }

  // What is listed of the chain is what its genesis says.
  bool is_described(BytesView bytes) const {
    const auto event = schema::decode_event(bytes);
    const auto* genesis = event.ok() ? std::get_if<schema::Genesis>(&event->body) : nullptr;
    if (genesis == nullptr) return false;
    const ChainSummary& row = report_.summary;
    const bool is_node_chain = genesis->package.is_zero() && genesis->manifest.is_zero();
    return row.name == genesis->name && row.node == genesis->node && row.first_time_ns == event->header.time_ns &&
           row.is_node_chain == is_node_chain;
  }

  // The event's hash stands in the one after it, or in the head.
  bool confirmed(const Event& event, const Event* after) const {
    if (after == nullptr) return event.hash == report_.summary.head;
    const auto view = schema::check_event(after->bytes);
    return view.ok() && view->header.parent == event.hash;
  }

  // True if everything between `state` and the event is known to be missing.
  bool step_over_gaps(ChainState& state, const Event& event) {
    if (event.sequence < state.next_sequence) return false;
    while (state.next_sequence < event.sequence) {
      const auto gap = std::ranges::lower_bound(gaps_, state.next_sequence, {}, &StoredGap::first);
      if (gap == gaps_.end() || gap->first != state.next_sequence || gap->last >= event.sequence) return false;
      joins_ = state_.actor.is_zero() && report_.verified == 0;
      state.next_sequence = gap->last + 1;
      state.head = gap->head;
      state.after_gap = true;
      if (gap->head.is_zero()) joins_ = true;
    }
    state.actor = report_.summary.actor;
    return true;
  }

  const std::string& blob_fault(const BlobNeed& need) {
    auto [at, fresh] = blobs_.try_emplace(need.hash);
    if (fresh) {
      const auto blob = reader_.blob(need.hash);
      if (!blob.ok()) {
        at->second = blob.error().message;
      } else if (blob->size() != need.length) {
        at->second = str_cat("the blob sha256:", need.hash.hex(), " has ", blob->size(), " bytes, not ", need.length);
      }
    }
    return at->second;
  }

  void check_end() {
    const ChainSummary& head = report_.summary;
    if (unreadable_) return broken(state_.next_sequence, *unreadable_);
    for (const StoredGap& gap : gaps_) {  // those after the last stored event
      if (gap.first != state_.next_sequence) continue;
      state_.next_sequence = gap.last + 1;
      state_.head = gap.head;
    }
    const uint64_t next = head.events == 0 && head.head.is_zero() ? 0 : head.last_sequence + 1;
    if (state_.next_sequence < next) {
      return broken(state_.next_sequence,
                    str_cat("events ", state_.next_sequence, " to ", head.last_sequence, " are missing"));
    }
    if (state_.head != head.head || report_.verified != head.events || state_.next_sequence != next) {
      return broken(state_.next_sequence == 0 ? 0 : state_.next_sequence - 1,
                    str_cat("the chain's newest event has the hash ", state_.head.short_hex(), " and is one of ",
                            report_.verified, "; recorded were ", head.head.short_hex(), " and ", head.events));
    }
    const Store* store = reader_.store();
    const auto promised = store != nullptr ? store->promised() : std::nullopt;
    if (promised) {
      for (const TipNote::Chain& chain : promised->chains) {
        if (chain.actor != head.actor || chain.next_sequence <= state_.next_sequence) continue;
        return broken(state_.next_sequence, str_cat("events ", state_.next_sequence, " to ", chain.next_sequence - 1,
                                                    " were acknowledged and are missing"));
      }
    }
    if (!stop_) return;
    broken(stop_->sequence, stop_->reason);
    report_.stopped = true;
  }

  ChainReader& reader_;
  VerifyReport report_;
  ChainState state_;
  bool joins_ = false;
  std::vector<StoredGap> gaps_;
  std::optional<StopRow> stop_;
  std::optional<std::string> unreadable_;
  std::unordered_map<Hash, std::string> blobs_;
};

}  // namespace

Result<VerifyReport> verify_chain(ChainReader& reader, const ActorId& actor) {
  TRY_ASSIGN(ChainSummary summary, reader.summary(actor));
  return ChainCheck(reader, std::move(summary)).run();
}

}  // namespace theater::persist
