#include "schema/display.h"

#include <cmath>

#include "schema/utf8.h"

namespace theater::schema {
namespace {

using Kind = Value::Kind;

void append_quoted(std::string& out, BytesView bytes) {
  out += '"';
  for (const char c : escape(bytes)) {
    if (c == '"') out += '\\';
    out += c;
  }
  out += '"';
}

template <typename Float>
void append_float(std::string& out, Float value) {
  if (std::isnan(value)) {
    out += "nan";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-inf" : "inf";
  } else {
    char buffer[32];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }
}

void append_char(std::string& out, char32_t point) {
  out += '\'';
  out += point == '\'' ? "\\'" : escape(as_bytes(utf8_of(point)));
  out += '\'';
}

// Builds the line and stops early once it is long enough to be cut.
class Display {
 public:
  explicit Display(size_t length_max) : length_max_(length_max) {}

  std::string out;

  // Cuts at `length_max` characters.
  std::string take() {
    if (length_max_ == 0) return std::move(out);
    size_t characters = 0, keep = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      if ((static_cast<uint8_t>(out[i]) & 0xC0) == 0x80) continue;
      if (characters + 1 == length_max_) keep = i;
      if (++characters > length_max_) {
        out.resize(keep);
        out += "…";
        break;
      }
    }
    return std::move(out);
  }

  void value(const Value& value) {
    switch (value.kind()) {
      case Kind::kBool: out += *value.get<bool>() ? "true" : "false"; return;
      case Kind::kS8:
      case Kind::kS16:
      case Kind::kS32:
      case Kind::kS64: out += str_cat(*value.get<int64_t>()); return;
      case Kind::kU8:
      case Kind::kU16:
      case Kind::kU32:
      case Kind::kU64: out += str_cat(*value.get<uint64_t>()); return;
      case Kind::kF32: return append_float(out, *value.get<float>());
      case Kind::kF64: return append_float(out, *value.get<double>());
      case Kind::kChar: return append_char(out, value.get<Value::Char>()->code_point);
      case Kind::kString: return quoted(as_bytes(*value.get<std::string>()));
      case Kind::kBytes: return quoted(*value.get<Bytes>());
      case Kind::kList: return values('[', value.get<Value::List>()->items, ']');
      case Kind::kTuple: return values('(', value.get<Value::Tuple>()->items, ')');
      case Kind::kRecord: return record(*value.get<Value::Record>());
      default: return named(value);
    }
  }

  void values(char open, const std::vector<Value>& values, char close) {
    out += open;
    bool first = true;
    for (const Value& item : values) {
      if (full()) return;
      if (!std::exchange(first, false)) out += ", ";
      value(item);
    }
    out += close;
  }

  void quoted(BytesView bytes) {
    if (length_max_ != 0 && bytes.size() > 4 * length_max_) bytes = bytes.first(4 * length_max_);
    append_quoted(out, bytes);
  }

  void origin(const Origin& origin, std::string_view verb) {
    if (const auto* client = std::get_if<Operator>(&origin)) {
      out += str_cat(verb, client->key.is_zero() ? "the command line" : client->key.short_hex());
      if (!client->request_id.empty()) out += str_cat(" request ", escape(as_bytes(client->request_id)));
    } else if (const auto* cause = std::get_if<Cause>(&origin)) {
      out += str_cat(verb, cause->actor.short_hex(), " event ", cause->sequence);
    }
  }

 private:
  bool full() const { return length_max_ != 0 && out.size() > 4 * length_max_; }

  void payload(const char* name, const std::shared_ptr<const Value>& payload) {
    out += name;
    if (!payload) return;
    out += '(';
    value(*payload);
    out += ')';
  }

  void record(const Value::Record& record) {
    out += '{';
    bool first = true;
    for (const auto& field : record.fields) {
      if (full()) return;
      if (!std::exchange(first, false)) out += ", ";
      out += escape(as_bytes(field.name)) + ": ";
      value(field.value);
    }
    out += '}';
  }

  void named(const Value& value) {
    if (const auto* variant = value.get<Value::Variant>()) {
      payload(escape(as_bytes(variant->name)).c_str(), variant->payload);
    } else if (const auto* enumeration = value.get<Value::Enum>()) {
      out += escape(as_bytes(enumeration->name));
    } else if (const auto* option = value.get<Value::Option>()) {
      payload(option->payload ? "some" : "none", option->payload);
    } else if (const auto* result = value.get<Value::ResultOf>()) {
      payload(result->ok ? "ok" : "err", result->payload);
    } else if (const auto* flags = value.get<Value::Flags>()) {
      out += '{';
      bool first = true;
      for (const auto& name : flags->names) {
        if (full()) return;
        if (!std::exchange(first, false)) out += ", ";
        out += escape(as_bytes(name));
      }
      out += '}';
    } else if (const auto* reference = value.get<Value::Reference>()) {
      out += str_cat('<', reference->length, " B sha256:", reference->hash.short_hex(), "…>");
    } else if (const auto* secret = value.get<Value::Secret>()) {
      out += str_cat("<secret ", secret->commitment.short_hex(), "…>");
    }
  }

  const size_t length_max_;
};

void body_line(Display& to, const Genesis& body) {
  to.quoted(as_bytes(body.name));
  to.out += str_cat(" package ", body.package.short_hex(), " manifest ", body.manifest.short_hex(), " node ",
                    body.node.short_hex(), ' ', audit_mode_name(body.audit.mode));
  if (!body.previous_life.is_zero()) to.out += str_cat(" after ", body.previous_life.short_hex());
  to.origin(body.requested_by, " by ");
}
void body_line(Display& to, const WasmCall& body) {
  to.values('(', body.args, ')');
  to.origin(body.origin, " from ");
}
void results(Display& to, const std::vector<Value>& results) {
  if (results.size() == 1) return to.value(results[0]);
  to.values('(', results, ')');
}
void body_line(Display& to, const WasmResult& body) {
  to.out += "-> ";
  results(to, body.results);
}
void body_line(Display& to, const HostCall& body) {
  to.values('(', body.args, ')');
  if (body.effect == Effect::kOutside) {
    to.out += " outside";
  } else if (!body.results.empty()) {
    to.out += " -> ";
    results(to, body.results);
  }
}
void body_line(Display& to, const HostReturn& body) {
  to.out += body.outcome == Outcome::kUnknown ? "-> unknown " : "-> ";
  results(to, body.results);
}
void body_line(Display& to, const ErrorBody& body) {
  to.out += str_cat(error_kind_name(body.kind), ": ", escape(as_bytes(body.message)));
  to.origin(body.requested_by, " by ");
}
void body_line(Display& to, const Shutdown& body) {
  to.out += escape(as_bytes(body.reason));
  if (!body.data.empty()) {
    to.out += ' ';
    results(to, body.data);
  }
  to.origin(body.requested_by, " by ");
}
void body_line(Display& to, const Resumed& body) {
  to.out += str_cat("node ", body.node.short_hex());
  if (body.call_interrupted) to.out += " call interrupted";
  for (const uint64_t sequence : body.unknown_intents) to.out += str_cat(" unknown:", sequence);
  for (const std::string& what : body.dropped) to.out += str_cat(" dropped:", escape(as_bytes(what)));
}
void body_line(Display& to, const Fact& body) { to.value(body.value); }

}  // namespace

std::string to_display(const Value& value, size_t length_max) {
  Display display(length_max);
  display.value(value);
  return display.take();
}

std::string to_line(const Event& event, size_t width) {
  Display display(width);
  display.out = str_cat(event.header.sequence, "  ", escape(as_bytes(event.header.type)), "  ");
  std::visit([&](const auto& body) { body_line(display, body); }, event.body);
  return display.take();
}

}  // namespace theater::schema
