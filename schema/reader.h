// Reading canonical Cap'n Proto, strictly: what the writer wouldn't have written is refused. Internal to schema/.
//
// One pass, in the writer's order. Each object must stand exactly where the pre-order walk has arrived (`next_`), so
// that no two pointers share an object, nothing is skipped and nothing is left over; hence time and memory are linear
// in the input. Functions return false after the first failure, which is kept with its byte offset.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "schema/value.h"
#include "schema/wire.h"

namespace theater::schema::wire {

// A struct's two sections, as word indexes.
struct StructAt {
  size_t data = 0, data_words = 0;
  size_t pointers = 0, pointer_count = 0;
};

struct StructListAt {
  size_t first = 0, count = 0;
  size_t data_words = 0, pointer_count = 0;
  size_t step() const { return data_words + pointer_count; }
  StructAt element(size_t i) const {
    const size_t at = first + i * step();
    return {at, data_words, at + data_words, pointer_count};
  }
};

class Reader {
 public:
  // `bytes` is a whole number of words and outlives the reader.
  explicit Reader(BytesView bytes) : bytes_(bytes.data()), words_(bytes.size() / kWord) {}

  // Keeps the first failure. `why` is static text.
  bool fail(size_t word, const char* field, const char* why) {
    if (why_ == nullptr) failed_at_ = word, field_ = field, why_ = why;
    return false;
  }
  // "<what> refused at byte N: field: why".
  Error error(const char* what) const;

  uint64_t word(size_t i) const { return load_word(bytes_ + i * kWord); }
  uint64_t data(const StructAt& at, size_t i) const { return i < at.data_words ? word(at.data + i) : 0; }
  bool has(const StructAt& at, size_t pointer) const {
    return pointer < at.pointer_count && word(at.pointers + pointer) != 0;
  }
  template <typename Id>
  void id(const StructAt& at, size_t i, Id& out) const {
    const uint64_t words[4] = {data(at, i), data(at, i + 1), data(at, i + 2), data(at, i + 3)};
    std::memcpy(out.bytes.data(), words, sizeof words);
  }

  // The root pointer, and the struct that it points to.
  bool root(StructAt& out, size_t data_words_max, size_t pointers_max);
  // Everything was visited.
  bool finish() { return next_ == words_ || fail(next_, "message", "bytes that no pointer points to"); }

  // Those below take the number of a pointer of `at`. A null pointer is the empty text, list or data; a struct must be
  // there.
  bool structure(const StructAt& at, size_t pointer, const char* field, size_t data_words_max, size_t pointers_max,
                 StructAt& out);
  bool struct_list(const StructAt& at, size_t pointer, const char* field, size_t data_words_max, size_t pointers_max,
                   StructListAt& out);
  bool text(const StructAt& at, size_t pointer, const char* field, std::string_view& out);
  bool text(const StructAt& at, size_t pointer, const char* field, std::string* out);
  bool bytes(const StructAt& at, size_t pointer, const char* field, BytesView& out);
  bool bytes(const StructAt& at, size_t pointer, const char* field, Bytes* out);
  bool texts(const StructAt& at, size_t pointer, const char* field, std::vector<std::string>* out);
  bool numbers(const StructAt& at, size_t pointer, const char* field, std::vector<uint64_t>* out);

  // Values. With a null `out` they are checked only. `depth` is the level of the values themselves, 1 at the top.
  bool value(const StructAt& at, std::optional<Value>* out, size_t depth);
  bool values(const StructAt& at, size_t pointer, const char* field, std::vector<Value>* out, size_t depth,
              bool refuse_u8 = false, size_t count_max = SIZE_MAX);

 private:
  bool struct_at(size_t slot, const char* field, size_t data_words_max, size_t pointers_max, StructAt& out);
  bool list_at(size_t slot, const char* field, ListKind kind, size_t& first, size_t& count);
  bool byte_list(size_t slot, const char* field, BytesView& out);
  bool text_at(size_t slot, const char* field, std::string_view& out);
  bool scalar(const StructAt& at, Value::Kind kind, std::optional<Value>* out);
  bool fields(const StructAt& at, std::vector<Value::Field>* out, size_t depth);
  bool payload(const StructAt& at, size_t pointer, std::optional<Value>* out, size_t depth);
  bool composite(const StructAt& at, Value::Kind kind, std::optional<Value>* out, size_t depth);
  bool named(const StructAt& at, Value::Kind kind, std::optional<Value>* out, size_t depth);
  bool digest(const StructAt& at, const char* field, Hash& out);

  const uint8_t* bytes_;
  size_t words_;
  size_t next_ = 0;  // where the next object must stand

  size_t failed_at_ = 0;
  const char* field_ = nullptr;
  const char* why_ = nullptr;
};

}  // namespace theater::schema::wire
