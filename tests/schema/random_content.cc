#include "tests/schema/random_content.h"

#include <bit>

namespace theater::schema {

uint64_t RandomContent::number() {
  const uint64_t bits = below(65);
  return bits == 0 ? 0 : random_.next_u64() >> (64 - bits);
}

std::string RandomContent::text() {
  static constexpr std::string_view kPieces[] = {
      "a", "log", "é", "€", "🎭", " ", "\n", "\"", "\\", std::string_view("\0", 1), "theater:simple/runtime@0.1.0"};
  std::string out;
  for (uint64_t left = chance(3) ? 0 : below(12); left > 0; --left) out += kPieces[below(std::size(kPieces))];
  return out;
}

Bytes RandomContent::bytes(size_t size_max) {
  Bytes out(below(size_max + 1));
  random_.fill(out);
  if (chance(4)) std::fill(out.begin(), out.end(), uint8_t{0});
  return out;
}

std::vector<std::string> RandomContent::texts() {
  std::vector<std::string> out(chance(2) ? 0 : below(5));
  for (std::string& item : out) item = text();
  return out;
}

std::vector<Value> RandomContent::values(size_t count_max) {
  std::vector<Value> out;
  for (uint64_t left = below(count_max + 1); left > 0; --left) out.push_back(value());
  return out;
}

Value RandomContent::value(size_t depth_left) { return value_of(static_cast<Value::Kind>(below(24)), depth_left); }

Value RandomContent::value_of(Value::Kind kind, size_t depth_left) {
  using Kind = Value::Kind;
  const bool leaf = depth_left <= 1;
  const auto children = [&] {
    std::vector<Value> out;
    if (leaf) return out;
    for (uint64_t left = below(5); left > 0; --left) out.push_back(value(depth_left - 1));
    return out;
  };
  switch (kind) {
    case Kind::kBool: return Value::boolean(chance(2));
    case Kind::kS8: return Value::s8(static_cast<int8_t>(number()));
    case Kind::kU8: return Value::u8(static_cast<uint8_t>(number()));
    case Kind::kS16: return Value::s16(static_cast<int16_t>(number()));
    case Kind::kU16: return Value::u16(static_cast<uint16_t>(number()));
    case Kind::kS32: return Value::s32(static_cast<int32_t>(number()));
    case Kind::kU32: return Value::u32(static_cast<uint32_t>(number()));
    case Kind::kS64: return Value::s64(static_cast<int64_t>(number()));
    case Kind::kU64: return Value::u64(number());
    case Kind::kF32: return Value::f32(std::bit_cast<float>(static_cast<uint32_t>(number())));
    case Kind::kF64: return Value::f64(std::bit_cast<double>(number()));
    case Kind::kChar:
      return Value::character(chance(2) ? static_cast<char32_t>(below(0xD800)) : 0xE000 + below(0x102000));
    case Kind::kString: return Value::string(text());
    case Kind::kBytes: return Value::bytes(bytes(40));
    case Kind::kList: {
      std::vector<Value> items = children();
      std::erase_if(items, [](const Value& item) { return item.kind() == Kind::kU8; });
      return Value::list(std::move(items));
    }
    case Kind::kRecord: {
      std::vector<Value::Field> fields;
      for (Value& item : children()) fields.push_back({text(), std::move(item)});
      return Value::record(std::move(fields));
    }
    case Kind::kTuple: return Value::tuple(children());
    case Kind::kVariant:
      return leaf || chance(2) ? Value::variant(text()) : Value::variant(text(), value(depth_left - 1));
    case Kind::kEnum: return Value::enumeration(text());
    case Kind::kOption: return leaf || chance(2) ? Value::none() : Value::some(value(depth_left - 1));
    case Kind::kResult:
      if (leaf || chance(2)) return chance(2) ? Value::ok() : Value::err();
      return chance(2) ? Value::ok(value(depth_left - 1)) : Value::err(value(depth_left - 1));
    case Kind::kFlags: return Value::flags(texts());
    case Kind::kReference: {
      static constexpr Kind kOf[] = {Kind::kString, Kind::kBytes, Kind::kRecord};
      return Value::reference({id<Hash>(), number(), kOf[below(3)]});
    }
    case Kind::kSecret: return Value::secret({id<Hash>()});
  }
  return Value::none();
}

Origin RandomContent::origin() {
  switch (below(3)) {
    case 0: return {};
    case 1: return Operator{id<PublicKey>(), text()};
    default: return Cause{id<ActorId>(), number(), id<Hash>()};
  }
}

Header RandomContent::header(BodyKind kind) {
  Header out;
  out.incarnation = static_cast<uint32_t>(number());
  out.time_ns = number();
  if (kind != BodyKind::kGenesis) {
    out.sequence = number() | 1;
    out.actor = id<ActorId>();
    out.parent = id<Hash>();
  }
  switch (kind) {
    case BodyKind::kGenesis: type_ = kTypeGenesis; break;
    case BodyKind::kError: type_ = kTypeError; break;
    case BodyKind::kShutdown: type_ = kTypeShutdown; break;
    case BodyKind::kResumed: type_ = kTypeResumed; break;
    default: type_ = chance(8) ? std::string(kEventTypeMax, 'x') : "theater:simple/" + text();
  }
  out.type = type_;
  return out;
}

Body RandomContent::body(BodyKind kind) {
  switch (kind) {
    case BodyKind::kGenesis: {
      Genesis out{text(),     id<Hash>(), number(), id<Hash>(), number(),  id<PublicKey>(),
                  id<Hash>(), {},         {},       origin(),   id<Hash>()};
      out.audit = {static_cast<AuditMode>(below(3)), static_cast<uint16_t>(number()), static_cast<uint16_t>(number()),
                   chance(2)};
      out.nonce.resize(16);
      random_.fill(out.nonce);
      return out;
    }
    case BodyKind::kWasmCall: return WasmCall{values(3), origin()};
    case BodyKind::kWasmResult: return WasmResult{values(1), number()};
    case BodyKind::kHostCall:
      return chance(2) ? HostCall{Effect::kOutside, values(3), {}} : HostCall{Effect::kNone, values(3), values(2)};
    case BodyKind::kHostReturn: return HostReturn{static_cast<Outcome>(below(2)), values(2)};
    case BodyKind::kError: return ErrorBody{static_cast<ErrorKind>(below(6)), text(), number(), chance(2), origin()};
    case BodyKind::kShutdown: return Shutdown{text(), values(1), origin()};
    case BodyKind::kResumed: {
      Resumed out{id<PublicKey>(), id<Hash>(), chance(2), {}, texts(), bytes(70)};
      for (uint64_t left = chance(2) ? 0 : below(4); left > 0; --left) out.unknown_intents.push_back(number());
      return out;
    }
    case BodyKind::kFact: return Fact{value()};
  }
  return Fact{};
}

}  // namespace theater::schema
