// CONTRACT. A Value is one WIT value as the record keeps it: self-describing, so that an auditor can read a payload
// without the package that made it. Guest memory is lifted into Values (wasm/), Values stand in events
// (schema/event.h), and replay lowers them again.
//
// Owned, movable, copyable, comparable. A tree of Values is at most kDepthMax deep: lifting and decoding refuse more.
// Floats compare by bits; NaN has one bit pattern (f32() and f64() canonicalize it), so that equal values have equal
// bytes.
//
// Whoever makes a Value owes the encoder, which CHECKs it (schema/codec.h): text is UTF-8 (escape() what may not be), a
// char is a Unicode scalar value, a list<u8> is bytes() and never list() with u8 items, and the depth holds.
//
// Two kinds never come from a guest. kReference stands for a value whose encoding is larger than kInlineMax: its bytes
// travel and are stored once, as a blob. kSecret is a salted commitment to a value that the record must not hold.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/text.h"

namespace theater::schema {

class Value {
 public:
  enum class Kind : uint8_t {
    kBool,
    kS8,
    kU8,
    kS16,
    kU16,
    kS32,
    kU32,
    kS64,
    kU64,
    kF32,
    kF64,
    kChar,
    kString,
    kBytes,  // list<u8>
    kList,
    kRecord,
    kTuple,
    kVariant,
    kEnum,
    kOption,
    kResult,
    kFlags,
    kReference,
    kSecret,
  };

  static constexpr size_t kDepthMax = 32;
  static constexpr size_t kInlineMax = 4096;  // bytes of a value's own encoding that may stand in an event

  struct Field;
  struct List {
    std::vector<Value> items;
    bool operator==(const List&) const;
  };
  struct Tuple {
    std::vector<Value> items;
    bool operator==(const Tuple&) const;
  };
  struct Record {
    std::vector<Field> fields;
    bool operator==(const Record&) const;
  };
  struct Variant {
    std::string name;
    std::shared_ptr<const Value> payload;
    bool operator==(const Variant&) const;
  };
  struct Enum {
    std::string name;
    bool operator==(const Enum&) const = default;
  };
  struct Option {
    std::shared_ptr<const Value> payload;
    bool operator==(const Option&) const;
  };
  struct ResultOf {
    bool ok;
    std::shared_ptr<const Value> payload;
    bool operator==(const ResultOf&) const;
  };
  struct Flags {  // the names of those that are set
    std::vector<std::string> names;
    bool operator==(const Flags&) const = default;
  };
  struct Char {
    char32_t code_point;
    bool operator==(const Char&) const = default;
  };
  // What a large value was replaced by. The blob of kBytes and kString is their content; of any other kind (kRecord
  // stands for all of them here: see `of`) it is the value's own canonical message.
  struct Reference {
    Hash hash;
    uint64_t length;
    Kind of;
    bool operator==(const Reference&) const = default;
  };
  struct Secret {
    Hash commitment;
    bool operator==(const Secret&) const = default;
  };

  static Value boolean(bool v);
  static Value s8(int8_t v);
  static Value s16(int16_t v);
  static Value s32(int32_t v);
  static Value s64(int64_t v);
  static Value u8(uint8_t v);
  static Value u16(uint16_t v);
  static Value u32(uint32_t v);
  static Value u64(uint64_t v);
  static Value f32(float v);
  static Value f64(double v);
  static Value character(char32_t v);
  static Value string(std::string v);
  static Value bytes(Bytes v);
  static Value list(std::vector<Value> v);
  static Value tuple(std::vector<Value> v);
  static Value record(std::vector<Field> v);
  static Value variant(std::string name);
  static Value variant(std::string name, Value payload);
  static Value enumeration(std::string name);
  static Value none();
  static Value some(Value payload);
  static Value ok();
  static Value ok(Value payload);
  static Value err();
  static Value err(Value payload);
  static Value flags(std::vector<std::string> v);
  static Value reference(Reference v);
  static Value secret(Secret v);

  Kind kind() const { return kind_; }

  // The content, if the kind is the right one; nullptr otherwise. Signed kinds share int64_t, unsigned ones uint64_t.
  template <typename T>
  const T* get() const {
    return std::get_if<T>(&content_);
  }
  template <typename T>
  T* get() {
    return std::get_if<T>(&content_);
  }

  bool operator==(const Value&) const;

 private:
  using Content = std::variant<bool, int64_t, uint64_t, float, double, Char, std::string, Bytes, List, Tuple, Record,
                               Variant, Enum, Option, ResultOf, Flags, Reference, Secret>;
  Value(Kind kind, Content content);

  Kind kind_;
  Content content_;
};

struct Value::Field {
  std::string name;
  Value value;
  bool operator==(const Field&) const = default;
};

// Defined here, where Field is complete.
inline Value::Value(Kind kind, Content content) : kind_(kind), content_(std::move(content)) {}
inline Value Value::boolean(bool v) { return Value(Kind::kBool, v); }
inline Value Value::s8(int8_t v) { return Value(Kind::kS8, int64_t{v}); }
inline Value Value::s16(int16_t v) { return Value(Kind::kS16, int64_t{v}); }
inline Value Value::s32(int32_t v) { return Value(Kind::kS32, int64_t{v}); }
inline Value Value::s64(int64_t v) { return Value(Kind::kS64, v); }
inline Value Value::u8(uint8_t v) { return Value(Kind::kU8, uint64_t{v}); }
inline Value Value::u16(uint16_t v) { return Value(Kind::kU16, uint64_t{v}); }
inline Value Value::u32(uint32_t v) { return Value(Kind::kU32, uint64_t{v}); }
inline Value Value::u64(uint64_t v) { return Value(Kind::kU64, v); }
inline Value Value::character(char32_t v) { return Value(Kind::kChar, Char{v}); }
inline Value Value::string(std::string v) { return Value(Kind::kString, std::move(v)); }
inline Value Value::bytes(Bytes v) { return Value(Kind::kBytes, std::move(v)); }
inline Value Value::list(std::vector<Value> v) { return Value(Kind::kList, List{std::move(v)}); }
inline Value Value::tuple(std::vector<Value> v) { return Value(Kind::kTuple, Tuple{std::move(v)}); }
inline Value Value::variant(std::string name) { return Value(Kind::kVariant, Variant{std::move(name), nullptr}); }
inline Value Value::enumeration(std::string name) { return Value(Kind::kEnum, Enum{std::move(name)}); }
inline Value Value::none() { return Value(Kind::kOption, Option{nullptr}); }
inline Value Value::ok() { return Value(Kind::kResult, ResultOf{true, nullptr}); }
inline Value Value::err() { return Value(Kind::kResult, ResultOf{false, nullptr}); }
inline Value Value::flags(std::vector<std::string> v) { return Value(Kind::kFlags, Flags{std::move(v)}); }
inline Value Value::reference(Reference v) { return Value(Kind::kReference, v); }
inline Value Value::secret(Secret v) { return Value(Kind::kSecret, v); }

const char* kind_name(Value::Kind kind);

// One line for people, in WIT's WAVE notation: {name: "x", size: 3}, some([1, 2]), bytes as "…" with \xNN escapes;
// a reference as <4711 B sha256:3fa…>. Not meant to be parsed back. `length_max` cuts with an ellipsis; 0 means whole.
std::string to_display(const Value& value, size_t length_max = 0);

}  // namespace theater::schema
