// The words of Cap'n Proto's encoding that writer and reader share. Internal to schema/.
//
// A message is one segment of 64-bit little-endian words, the first of which points to the root struct. Only what
// canonical form needs is here: struct pointers, list pointers, no far pointers, no capabilities.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/text.h"

namespace theater::schema::wire {

static_assert(std::endian::native == std::endian::little,
              "words are copied as they are; a big-endian host needs swaps");

inline constexpr size_t kWord = 8;  // bytes

// The element size of a list, as its pointer states it.
enum ListKind : uint64_t { kByteList = 2, kWordList = 5, kPointerList = 6, kStructList = 7 };

// A struct without data and pointers points to itself, one word back.
inline constexpr uint64_t kEmptyStruct = 0xFFFF'FFFC;

inline constexpr uint64_t struct_pointer(size_t offset, size_t data_words, size_t pointers) {
  return uint64_t{static_cast<uint32_t>(offset << 2)} | uint64_t{data_words} << 32 | uint64_t{pointers} << 48;
}
inline constexpr uint64_t list_pointer(size_t offset, ListKind kind, size_t count) {
  return uint64_t{static_cast<uint32_t>(offset << 2)} | 1 | uint64_t{kind} << 32 | uint64_t{count} << 35;
}

inline constexpr size_t kListCountMax = (size_t{1} << 29) - 1;
inline constexpr size_t words_for(size_t bytes) { return (bytes + kWord - 1) / kWord; }

// The number of words without the trailing ones that are zero.
inline size_t trimmed(const uint64_t* words, size_t count) {
  while (count > 0 && words[count - 1] == 0) --count;
  return count;
}

inline uint64_t load_word(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, kWord);
  return word;
}

// is_utf8(), with a short way for what nearly all text is: ASCII.
inline bool is_text(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  uint64_t high_bits = 0;
  size_t i = 0;
  for (; i + kWord <= text.size(); i += kWord) high_bits |= load_word(bytes + i);
  for (; i < text.size(); ++i) high_bits |= bytes[i];
  return (high_bits & 0x8080'8080'8080'8080) == 0 || is_utf8(as_bytes(text));
}

// Numbers on the wire that event and value codecs share.
inline constexpr size_t kEventDataWords = 11;
inline constexpr size_t kNonceSize = 16;

}  // namespace theater::schema::wire
