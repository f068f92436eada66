// Joining, hexadecimal, UTF-8 and escaping: what stands in messages and on terminals.
#include "base/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace theater {
namespace {

TEST(StrCat, JoinsTextNumbersAndTruth) {
  EXPECT_EQ(str_cat("frame ", 7, " of ", 9u, '!'), "frame 7 of 9!");
  EXPECT_EQ(str_cat(std::string("a"), std::string_view("b"), true, false), "abtruefalse");
  EXPECT_EQ(str_cat(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(str_cat(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(str_cat(uint8_t{65}), "65");  // a byte is a number
  EXPECT_EQ(str_cat(1.5), "1.5");
  EXPECT_EQ(str_cat(), "");
}

TEST(Hex, ThereAndBack) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x0F, 0xA5, 0xFF}), "000fa5ff");
  EXPECT_EQ(from_hex("000fA5Ff"), (Bytes{0x00, 0x0F, 0xA5, 0xFF}));
  EXPECT_EQ(from_hex(""), Bytes{});
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0g"), std::nullopt);
  EXPECT_EQ(from_hex(" 0"), std::nullopt);
}

bool utf8(std::string_view text) { return is_utf8(as_bytes(text)); }

TEST(Utf8, WellFormed) {
  EXPECT_TRUE(utf8(""));
  EXPECT_TRUE(utf8(std::string_view("a\0b", 3)));
  EXPECT_TRUE(utf8("\u00A0\u07FF\u0800\uD7FF\uE000\uFFFD\U00010000\U0010FFFF"));
}

TEST(Utf8, Malformed) {
  for (const std::string_view text : {
           "\x80",
           "\xBF",
           "\xC3",
           "\xE2\x82",
           "\xF0\x9F\x8E",  // a stray tail byte, cut short
           "\xC0\xAF",
           "\xC1\xBF",
           "\xE0\x9F\xBF",
           "\xF0\x8F\xBF\xBF",  // overlong
           "\xED\xA0\x80",
           "\xED\xBF\xBF",
           "\xF4\x90\x80\x80",
           "\xF5\x80\x80\x80",  // surrogates, beyond U+10FFFF
           "\xFE",
           "\xFF",
           "a\xC3(",
           "\xE2\x28\xA1",
           "\xE2\x82\x28",
       }) {
    EXPECT_FALSE(utf8(text)) << to_hex(as_bytes(text));
  }
}

TEST(Text, QuotesNeitherCutNorChanged) {
  EXPECT_EQ(quote("plain é"), "'plain é'");
  EXPECT_EQ(quote("tab\t"), "(4 bytes)");
  EXPECT_EQ(quote(std::string(11, 'x'), 10), "(11 bytes)");
}

std::string escaped(std::string_view text) { return escape(as_bytes(text)); }

TEST(Escape, OneLineWithoutControlCharacters) {
  EXPECT_EQ(escaped("plain é 🎭"), "plain é 🎭");
  EXPECT_EQ(escaped("a\\b\n\r\t"), "a\\\\b\\n\\r\\t");
  EXPECT_EQ(escaped(std::string_view("\0\x1B[31m\x7F", 7)), "\\x00\\x1b[31m\\x7f");
  EXPECT_EQ(escaped("\xC2\x9B"), "\\xc2\\x9b");  // U+009B opens an escape sequence on some terminals
  EXPECT_EQ(escaped("\xC2\xA0"), "\xC2\xA0");
  EXPECT_EQ(escaped("\xFF\xE2\x82"), "\\xff\\xe2\\x82");
}

TEST(Shortened, BetweenCharacters) {
  EXPECT_EQ(shortened("", 3), "");
  EXPECT_EQ(shortened("12345678", 8), "12345678");
  EXPECT_EQ(shortened("123456789", 8), "12345…");
  EXPECT_EQ(shortened("1234é6789", 8), "1234…") << "é would be cut in the middle";
  EXPECT_EQ(shortened("ééééé", 10), "ééééé");
  EXPECT_EQ(shortened("🎭🎭🎭", 3), "…");
  EXPECT_EQ(shortened("a\xFF", 8), "a\\xff");
  EXPECT_EQ(shortened("abc\xFFgh", 8), "abc\\x…") << "what isn't UTF-8 is escaped, and that may be cut";
  std::string long_text;
  for (int i = 0; i < 3'000; ++i) long_text += "ü";
  EXPECT_TRUE(shortened(long_text, 4'000).starts_with("üüü"))
      << "it was escaped as a whole when the cut hit a character";
  EXPECT_TRUE(is_utf8(as_bytes(shortened(long_text, 4'000))));
}

}  // namespace
}  // namespace theater
