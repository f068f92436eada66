// Writing canonical Cap'n Proto by hand. Internal to schema/.
//
// Canonical form is a pre-order walk: an object's body is placed when its pointer is written, so that allocation is a
// counter. The same templates run with a Writer, and with a Sizer for the size alone, so that the two can't disagree.
#pragma once

#include <algorithm>
#include <span>

#include "base/check.h"
#include "schema/value.h"
#include "schema/wire.h"

namespace theater::schema::wire {

class Sizer {
 public:
  static constexpr bool kWrites = false;
  size_t allocate(size_t words) {
    const size_t at = next_;
    next_ += words;
    return at;
  }
  void put(size_t, uint64_t) {}
  void put_bytes(size_t, BytesView) {}
  size_t words() const { return next_; }

 private:
  size_t next_ = 0;
};

// Replaces the content of `out`, which grows as needed; what isn't written stays zero. finish() when all is written.
class Writer {
 public:
  static constexpr bool kWrites = true;
  explicit Writer(Bytes& out) : out_(out) {
    out_.clear();
    grow();
  }
  size_t allocate(size_t words) {
    const size_t at = next_;
    next_ += words;
    if (next_ > limit_) grow();
    return at;
  }
  void put(size_t at, uint64_t word) { std::memcpy(base_ + at * kWord, &word, kWord); }
  void put_bytes(size_t at, BytesView bytes) { std::memcpy(base_ + at * kWord, bytes.data(), bytes.size()); }
  void finish() { out_.resize(next_ * kWord); }

 private:
  static constexpr size_t kFirstWords = 48;  // most events fit

  void grow() {
    limit_ = std::max(kFirstWords, next_ + limit_);
    out_.resize(limit_ * kWord);
    base_ = out_.data();
  }

  Bytes& out_;
  uint8_t* base_ = nullptr;
  size_t limit_ = 0;  // words
  size_t next_ = 0;
};

// `slot` is the index of the pointer's word, here and below. Empty things leave their pointer null.
template <typename Out>
void put_data(Out& out, size_t slot, BytesView bytes) {
  if (bytes.empty()) return;
  CHECK(bytes.size() <= kListCountMax, "bytes too long for a message: ", bytes.size());
  const size_t at = out.allocate(words_for(bytes.size()));
  out.put(slot, list_pointer(at - slot - 1, kByteList, bytes.size()));
  out.put_bytes(at, bytes);
}

template <typename Out>
void put_text(Out& out, size_t slot, std::string_view text) {
  if (text.empty()) return;
  CHECK(text.size() < kListCountMax, "text too long for a message: ", text.size());
  if constexpr (Out::kWrites) CHECK(is_text(text), "text that isn't UTF-8: ", escape(as_bytes(text.substr(0, 100))));
  const size_t at = out.allocate(words_for(text.size() + 1));
  out.put(slot, list_pointer(at - slot - 1, kByteList, text.size() + 1));
  out.put_bytes(at, as_bytes(text));
}

template <typename Out>
void put_texts(Out& out, size_t slot, std::span<const std::string> texts) {
  if (texts.empty()) return;
  CHECK(texts.size() <= kListCountMax);
  const size_t at = out.allocate(texts.size());
  out.put(slot, list_pointer(at - slot - 1, kPointerList, texts.size()));
  for (size_t i = 0; i < texts.size(); ++i) put_text(out, at + i, texts[i]);
}

// Places a struct and returns the index of its first pointer. `data` comes trimmed.
template <typename Out>
size_t put_struct(Out& out, size_t slot, std::span<const uint64_t> data, size_t pointers) {
  if (data.empty() && pointers == 0) {
    out.put(slot, kEmptyStruct);
    return 0;
  }
  const size_t at = out.allocate(data.size() + pointers);
  out.put(slot, struct_pointer(at - slot - 1, data.size(), pointers));
  for (size_t i = 0; i < data.size(); ++i) out.put(at + i, data[i]);
  return at + data.size();
}

// Values: defined in encode_value.cc for both outputs. `depth` is the level of the values themselves, 1 at the top.
template <typename Out>
void put_value(Out& out, size_t slot, const Value& value, size_t depth);
template <typename Out>
void put_values(Out& out, size_t slot, std::span<const Value> values, size_t depth);

extern template void put_value(Sizer&, size_t, const Value&, size_t);
extern template void put_value(Writer&, size_t, const Value&, size_t);
extern template void put_values(Sizer&, size_t, std::span<const Value>, size_t);
extern template void put_values(Writer&, size_t, std::span<const Value>, size_t);

}  // namespace theater::schema::wire
