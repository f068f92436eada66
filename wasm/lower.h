// Values to guest memory. Lowering needs memory from the guest (cabi_realloc), and the guest may take its time over it,
// so it goes in three steps: Lowering lists the allocations that a value needs, in the canonical ABI's order; the
// engine gets them one by one and hands back each pointer, which is checked; then everything is written at once.
//
// Empty strings and lists need no memory: their pointer is their alignment, which is what wit-bindgen's cabi_realloc
// answers for a size of zero.
//
// The values and the Lowering belong to one thread; the values must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "schema/value.h"
#include "wasm/type.h"

namespace theater::wasm {

// True if `value` is of type `type`. Whatever comes from a record must pass this before it is lowered.
bool fits(const schema::Value& value, const Type& type);

class Lowering {
 public:
  struct Allocation {
    uint32_t size = 0;
    uint32_t alignment = 1;
    uint32_t pointer = 0;
  };

  static constexpr uint64_t kBytesMax = uint64_t{64} << 20;

  // Forgets everything; keeps its buffers.
  void clear();

  // Step 1. The value must fit the type. False: it needs more than kBytesMax.
  bool plan(const schema::Value& value, const Type& type);
  // One allocation for the value itself (parameters that don't fit 16 flat values), before plan().
  bool plan_area(uint32_t size, uint32_t alignment);

  // Step 2. What cabi_realloc is to be asked for, in this order.
  std::vector<Allocation>& allocations() { return allocations_; }
  // What is wrong with the pointer that came back, or nothing.
  static std::string check_pointer(const Allocation& allocation, uint64_t memory_size);

  // Step 3, in the order of the plan() calls. The memory must hold the allocations (check_pointer) and the address.
  uint32_t next_area() { return allocations_[next_++].pointer; }
  void to_flat(const schema::Value& value, const Type& type, uint8_t* memory, std::vector<uint64_t>& out);
  void to_memory(const schema::Value& value, const Type& type, uint8_t* memory, uint64_t address);

 private:
  struct Span {
    uint32_t pointer;
    uint32_t length;
  };
  Span sequence(const schema::Value& value, const Type& type, uint8_t* memory);

  std::vector<Allocation> allocations_;
  size_t next_ = 0;
  uint64_t planned_bytes_ = 0;
};

}  // namespace theater::wasm
