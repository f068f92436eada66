#include "wasm/lower.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace theater::wasm {
namespace {

using schema::Value;
using Kind = Value::Kind;

// Kinds and types have the same names, but list<u8> is a kind of its own.
bool scalar_fits(const Value& value, TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return value.kind() == Kind::kBool;
    case TypeKind::kS8: return value.kind() == Kind::kS8;
    case TypeKind::kU8: return value.kind() == Kind::kU8;
    case TypeKind::kS16: return value.kind() == Kind::kS16;
    case TypeKind::kU16: return value.kind() == Kind::kU16;
    case TypeKind::kS32: return value.kind() == Kind::kS32;
    case TypeKind::kU32: return value.kind() == Kind::kU32;
    case TypeKind::kS64: return value.kind() == Kind::kS64;
    case TypeKind::kU64: return value.kind() == Kind::kU64;
    case TypeKind::kF32: return value.kind() == Kind::kF32;
    case TypeKind::kF64: return value.kind() == Kind::kF64;
    case TypeKind::kChar: return value.kind() == Kind::kChar;
    default: return value.kind() == Kind::kString;
  }
}

// The index of the case that a variant-like value is in, or -1; and its payload, if it has one.
struct Chosen {
  int64_t tag = -1;
  const Type* type = nullptr;
  const Value* payload = nullptr;
};

int64_t index_of(const Type& type, const std::string& name) {
  const auto& cases = type.cases();
  for (size_t i = 0; i < cases.size(); ++i) {
    if (cases[i].name == name) return static_cast<int64_t>(i);
  }
  return -1;
}

Chosen choose(const Value& value, const Type& type) {
  Chosen chosen;
  switch (type.kind()) {
    case TypeKind::kEnum:
      if (const auto* e = value.get<Value::Enum>()) chosen.tag = index_of(type, e->name);
      return chosen;
    case TypeKind::kOption:
      if (const auto* o = value.get<Value::Option>()) {
        chosen = {o->payload ? 1 : 0, o->payload ? &*type.cases()[0].type : nullptr, o->payload.get()};
      }
      return chosen;
    case TypeKind::kResult:
      if (const auto* r = value.get<Value::ResultOf>()) {
        chosen.tag = r->ok ? 0 : 1;
        chosen.payload = r->payload.get();
      }
      break;
    default:
      if (const auto* v = value.get<Value::Variant>()) {
        chosen.tag = index_of(type, v->name);
        chosen.payload = v->payload.get();
      }
      break;
  }
  if (chosen.tag >= 0) {
    const auto& payload = type.cases()[static_cast<size_t>(chosen.tag)].type;
    chosen.type = payload ? &*payload : nullptr;
  }
  return chosen;
}

// The n-th item of a tuple or field of a record.
const Value& item_at(const Value& value, size_t i) {
  if (const auto* tuple = value.get<Value::Tuple>()) return tuple->items[i];
  return value.get<Value::Record>()->fields[i].value;
}

std::vector<uint32_t> flag_words(const Value& value, const Type& type) {
  std::vector<uint32_t> words((type.cases().size() + 31) / 32);
  for (const std::string& name : value.get<Value::Flags>()->names) {
    const auto i = static_cast<size_t>(index_of(type, name));
    words[i / 32] |= uint32_t{1} << (i % 32);
  }
  return words;
}

uint64_t scalar_bits(const Value& value) {
  switch (value.kind()) {
    case Kind::kBool: return *value.get<bool>() ? 1 : 0;
    case Kind::kS8:
    case Kind::kS16:
    case Kind::kS32: return static_cast<uint32_t>(*value.get<int64_t>());  // flat: sign-extended to an i32
    case Kind::kS64: return static_cast<uint64_t>(*value.get<int64_t>());
    case Kind::kF32: return std::bit_cast<uint32_t>(*value.get<float>());
    case Kind::kF64: return std::bit_cast<uint64_t>(*value.get<double>());
    case Kind::kChar: return value.get<Value::Char>()->code_point;
    default: return *value.get<uint64_t>();
  }
}

void store(uint8_t* memory, uint64_t address, uint64_t bits, uint32_t size) {
  std::memcpy(memory + address, &bits, size);
}

}  // namespace

bool fits(const Value& value, const Type& type) {
  switch (type.kind()) {
    case TypeKind::kList: {
      if (type.is_bytes()) return value.kind() == Kind::kBytes;
      const auto* list = value.get<Value::List>();
      if (list == nullptr) return false;
      for (const Value& item : list->items) {
        if (!fits(item, *type.cases()[0].type)) return false;
      }
      return true;
    }
    case TypeKind::kTuple: {
      const auto* tuple = value.get<Value::Tuple>();
      if (tuple == nullptr || tuple->items.size() != type.cases().size()) return false;
      for (size_t i = 0; i < tuple->items.size(); ++i) {
        if (!fits(tuple->items[i], *type.cases()[i].type)) return false;
      }
      return true;
    }
    case TypeKind::kRecord: {
      const auto* record = value.get<Value::Record>();
      if (record == nullptr || record->fields.size() != type.cases().size()) return false;
      for (size_t i = 0; i < record->fields.size(); ++i) {
        const auto& field = record->fields[i];
        if (field.name != type.cases()[i].name || !fits(field.value, *type.cases()[i].type)) return false;
      }
      return true;
    }
    case TypeKind::kFlags: {
      const auto* flags = value.get<Value::Flags>();
      if (flags == nullptr) return false;
      for (const std::string& name : flags->names) {
        if (index_of(type, name) < 0) return false;
      }
      return true;
    }
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kOption:
    case TypeKind::kResult: {
      const Chosen chosen = choose(value, type);
      if (chosen.tag < 0 || (chosen.type == nullptr) != (chosen.payload == nullptr)) return false;
      return chosen.type == nullptr || fits(*chosen.payload, *chosen.type);
    }
    default: return scalar_fits(value, type.kind());
  }
}

void Lowering::clear() {
  allocations_.clear();
  next_ = 0;
  planned_bytes_ = 0;
}

bool Lowering::plan_area(uint32_t size, uint32_t alignment) {
  planned_bytes_ += size;
  if (planned_bytes_ > kBytesMax) return false;
  if (size > 0) allocations_.push_back({size, alignment, 0});
  return true;
}

bool Lowering::plan(const Value& value, const Type& type) {
  if (!type.needs_memory()) return true;
  switch (type.kind()) {
    case TypeKind::kString: {
      const size_t size = value.get<std::string>()->size();
      return size <= kBytesMax && plan_area(static_cast<uint32_t>(size), 1);
    }
    case TypeKind::kList: {
      if (type.is_bytes()) {
        const size_t size = value.get<Bytes>()->size();
        return size <= kBytesMax && plan_area(static_cast<uint32_t>(size), 1);
      }
      const Type& item = *type.cases()[0].type;
      const auto& items = value.get<Value::List>()->items;
      if (items.size() > kBytesMax / item.size()) return false;
      if (!plan_area(static_cast<uint32_t>(items.size() * item.size()), item.alignment())) return false;
      for (const Value& one : items) {
        if (!plan(one, item)) return false;
      }
      return true;
    }
    case TypeKind::kTuple:
    case TypeKind::kRecord:
      for (size_t i = 0; i < type.cases().size(); ++i) {
        if (!plan(item_at(value, i), *type.cases()[i].type)) return false;
      }
      return true;
    default: {
      const Chosen chosen = choose(value, type);
      return chosen.type == nullptr || plan(*chosen.payload, *chosen.type);
    }
  }
}

std::string Lowering::check_pointer(const Allocation& allocation, uint64_t memory_size) {
  const uint64_t pointer = allocation.pointer;
  if (pointer > memory_size || allocation.size > memory_size - pointer) {
    return str_cat("cabi_realloc answered ", pointer, " for ", allocation.size,
                   " bytes, which reaches past the end of memory (", memory_size, " bytes)");
  }
  if (pointer % allocation.alignment != 0) {
    return str_cat("cabi_realloc answered ", pointer, ", which isn't aligned to ", allocation.alignment);
  }
  return {};
}

Lowering::Span Lowering::sequence(const Value& value, const Type& type, uint8_t* memory) {
  const auto copy = [&](const void* data, size_t size) -> Span {
    if (size == 0) return {1, 0};
    const uint32_t pointer = next_area();
    std::memcpy(memory + pointer, data, size);
    return {pointer, static_cast<uint32_t>(size)};
  };
  if (type.kind() == TypeKind::kString) {
    const auto& text = *value.get<std::string>();
    return copy(text.data(), text.size());
  }
  if (type.is_bytes()) {
    const auto& bytes = *value.get<Bytes>();
    return copy(bytes.data(), bytes.size());
  }
  const Type& item = *type.cases()[0].type;
  const auto& items = value.get<Value::List>()->items;
  if (items.empty()) return {item.alignment(), 0};
  const uint32_t pointer = next_area();
  for (size_t i = 0; i < items.size(); ++i) to_memory(items[i], item, memory, pointer + uint64_t{i} * item.size());
  return {pointer, static_cast<uint32_t>(items.size())};
}

void Lowering::to_flat(const Value& value, const Type& type, uint8_t* memory, std::vector<uint64_t>& out) {
  switch (type.kind()) {
    case TypeKind::kString:
    case TypeKind::kList: {
      const Span span = sequence(value, type, memory);
      out.push_back(span.pointer);
      out.push_back(span.length);
      return;
    }
    case TypeKind::kTuple:
    case TypeKind::kRecord:
      for (size_t i = 0; i < type.cases().size(); ++i) to_flat(item_at(value, i), *type.cases()[i].type, memory, out);
      return;
    case TypeKind::kFlags:
      for (const uint32_t word : flag_words(value, type)) out.push_back(word);
      return;
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kOption:
    case TypeKind::kResult: {
      const size_t end = out.size() + type.flat().size();
      const Chosen chosen = choose(value, type);
      out.push_back(static_cast<uint64_t>(chosen.tag));
      if (chosen.type != nullptr) to_flat(*chosen.payload, *chosen.type, memory, out);
      out.resize(end);  // slots that this case doesn't use are zero
      return;
    }
    default: out.push_back(scalar_bits(value)); return;
  }
}

void Lowering::to_memory(const Value& value, const Type& type, uint8_t* memory, uint64_t address) {
  switch (type.kind()) {
    case TypeKind::kString:
    case TypeKind::kList: {
      const Span span = sequence(value, type, memory);
      store(memory, address, span.pointer, 4);
      store(memory, address + 4, span.length, 4);
      return;
    }
    case TypeKind::kTuple:
    case TypeKind::kRecord: {
      uint64_t offset = 0;
      for (size_t i = 0; i < type.cases().size(); ++i) {
        const Type& item = *type.cases()[i].type;
        offset = (offset + item.alignment() - 1) / item.alignment() * item.alignment();
        to_memory(item_at(value, i), item, memory, address + offset);
        offset += item.size();
      }
      return;
    }
    case TypeKind::kFlags: {
      const std::vector<uint32_t> words = flag_words(value, type);
      std::memcpy(memory + address, words.data(), type.size());
      return;
    }
    case TypeKind::kVariant:
    case TypeKind::kEnum:
    case TypeKind::kOption:
    case TypeKind::kResult: {
      const Chosen chosen = choose(value, type);
      store(memory, address, static_cast<uint64_t>(chosen.tag), type.discriminant_size());
      if (chosen.type != nullptr) to_memory(*chosen.payload, *chosen.type, memory, address + type.payload_offset());
      return;
    }
    default: store(memory, address, scalar_bits(value), type.size()); return;
  }
}

}  // namespace theater::wasm
