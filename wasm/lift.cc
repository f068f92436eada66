#include "wasm/lift.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace theater::wasm {

using schema::Value;

std::nullopt_t Lifter::fail(std::string message) {
  if (error_.empty()) error_ = std::move(message);
  return std::nullopt;
}

bool Lifter::in_bounds(uint64_t address, uint64_t size, uint32_t alignment, const char* what) {
  if (address > memory_.size() || size > memory_.size() - address) {
    fail(str_cat(what, " at ", address, " of ", size, " bytes reaches past the end of memory (", memory_.size(),
                 " bytes)"));
    return false;
  }
  if (address % alignment != 0) {
    fail(str_cat(what, " at ", address, " isn't aligned to ", alignment));
    return false;
  }
  return true;
}

bool Lifter::spend(uint64_t bytes) {
  if (budget_.values == 0) {
    fail(str_cat("more than ", kLiftValuesMax, " values in one call"));
    return false;
  }
  if (bytes > budget_.bytes) {
    fail(str_cat("more than ", kLiftBytesMax, " bytes in one call"));
    return false;
  }
  --budget_.values;
  budget_.bytes -= bytes;
  return true;
}

uint64_t Lifter::load(uint64_t address, uint32_t size) const {
  uint64_t bits = 0;
  std::memcpy(&bits, memory_.data() + address, size);
  return bits;
}

std::optional<Value> Lifter::scalar(TypeKind kind, uint64_t bits) {
  if (!spend(0)) return std::nullopt;
  switch (kind) {
    case TypeKind::kBool: return Value::boolean(static_cast<uint32_t>(bits) != 0);
    case TypeKind::kS8: return Value::s8(static_cast<int8_t>(bits));
    case TypeKind::kU8: return Value::u8(static_cast<uint8_t>(bits));
    case TypeKind::kS16: return Value::s16(static_cast<int16_t>(bits));
    case TypeKind::kU16: return Value::u16(static_cast<uint16_t>(bits));
    case TypeKind::kS32: return Value::s32(static_cast<int32_t>(bits));
    case TypeKind::kU32: return Value::u32(static_cast<uint32_t>(bits));
    case TypeKind::kS64: return Value::s64(static_cast<int64_t>(bits));
    case TypeKind::kU64: return Value::u64(bits);
    case TypeKind::kF32: return Value::f32(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    case TypeKind::kF64: return Value::f64(std::bit_cast<double>(bits));
    case TypeKind::kChar: {
      const auto code_point = static_cast<uint32_t>(bits);
      if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
        return fail(str_cat("char ", code_point, " is no Unicode scalar value"));
      }
      return Value::character(code_point);
    }
    default: CHECK(false, "no scalar"); return std::nullopt;
  }
}

std::optional<Value> Lifter::sequence(const Type& type, uint32_t address, uint32_t length) {
  if (type.kind() == TypeKind::kString) {
    if (!in_bounds(address, length, 1, "string") || !spend(length)) return std::nullopt;
    const BytesView content = memory_.subspan(address, length);
    if (!is_utf8(content)) return fail(str_cat("string at ", address, " isn't UTF-8"));
    std::string text = std::exchange(spare_, {});
    text.assign(as_text(content));
    return Value::string(std::move(text));
  }
  if (type.is_bytes()) {
    if (!in_bounds(address, length, 1, "list<u8>") || !spend(length)) return std::nullopt;
    const BytesView content = memory_.subspan(address, length);
    return Value::bytes(Bytes(content.begin(), content.end()));
  }
  const Type& item = *type.cases()[0].type;
  if (!in_bounds(address, uint64_t{length} * item.size(), item.alignment(), "list") || !spend(0)) return std::nullopt;
  if (length > budget_.values)
    return fail(str_cat("list of ", length, " items: more than ", kLiftValuesMax, " values in one call"));
  std::vector<Value> items;
  items.reserve(length);
  for (uint32_t i = 0; i < length; ++i) {
    auto value = from_memory(item, address + uint64_t{i} * item.size());
    if (!value) return std::nullopt;
    items.push_back(std::move(*value));
  }
  return Value::list(std::move(items));
}

std::optional<Value> Lifter::flags_value(const Type& type, const uint32_t* words) {
  if (!spend(0)) return std::nullopt;
  std::vector<std::string> names;
  const auto& cases = type.cases();
  for (size_t i = 0; i < cases.size(); ++i) {
    if ((words[i / 32] >> (i % 32)) & 1) names.push_back(cases[i].name);
  }
  return Value::flags(std::move(names));
}

bool Lifter::check_tag(const Type& type, uint64_t tag) {
  const uint64_t count = type.kind() == TypeKind::kOption ? 2 : type.cases().size();
  if (tag < count) return true;
  fail(str_cat("discriminant ", tag, " of ", type.wit(), " isn't below ", count));
  return false;
}

// The payload's type of a tag that was checked; null if that case has none.
const Type* Lifter::payload_type(const Type& type, uint64_t tag) {
  if (type.kind() == TypeKind::kOption) return tag == 0 ? nullptr : &*type.cases()[0].type;
  const auto& payload = type.cases()[tag].type;
  return payload ? &*payload : nullptr;
}

std::optional<Value> Lifter::variant_value(const Type& type, uint64_t tag, std::optional<Value> payload) {
  if (!spend(0)) return std::nullopt;
  switch (type.kind()) {
    case TypeKind::kEnum: return Value::enumeration(type.cases()[tag].name);
    case TypeKind::kOption: return tag == 0 ? Value::none() : Value::some(std::move(*payload));
    case TypeKind::kResult:
      if (tag == 0) return payload ? Value::ok(std::move(*payload)) : Value::ok();
      return payload ? Value::err(std::move(*payload)) : Value::err();
    default: {
      const std::string& name = type.cases()[tag].name;
      return payload ? Value::variant(name, std::move(*payload)) : Value::variant(name);
    }
  }
}

std::optional<Value> Lifter::from_flat(const Type& type, const uint64_t*& next) {
  switch (type.kind()) {
    case TypeKind::kString:
    case TypeKind::kList: {
      const auto address = static_cast<uint32_t>(next[0]);
      const auto length = static_cast<uint32_t>(next[1]);
      next += 2;
      return sequence(type, address, length);
    }
    case TypeKind::kRecord:
    case TypeKind::kTuple: {
      if (!spend(0)) return std::nullopt;
      std::vector<Value> items;
      std::vector<Value::Field> fields;
      for (const Type::Case& one : type.cases()) {
        auto value = from_flat(*one.type, next);
        if (!value) return std::nullopt;
        if (type.kind() == TypeKind::kTuple) {
          items.push_back(std::move(*value));
        } else {
          fields.push_back({one.name, std::move(*value)});
        }
      }
      return type.kind() == TypeKind::kTuple ? Value::tuple(std::move(items)) : Value::record(std::move(fields));
    }
    case TypeKind::kFlags: {
      uint32_t words[32];
      CHECK(type.flat().size() <= 32);
      for (size_t i = 0; i < type.flat().size(); ++i) words[i] = static_cast<uint32_t>(*next++);
      return flags_value(type, words);
    }
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kOption:
    case TypeKind::kResult: {
      const uint64_t* slots = next;
      next += type.flat().size();
      const auto tag = static_cast<uint32_t>(*slots++);
      if (!check_tag(type, tag)) return std::nullopt;
      std::optional<Value> payload;
      if (const Type* inner = payload_type(type, tag)) {
        payload = from_flat(*inner, slots);
        if (!payload) return std::nullopt;
      }
      return variant_value(type, tag, std::move(payload));
    }
    default: return scalar(type.kind(), *next++);
  }
}

std::optional<Value> Lifter::from_memory(const Type& type, uint64_t address) {
  if (!in_bounds(address, type.size(), type.alignment(), "value")) return std::nullopt;
  switch (type.kind()) {
    case TypeKind::kString:
    case TypeKind::kList:
      return sequence(type, static_cast<uint32_t>(load(address, 4)), static_cast<uint32_t>(load(address + 4, 4)));
    case TypeKind::kRecord:
    case TypeKind::kTuple: {
      if (!spend(0)) return std::nullopt;
      std::vector<Value> items;
      std::vector<Value::Field> fields;
      uint64_t offset = 0;
      for (const Type::Case& one : type.cases()) {
        const uint32_t alignment = one.type->alignment();
        offset = (offset + alignment - 1) / alignment * alignment;
        auto value = from_memory(*one.type, address + offset);
        if (!value) return std::nullopt;
        offset += one.type->size();
        if (type.kind() == TypeKind::kTuple) {
          items.push_back(std::move(*value));
        } else {
          fields.push_back({one.name, std::move(*value)});
        }
      }
      return type.kind() == TypeKind::kTuple ? Value::tuple(std::move(items)) : Value::record(std::move(fields));
    }
    case TypeKind::kFlags: {
      uint32_t words[32] = {};
      CHECK(type.size() <= sizeof words);
      std::memcpy(words, memory_.data() + address, type.size());
      return flags_value(type, words);
    }
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kOption:
    case TypeKind::kResult: {
      const uint64_t tag = load(address, type.discriminant_size());
      if (!check_tag(type, tag)) return std::nullopt;
      std::optional<Value> payload;
      if (const Type* inner = payload_type(type, tag)) {
        payload = from_memory(*inner, address + type.payload_offset());
        if (!payload) return std::nullopt;
      }
      return variant_value(type, tag, std::move(payload));
    }
    case TypeKind::kBool: return scalar(TypeKind::kBool, load(address, 1));
    default: return scalar(type.kind(), load(address, type.size()));
  }
}

}  // namespace theater::wasm
