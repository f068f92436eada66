// Text helpers shared by messages and formats: joining, hexadecimal, and escaping bytes for a terminal.
// All are pure functions; none keeps a reference to its arguments.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace theater {

using Bytes = std::vector<uint8_t>;
using BytesView = std::span<const uint8_t>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes to_bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

namespace text_detail {
inline void append(std::string& out, std::string_view part) { out.append(part); }
inline void append(std::string& out, char part) { out.push_back(part); }
template <std::same_as<bool> T>  // a template, so that a string literal doesn't decay to bool
void append(std::string& out, T part) {
  out.append(part ? "true" : "false");
}
template <typename T>
  requires(std::integral<T> && !std::same_as<T, char> && !std::same_as<T, bool>)
void append(std::string& out, T part) {
  char buffer[24];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, part);
  out.append(buffer, end.ptr);
}
inline void append(std::string& out, double part) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, part);
  out.append(buffer, end.ptr);
}
}  // namespace text_detail

// Joins strings, characters and numbers: str_cat("frame ", 7, " of ", 9).
template <typename... Parts>
std::string str_cat(const Parts&... parts) {
  std::string out;
  (text_detail::append(out, parts), ...);
  return out;
}

// What the system says to an errno. Unlike strerror(), for any thread.
std::string errno_text(int code);

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(BytesView bytes);

// The bytes of an even number of hexadecimal digits in either case, or nothing.
std::optional<Bytes> from_hex(std::string_view digits);

// Printable UTF-8 as it is; backslash, control characters and invalid bytes as \\, \n, \r, \t or \xNN, so that whatever
// a guest sent can be shown on one line of a terminal.
std::string escape(BytesView bytes);

// What a guest wrote, for a message that goes on its record: 'text' if it is plain, else "(N bytes)". Cut or escaped,
// it could show a part of a secret that nobody finds to hide it any more. Plain is what is printable as it is, and
// short.
std::string quote(std::string_view text, size_t max = 100);
bool is_plain(std::string_view text, size_t max = 100);

// At most `max` bytes of `text`, with "…" at the end if that isn't all, cut between characters. What isn't UTF-8 is
// escaped first. `max` is at least 3.
std::string shortened(std::string_view text, size_t max);

// True if `bytes` is well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF).
bool is_utf8(BytesView bytes);

}  // namespace theater
