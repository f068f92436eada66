#include "schema/body_rules.h"
#include "schema/codec.h"
#include "schema/reader.h"

namespace theater::schema {
namespace wire {
namespace {

// The body readers fill `out`, or only check if it is null.

template <typename Struct, typename Member>
Member* member(Struct* out, Member Struct::* which) {
  return out != nullptr ? &(out->*which) : nullptr;
}

bool read_origin(Reader& reader, const StructAt& at, size_t pointer, Origin* out) {
  if (!reader.has(at, pointer)) return true;  // the host itself
  StructAt origin;
  if (!reader.structure(at, pointer, "origin", kOriginDataWords, 1, origin)) return false;
  const uint64_t tag = reader.data(origin, 0);
  if (tag == kOriginClient) {
    if (origin.data_words > 5) return reader.fail(origin.data, "origin", "data that a client doesn't use");
    Operator client;
    reader.id(origin, 1, client.key);
    if (!reader.text(origin, 0, "request id", out != nullptr ? &client.request_id : nullptr)) return false;
    if (out != nullptr) *out = std::move(client);
    return true;
  }
  if (tag != kOriginCause) return reader.fail(origin.data, "origin", "unknown kind");
  if (origin.pointer_count > 0) return reader.fail(origin.pointers, "origin", "a pointer that a cause doesn't use");
  if (out != nullptr) {
    Cause cause;
    reader.id(origin, 1, cause.actor);
    cause.sequence = reader.data(origin, 5);
    reader.id(origin, 6, cause.hash);
    *out = cause;
  }
  return true;
}

bool read(Reader& reader, const StructAt& at, Genesis* out) {
  const uint64_t first = reader.data(at, 0);
  const uint64_t mode = first & 0xFFFF;
  if (mode > static_cast<uint64_t>(AuditMode::kBestEffort)) return reader.fail(at.data, "audit mode", "unknown");
  if (first >> 49 != 0) return reader.fail(at.data, "gated", "neither yes nor no");
  if (out != nullptr) {
    out->audit = {static_cast<AuditMode>(mode), static_cast<uint16_t>(first >> 16), static_cast<uint16_t>(first >> 32),
                  first >> 48 != 0};
    out->package_length = reader.data(at, 1);
    out->manifest_length = reader.data(at, 2);
    const uint64_t nonce[2] = {reader.data(at, 3), reader.data(at, 4)};
    out->nonce.resize(kNonceSize);
    std::memcpy(out->nonce.data(), nonce, kNonceSize);
    reader.id(at, 5, out->node);
    reader.id(at, 9, out->manifest);
    reader.id(at, 13, out->package);
    reader.id(at, 17, out->engine_profile);
    reader.id(at, 21, out->previous_life);
  }
  return reader.text(at, 0, "name", member(out, &Genesis::name)) &&
         read_origin(reader, at, 1, member(out, &Genesis::requested_by));
}

bool read(Reader& reader, const StructAt& at, WasmCall* out) {
  return reader.values(at, 0, "args", member(out, &WasmCall::args), 1) &&
         read_origin(reader, at, 1, member(out, &WasmCall::origin));
}

bool read(Reader& reader, const StructAt& at, WasmResult* out) {
  if (out != nullptr) out->fuel = reader.data(at, 0);
  return reader.values(at, 0, "results", member(out, &WasmResult::results), 1, false, 1);
}

bool read(Reader& reader, const StructAt& at, HostCall* out) {
  const uint64_t effect = reader.data(at, 0);
  if (effect > static_cast<uint64_t>(Effect::kOutside)) return reader.fail(at.data, "effect", "unknown");
  if (out != nullptr) out->effect = static_cast<Effect>(effect);
  if (effect == static_cast<uint64_t>(Effect::kOutside) && reader.has(at, 1)) {
    return reader.fail(at.pointers + 1, "results", "an intent has none");
  }
  return reader.values(at, 0, "args", member(out, &HostCall::args), 1) &&
         reader.values(at, 1, "results", member(out, &HostCall::results), 1);
}

bool read(Reader& reader, const StructAt& at, HostReturn* out) {
  const uint64_t outcome = reader.data(at, 0);
  if (outcome > static_cast<uint64_t>(Outcome::kUnknown)) return reader.fail(at.data, "outcome", "unknown");
  if (out != nullptr) out->outcome = static_cast<Outcome>(outcome);
  return reader.values(at, 0, "results", member(out, &HostReturn::results), 1);
}

bool read(Reader& reader, const StructAt& at, ErrorBody* out) {
  const uint64_t first = reader.data(at, 0);
  const uint64_t kind = first & 0xFFFF;
  if (kind > static_cast<uint64_t>(ErrorKind::kGuestError)) return reader.fail(at.data, "error kind", "unknown");
  if (first >> 17 != 0) return reader.fail(at.data, "in call", "neither yes nor no");
  if (out != nullptr) {
    out->kind = static_cast<ErrorKind>(kind);
    out->in_call = first >> 16 != 0;
    out->fuel = reader.data(at, 1);
  }
  return reader.text(at, 0, "message", member(out, &ErrorBody::message)) &&
         read_origin(reader, at, 1, member(out, &ErrorBody::requested_by));
}

bool read(Reader& reader, const StructAt& at, Shutdown* out) {
  return reader.text(at, 0, "reason", member(out, &Shutdown::reason)) &&
         reader.values(at, 1, "data", member(out, &Shutdown::data), 1, false, 1) &&
         read_origin(reader, at, 2, member(out, &Shutdown::requested_by));
}

bool read(Reader& reader, const StructAt& at, Resumed* out) {
  const uint64_t interrupted = reader.data(at, 0);
  if (interrupted > 1) return reader.fail(at.data, "call interrupted", "neither yes nor no");
  if (out != nullptr) {
    out->call_interrupted = interrupted != 0;
    reader.id(at, 1, out->node);
    reader.id(at, 5, out->engine_profile);
  }
  return reader.numbers(at, 0, "unknown intents", member(out, &Resumed::unknown_intents)) &&
         reader.texts(at, 1, "dropped", member(out, &Resumed::dropped)) &&
         reader.bytes(at, 2, "grant", member(out, &Resumed::grant));
}

bool read(Reader& reader, const StructAt& at, Fact* out) {
  StructAt value;
  std::optional<Value> content;
  if (!reader.structure(at, 0, "fact", 2, 2, value)) return false;
  if (!reader.value(value, out != nullptr ? &content : nullptr, 1)) return false;
  if (out != nullptr) out->value = std::move(*content);
  return true;
}

template <typename Kind>
bool read_as(Reader& reader, const StructAt& event, size_t data_words, size_t pointers, Body* out) {
  StructAt at;
  if (!reader.structure(event, 1, "body", data_words, pointers, at)) return false;
  return read(reader, at, out != nullptr ? &out->emplace<Kind>() : nullptr);
}

bool read_body(Reader& reader, const StructAt& event, BodyKind kind, Body* out) {
  switch (kind) {
    case BodyKind::kGenesis: return read_as<Genesis>(reader, event, kGenesisDataWords, 2, out);
    case BodyKind::kWasmCall: return read_as<WasmCall>(reader, event, 0, 2, out);
    case BodyKind::kWasmResult: return read_as<WasmResult>(reader, event, 1, 1, out);
    case BodyKind::kHostCall: return read_as<HostCall>(reader, event, 1, 2, out);
    case BodyKind::kHostReturn: return read_as<HostReturn>(reader, event, 1, 1, out);
    case BodyKind::kError: return read_as<ErrorBody>(reader, event, 2, 2, out);
    case BodyKind::kShutdown: return read_as<Shutdown>(reader, event, 0, 3, out);
    case BodyKind::kResumed: return read_as<Resumed>(reader, event, kResumedDataWords, 3, out);
    case BodyKind::kFact: return read_as<Fact>(reader, event, 0, 1, out);
  }
  return false;
}

bool read_event(Reader& reader, EventView& view, Body* body) {
  StructAt event;
  if (!reader.root(event, kEventDataWords, 2)) return false;
  const uint64_t first = reader.data(event, 0);
  const uint64_t version = first & 0xFFFF, kind = first >> 16 & 0xFFFF;
  if (version != kFormatVersion) return reader.fail(event.data, "version", "this build reads version 1 only");
  if (kind > static_cast<uint64_t>(BodyKind::kFact)) return reader.fail(event.data, "body", "an unknown kind");
  view.kind = static_cast<BodyKind>(kind);
  Header& header = view.header;
  header.incarnation = static_cast<uint32_t>(first >> 32);
  header.sequence = reader.data(event, 1);
  header.time_ns = reader.data(event, 2);
  reader.id(event, 3, header.actor);
  reader.id(event, 7, header.parent);
  if (!reader.text(event, 0, "type", header.type)) return false;
  if (const char* wrong = header_rule_broken(header, view.kind)) return reader.fail(event.data, "header", wrong);
  return read_body(reader, event, view.kind, body) && reader.finish();
}

// One failure, or nothing: `view` and, unless it is null, `body` are filled.
Result<void> read_event(BytesView bytes, EventView& view, Body* body) {
  if (bytes.size() > kEventSizeMax) {
    return Error{ErrorCode::kCorrupt,
                 str_cat("event refused: ", bytes.size(), " bytes are more than the ", kEventSizeMax, " allowed")};
  }
  if (bytes.size() % kWord != 0) {
    return Error{ErrorCode::kCorrupt,
                 str_cat("event refused: ", bytes.size(), " bytes aren't a whole number of words")};
  }
  Reader reader(bytes);
  if (!read_event(reader, view, body)) return reader.error("event");
  return Ok{};
}

}  // namespace
}  // namespace wire

Result<EventView> check_event(BytesView bytes) {
  EventView view;
  TRY(wire::read_event(bytes, view, nullptr));
  return view;
}

Result<Event> decode_event(BytesView bytes) {
  Result<Event> event = Event{};  // filled in place: a body is large to move
  EventView view;
  TRY(wire::read_event(bytes, view, &event->body));
  event->header = view.header;
  return event;
}

}  // namespace theater::schema
