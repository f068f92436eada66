// Random values and events of every kind, the same for the same seed on every machine. Bounded: depth, items and text
// are small most of the time and sometimes at the edges (empty, maximal depth, zero words at the end).
#pragma once

#include "base/random.h"
#include "schema/codec.h"

namespace theater::schema {

class RandomContent {
 public:
  explicit RandomContent(uint64_t seed) : random_(seed) {}

  // `depth_left` is how many levels the value may have.
  Value value(size_t depth_left = 5);
  Value value_of(Value::Kind kind, size_t depth_left);
  std::vector<Value> values(size_t count_max);

  // A body of the kind, and a header that fits it. The header's type points into `type_`: valid until the next call.
  Body body(BodyKind kind);
  Header header(BodyKind kind);
  Event event(BodyKind kind) { return {header(kind), body(kind)}; }
  Event event() { return event(static_cast<BodyKind>(below(9))); }

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  bool chance(uint64_t one_in) { return below(one_in) == 0; }
  uint64_t number();   // of any magnitude, often 0
  std::string text();  // UTF-8, often empty, sometimes with NUL
  Bytes bytes(size_t size_max);
  template <typename Id>
  Id id() {  // sometimes zero, or with zero words at the end
    Id out;
    if (chance(8)) return out;
    random_.fill(out.bytes);
    if (chance(8)) std::fill(out.bytes.begin() + static_cast<ptrdiff_t>(below(32)), out.bytes.end(), uint8_t{0});
    return out;
  }

 private:
  Origin origin();
  std::vector<std::string> texts();

  SeededRandom random_;
  std::string type_;
};

}  // namespace theater::schema
