// CONTRACT. WIT types as data: what the table of host functions is written in, and what lifting and lowering follow.
//
// A Type is an immutable tree behind a shared pointer: copy freely, any thread. Layout (size, alignment, flat core
// types) follows the component model's canonical ABI and is computed once, when the type is made. All WIT value types
// are here except resources, streams and futures.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace theater::wasm {

enum class TypeKind : uint8_t {
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
  kList,
  kRecord,
  kTuple,
  kVariant,
  kEnum,
  kOption,
  kResult,
  kFlags,
};

enum class CoreType : uint8_t { kI32, kI64, kF32, kF64 };

class Type {
 public:
  struct Case;

  static Type boolean();
  static Type s8();
  static Type u8();
  static Type s16();
  static Type u16();
  static Type s32();
  static Type u32();
  static Type s64();
  static Type u64();
  static Type f32();
  static Type f64();
  static Type character();
  static Type string();
  static Type list(Type item);
  static Type record(std::vector<Case> fields);  // every case has a type
  static Type tuple(std::vector<Type> items);
  static Type variant(std::vector<Case> cases);
  static Type enumeration(std::vector<std::string> names);
  static Type option(Type item);
  static Type result(std::optional<Type> ok, std::optional<Type> err);
  static Type flags(std::vector<std::string> names);

  TypeKind kind() const;
  // Children: list and option one, tuple and record their items, variant its cases, result ok and err. A case without a
  // payload has no type. Names are empty where WIT has none.
  const std::vector<Case>& cases() const;

  // Canonical ABI layout in linear memory, and as flat core values.
  uint32_t size() const;
  uint32_t alignment() const;
  const std::vector<CoreType>& flat() const;
  bool is_bytes() const;  // list<u8>, which is a Value of its own kind
  // True if a value of this type may hold a string or a list: lowering it may call cabi_realloc.
  bool needs_memory() const;
  // Of variant, enum, option and result: bytes of the tag, and where the payload begins.
  uint32_t discriminant_size() const;
  uint32_t payload_offset() const;

  std::string wit() const;  // "result<option<list<u8>>, string>"
  bool operator==(const Type& other) const;

 private:
  struct Node;
  explicit Type(std::shared_ptr<const Node> node);
  static Type make(TypeKind kind, std::vector<Case> cases);
  std::shared_ptr<const Node> node_;
};

struct Type::Case {
  std::string name;
  std::optional<Type> type;
};

struct FunctionType {
  std::vector<std::pair<std::string, Type>> params;
  std::optional<Type> result;

  std::string wit() const;  // "func(state: option<list<u8>>, params: tuple<string>) -> result<…>"
};

}  // namespace theater::wasm
