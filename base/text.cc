#include "base/text.h"

#include <cstring>

namespace theater {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// The length of the well-formed UTF-8 sequence at the front of `bytes`, or 0. Ranges: Unicode 15, table 3-7.
size_t utf8_length(BytesView bytes) {
  const uint8_t first = bytes[0];
  if (first < 0x80) return 1;
  size_t length;
  uint8_t second_min = 0x80, second_max = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) second_min = 0xA0;
    if (first == 0xED) second_max = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) second_min = 0x90;
    if (first == 0xF4) second_max = 0x8F;
  } else {
    return 0;
  }
  if (bytes.size() < length || bytes[1] < second_min || bytes[1] > second_max) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (bytes[i] < 0x80 || bytes[i] > 0xBF) return 0;
  }
  return length;
}

void append_hex(std::string& out, uint8_t byte) {
  out.push_back(kDigits[byte >> 4]);
  out.push_back(kDigits[byte & 15]);
}

}  // namespace

std::string errno_text(int code) {
  char buffer[256];
  return strerror_r(code, buffer, sizeof buffer);  // glibc's, which returns the text
}

std::string to_hex(BytesView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) append_hex(out, byte);
  return out;
}

std::optional<Bytes> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int high = digit_value(digits[i]);
    const int low = digit_value(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return out;
}

bool is_plain(std::string_view text, size_t max) { return text.size() <= max && escape(as_bytes(text)) == text; }

std::string quote(std::string_view text, size_t max) {
  return is_plain(text, max) ? str_cat("'", text, "'") : str_cat("(", text.size(), " bytes)");
}

std::string escape(BytesView bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = utf8_length(bytes);
    const uint8_t first = bytes[0];
    const bool c1_control = length == 2 && first == 0xC2 && bytes[1] < 0xA0;
    if (first == '\\') {
      out += "\\\\";
    } else if (first == '\n') {
      out += "\\n";
    } else if (first == '\r') {
      out += "\\r";
    } else if (first == '\t') {
      out += "\\t";
    } else if (length == 0 || c1_control || first < 0x20 || first == 0x7F) {
      out += "\\x";
      append_hex(out, first);
      bytes = bytes.subspan(1);
      continue;
    } else {
      out += as_text(bytes.first(length));
    }
    bytes = bytes.subspan(length);
  }
  return out;
}

std::string shortened(std::string_view text, size_t max) {
  constexpr std::string_view kMore = "…";
  std::string shown = is_utf8(as_bytes(text)) ? std::string(text) : escape(as_bytes(text));
  if (shown.size() <= max) return shown;
  size_t end = max - kMore.size();
  while (end > 0 && (static_cast<uint8_t>(shown[end]) & 0xC0) == 0x80) --end;
  shown.resize(end);
  return shown += kMore;
}

bool is_utf8(BytesView bytes) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  while (!bytes.empty()) {
    // Most text is ASCII: eight bytes at a time.
    if (bytes.size() >= 8) {
      uint64_t eight;
      std::memcpy(&eight, bytes.data(), sizeof eight);
      if ((eight & kHighBits) == 0) {
        bytes = bytes.subspan(8);
        continue;
      }
    }
    const size_t length = utf8_length(bytes);
    if (length == 0) return false;
    bytes = bytes.subspan(length);
  }
  return true;
}

}  // namespace theater
