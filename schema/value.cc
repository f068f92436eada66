#include "schema/value.h"

#include <array>
#include <bit>
#include <cmath>

namespace theater::schema {
namespace {

std::shared_ptr<const Value> share(Value value) { return std::make_shared<const Value>(std::move(value)); }

bool same(const std::shared_ptr<const Value>& a, const std::shared_ptr<const Value>& b) {
  return a == b || (a && b && *a == *b);
}

}  // namespace

bool Value::List::operator==(const List&) const = default;
bool Value::Tuple::operator==(const Tuple&) const = default;
bool Value::Record::operator==(const Record&) const = default;
bool Value::Variant::operator==(const Variant& other) const {
  return name == other.name && same(payload, other.payload);
}
bool Value::Option::operator==(const Option& other) const { return same(payload, other.payload); }
bool Value::ResultOf::operator==(const ResultOf& other) const { return ok == other.ok && same(payload, other.payload); }

bool Value::operator==(const Value& other) const {
  if (kind_ != other.kind_) return false;
  if (kind_ == Kind::kF32)
    return std::bit_cast<uint32_t>(*get<float>()) == std::bit_cast<uint32_t>(*other.get<float>());
  if (kind_ == Kind::kF64)
    return std::bit_cast<uint64_t>(*get<double>()) == std::bit_cast<uint64_t>(*other.get<double>());
  return content_ == other.content_;
}

Value Value::f32(float v) { return Value(Kind::kF32, std::isnan(v) ? std::bit_cast<float>(0x7FC0'0000) : v); }
Value Value::f64(double v) {
  return Value(Kind::kF64, std::isnan(v) ? std::bit_cast<double>(0x7FF8'0000'0000'0000) : v);
}
Value Value::record(std::vector<Field> v) { return Value(Kind::kRecord, Record{std::move(v)}); }
Value Value::variant(std::string name, Value payload) {
  return Value(Kind::kVariant, Variant{std::move(name), share(std::move(payload))});
}
Value Value::some(Value payload) { return Value(Kind::kOption, Option{share(std::move(payload))}); }
Value Value::ok(Value payload) { return Value(Kind::kResult, ResultOf{true, share(std::move(payload))}); }
Value Value::err(Value payload) { return Value(Kind::kResult, ResultOf{false, share(std::move(payload))}); }

const char* kind_name(Value::Kind kind) {
  static constexpr std::array kNames = {"bool",  "s8",      "u8",   "s16",    "u16",    "s32",   "u32",       "s64",
                                        "u64",   "f32",     "f64",  "char",   "string", "bytes", "list",      "record",
                                        "tuple", "variant", "enum", "option", "result", "flags", "reference", "secret"};
  const auto index = static_cast<size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace theater::schema
