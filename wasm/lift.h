// Guest memory to Values. Everything a guest hands over is checked here: pointers, lengths, alignment, discriminants,
// UTF-8, code points. What a check finds is a message; the caller puts function and argument before it and traps.
//
// A Lifter reads a view of linear memory that must not change while it works (the guest is stopped) and copies all that
// it keeps. Its budget bounds what one call may make the host allocate: bytes copied and values made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/text.h"
#include "schema/value.h"
#include "wasm/type.h"

namespace theater::wasm {

inline constexpr uint64_t kLiftBytesMax = uint64_t{64} << 20;  // strings and byte lists of one call
inline constexpr uint64_t kLiftValuesMax = 1'000'000;          // values of one call, at about 100 B each in the host

struct LiftBudget {
  uint64_t bytes = kLiftBytesMax;
  uint64_t values = kLiftValuesMax;
};

class Lifter {
 public:
  // `spare`: its memory serves the first string.
  Lifter(BytesView memory, LiftBudget& budget, std::string spare = {})
      : memory_(memory), budget_(budget), spare_(std::move(spare)) {}

  // From flat core values, each as its 64 bits; `next` moves past those that the type takes. Nothing: see error().
  std::optional<schema::Value> from_flat(const Type& type, const uint64_t*& next);
  std::optional<schema::Value> from_memory(const Type& type, uint64_t address);

  const std::string& error() const { return error_; }

 private:
  std::optional<schema::Value> scalar(TypeKind kind, uint64_t bits);
  std::optional<schema::Value> sequence(const Type& type, uint32_t address, uint32_t length);
  std::optional<schema::Value> flags_value(const Type& type, const uint32_t* words);
  std::optional<schema::Value> variant_value(const Type& type, uint64_t tag, std::optional<schema::Value> payload);
  const Type* payload_type(const Type& type, uint64_t tag);
  bool check_tag(const Type& type, uint64_t tag);
  bool in_bounds(uint64_t address, uint64_t size, uint32_t alignment, const char* what);
  bool spend(uint64_t bytes);
  std::nullopt_t fail(std::string message);
  uint64_t load(uint64_t address, uint32_t size) const;

  BytesView memory_;
  LiftBudget& budget_;
  std::string spare_;
  std::string error_;
};

}  // namespace theater::wasm
