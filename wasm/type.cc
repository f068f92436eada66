#include "wasm/type.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "schema/value.h"

namespace theater::wasm {
namespace {

uint32_t align_to(uint64_t offset, uint32_t alignment) {
  const uint64_t aligned = (offset + alignment - 1) / alignment * alignment;
  CHECK(aligned <= std::numeric_limits<uint32_t>::max(), "a type of more than 4 GiB");
  return static_cast<uint32_t>(aligned);
}

uint32_t discriminant_size_of(size_t case_count) {
  if (case_count <= 0x100) return 1;
  return case_count <= 0x10000 ? 2 : 4;
}

// The core type that can hold either: what a variant's cases share a slot as.
CoreType join(CoreType a, CoreType b) {
  if (a == b) return a;
  const bool narrow = (a == CoreType::kI32 || a == CoreType::kF32) && (b == CoreType::kI32 || b == CoreType::kF32);
  return narrow ? CoreType::kI32 : CoreType::kI64;
}

void join_all(std::vector<CoreType>& slots, const std::vector<CoreType>& payload) {
  for (size_t i = 0; i < payload.size(); ++i) {
    if (i < slots.size()) {
      slots[i] = join(slots[i], payload[i]);
    } else {
      slots.push_back(payload[i]);
    }
  }
}

const char* scalar_name(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return "bool";
    case TypeKind::kS8: return "s8";
    case TypeKind::kU8: return "u8";
    case TypeKind::kS16: return "s16";
    case TypeKind::kU16: return "u16";
    case TypeKind::kS32: return "s32";
    case TypeKind::kU32: return "u32";
    case TypeKind::kS64: return "s64";
    case TypeKind::kU64: return "u64";
    case TypeKind::kF32: return "f32";
    case TypeKind::kF64: return "f64";
    case TypeKind::kChar: return "char";
    case TypeKind::kString: return "string";
    default: return "";
  }
}

}  // namespace

struct Type::Node {
  TypeKind kind;
  std::vector<Case> cases;
  uint32_t size = 0;
  uint32_t alignment = 1;
  uint32_t payload_offset = 0;
  uint32_t depth = 1;
  bool needs_memory = false;
  std::vector<CoreType> flat;

  Node(TypeKind k, std::vector<Case> c) : kind(k), cases(std::move(c)) {
    for (const Case& one : cases) {
      if (!one.type) continue;
      depth = std::max(depth, one.type->node_->depth + 1);
      needs_memory = needs_memory || one.type->needs_memory();
    }
    CHECK(depth <= schema::Value::kDepthMax, "a type nested more than ", schema::Value::kDepthMax, " deep");
    switch (kind) {
      case TypeKind::kRecord:
      case TypeKind::kTuple: lay_out_record(); break;
      case TypeKind::kVariant:
      case TypeKind::kEnum:
      case TypeKind::kResult: lay_out_variant(cases.size()); break;
      case TypeKind::kOption: lay_out_variant(2); break;
      case TypeKind::kFlags: lay_out_flags(); break;
      default: lay_out_scalar(); break;
    }
  }

  void lay_out_scalar() {
    const auto set = [this](uint32_t bytes, std::vector<CoreType> slots) {
      size = bytes;
      alignment = std::min<uint32_t>(bytes, 8);
      flat = std::move(slots);
    };
    switch (kind) {
      case TypeKind::kBool:
      case TypeKind::kS8:
      case TypeKind::kU8: set(1, {CoreType::kI32}); break;
      case TypeKind::kS16:
      case TypeKind::kU16: set(2, {CoreType::kI32}); break;
      case TypeKind::kS32:
      case TypeKind::kU32:
      case TypeKind::kChar: set(4, {CoreType::kI32}); break;
      case TypeKind::kS64:
      case TypeKind::kU64: set(8, {CoreType::kI64}); break;
      case TypeKind::kF32: set(4, {CoreType::kF32}); break;
      case TypeKind::kF64: set(8, {CoreType::kF64}); break;
      default:  // string and list: pointer and length
        set(8, {CoreType::kI32, CoreType::kI32});
        alignment = 4;
        needs_memory = true;
        break;
    }
  }

  void lay_out_record() {
    CHECK(!cases.empty(), "a record or tuple without fields");
    uint64_t offset = 0;
    for (const Case& field : cases) {
      CHECK(field.type.has_value(), "field ", field.name, " has no type");
      offset = align_to(offset, field.type->alignment()) + uint64_t{field.type->size()};
      alignment = std::max(alignment, field.type->alignment());
      flat.insert(flat.end(), field.type->flat().begin(), field.type->flat().end());
    }
    size = align_to(offset, alignment);
  }

  void lay_out_variant(size_t case_count) {
    CHECK(!cases.empty(), "a variant without cases");
    const uint32_t tag = discriminant_size_of(case_count);
    alignment = tag;
    uint32_t payload_alignment = 1;
    uint32_t payload_size = 0;
    std::vector<CoreType> slots;
    for (const Case& one : cases) {
      if (!one.type) continue;
      payload_alignment = std::max(payload_alignment, one.type->alignment());
      payload_size = std::max(payload_size, one.type->size());
      join_all(slots, one.type->flat());
    }
    alignment = std::max(alignment, payload_alignment);
    payload_offset = align_to(tag, payload_alignment);
    size = align_to(uint64_t{payload_offset} + payload_size, alignment);
    flat.push_back(CoreType::kI32);
    flat.insert(flat.end(), slots.begin(), slots.end());
  }

  void lay_out_flags() {
    const size_t count = cases.size();
    CHECK(count > 0, "flags without a flag");
    if (count <= 16) {
      size = alignment = count <= 8 ? 1 : 2;
      flat = {CoreType::kI32};
      return;
    }
    const size_t words = (count + 31) / 32;
    alignment = 4;
    size = static_cast<uint32_t>(4 * words);
    flat.assign(words, CoreType::kI32);
  }
};

Type::Type(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

Type Type::make(TypeKind kind, std::vector<Case> cases) {
  return Type(std::make_shared<const Node>(kind, std::move(cases)));
}

Type Type::boolean() { return make(TypeKind::kBool, {}); }
Type Type::s8() { return make(TypeKind::kS8, {}); }
Type Type::u8() { return make(TypeKind::kU8, {}); }
Type Type::s16() { return make(TypeKind::kS16, {}); }
Type Type::u16() { return make(TypeKind::kU16, {}); }
Type Type::s32() { return make(TypeKind::kS32, {}); }
Type Type::u32() { return make(TypeKind::kU32, {}); }
Type Type::s64() { return make(TypeKind::kS64, {}); }
Type Type::u64() { return make(TypeKind::kU64, {}); }
Type Type::f32() { return make(TypeKind::kF32, {}); }
Type Type::f64() { return make(TypeKind::kF64, {}); }
Type Type::character() { return make(TypeKind::kChar, {}); }
Type Type::string() { return make(TypeKind::kString, {}); }
Type Type::list(Type item) { return make(TypeKind::kList, {{"", std::move(item)}}); }
Type Type::record(std::vector<Case> fields) { return make(TypeKind::kRecord, std::move(fields)); }
Type Type::variant(std::vector<Case> cases) { return make(TypeKind::kVariant, std::move(cases)); }
Type Type::option(Type item) { return make(TypeKind::kOption, {{"", std::move(item)}}); }

Type Type::tuple(std::vector<Type> items) {
  std::vector<Case> cases;
  for (Type& item : items) cases.push_back({"", std::move(item)});
  return make(TypeKind::kTuple, std::move(cases));
}

Type Type::enumeration(std::vector<std::string> names) {
  std::vector<Case> cases;
  for (std::string& name : names) cases.push_back({std::move(name), std::nullopt});
  return make(TypeKind::kEnum, std::move(cases));
}

Type Type::result(std::optional<Type> ok, std::optional<Type> err) {
  std::vector<Case> cases;
  cases.push_back({"ok", std::move(ok)});
  cases.push_back({"err", std::move(err)});
  return make(TypeKind::kResult, std::move(cases));
}

Type Type::flags(std::vector<std::string> names) {
  std::vector<Case> cases;
  for (std::string& name : names) cases.push_back({std::move(name), std::nullopt});
  return make(TypeKind::kFlags, std::move(cases));
}

TypeKind Type::kind() const { return node_->kind; }
const std::vector<Type::Case>& Type::cases() const { return node_->cases; }
uint32_t Type::size() const { return node_->size; }
uint32_t Type::alignment() const { return node_->alignment; }
const std::vector<CoreType>& Type::flat() const { return node_->flat; }
uint32_t Type::payload_offset() const { return node_->payload_offset; }
bool Type::needs_memory() const { return node_->needs_memory; }

uint32_t Type::discriminant_size() const {
  return discriminant_size_of(node_->kind == TypeKind::kOption ? 2 : node_->cases.size());
}

bool Type::is_bytes() const {
  return node_->kind == TypeKind::kList && node_->cases[0].type->node_->kind == TypeKind::kU8;
}

std::string Type::wit() const {
  const auto& c = node_->cases;
  const auto list = [&c](const char* open, bool names, const char* close) {
    std::string out = open;
    for (size_t i = 0; i < c.size(); ++i) {
      if (i > 0) out += ", ";
      if (names) out += c[i].name;
      if (names && c[i].type) out += ": ";
      if (c[i].type) out += c[i].type->wit();
    }
    return out + close;
  };
  switch (node_->kind) {
    case TypeKind::kList: return list("list<", false, ">");
    case TypeKind::kOption: return list("option<", false, ">");
    case TypeKind::kTuple: return list("tuple<", false, ">");
    case TypeKind::kRecord: return list("record {", true, "}");
    case TypeKind::kEnum: return list("enum {", true, "}");
    case TypeKind::kFlags: return list("flags {", true, "}");
    case TypeKind::kVariant: {
      std::string out = "variant {";
      for (size_t i = 0; i < c.size(); ++i) {
        out += (i > 0 ? ", " : "") + c[i].name;
        if (c[i].type) out += "(" + c[i].type->wit() + ")";
      }
      return out + "}";
    }
    case TypeKind::kResult:
      if (!c[0].type && !c[1].type) return "result";
      if (!c[1].type) return "result<" + c[0].type->wit() + ">";
      return "result<" + (c[0].type ? c[0].type->wit() : "_") + ", " + c[1].type->wit() + ">";
    default: return scalar_name(node_->kind);
  }
}

bool Type::operator==(const Type& other) const {
  if (node_ == other.node_) return true;
  if (node_->kind != other.node_->kind || node_->cases.size() != other.node_->cases.size()) return false;
  for (size_t i = 0; i < node_->cases.size(); ++i) {
    const Case& a = node_->cases[i];
    const Case& b = other.node_->cases[i];
    if (a.name != b.name || a.type.has_value() != b.type.has_value()) return false;
    if (a.type && !(*a.type == *b.type)) return false;
  }
  return true;
}

std::string FunctionType::wit() const {
  std::string out = "func(";
  for (size_t i = 0; i < params.size(); ++i) {
    out += (i > 0 ? ", " : "") + params[i].first + ": " + params[i].second.wit();
  }
  out += ")";
  if (result) out += " -> " + result->wit();
  return out;
}

}  // namespace theater::wasm
