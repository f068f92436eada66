#include <cmath>
#include <ctime>

#include "schema/display.h"
#include "schema/utf8.h"

namespace theater::schema {
namespace {

using Kind = Value::Kind;

constexpr uint64_t kExactMax = uint64_t{1} << 53;  // beyond it, JSON readers round

std::string base64(BytesView bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0);
    for (size_t j = 0; j < 4; ++j) out += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string number(uint64_t value) { return value > kExactMax ? str_cat('"', value, '"') : str_cat(value); }
std::string number(int64_t value) {
  const bool exact = value <= int64_t{kExactMax} && value >= -int64_t{kExactMax};
  return exact ? str_cat(value) : str_cat('"', value, '"');
}
template <typename Float>
std::string number_of_float(Float value) {
  if (std::isnan(value)) return "\"NaN\"";
  if (std::isinf(value)) return value < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  char buffer[32];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

std::string array(const std::vector<Value>& values) {
  std::string out = "[";
  for (const Value& value : values) {
    if (out.size() > 1) out += ',';
    out += to_json(value);
  }
  return out + ']';
}
std::string array(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ',';
    out += json_string(text);
  }
  return out + ']';
}
std::string payload(const std::shared_ptr<const Value>& payload) { return payload ? to_json(*payload) : "null"; }

std::string bytes_object(const Bytes& bytes) {
  std::string out = str_cat("{\"bytes\":\"", base64(bytes), '"');
  if (is_utf8(bytes)) out += str_cat(",\"text\":", json_string(as_text(bytes)));
  return out + '}';
}

std::string record_object(const Value::Record& record) {
  std::string out = "{";
  for (const auto& field : record.fields) {
    if (out.size() > 1) out += ',';
    out += str_cat(json_string(field.name), ':', to_json(field.value));
  }
  return out + '}';
}

std::string named(const Value& value) {
  if (const auto* variant = value.get<Value::Variant>()) {
    return str_cat("{\"case\":", json_string(variant->name), ",\"value\":", payload(variant->payload), '}');
  }
  if (const auto* enumeration = value.get<Value::Enum>()) return json_string(enumeration->name);
  if (const auto* option = value.get<Value::Option>()) {
    return option->payload ? str_cat("{\"some\":", to_json(*option->payload), '}') : "null";
  }
  if (const auto* result = value.get<Value::ResultOf>()) {
    return str_cat(result->ok ? "{\"ok\":" : "{\"err\":", payload(result->payload), '}');
  }
  if (const auto* flags = value.get<Value::Flags>()) return array(flags->names);
  if (const auto* reference = value.get<Value::Reference>()) {
    return str_cat("{\"blob\":\"", reference->hash.hex(), "\",\"length\":", number(reference->length), '}');
  }
  return str_cat("{\"secret\":\"", value.get<Value::Secret>()->commitment.hex(), "\"}");
}

std::string time_text(uint64_t time_ns) {
  const auto seconds = static_cast<time_t>(time_ns / 1'000'000'000);
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return str_cat(time_ns, " ns");
  char date[32];
  const size_t length = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string fraction = str_cat(time_ns % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  return str_cat(std::string_view(date, length), '.', fraction, 'Z');
}

// An object that is being written, member by member.
class Object {
 public:
  void raw(std::string_view key, std::string_view json) {
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_ += str_cat(key, "\":", json);
  }
  void text(std::string_view key, std::string_view value) { raw(key, json_string(value)); }
  template <typename Id>
  void id(std::string_view key, const Id& id) {
    if (!id.is_zero()) text(key, id.hex());
  }
  void flag(std::string_view key, bool value) { raw(key, value ? "true" : "false"); }
  void origin(std::string_view key, const Origin& origin) {
    Object of;
    if (const auto* client = std::get_if<Operator>(&origin)) {
      of.text("key", client->key.hex());
      of.text("request", client->request_id);
    } else if (const auto* cause = std::get_if<Cause>(&origin)) {
      of.text("actor", cause->actor.hex());
      of.raw("sequence", number(cause->sequence));
      of.text("hash", cause->hash.hex());
    } else {
      return;
    }
    raw(key, of.take());
  }
  std::string take() { return text_ + '}'; }

 private:
  std::string text_ = "{";
};

void members(Object& to, const Genesis& body) {
  to.text("name", body.name);
  to.id("package", body.package);
  to.raw("package_length", number(body.package_length));
  to.id("manifest", body.manifest);
  to.raw("manifest_length", number(body.manifest_length));
  to.id("node", body.node);
  to.id("engine_profile", body.engine_profile);
  Object audit;
  audit.text("mode", audit_mode_name(body.audit.mode));
  audit.raw("quorum", str_cat(body.audit.quorum));
  audit.raw("auditors", str_cat(body.audit.auditors));
  audit.flag("gated", body.audit.gated);
  to.raw("audit", audit.take());
  to.text("nonce", to_hex(body.nonce));
  to.origin("requested_by", body.requested_by);
  to.id("previous_life", body.previous_life);
}
void members(Object& to, const WasmCall& body) {
  to.raw("args", array(body.args));
  to.origin("origin", body.origin);
}
void members(Object& to, const WasmResult& body) {
  to.raw("results", array(body.results));
  to.raw("fuel", number(body.fuel));
}
void members(Object& to, const HostCall& body) {
  to.text("effect", body.effect == Effect::kOutside ? "outside" : "none");
  to.raw("args", array(body.args));
  if (body.effect == Effect::kNone) to.raw("results", array(body.results));
}
void members(Object& to, const HostReturn& body) {
  to.text("outcome", body.outcome == Outcome::kUnknown ? "unknown" : "done");
  to.raw("results", array(body.results));
}
void members(Object& to, const ErrorBody& body) {
  to.text("error", error_kind_name(body.kind));
  to.text("message", body.message);
  to.raw("fuel", number(body.fuel));
  to.flag("in_call", body.in_call);
  to.origin("requested_by", body.requested_by);
}
void members(Object& to, const Shutdown& body) {
  to.text("reason", body.reason);
  to.raw("data", array(body.data));
  to.origin("requested_by", body.requested_by);
}
void members(Object& to, const Resumed& body) {
  to.id("node", body.node);
  to.id("engine_profile", body.engine_profile);
  to.flag("call_interrupted", body.call_interrupted);
  std::string intents;
  for (const uint64_t sequence : body.unknown_intents) intents += str_cat(intents.empty() ? "" : ",", number(sequence));
  to.raw("unknown_intents", str_cat('[', intents, ']'));
  to.raw("dropped", array(body.dropped));
  to.text("grant", to_hex(body.grant));
}
void members(Object& to, const Fact& body) { to.raw("value", to_json(body.value)); }

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  BytesView rest = as_bytes(text);
  while (!rest.empty()) {
    size_t length = 1;
    while (length <= 4 && length <= rest.size() && !is_utf8(rest.first(length))) ++length;
    const bool valid = length <= 4 && length <= rest.size();
    const uint8_t first = rest[0];
    if (!valid) {
      out += "\xEF\xBF\xBD";  // U+FFFD
      length = 1;
    } else if (first == '"' || first == '\\') {
      out += '\\';
      out += static_cast<char>(first);
    } else if (first < 0x20 || first == 0x7F) {
      out += str_cat("\\u00", to_hex(rest.first(1)));
    } else {
      out += as_text(rest.first(length));
    }
    rest = rest.subspan(length);
  }
  return out + '"';
}

std::string to_json(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: return *value.get<bool>() ? "true" : "false";
    case Kind::kS8:
    case Kind::kS16:
    case Kind::kS32:
    case Kind::kS64: return number(*value.get<int64_t>());
    case Kind::kU8:
    case Kind::kU16:
    case Kind::kU32:
    case Kind::kU64: return number(*value.get<uint64_t>());
    case Kind::kF32: return number_of_float(*value.get<float>());
    case Kind::kF64: return number_of_float(*value.get<double>());
    case Kind::kChar: return json_string(utf8_of(value.get<Value::Char>()->code_point));
    case Kind::kString: return json_string(*value.get<std::string>());
    case Kind::kBytes: return bytes_object(*value.get<Bytes>());
    case Kind::kList: return array(value.get<Value::List>()->items);
    case Kind::kTuple: return array(value.get<Value::Tuple>()->items);
    case Kind::kRecord: return record_object(*value.get<Value::Record>());
    default: return named(value);
  }
}

std::string to_json(const Event& event, const Hash& hash) {
  const Header& header = event.header;
  const BodyKind kind = kind_of(event.body);
  Object object;
  object.raw("sequence", number(header.sequence));
  object.text("type", header.type);
  object.text("kind", body_kind_name(kind));
  object.text("time", time_text(header.time_ns));
  object.text("actor", kind == BodyKind::kGenesis ? hash.hex() : header.actor.hex());
  object.raw("incarnation", str_cat(header.incarnation));
  object.text("hash", hash.hex());
  if (kind != BodyKind::kGenesis) object.text("parent", header.parent.hex());
  std::visit([&](const auto& body) { members(object, body); }, event.body);
  return object.take();
}

}  // namespace theater::schema
