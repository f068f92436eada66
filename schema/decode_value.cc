#include "schema/codec.h"
#include "schema/reader.h"

namespace theater::schema {
namespace wire {
namespace {

using Kind = Value::Kind;

// Which parts of a value's struct its kind may use; the rest must be zero or null.
struct Use {
  uint64_t first_word;  // beside the tag
  bool second_word = false;
  uint8_t pointers = 0;
};

constexpr uint64_t kSmall8 = 0xFF'0000, kSmall16 = 0xFFFF'0000, kWide = 0xFFFF'FFFF'0000'0000;

constexpr Use use_of(Kind kind) {
  switch (kind) {
    case Kind::kBool: return {0x1'0000};
    case Kind::kS8:
    case Kind::kU8: return {kSmall8};
    case Kind::kS16:
    case Kind::kU16: return {kSmall16};
    case Kind::kS32:
    case Kind::kU32:
    case Kind::kF32:
    case Kind::kChar: return {kWide};
    case Kind::kS64:
    case Kind::kU64:
    case Kind::kF64: return {0, true};
    case Kind::kVariant: return {0, false, 2};
    case Kind::kResult: return {0x1'0000, false, 1};
    case Kind::kReference: return {kSmall16, true, 1};
    default: return {0, false, 1};
  }
}

bool is_scalar(Kind kind) { return kind <= Kind::kChar; }

}  // namespace

bool Reader::scalar(const StructAt& at, Kind kind, std::optional<Value>* out) {
  const uint64_t first = data(at, 0), second = data(at, 1);
  const auto small = static_cast<uint16_t>(first >> 16);
  const auto wide = static_cast<uint32_t>(first >> 32);
  std::optional<Value> value;
  switch (kind) {
    case Kind::kBool: value = Value::boolean(small != 0); break;
    case Kind::kS8: value = Value::s8(static_cast<int8_t>(small)); break;
    case Kind::kU8: value = Value::u8(static_cast<uint8_t>(small)); break;
    case Kind::kS16: value = Value::s16(static_cast<int16_t>(small)); break;
    case Kind::kU16: value = Value::u16(small); break;
    case Kind::kS32: value = Value::s32(static_cast<int32_t>(wide)); break;
    case Kind::kU32: value = Value::u32(wide); break;
    case Kind::kS64: value = Value::s64(static_cast<int64_t>(second)); break;
    case Kind::kU64: value = Value::u64(second); break;
    case Kind::kF32:
      value = Value::f32(std::bit_cast<float>(wide));
      if (std::bit_cast<uint32_t>(*value->get<float>()) != wide)
        return fail(at.data, "f32", "a NaN of another bit pattern");
      break;
    case Kind::kF64:
      value = Value::f64(std::bit_cast<double>(second));
      if (std::bit_cast<uint64_t>(*value->get<double>()) != second) {
        return fail(at.data, "f64", "a NaN of another bit pattern");
      }
      break;
    default:
      if (wide > 0x10FFFF || (wide >= 0xD800 && wide <= 0xDFFF))
        return fail(at.data, "char", "not a Unicode scalar value");
      value = Value::character(wide);
  }
  if (out != nullptr) *out = std::move(value);
  return true;
}

bool Reader::payload(const StructAt& at, size_t pointer, std::optional<Value>* out, size_t depth) {
  if (!has(at, pointer)) return true;
  StructAt inner;
  return structure(at, pointer, "payload", 2, 2, inner) && value(inner, out, depth + 1);
}

bool Reader::fields(const StructAt& at, std::vector<Value::Field>* out, size_t depth) {
  StructListAt list;
  if (!struct_list(at, 0, "record", 0, 2, list)) return false;
  if (out != nullptr) out->reserve(list.count);
  for (size_t i = 0; i < list.count; ++i) {
    const StructAt field = list.element(i);
    std::string name;
    StructAt inner;
    std::optional<Value> content;
    if (!text(field, 0, "field name", out != nullptr ? &name : nullptr)) return false;
    if (!structure(field, 1, "field", 2, 2, inner)) return false;
    if (!value(inner, out != nullptr ? &content : nullptr, depth + 1)) return false;
    if (out != nullptr) out->push_back({std::move(name), std::move(*content)});
  }
  return true;
}

bool Reader::digest(const StructAt& at, const char* field, Hash& out) {
  BytesView view;
  if (!bytes(at, 0, field, view)) return false;
  const auto hash = Hash::from_view(view);
  if (!hash) return fail(at.data, field, "it isn't 32 bytes");
  out = *hash;
  return true;
}

// Lists, tuples and records.
bool Reader::composite(const StructAt& at, Kind kind, std::optional<Value>* out, size_t depth) {
  if (kind == Kind::kRecord) {
    std::vector<Value::Field> content;
    if (!fields(at, out != nullptr ? &content : nullptr, depth)) return false;
    if (out != nullptr) *out = Value::record(std::move(content));
    return true;
  }
  std::vector<Value> items;
  const bool is_list = kind == Kind::kList;
  if (!values(at, 0, kind_name(kind), out != nullptr ? &items : nullptr, depth + 1, is_list)) return false;
  if (out != nullptr) *out = is_list ? Value::list(std::move(items)) : Value::tuple(std::move(items));
  return true;
}

// Variants, enums, options, results and flags.
bool Reader::named(const StructAt& at, Kind kind, std::optional<Value>* out, size_t depth) {
  std::string name;
  std::string* const name_out = out != nullptr ? &name : nullptr;
  std::optional<Value> inner;
  std::optional<Value>* const inner_out = out != nullptr ? &inner : nullptr;
  switch (kind) {
    case Kind::kVariant:
      if (!text(at, 0, "case name", name_out) || !payload(at, 1, inner_out, depth)) return false;
      if (out != nullptr) {
        *out = inner ? Value::variant(std::move(name), std::move(*inner)) : Value::variant(std::move(name));
      }
      return true;
    case Kind::kEnum:
      if (!text(at, 0, "enum name", name_out)) return false;
      if (out != nullptr) *out = Value::enumeration(std::move(name));
      return true;
    case Kind::kOption:
      if (!payload(at, 0, inner_out, depth)) return false;
      if (out != nullptr) *out = inner ? Value::some(std::move(*inner)) : Value::none();
      return true;
    case Kind::kResult: {
      if (!payload(at, 0, inner_out, depth)) return false;
      const bool is_ok = data(at, 0) >> 16 == 0;
      if (out == nullptr) return true;
      if (inner) {
        *out = is_ok ? Value::ok(std::move(*inner)) : Value::err(std::move(*inner));
      } else {
        *out = is_ok ? Value::ok() : Value::err();
      }
      return true;
    }
    default: {
      std::vector<std::string> names;
      if (!texts(at, 0, "flags", out != nullptr ? &names : nullptr)) return false;
      if (out != nullptr) *out = Value::flags(std::move(names));
      return true;
    }
  }
}

bool Reader::value(const StructAt& at, std::optional<Value>* out, size_t depth) {
  if (depth > Value::kDepthMax) return fail(at.data, "value", "nested deeper than 32 levels");
  const uint64_t first = data(at, 0);
  const uint64_t tag = first & 0xFFFF;
  if (tag == 0 || tag > static_cast<uint64_t>(Kind::kSecret) + 1) return fail(at.data, "value", "an unknown kind");
  const Kind kind = static_cast<Kind>(tag - 1);
  const Use use = use_of(kind);
  if ((first & ~uint64_t{0xFFFF} & ~use.first_word) != 0 || (!use.second_word && data(at, 1) != 0)) {
    return fail(at.data, kind_name(kind), "data that this kind doesn't use");
  }
  for (size_t pointer = use.pointers; pointer < at.pointer_count; ++pointer) {
    if (has(at, pointer)) return fail(at.pointers + pointer, kind_name(kind), "a pointer that this kind doesn't use");
  }
  if (is_scalar(kind)) return scalar(at, kind, out);
  switch (kind) {
    case Kind::kString: {
      std::string content;
      if (!text(at, 0, "string", out != nullptr ? &content : nullptr)) return false;
      if (out != nullptr) *out = Value::string(std::move(content));
      return true;
    }
    case Kind::kBytes: {
      Bytes content;
      if (!bytes(at, 0, "bytes", out != nullptr ? &content : nullptr)) return false;
      if (out != nullptr) *out = Value::bytes(std::move(content));
      return true;
    }
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kRecord: return composite(at, kind, out, depth);
    case Kind::kReference: {
      const auto of = static_cast<Kind>(first >> 16);
      if (first >> 16 > static_cast<uint64_t>(Kind::kRecord) ||
          (of != Kind::kString && of != Kind::kBytes && of != Kind::kRecord)) {
        return fail(at.data, "reference", "to a kind that references don't stand for");
      }
      Hash hash;
      if (!digest(at, "reference", hash)) return false;
      if (out != nullptr) *out = Value::reference({hash, data(at, 1), of});
      return true;
    }
    case Kind::kSecret: {
      Hash commitment;
      if (!digest(at, "secret", commitment)) return false;
      if (out != nullptr) *out = Value::secret({commitment});
      return true;
    }
    default: return named(at, kind, out, depth);
  }
}

bool Reader::values(const StructAt& at, size_t pointer, const char* field, std::vector<Value>* out, size_t depth,
                    bool refuse_u8, size_t count_max) {
  StructListAt list;
  if (!struct_list(at, pointer, field, 2, 2, list)) return false;
  if (list.count > count_max) return fail(list.first, field, "more than one");
  if (out != nullptr) out->reserve(list.count);
  for (size_t i = 0; i < list.count; ++i) {
    const StructAt element = list.element(i);
    if (refuse_u8 && (data(element, 0) & 0xFFFF) == static_cast<uint64_t>(Kind::kU8) + 1) {
      return fail(element.data, field, "a list<u8> that isn't written as bytes");
    }
    std::optional<Value> item;
    if (!value(element, out != nullptr ? &item : nullptr, depth)) return false;
    if (out != nullptr) out->push_back(std::move(*item));
  }
  return true;
}

}  // namespace wire

Result<Value> decode_value(BytesView bytes) {
  if (bytes.size() % wire::kWord != 0) {
    return Error{ErrorCode::kCorrupt,
                 str_cat("value refused: ", bytes.size(), " bytes aren't a whole number of words")};
  }
  wire::Reader reader(bytes);
  wire::StructAt root;
  std::optional<Value> value;
  if (!reader.root(root, 2, 2) || !reader.value(root, &value, 1) || !reader.finish()) return reader.error("value");
  return std::move(*value);
}

}  // namespace theater::schema
