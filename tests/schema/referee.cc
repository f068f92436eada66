#include "tests/schema/referee.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "schema/event.capnp.h"
#include "schema/value.capnp.h"

namespace theater::schema::referee {
namespace {

using Kind = Value::Kind;

kj::ArrayPtr<const kj::byte> data_of(BytesView bytes) { return {bytes.data(), bytes.size()}; }
capnp::Text::Reader text_of(const std::string& text) { return {text.data(), text.size()}; }

template <typename Group, size_t Size>
void set_words(Group group, const std::array<uint8_t, Size>& bytes) {
  uint64_t words[4];
  static_assert(sizeof words == Size);
  std::memcpy(words, bytes.data(), Size);
  group.setA(words[0]);
  group.setB(words[1]);
  group.setC(words[2]);
  group.setD(words[3]);
}

void build(wire::Value::Builder to, const Value& value);

template <typename Init>
void build_all(Init init, const std::vector<Value>& values) {
  if (values.empty()) return;
  auto list = init(static_cast<unsigned>(values.size()));
  for (unsigned i = 0; i < values.size(); ++i) build(list[i], values[i]);
}

template <typename Init>
void build_texts(Init init, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  auto list = init(static_cast<unsigned>(texts.size()));
  for (unsigned i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty()) list.set(i, text_of(texts[i]));
  }
}

void build_named(wire::Value::Builder to, const Value& value) {
  if (const auto* variant = value.get<Value::Variant>()) {
    auto group = to.initVariant();
    if (!variant->name.empty()) group.setName(text_of(variant->name));
    if (variant->payload) build(group.initPayload(), *variant->payload);
  } else if (const auto* option = value.get<Value::Option>()) {
    if (option->payload) {
      build(to.initOption(), *option->payload);
    } else {
      to.adoptOption({});
    }
  } else if (const auto* result = value.get<Value::ResultOf>()) {
    auto group = to.initResult();
    group.setIsErr(!result->ok);
    if (result->payload) build(group.initPayload(), *result->payload);
  } else if (const auto* reference = value.get<Value::Reference>()) {
    auto group = to.initReference();
    group.setOf(static_cast<uint16_t>(reference->of));
    group.setLength(reference->length);
    group.setHash(data_of(reference->hash.view()));
  }
}

void build_record(wire::Value::Builder to, const Value::Record& record) {
  to.adoptRecord({});
  if (record.fields.empty()) return;
  auto list = to.initRecord(static_cast<unsigned>(record.fields.size()));
  for (unsigned i = 0; i < record.fields.size(); ++i) {
    if (!record.fields[i].name.empty()) list[i].setName(text_of(record.fields[i].name));
    build(list[i].initValue(), record.fields[i].value);
  }
}

// adoptX({}) selects a union member and leaves its pointer null.
void build(wire::Value::Builder to, const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: to.setBool(*value.get<bool>()); return;
    case Kind::kS8: to.setS8(static_cast<int8_t>(*value.get<int64_t>())); return;
    case Kind::kU8: to.setU8(static_cast<uint8_t>(*value.get<uint64_t>())); return;
    case Kind::kS16: to.setS16(static_cast<int16_t>(*value.get<int64_t>())); return;
    case Kind::kU16: to.setU16(static_cast<uint16_t>(*value.get<uint64_t>())); return;
    case Kind::kS32: to.setS32(static_cast<int32_t>(*value.get<int64_t>())); return;
    case Kind::kU32: to.setU32(static_cast<uint32_t>(*value.get<uint64_t>())); return;
    case Kind::kS64: to.setS64(*value.get<int64_t>()); return;
    case Kind::kU64: to.setU64(*value.get<uint64_t>()); return;
    case Kind::kF32: to.setF32(*value.get<float>()); return;
    case Kind::kF64: to.setF64(*value.get<double>()); return;
    case Kind::kChar: to.setChar(value.get<Value::Char>()->code_point); return;
    case Kind::kString:
      to.adoptString({});
      if (!value.get<std::string>()->empty()) to.setString(text_of(*value.get<std::string>()));
      return;
    case Kind::kBytes:
      to.adoptBytes({});
      if (!value.get<Bytes>()->empty()) to.setBytes(data_of(*value.get<Bytes>()));
      return;
    case Kind::kList:
      to.adoptList({});
      return build_all([&](unsigned n) { return to.initList(n); }, value.get<Value::List>()->items);
    case Kind::kTuple:
      to.adoptTuple({});
      return build_all([&](unsigned n) { return to.initTuple(n); }, value.get<Value::Tuple>()->items);
    case Kind::kRecord: return build_record(to, *value.get<Value::Record>());
    case Kind::kEnum:
      to.adoptEnum({});
      if (!value.get<Value::Enum>()->name.empty()) to.setEnum(text_of(value.get<Value::Enum>()->name));
      return;
    case Kind::kFlags:
      to.adoptFlags({});
      return build_texts([&](unsigned n) { return to.initFlags(n); }, value.get<Value::Flags>()->names);
    case Kind::kSecret: to.setSecret(data_of(value.get<Value::Secret>()->commitment.view())); return;
    default: return build_named(to, value);
  }
}

template <typename Init>
void build_origin(Init init, const Origin& origin) {
  if (const auto* client = std::get_if<Operator>(&origin)) {
    auto group = init().initClient();
    set_words(group.initKey(), client->key.bytes);
    if (!client->request_id.empty()) group.setRequestId(text_of(client->request_id));
  } else if (const auto* cause = std::get_if<Cause>(&origin)) {
    auto group = init().initCause();
    set_words(group.initActor(), cause->actor.bytes);
    group.setSequence(cause->sequence);
    set_words(group.initHash(), cause->hash.bytes);
  }
}

void build(wire::Event::Body::Builder body, const Genesis& genesis) {
  auto to = body.initGenesis();
  to.setMode(static_cast<wire::AuditMode>(genesis.audit.mode));
  to.setQuorum(genesis.audit.quorum);
  to.setAuditors(genesis.audit.auditors);
  to.setGated(genesis.audit.gated);
  to.setPackageLength(genesis.package_length);
  to.setManifestLength(genesis.manifest_length);
  uint64_t nonce[2];
  std::memcpy(nonce, genesis.nonce.data(), sizeof nonce);
  to.getNonce().setA(nonce[0]);
  to.getNonce().setB(nonce[1]);
  set_words(to.getNode(), genesis.node.bytes);
  set_words(to.getManifest(), genesis.manifest.bytes);
  set_words(to.getPackage(), genesis.package.bytes);
  set_words(to.getEngineProfile(), genesis.engine_profile.bytes);
  set_words(to.getPreviousLife(), genesis.previous_life.bytes);
  if (!genesis.name.empty()) to.setName(text_of(genesis.name));
  build_origin([&] { return to.initRequestedBy(); }, genesis.requested_by);
}
void build(wire::Event::Body::Builder body, const WasmCall& call) {
  auto to = body.initWasmCall();
  build_all([&](unsigned n) { return to.initArgs(n); }, call.args);
  build_origin([&] { return to.initOrigin(); }, call.origin);
}
void build(wire::Event::Body::Builder body, const WasmResult& result) {
  auto to = body.initWasmResult();
  to.setFuel(result.fuel);
  build_all([&](unsigned n) { return to.initResults(n); }, result.results);
}
void build(wire::Event::Body::Builder body, const HostCall& call) {
  auto to = body.initHostCall();
  to.setEffect(static_cast<wire::Effect>(call.effect));
  build_all([&](unsigned n) { return to.initArgs(n); }, call.args);
  build_all([&](unsigned n) { return to.initResults(n); }, call.results);
}
void build(wire::Event::Body::Builder body, const HostReturn& answer) {
  auto to = body.initHostReturn();
  to.setOutcome(static_cast<wire::Outcome>(answer.outcome));
  build_all([&](unsigned n) { return to.initResults(n); }, answer.results);
}
void build(wire::Event::Body::Builder body, const ErrorBody& error) {
  auto to = body.initError();
  to.setKind(static_cast<wire::ErrorKind>(error.kind));
  to.setInCall(error.in_call);
  to.setFuel(error.fuel);
  if (!error.message.empty()) to.setMessage(text_of(error.message));
  build_origin([&] { return to.initRequestedBy(); }, error.requested_by);
}
void build(wire::Event::Body::Builder body, const Shutdown& shutdown) {
  auto to = body.initShutdown();
  if (!shutdown.reason.empty()) to.setReason(text_of(shutdown.reason));
  build_all([&](unsigned n) { return to.initData(n); }, shutdown.data);
  build_origin([&] { return to.initRequestedBy(); }, shutdown.requested_by);
}
void build(wire::Event::Body::Builder body, const Resumed& resumed) {
  auto to = body.initResumed();
  to.setCallInterrupted(resumed.call_interrupted);
  set_words(to.getNode(), resumed.node.bytes);
  set_words(to.getEngineProfile(), resumed.engine_profile.bytes);
  if (!resumed.unknown_intents.empty()) {
    auto list = to.initUnknownIntents(static_cast<unsigned>(resumed.unknown_intents.size()));
    for (unsigned i = 0; i < list.size(); ++i) list.set(i, resumed.unknown_intents[i]);
  }
  build_texts([&](unsigned n) { return to.initDropped(n); }, resumed.dropped);
  if (!resumed.grant.empty()) to.setGrant(data_of(resumed.grant));
}
void build(wire::Event::Body::Builder body, const Fact& fact) { build(body.initFact().initValue(), fact.value); }

void build(wire::Event::Builder to, const Header& header, const Body& body) {
  to.setVersion(kFormatVersion);
  to.setIncarnation(header.incarnation);
  to.setSequence(header.sequence);
  to.setTimeNs(header.time_ns);
  set_words(to.getActor(), header.actor.bytes);
  set_words(to.getParent(), header.parent.bytes);
  to.setType(text_of(std::string(header.type)));
  std::visit([&](const auto& content) { build(to.getBody(), content); }, body);
}

Bytes bytes_of(kj::ArrayPtr<const capnp::word> words) {
  const auto raw = words.asBytes();
  return {raw.begin(), raw.end()};
}

}  // namespace

Bytes canonical_bytes(const Value& value) {
  capnp::MallocMessageBuilder message;
  build(message.initRoot<wire::Value>(), value);
  return bytes_of(capnp::canonicalize(message.getRoot<wire::Value>().asReader()));
}

Bytes canonical_bytes(const Header& header, const Body& body) {
  capnp::MallocMessageBuilder message;
  build(message.initRoot<wire::Event>(), header, body);
  return bytes_of(capnp::canonicalize(message.getRoot<wire::Event>().asReader()));
}

Bytes builder_bytes(const Header& header, const Body& body) {
  capnp::MallocMessageBuilder message(1 << 16);
  build(message.initRoot<wire::Event>(), header, body);
  const auto segments = message.getSegmentsForOutput();
  CHECK(segments.size() == 1, "the builder's first segment is too small for this test");
  return bytes_of(segments[0]);
}

bool is_canonical(BytesView bytes) {
  if (bytes.size() % sizeof(capnp::word) != 0) return false;
  std::vector<uint64_t> aligned(bytes.size() / 8);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  const kj::ArrayPtr<const capnp::word> segment(reinterpret_cast<const capnp::word*>(aligned.data()), aligned.size());
  capnp::ReaderOptions options;
  options.nestingLimit = 4 * static_cast<int>(Value::kDepthMax);
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(&segment, 1), options);
  return message.isCanonical();
}

}  // namespace theater::schema::referee
