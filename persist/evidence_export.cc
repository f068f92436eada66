#include "persist/evidence_export.h"

#include <algorithm>

#include "base/crypto.h"
#include "persist/deltas.h"
#include "persist/stored_event.h"
#include "schema/codec.h"

namespace theater::persist {
namespace {

// The signature in a stored frame, if it carries one.
std::optional<bus::Tip> tip_in(const StoredFrame& frame) {
  ItemWalk walk(frame.bytes);
  for (StoredItem item; walk.next(item);) {
    if (item.kind != static_cast<uint8_t>(bus::ItemKind::kTip)) continue;
    const auto tip = bus::parse_tip(item.content);
    if (tip.ok()) return *tip;
  }
  return std::nullopt;
}

// An item with what leads from it to a signature of `node`; without, if there is none yet or the frame is another's.
Result<EvidenceSide> side_at(const Store& store, const EventPlace& place, const PublicKey& node) {
  TRY_ASSIGN(StoredItemAt at, read_item_at(store, place));
  if (at.kind == kStubKind) {
    return Error{ErrorCode::kInvalid,
                 "it is about a piece of a blob, which no file of evidence can show; "
                 "see theater evidence show --raw"};
  }
  EvidenceSide side;
  side.bytes.assign(at.content.begin(), at.content.end());
  if (at.frame.node != node) return side;
  TRY_ASSIGN(const auto newest,
             get_row<TipRow>(store, Table::kRows, signed_tip_key(node, at.frame.stream), "a signed tip"));
  if (!newest || newest->sequence < at.frame.sequence) return side;
  Bytes headers(at.frame.header().begin(), at.frame.header().end());
  uint64_t sequence = at.frame.sequence;
  // The tip is there: this ends before the frames do.
  const auto rows = store.scan(Table::kFrames, {}, frame_key(place.frame + 1));
  for (; rows->valid(); rows->next()) {
    TRY_ASSIGN(const StoredFrame frame, decode_stored_frame(rows->value()));
    if (frame.node != node || frame.stream != at.frame.stream || frame.sequence != sequence + 1) continue;
    if (const auto tip = tip_in(frame)) {
      side.tip = *tip;
      side.headers = std::move(headers);
      side.digests = std::move(at.digests);
      side.item = at.number;
      return side;
    }
    if (headers.size() >= kEvidenceHeadersMax * bus::kFrameHeaderSize) return side;
    const BytesView header = frame.header();
    headers.insert(headers.end(), header.begin(), header.end());
    ++sequence;
  }
  TRY(rows->status());
  return Error{ErrorCode::kCorrupt, str_cat("the frames after frame ", place.frame, " of the store lack a signed tip")};
}

bool is_genesis_of(const EvidenceSide& side, const ActorId& actor) {
  const auto view = schema::check_event(side.bytes);
  return view.ok() && view->kind == schema::BodyKind::kGenesis && actor_id_of(sha256(side.bytes)) == actor;
}

// One store's events of one chain, one after the other.
class Walk {
 public:
  static Result<Walk> begin(ChainReader& reader, const ActorId& actor, uint64_t first) {
    Walk walk;
    TRY_ASSIGN(walk.cursor_, reader.events(actor, first));
    TRY(walk.next());
    return walk;
  }
  bool done() const { return !item_; }
  uint64_t sequence() const { return item_->sequence; }
  BytesView bytes() const { return item_->bytes; }
  Result<void> next() {
    TRY_ASSIGN(item_, cursor_->next());
    return Ok{};
  }

 private:
  std::unique_ptr<EventCursor> cursor_;
  std::optional<EventCursor::Item> item_;
};

// The first sequence at which both hold an event and not the same one.
struct Parting {
  uint64_t sequence = 0;
  Bytes one, other;  // the two events
};
Result<std::optional<Parting>> parting(ChainReader& one, ChainReader& other, const ActorId& actor) {
  TRY_ASSIGN(Walk a, Walk::begin(one, actor, 0));
  TRY_ASSIGN(Walk b, Walk::begin(other, actor, 0));
  while (!a.done() && !b.done()) {
    if (a.sequence() == b.sequence() &&
        !std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end())) {
      return std::optional<Parting>(
          {a.sequence(), Bytes(a.bytes().begin(), a.bytes().end()), Bytes(b.bytes().begin(), b.bytes().end())});
    }
    const uint64_t at = std::max(a.sequence(), b.sequence());
    const bool both = a.sequence() == b.sequence();
    if (both || a.sequence() < at) TRY(a.next());
    if (both || b.sequence() < at) TRY(b.next());
  }
  return std::optional<Parting>();
}

// Whether the shorter one's head stands in the longer one: then so does all before it, by the links. Across a gap no
// link leads: what came after it says nothing of what came before.
Result<bool> is_prefix(const ChainSummary& shorter, const ChainSummary& other, ChainReader& longer) {
  if (!shorter.missing.empty() || !other.missing.empty()) return false;
  TRY_ASSIGN(const Walk walk, Walk::begin(longer, shorter.actor, shorter.last_sequence));
  return !walk.done() && walk.sequence() == shorter.last_sequence && sha256(walk.bytes()) == shorter.head;
}

// An event of a chain with what leads from it to a signature. Without, if another auditor gave it, so that it doesn't
// stand in a frame of the node's, or if the store is too damaged to say.
EvidenceSide side_of(ChainReader& reader, const ChainSummary& chain, uint64_t sequence, Bytes bytes) {
  const Store* store = reader.store();
  CHECK(store != nullptr);
  EvidenceSide bare;
  bare.bytes = std::move(bytes);
  const auto number = get_row<uint64_t>(*store, Table::kRows, actor_key(chain.actor), "an actor");
  if (!number.ok() || !*number) return bare;
  const auto event = find_stored_event(*store, **number, sequence, {});
  if (!event.ok() || !*event) return bare;
  auto side = side_at(*store, (*event)->place, chain.node);
  return side.ok() && side->bytes == bare.bytes ? std::move(*side) : bare;
}

// Of two runs, the later one may have left the other behind.
EvidenceKind kind_of(EvidenceSide& wrong, EvidenceSide& other) {
  const auto a = schema::check_event(wrong.bytes), b = schema::check_event(other.bytes);
  if (!a.ok() || !b.ok() || a->header.incarnation == b->header.incarnation) return EvidenceKind::kEquivocation;
  if (a->header.incarnation < b->header.incarnation) std::swap(wrong, other);
  return EvidenceKind::kRollback;
}

}  // namespace

Result<EvidenceFile> export_evidence(const Store& store, const EvidenceRow& row) {
  EvidenceFile file;
  file.kind = row.kind;
  file.node = row.peer;
  if (row.frame == 0) {
    file.sides.emplace_back().bytes = row.bytes;
    return file;
  }
  if (row.item == 0) {
    return Error{ErrorCode::kInvalid,
                 "it was recorded by a program that didn't say which item of the frame it is about; "
                 "see theater evidence show --raw"};
  }
  TRY_ASSIGN(EvidenceSide first, side_at(store, {row.frame, row.item}, row.peer));
  file.sides.push_back(std::move(first));
  if (row.beside.frame == 0) return file;
  TRY_ASSIGN(EvidenceSide beside, side_at(store, row.beside, row.peer));
  file.sides.push_back(std::move(beside));
  // A claim that ended when the owner's genesis came: what the claimer sent is what is wrong.
  if (row.kind == EvidenceKind::kForeignKey && is_genesis_of(file.sides.front(), row.actor)) {
    std::swap(file.sides.front(), file.sides.back());
  }
  return file;
}

Result<std::vector<Difference>> compare_stores(ChainReader& one, ChainReader& other) {
  std::vector<Difference> out;
  TRY_ASSIGN(const auto chains, one.list());
  for (const ChainSummary& chain : chains) {
    const auto theirs = other.summary(chain.actor);
    if (!theirs.ok() && theirs.error().code == ErrorCode::kNotFound) continue;
    if (!theirs.ok()) return theirs.error();
    if (chain.events == 0 || theirs->events == 0) continue;
    const bool longer = chain.last_sequence > theirs->last_sequence;
    TRY_ASSIGN(const bool same, longer ? is_prefix(*theirs, chain, one) : is_prefix(chain, *theirs, other));
    if (same) continue;
    TRY_ASSIGN(auto events, parting(one, other, chain.actor));
    if (!events) continue;
    const uint64_t sequence = events->sequence;
    Difference& found = out.emplace_back(Difference{chain.actor, sequence, {}});
    EvidenceSide ours = side_of(one, chain, sequence, std::move(events->one));
    EvidenceSide others = side_of(other, *theirs, sequence, std::move(events->other));
    found.proof.node = chain.node;
    found.proof.kind = kind_of(ours, others);
    found.proof.sides.push_back(std::move(ours));
    found.proof.sides.push_back(std::move(others));
  }
  return out;
}

}  // namespace theater::persist
