#include "persist/verifier.h"

namespace theater::persist {
namespace {

Error broken(std::string reason) { return Error{ErrorCode::kCorrupt, std::move(reason)}; }

Result<void> begin(ChainState& state, const schema::EventView& view, const Hash& hash) {
  if (view.kind != schema::BodyKind::kGenesis) return broken("the chain doesn't begin with genesis");
  if (view.header.incarnation != 0) return broken("genesis isn't of incarnation 0");
  state.actor = actor_id_of(hash);
  return Ok{};
}

}  // namespace

Result<void> advance(ChainState& state, const schema::EventView& view, const Hash& hash) {
  const schema::Header& header = view.header;
  if (header.sequence == UINT64_MAX) return broken("there is no event after that sequence");
  if (state.next_sequence == 0 && state.head.is_zero()) {
    TRY(begin(state, view, hash));
  } else {
    if (state.ended) return broken("an event after the chain's end");
    if (header.actor != state.actor) return broken("it belongs to another chain");
    if (header.sequence != state.next_sequence) {
      return broken(str_cat("event ", header.sequence, " where event ", state.next_sequence, " was expected"));
    }
    if (header.parent != state.head) {
      return broken(str_cat("its parent is ", header.parent.short_hex(), ", but the event before it has the hash ",
                            state.head.short_hex()));
    }
    if (header.time_ns < state.last_time_ns) return broken("its time is before its parent's");
    const bool fits = view.kind == schema::BodyKind::kResumed ? header.incarnation > state.incarnation
                      : state.after_gap                       ? header.incarnation >= state.incarnation
                                                              : header.incarnation == state.incarnation;
    if (!fits) {
      return broken(str_cat("incarnation ", header.incarnation, " after incarnation ", state.incarnation));
    }
  }
  state.head = hash;
  state.next_sequence = header.sequence + 1;
  state.last_time_ns = header.time_ns;
  state.incarnation = header.incarnation;
  state.ended = schema::is_terminal(view.kind);
  state.after_gap = false;
  return Ok{};
}

ChainState joined_before(const schema::EventView& view) {
  ChainState state;
  state.actor = view.header.actor;
  state.head = view.header.parent;
  state.next_sequence = view.header.sequence;
  state.last_time_ns = view.header.time_ns;
  state.incarnation = view.header.incarnation;
  // `resumed` itself begins its incarnation.
  if (view.kind == schema::BodyKind::kResumed && state.incarnation > 0) --state.incarnation;
  return state;
}

Result<schema::EventView> verify_next(ChainState& state, BytesView bytes, const Hash& hash) {
  TRY_ASSIGN(const schema::EventView view, schema::check_event(bytes));
  TRY(advance(state, view, hash));
  return view;
}

}  // namespace theater::persist
