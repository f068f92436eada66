#include "persist/rules.h"

namespace theater::persist {

HeadRow head_row(const ChainEntry& entry) {
  HeadRow row;
  row.head = entry.state.head;
  row.next_sequence = entry.state.next_sequence;
  row.last_time_ns = entry.state.last_time_ns;
  row.events = entry.events;
  row.incarnation = entry.state.incarnation;
  row.ended = entry.state.ended;
  row.stopped = entry.stop.has_value();
  row.gaps = entry.gaps;
  row.after_gap = entry.state.after_gap;
  return row;
}

ChainEntry entry_of(uint64_t number, ChainRow row, const HeadRow& head, std::optional<StopRow> stop) {
  ChainEntry entry;
  entry.number = number;
  entry.state.actor = row.actor;
  entry.row = std::move(row);
  entry.state.head = head.head;
  entry.state.next_sequence = head.next_sequence;
  entry.state.last_time_ns = head.last_time_ns;
  entry.state.incarnation = head.incarnation;
  entry.state.ended = head.ended;
  entry.events = head.events;
  entry.state.after_gap = head.after_gap;
  entry.gaps = head.gaps;
  entry.stop = std::move(stop);
  return entry;
}

namespace {

// What advance() refused: by what it means, where that is more than a link that doesn't fit.
Finding break_of(ChainEntry& entry, const schema::Header& header, std::string reason) {
  const ChainState& state = entry.state;
  const auto finding = [&](EvidenceKind kind, std::string why) {
    const bool has_before = state.next_sequence > 0 && !state.after_gap;
    return Finding{kind, std::move(why), has_before ? &entry : nullptr, state.next_sequence - 1};
  };
  if (state.ended) return finding(EvidenceKind::kAfterEnd, std::move(reason));
  if (header.incarnation < state.incarnation) {
    return finding(EvidenceKind::kLowerIncarnation,
                   str_cat("incarnation ", header.incarnation, " after incarnation ", state.incarnation));
  }
  return finding(EvidenceKind::kBrokenLink, std::move(reason));
}

void learn(ChainRow& row, const schema::Genesis& genesis, const schema::EventView& view) {
  row.node = genesis.node;
  row.name = genesis.name;
  row.first_time_ns = view.header.time_ns;
  row.has_genesis = true;
  row.is_node_chain = genesis.package.is_zero() && genesis.manifest.is_zero();
}

}  // namespace

Result<void> Rules::on_event(const PublicKey& node, BytesView bytes, const Hash& hash, uint32_t offset) {
  const auto view = schema::check_event(bytes);
  if (!view.ok()) {
    return evidence(node, ActorId{}, 0, {EvidenceKind::kMalformed, view.error().message});
  }
  if (view->kind == schema::BodyKind::kGenesis) return on_genesis(node, bytes, *view, hash, offset);

  const schema::Header& header = view->header;
  TRY_ASSIGN(ChainEntry * entry, find(header.actor));
  if (entry == nullptr) {
    ChainRow row;
    row.actor = header.actor;
    row.node = node;
    row.first_time_ns = header.time_ns;
    entry = &begin(std::move(row));
    entry->state = joined_before(*view);
    missing(*entry, 0, header.sequence - 1, header.parent);
    entry->gaps = true;
  }
  return on_next(*entry, node, bytes, *view, hash, offset);
}

Result<void> Rules::on_next(ChainEntry& entry, const PublicKey& node, BytesView bytes, const schema::EventView& view,
                            const Hash& hash, uint32_t offset) {
  const schema::Header& header = view.header;
  if (node != entry.row.node) {
    if (!entry.row.has_genesis) return Ok{};
    return evidence(node, header.actor, header.sequence,
                    {EvidenceKind::kForeignKey, "an event of a chain that belongs to another node", &entry, 0});
  }
  if (entry.stop) return Ok{};  // said once
  if (header.sequence + 1 == entry.state.next_sequence && hash == entry.state.head) return Ok{};

  if (view.kind == schema::BodyKind::kResumed) {
    const auto event = schema::decode_event(bytes);
    if (!event.ok() || std::get<schema::Resumed>(event->body).node != entry.row.node) {
      return stop(
          entry, node, header.sequence,
          {EvidenceKind::kForeignKey, "resumed under another node's key without a grant that could be checked"});
    }
  }
  if (header.sequence < entry.state.next_sequence) return on_older(entry, node, view, hash);
  join(entry, header.sequence, header.parent);
  ChainState next = entry.state;
  const auto advanced = advance(next, view, hash);
  if (!advanced.ok()) {
    return stop(entry, node, header.sequence, break_of(entry, header, advanced.error().message));
  }
  TRY_ASSIGN(std::string needs, missing_blob(bytes, view.kind));
  if (!needs.empty()) return stop(entry, node, header.sequence, {EvidenceKind::kMissingBlob, std::move(needs)});
  entry.state = next;
  ++entry.events;
  taken(entry, header.sequence, offset);
  return Ok{};
}

// A sequence that the chain has been at before.
Result<void> Rules::on_older(ChainEntry& entry, const PublicKey& node, const schema::EventView& view,
                             const Hash& hash) {
  const schema::Header& header = view.header;
  const ChainState& state = entry.state;
  TRY_ASSIGN(const auto here, stored(entry, header.sequence));
  if (here && here->hash == hash) return Ok{};
  Finding finding{EvidenceKind::kRewind, {}, &entry, header.sequence};
  if (view.kind == schema::BodyKind::kResumed && header.incarnation > state.incarnation) {
    finding.kind = EvidenceKind::kRollback;
    finding.reason =
        str_cat("resumed in incarnation ", header.incarnation, " behind event ", header.sequence - 1, ", as if events ",
                header.sequence, " to ", state.next_sequence - 1, " hadn't been acknowledged");
  } else if (!here) {
    finding.reason = str_cat("event ", header.sequence, " where event ", state.next_sequence,
                             " was expected; the chain has passed it, and what it had there isn't here");
  } else if (header.incarnation == here->incarnation) {
    finding.kind = EvidenceKind::kEquivocation;
    finding.reason = str_cat("a second event ", header.sequence, ", ", hash.short_hex(), "; the chain has ",
                             here->hash.short_hex(), " there");
  } else {
    const bool lower = header.incarnation < here->incarnation;
    finding.kind = lower ? EvidenceKind::kLowerIncarnation : EvidenceKind::kBrokenLink;
    finding.reason = str_cat("event ", header.sequence, " of incarnation ", header.incarnation,
                             ", where the chain was in incarnation ", here->incarnation);
  }
  return stop(entry, node, header.sequence, finding);
}

Result<void> Rules::on_genesis(const PublicKey& node, BytesView bytes, const schema::EventView& view, const Hash& hash,
                               uint32_t offset) {
  const ActorId actor = actor_id_of(hash);
  TRY_ASSIGN(const schema::Event event, schema::decode_event(bytes));
  const auto& genesis = std::get<schema::Genesis>(event.body);
  if (genesis.node != node) {
    return evidence(
        node, actor, 0,
        {EvidenceKind::kWrongGenesis, str_cat("a genesis that names another node, ", genesis.node.short_hex())});
  }
  TRY_ASSIGN(ChainEntry * entry, find(actor));
  if (entry != nullptr && entry->row.node == node) {
    // This very genesis again, unless the node began to send its chain in the middle.
    if (entry->row.has_genesis || entry->stop) return Ok{};
    return stop(*entry, node, 0, {EvidenceKind::kWrongGenesis, "genesis after later events of the same chain"});
  }
  if (entry != nullptr && entry->row.has_genesis) return Ok{};  // can't be: a genesis names one node
  if (entry != nullptr && !entry->stop) TRY(end_claim(*entry));
  ChainRow row;
  row.actor = actor;
  learn(row, genesis, view);
  return on_next(begin(std::move(row)), node, bytes, view, hash, offset);
}

Result<void> Rules::end_claim(ChainEntry& entry) {
  const uint64_t next = entry.state.next_sequence;
  return stop(entry, entry.row.node, next,
              {EvidenceKind::kForeignKey, "the chain's genesis names another node", &entry, next - 1});
}

// If another auditor brought a chain's genesis, and nothing has come of the chain since.
void Rules::join(ChainEntry& entry, uint64_t sequence, const Hash& parent) {
  if (!entry.row.has_genesis || !entry.state.after_gap || entry.state.next_sequence != 1 || sequence <= 1) return;
  missing(entry, 1, sequence - 1, parent);
  entry.gaps = true;
  entry.state.next_sequence = sequence;
  entry.state.head = parent;
}

Result<void> Rules::on_gap(const PublicKey& node, const bus::Gap& told) {
  bus::Gap gap = told;
  TRY_ASSIGN(ChainEntry * entry, find(gap.actor));
  if (entry == nullptr) {
    ChainRow row;
    row.actor = gap.actor;
    row.node = node;
    entry = &begin(std::move(row));
    entry->state.actor = gap.actor;
    if (gap.first > 0) missing(*entry, 0, gap.first - 1, Hash{});
    entry->gaps = gap.first > 0;
    entry->state.next_sequence = gap.first;
  }
  if (node != entry->row.node) {
    if (!entry->row.has_genesis) return Ok{};
    return evidence(node, gap.actor, gap.first,
                    {EvidenceKind::kForeignKey, "a gap record for a chain that belongs to another node", entry, 0});
  }
  if (entry->stop) return Ok{};
  join(*entry, gap.first, Hash{});
  // From event 0 on: the chain begins on another link, and what of it came over earlier ones is here.
  if (gap.first == 0 && !entry->state.ended && gap.last < entry->state.next_sequence) return Ok{};
  if (gap.first == 0) gap.first = entry->state.next_sequence;
  if (gap.first != entry->state.next_sequence || entry->state.ended || gap.last == UINT64_MAX) {
    const uint64_t next = entry->state.next_sequence;
    if (entry->state.ended) {
      return stop(*entry, node, gap.first,
                  {EvidenceKind::kAfterEnd, "a gap record after the chain's end", entry, next - 1});
    }
    return stop(*entry, node, gap.first,
                {gap.first < next ? EvidenceKind::kRewind : EvidenceKind::kBrokenLink,
                 str_cat("a gap record from event ", gap.first, ", but the next one is event ", next)});
  }
  entry->state.next_sequence = gap.last + 1;
  entry->state.head = gap.head;
  entry->state.after_gap = true;
  missing(*entry, gap.first, gap.last, gap.head);
  entry->gaps = true;
  return Ok{};
}

Result<FillVerdict> Rules::on_fill(std::span<const FillEvent> events) {
  using Kind = FillVerdict::Kind;
  CHECK(!events.empty());
  const auto first = schema::check_event(events.front().bytes);
  if (!first.ok()) return FillVerdict{Kind::kFalse, first.error().message};
  const bool from_genesis = first->kind == schema::BodyKind::kGenesis;
  const ActorId actor = from_genesis ? actor_id_of(events.front().hash) : first->header.actor;
  TRY_ASSIGN(ChainEntry * entry, find(actor));
  if (entry == nullptr) return FillVerdict{Kind::kLeft, str_cat("nothing of a chain ", actor.hex(), " is here")};
  if (entry->stop) return FillVerdict{Kind::kLeft, "nothing is added to this chain any more"};

  ChainState state = from_genesis ? ChainState{} : joined_before(*first);
  std::optional<Misfit> broken;  // if they are the node's at all
  for (const FillEvent& event : events) {
    const auto view = schema::check_event(event.bytes);
    if (!view.ok()) return FillVerdict{Kind::kFalse, view.error().message};
    const schema::Header& header = view->header;
    const bool linked = &event == &events.front() || (header.actor == actor && header.parent == state.head &&
                                                      header.sequence == state.next_sequence);
    TRY_ASSIGN(std::string wrong, step(state, *entry, event, *view));
    if (!linked) return FillVerdict{Kind::kFalse, std::move(wrong)};
    if (wrong.empty()) continue;
    if (!broken) broken = Misfit{header.sequence, {EvidenceKind::kBrokenLink, std::move(wrong)}};
    state.head = event.hash;
    state.next_sequence = header.sequence + 1;
  }
  if (from_genesis && !entry->row.has_genesis && !broken) {
    TRY_ASSIGN(const schema::Event event, schema::decode_event(events.front().bytes));
    const auto& genesis = std::get<schema::Genesis>(event.body);
    if (genesis.node != entry->row.node) {
      if (events.size() == 1) return on_owner(*entry, events.front(), *first, genesis);
      return FillVerdict{Kind::kLeft, "the chain's genesis names another node than the one that sent of it"};
    }
  }
  // What came after the gap came from the chain's node only if the genesis is here.
  const Kind misled = entry->row.has_genesis ? Kind::kFalse : Kind::kLeft;
  TRY_ASSIGN(const auto gap, gap_around(*entry, state.next_sequence - 1));
  if (!gap || gap->last + 1 != state.next_sequence || first->header.sequence < gap->first) {
    return FillVerdict{misled, str_cat("events ", first->header.sequence, " to ", state.next_sequence - 1,
                                       " aren't the end of a gap")};
  }
  if (state.head != gap->head) {
    return FillVerdict{misled, str_cat("event ", gap->last, " has the hash ", state.head.short_hex(),
                                       "; what came after it says ", gap->head.short_hex())};
  }
  for (const FillEvent& event : events) {
    TRY_ASSIGN(const schema::EventView view, schema::check_event(event.bytes));
    TRY_ASSIGN(std::string needs, missing_blob(event.bytes, view.kind));
    if (!needs.empty()) return FillVerdict{Kind::kLeft, std::move(needs)};
  }
  if (!broken) {
    TRY_ASSIGN(broken, misfit(*entry, *gap, events.front(), state));
  }
  if (broken) {
    TRY(stop(*entry, entry->row.node, broken->sequence, broken->finding));
    return FillVerdict{};
  }
  if (from_genesis) {
    TRY_ASSIGN(const schema::Event decoded, schema::decode_event(events.front().bytes));
    learn(entry->row, std::get<schema::Genesis>(decoded.body), *first);
    identified(*entry);
  }
  TRY(fill(*entry, *gap, *first, state, events.size()));
  return FillVerdict{};
}

// Empty, or the rule between this event and the one before it that is broken; `state` is then as before.
Result<std::string> Rules::step(ChainState& state, const ChainEntry& entry, const FillEvent& event,
                                const schema::EventView& view) {
  if (view.kind == schema::BodyKind::kResumed) {
    TRY_ASSIGN(const schema::Event decoded, schema::decode_event(event.bytes));
    if (std::get<schema::Resumed>(decoded.body).node != entry.row.node) {
      return str_cat("event ", view.header.sequence, " is resumed under another node's key");
    }
  }
  const auto advanced = advance(state, view, event.hash);
  return advanced.ok() ? std::string() : advanced.error().message;
}

// The genesis of a chain that another node than its own has claimed.
Result<FillVerdict> Rules::on_owner(ChainEntry& entry, const FillEvent& event, const schema::EventView& view,
                                    const schema::Genesis& genesis) {
  TRY_ASSIGN(std::string needs, missing_blob(event.bytes, view.kind));
  if (!needs.empty()) return FillVerdict{FillVerdict::Kind::kLeft, std::move(needs)};
  TRY(end_claim(entry));
  ChainRow row;
  row.actor = entry.row.actor;
  learn(row, genesis, view);
  ChainEntry& owned = begin(std::move(row));
  TRY(advance(owned.state, view, event.hash));
  owned.state.after_gap = true;  // join() knows it by that
  ++owned.events;
  filled(owned, 0, 1);
  return FillVerdict{};
}

Result<void> Rules::fill(ChainEntry& entry, const OpenGap& gap, const schema::EventView& first, const ChainState& last,
                         size_t count) {
  const uint64_t sequence = first.header.sequence;
  entry.events += count;
  if (last.next_sequence == entry.state.next_sequence) {  // the gap was what came last
    entry.state = last;
    entry.state.actor = entry.row.actor;
  }
  filled(entry, sequence, static_cast<uint32_t>(count));
  if (sequence > gap.first) {
    narrowed(entry, {gap.first, sequence - 1, first.header.parent});
    return Ok{};
  }
  TRY_ASSIGN(entry.gaps, closed(entry, gap));
  if (sequence == 0) return Ok{};
  // A gap below that nobody could say the end of, because the first that came of the chain, maybe after its genesis,
  // was a gap record. Only that: a node that leaves out the hash in a later record of its own gets nothing filled
  // there.
  TRY_ASSIGN(const auto below, gap_around(entry, sequence - 1));
  if (below && below->first <= 1 && below->head.is_zero()) {
    narrowed(entry, {below->first, below->last, first.header.parent});
  }
  return Ok{};
}

Result<void> Rules::stop(ChainEntry& entry, const PublicKey& node, uint64_t sequence, const Finding& finding) {
  entry.stop = StopRow{sequence, finding.reason};
  TRY(evidence(node, entry.row.actor, sequence, finding));
  stopped(entry);
  return Ok{};
}

Result<std::string> Rules::missing_blob(BytesView bytes, schema::BodyKind kind) {
  for (const BlobNeed& need : blobs_needed(bytes, kind)) {
    TRY_ASSIGN(const bool here, has_blob(need));
    if (!here) {
      return str_cat("it refers to a blob of ", need.length, " bytes that isn't here: sha256:", need.hash.hex());
    }
  }
  return std::string();
}

}  // namespace theater::persist
