#include <algorithm>

#include "schema/codec.h"
#include "schema/writer.h"

namespace theater::schema {
namespace wire {
namespace {

// A value's struct without what its pointers point to.
struct Cells {
  uint64_t data[2];  // the first holds the tag, which is never zero
  size_t pointers;
  size_t data_words() const { return data[1] != 0 ? 2 : 1; }
};

// What is at most 32 bits wide stands in the word of the tag: 8 and 16 bits beside it, 32 above.
Cells cells_of(const Value& value) {
  using Kind = Value::Kind;
  const uint64_t tag = static_cast<uint64_t>(value.kind()) + 1;
  const auto small = [&](uint64_t bits) { return Cells{{tag | bits << 16, 0}, 0}; };
  const auto wide = [&](uint32_t bits) { return Cells{{tag | uint64_t{bits} << 32, 0}, 0}; };
  const auto full = [&](uint64_t bits) { return Cells{{tag, bits}, 0}; };
  const auto pointing = [&](size_t pointers) { return Cells{{tag, 0}, pointers}; };
  switch (value.kind()) {
    case Kind::kBool: return small(*value.get<bool>());
    case Kind::kS8: return small(static_cast<uint8_t>(*value.get<int64_t>()));
    case Kind::kU8: return small(static_cast<uint8_t>(*value.get<uint64_t>()));
    case Kind::kS16: return small(static_cast<uint16_t>(*value.get<int64_t>()));
    case Kind::kU16: return small(static_cast<uint16_t>(*value.get<uint64_t>()));
    case Kind::kS32: return wide(static_cast<uint32_t>(*value.get<int64_t>()));
    case Kind::kU32: return wide(static_cast<uint32_t>(*value.get<uint64_t>()));
    case Kind::kS64: return full(static_cast<uint64_t>(*value.get<int64_t>()));
    case Kind::kU64: return full(*value.get<uint64_t>());
    case Kind::kF32: return wide(std::bit_cast<uint32_t>(*value.get<float>()));
    case Kind::kF64: return full(std::bit_cast<uint64_t>(*value.get<double>()));
    case Kind::kChar: return wide(static_cast<uint32_t>(value.get<Value::Char>()->code_point));
    case Kind::kString: return pointing(!value.get<std::string>()->empty());
    case Kind::kBytes: return pointing(!value.get<Bytes>()->empty());
    case Kind::kList: return pointing(!value.get<Value::List>()->items.empty());
    case Kind::kRecord: return pointing(!value.get<Value::Record>()->fields.empty());
    case Kind::kTuple: return pointing(!value.get<Value::Tuple>()->items.empty());
    case Kind::kVariant: {
      const auto& variant = *value.get<Value::Variant>();
      return pointing(variant.payload ? 2 : !variant.name.empty());
    }
    case Kind::kEnum: return pointing(!value.get<Value::Enum>()->name.empty());
    case Kind::kOption: return pointing(value.get<Value::Option>()->payload != nullptr);
    case Kind::kResult: {
      const auto& result = *value.get<Value::ResultOf>();
      return {{tag | uint64_t{!result.ok} << 16, 0}, result.payload != nullptr};
    }
    case Kind::kFlags: return pointing(!value.get<Value::Flags>()->names.empty());
    case Kind::kReference: {
      const auto& reference = *value.get<Value::Reference>();
      return {{tag | static_cast<uint64_t>(reference.of) << 16, reference.length}, 1};
    }
    case Kind::kSecret: return pointing(1);
  }
  return {};
}

template <typename Out>
void put_fields(Out& out, size_t slot, std::span<const Value::Field> fields, size_t depth) {
  const size_t at = out.allocate(1 + 2 * fields.size());
  out.put(slot, list_pointer(at - slot - 1, kStructList, 2 * fields.size()));
  out.put(at, struct_pointer(fields.size(), 0, 2));
  for (size_t i = 0; i < fields.size(); ++i) {
    put_text(out, at + 1 + 2 * i, fields[i].name);
    put_value(out, at + 2 + 2 * i, fields[i].value, depth);
  }
}

void check_scalar(const Value& value) {
  const auto* character = value.get<Value::Char>();
  if (character == nullptr) return;
  const uint32_t point = character->code_point;
  CHECK(point < 0xD800 || (point > 0xDFFF && point <= 0x10FFFF), "not a Unicode scalar value: ", point);
}

void check_reference(const Value::Reference& reference) {
  using Kind = Value::Kind;
  CHECK(reference.of == Kind::kString || reference.of == Kind::kBytes || reference.of == Kind::kRecord,
        "a reference stands for kString, kBytes or, for all else, kRecord; not for ", kind_name(reference.of));
}

void check_no_u8(const Value::List& list) {
  for (const Value& item : list.items) {
    CHECK(item.kind() != Value::Kind::kU8, "a list<u8> is Value::bytes, never Value::list");
  }
}

// What the first pointers of `value` point to.
template <typename Out>
void put_content(Out& out, size_t pointers, const Value& value, size_t depth) {
  using Kind = Value::Kind;
  switch (value.kind()) {
    case Kind::kString: return put_text(out, pointers, *value.get<std::string>());
    case Kind::kBytes: return put_data(out, pointers, *value.get<Bytes>());
    case Kind::kList:
      if constexpr (Out::kWrites) check_no_u8(*value.get<Value::List>());
      return put_values(out, pointers, value.get<Value::List>()->items, depth + 1);
    case Kind::kTuple: return put_values(out, pointers, value.get<Value::Tuple>()->items, depth + 1);
    case Kind::kRecord: {
      const auto& fields = value.get<Value::Record>()->fields;
      if (!fields.empty()) put_fields(out, pointers, fields, depth + 1);
      return;
    }
    case Kind::kVariant: {
      const auto& variant = *value.get<Value::Variant>();
      put_text(out, pointers, variant.name);
      if (variant.payload) put_value(out, pointers + 1, *variant.payload, depth + 1);
      return;
    }
    case Kind::kEnum: return put_text(out, pointers, value.get<Value::Enum>()->name);
    case Kind::kOption:
      if (const auto& payload = value.get<Value::Option>()->payload) put_value(out, pointers, *payload, depth + 1);
      return;
    case Kind::kResult:
      if (const auto& payload = value.get<Value::ResultOf>()->payload) put_value(out, pointers, *payload, depth + 1);
      return;
    case Kind::kFlags: return put_texts(out, pointers, value.get<Value::Flags>()->names);
    case Kind::kReference:
      check_reference(*value.get<Value::Reference>());
      return put_data(out, pointers, value.get<Value::Reference>()->hash.view());
    case Kind::kSecret: return put_data(out, pointers, value.get<Value::Secret>()->commitment.view());
    case Kind::kChar: return check_scalar(value);
    default: return;
  }
}

}  // namespace

template <typename Out>
void put_value(Out& out, size_t slot, const Value& value, size_t depth) {
  CHECK(depth <= Value::kDepthMax, "a value deeper than ", Value::kDepthMax, " levels");
  const Cells cells = cells_of(value);
  const size_t pointers = put_struct(out, slot, {cells.data, cells.data_words()}, cells.pointers);
  put_content(out, pointers, value, depth);
}

// The elements of a struct list are all as wide as the widest.
template <typename Out>
void put_values(Out& out, size_t slot, std::span<const Value> values, size_t depth) {
  if (values.empty()) return;
  CHECK(depth <= Value::kDepthMax, "a value deeper than ", Value::kDepthMax, " levels");
  size_t data_words = 1, pointers = 0;
  for (const Value& value : values) {
    const Cells cells = cells_of(value);
    data_words = std::max(data_words, cells.data_words());
    pointers = std::max(pointers, cells.pointers);
  }
  const size_t step = data_words + pointers;
  CHECK(values.size() <= kListCountMax / step, "a list too long for a message: ", values.size());
  const size_t at = out.allocate(1 + values.size() * step);
  out.put(slot, list_pointer(at - slot - 1, kStructList, values.size() * step));
  out.put(at, struct_pointer(values.size(), data_words, pointers));
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t element = at + 1 + i * step;
    const Cells cells = cells_of(values[i]);
    for (size_t j = 0; j < cells.data_words(); ++j) out.put(element + j, cells.data[j]);
    put_content(out, element + data_words, values[i], depth);
  }
}

template void put_value(Sizer&, size_t, const Value&, size_t);
template void put_value(Writer&, size_t, const Value&, size_t);
template void put_values(Sizer&, size_t, std::span<const Value>, size_t);
template void put_values(Writer&, size_t, std::span<const Value>, size_t);

}  // namespace wire

size_t encoded_size(const Value& value) {
  wire::Sizer sizer;
  wire::put_value(sizer, sizer.allocate(1), value, 1);
  return sizer.words() * wire::kWord;
}

Bytes encode_value(const Value& value) {
  Bytes bytes;
  wire::Writer writer(bytes);
  wire::put_value(writer, writer.allocate(1), value, 1);
  writer.finish();
  return bytes;
}

}  // namespace theater::schema
