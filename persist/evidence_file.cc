#include "persist/evidence_file.h"

#include <algorithm>
#include <optional>

#include "persist/rows.h"
#include "schema/codec.h"

namespace theater::persist {
namespace {

constexpr uint8_t kMagic[] = {'T', 'H', 'E', 'V', 1};
constexpr size_t kSidesMax = 2;
constexpr uint8_t kFrameMagic[] = {'T', 'H', 'F', 'R', 1, 0, 0, 0};

Error bad(std::string_view why) { return Error{ErrorCode::kCorrupt, str_cat("not proof of anything: ", why)}; }

Result<bus::FrameHeader> read_header(BytesView bytes) {
  RowReader in(bytes);
  const BytesView magic = in.take(sizeof kFrameMagic);
  if (!std::equal(magic.begin(), magic.end(), std::begin(kFrameMagic), std::end(kFrameMagic))) {
    return bad("a header in it isn't that of a frame");
  }
  bus::FrameHeader header;
  header.sequence = in.u64();
  header.items = in.u32();
  header.body_bytes = in.u32();
  header.time_ns = in.u64();
  header.previous = in.id<Hash>();
  header.body_digest = in.id<Hash>();
  const BytesView stream = in.take(header.stream.size());
  if (!in.done()) return bad("a header in it is cut short");
  std::copy(stream.begin(), stream.end(), header.stream.begin());
  return header;
}

Result<void> check_side(const EvidenceSide& side, const PublicKey& node) {
  if (!side.is_signed()) return Ok{};
  if (side.item >= side.digests.size() || side.digests[side.item] != sha256(side.bytes)) {
    return bad("the bytes aren't among the items of their frame");
  }
  bus::FrameHeader last;
  for (size_t at = 0; at < side.headers.size(); at += bus::kFrameHeaderSize) {
    const BytesView bytes = BytesView(side.headers).subspan(at, bus::kFrameHeaderSize);
    TRY_ASSIGN(const bus::FrameHeader header, read_header(bytes));
    if (at == 0) {
      const BytesView all(side.digests.front().bytes.data(), side.digests.size() * Hash::kSize);
      if (header.items != side.digests.size() || header.body_digest != sha256(all)) {
        return bad("the items aren't those that the frame's header covers");
      }
    } else if (header.previous != last.previous || header.sequence != last.sequence || header.stream != last.stream) {
      return bad("the frames don't follow each other");
    }
    // What the next one has to say of this one; also what a tip in the next one signs.
    last.previous = sha256(bytes);
    last.sequence = header.sequence + 1;
    last.stream = header.stream;
  }
  if (!bus::verify_tip(node, last, side.tip)) return bad("the signature isn't that of the node it names");
  return Ok{};
}

struct Seen {  // a side whose bytes are an event
  schema::Header header;
  schema::BodyKind kind;
  ActorId actor;
  Hash hash;
  // Only if it is signed.
  bool is_signed = false;
  bus::StreamId stream{};
  uint64_t frame = 0;
  uint32_t item = 0;
};

bool said_after(const Seen& a, const Seen& b) {
  return a.stream == b.stream && std::pair(a.frame, a.item) > std::pair(b.frame, b.item);
}

std::optional<Seen> event_in(const EvidenceSide& side) {
  const auto view = schema::check_event(side.bytes);
  if (!view.ok()) return std::nullopt;
  Seen seen{view->header, view->kind, view->header.actor, sha256(side.bytes), side.is_signed(), {}, 0, side.item};
  if (seen.kind == schema::BodyKind::kGenesis) seen.actor = actor_id_of(seen.hash);
  if (!seen.is_signed) return seen;
  const auto header = read_header(BytesView(side.headers).first(bus::kFrameHeaderSize));
  if (!header.ok()) return std::nullopt;
  seen.stream = header->stream;
  seen.frame = header->sequence;
  return seen;
}

std::string describe(const EvidenceSide& side, const std::optional<Seen>& event) {
  std::string line = event ? str_cat("event ", event->header.sequence, " of ", event->actor.hex(), ", incarnation ",
                                     event->header.incarnation, ", ", event->header.type, ", hash ", event->hash.hex())
                           : str_cat(side.bytes.size(), " bytes that are no event, hash ", sha256(side.bytes).hex());
  if (!side.is_signed()) return line + ": no signature covers it";
  return str_cat(line, ": signed at ", side.tip.time_ns, " ns");
}

// Two events of one chain that this node signed, the wrong one first. Empty if they don't contradict each other.
std::string contradiction(EvidenceKind kind, const Seen& wrong, const Seen& other) {
  if (wrong.actor != other.actor || !wrong.is_signed || !other.is_signed) return {};
  const schema::Header &a = wrong.header, &b = other.header;
  const bool follows = a.sequence == b.sequence + 1;
  switch (kind) {
    case EvidenceKind::kEquivocation:
      if (a.sequence != b.sequence || a.incarnation != b.incarnation || wrong.hash == other.hash) return {};
      return str_cat("signed two different events ", a.sequence, " of one incarnation of one chain");
    case EvidenceKind::kRollback:
      if (a.sequence != b.sequence || wrong.kind != schema::BodyKind::kResumed || a.incarnation <= b.incarnation) {
        return {};
      }
      return str_cat("signed event ", a.sequence, " and then resumed the chain as if it had never been, ",
                     "which it might if nobody had acknowledged it");
    case EvidenceKind::kLowerIncarnation:
      // Only one stream tells what was said first: a tail that a `resumed` left behind looks the same otherwise.
      if (a.sequence < b.sequence || a.incarnation >= b.incarnation || !said_after(wrong, other)) return {};
      return str_cat("signed an event of incarnation ", a.incarnation, " after one of incarnation ", b.incarnation);
    case EvidenceKind::kAfterEnd:
      if (a.sequence <= b.sequence || !schema::is_terminal(other.kind) || a.incarnation != b.incarnation) return {};
      return str_cat("signed event ", a.sequence, " of a chain that had ended with event ", b.sequence);
    case EvidenceKind::kBrokenLink:
      if (!follows) return {};
      if (a.parent == other.hash) {
        if (a.time_ns < b.time_ns) return "signed an event whose time is before its parent's";
        if (a.incarnation == b.incarnation || wrong.kind == schema::BodyKind::kResumed) return {};
        return "signed an event of another incarnation than its parent's, which isn't `resumed`";
      }
      if (a.incarnation != b.incarnation) return {};
      return str_cat("signed event ", a.sequence, ", which names another parent than the event ", b.sequence,
                     " that it signed");
    default: return {};
  }
}

// What this event shows by itself, or with the genesis of its chain, which its id vouches for.
std::string own_fault(const EvidenceFile& file, const Seen& event, const EvidenceSide& side,
                      const EvidenceSide* beside) {
  if (!event.is_signed) return {};
  const auto names_another = [&](const EvidenceSide& it) {
    const auto decoded = schema::decode_event(it.bytes);
    if (!decoded.ok()) return false;
    if (const auto* genesis = std::get_if<schema::Genesis>(&decoded->body)) return genesis->node != file.node;
    const auto* resumed = std::get_if<schema::Resumed>(&decoded->body);
    return resumed != nullptr && resumed->node != file.node;
  };
  if (file.kind == EvidenceKind::kWrongGenesis) {
    if (event.kind != schema::BodyKind::kGenesis || !names_another(side)) return {};
    return "signed a genesis that names another node";
  }
  if (file.kind != EvidenceKind::kForeignKey) return {};
  if (event.kind == schema::BodyKind::kResumed && names_another(side))
    return "signed a `resumed` for another node's key";
  if (beside == nullptr) return {};
  const auto genesis = event_in(*beside);
  if (!genesis || genesis->kind != schema::BodyKind::kGenesis || genesis->actor != event.actor) return {};
  return names_another(*beside) ? "signed an event of a chain whose genesis names another node" : "";
}

}  // namespace

Bytes encode_evidence(const EvidenceFile& file) {
  CHECK(!file.sides.empty() && file.sides.size() <= kSidesMax);
  Bytes out(std::begin(kMagic), std::end(kMagic));
  out.push_back(static_cast<uint8_t>(file.kind));
  out.push_back(static_cast<uint8_t>(file.sides.size()));
  out.push_back(0);
  put_id(out, file.node);
  for (const EvidenceSide& side : file.sides) {
    put_u32(out, static_cast<uint32_t>(side.bytes.size()));
    put_u32(out, static_cast<uint32_t>(side.digests.size()));
    out.insert(out.end(), side.bytes.begin(), side.bytes.end());
    if (!side.is_signed()) continue;
    put_u32(out, side.item);
    put_u32(out, static_cast<uint32_t>(side.headers.size() / bus::kFrameHeaderSize));
    for (const Hash& digest : side.digests) put_id(out, digest);
    out.insert(out.end(), side.headers.begin(), side.headers.end());
    put_u64(out, side.tip.time_ns);
    out.insert(out.end(), side.tip.signature.begin(), side.tip.signature.end());
  }
  return out;
}

Result<EvidenceFile> decode_evidence(BytesView bytes) {
  RowReader in(bytes);
  const BytesView magic = in.take(sizeof kMagic);
  if (!std::equal(magic.begin(), magic.end(), std::begin(kMagic), std::end(kMagic))) {
    return bad("the file isn't what `theater evidence export` writes, or of another version");
  }
  const uint8_t kind = in.u8(), sides = in.u8(), zero = in.u8();
  if (kind >= kEvidenceKinds || sides == 0 || sides > kSidesMax || zero != 0) return bad("its head isn't a head");
  EvidenceFile file;
  file.kind = EvidenceKind{kind};
  file.node = in.id<PublicKey>();
  for (uint8_t i = 0; i < sides; ++i) {
    EvidenceSide& side = file.sides.emplace_back();
    const uint32_t size = in.u32(), digests = in.u32();
    const BytesView content = in.take(size);
    side.bytes.assign(content.begin(), content.end());
    if (digests == 0) continue;
    side.item = in.u32();
    const uint32_t headers = in.u32();
    if (digests > bus::kFrameItemsMax || headers == 0 || headers > kEvidenceHeadersMax)
      return bad("too much of a part");
    for (uint32_t each = 0; each < digests && in.ok(); ++each) side.digests.push_back(in.id<Hash>());
    const BytesView all = in.take(headers * bus::kFrameHeaderSize);
    side.headers.assign(all.begin(), all.end());
    side.tip.time_ns = in.u64();
    const BytesView signature = in.take(side.tip.signature.size());
    std::copy(signature.begin(), signature.end(), side.tip.signature.begin());
  }
  if (!in.done()) return bad("its parts don't have the sizes that it says");
  return file;
}

const char* evidence_outcome_name(EvidenceVerdict::Outcome outcome) {
  switch (outcome) {
    case EvidenceVerdict::Outcome::kProved: return "proved";
    case EvidenceVerdict::Outcome::kSigned: return "signed";
    case EvidenceVerdict::Outcome::kUnsigned: return "unsigned";
  }
  return "unknown";
}

Result<EvidenceVerdict> check_evidence(const EvidenceFile& file) {
  CHECK(!file.sides.empty());
  for (const EvidenceSide& side : file.sides) TRY(check_side(side, file.node));
  EvidenceVerdict verdict;
  std::vector<std::optional<Seen>> events;
  for (const EvidenceSide& side : file.sides) {
    events.push_back(event_in(side));
    verdict.events.push_back(describe(side, events.back()));
  }
  const EvidenceSide& first = file.sides.front();
  const EvidenceSide* beside = file.sides.size() > 1 ? &file.sides.back() : nullptr;
  std::string shown;
  if (events.front() && beside != nullptr && events.back()) {
    shown = contradiction(file.kind, *events.front(), *events.back());
  }
  if (shown.empty() && events.front()) shown = own_fault(file, *events.front(), first, beside);
  const std::string who = str_cat("node ", file.node.hex(), " ");
  const bool all_signed =
      std::all_of(file.sides.begin(), file.sides.end(), [](const auto& it) { return it.is_signed(); });
  if (!shown.empty()) {
    verdict.outcome = EvidenceVerdict::Outcome::kProved;
    verdict.statement = who + shown;
  } else if (all_signed) {
    verdict.outcome = EvidenceVerdict::Outcome::kSigned;
    verdict.statement = str_cat(who, "signed this; that it is wrong (", evidence_kind_name(file.kind),
                                ") can't be told from this file alone");
  } else {
    verdict.outcome = EvidenceVerdict::Outcome::kUnsigned;
    verdict.statement =
        str_cat("not covered by a signature of node ", file.node.hex(), ": this shows what an auditor received (",
                evidence_kind_name(file.kind), "), not who said it");
  }
  return verdict;
}

}  // namespace theater::persist
