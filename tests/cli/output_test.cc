// Rules of cli/output.h: what data and messages look like.
#include "cli/output.h"

#include <gtest/gtest.h>

namespace theater::cli {
namespace {

TEST(Output, JsonLinesAreObjects) {
  EXPECT_EQ(JsonLine().str(), "{}");
  EXPECT_EQ(JsonLine().text("a", "x\"\n").number("b", 7).boolean("c", false).raw("d", "[1]").str(),
            R"({"a":"x\"\u000a","b":7,"c":false,"d":[1]})");
  EXPECT_EQ(json_array({}), "[]");
  EXPECT_EQ(json_array({"1", "\"a\""}), R"([1,"a"])");
}

// A message may quote what a guest or a file says.
TEST(Output, ErrorsLetNoControlCharactersThroughToTheTerminal) {
  testing::internal::CaptureStderr();
  print_error("a\033[2Jb\r\x07\xc2\x9b\xff c\\n\nnext é");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "error: a\\x1b[2Jb\\r\\x07\\xc2\\x9b\\xff c\\n\nnext é\n");
}

TEST(Output, TimesAreUtc) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_time(1'700'000'000'999'999'999), "2023-11-14T22:13:20Z");
}

TEST(Output, CountsHaveAPlural) {
  EXPECT_EQ(counted(0, "event"), "0 events");
  EXPECT_EQ(counted(1, "event"), "1 event");
  EXPECT_EQ(counted(2, "event"), "2 events");
}

TEST(Output, TablesAlignByCodePoints) {
  testing::internal::CaptureStdout();
  print_table({{"A", "B"}, {"é", "x"}, {"long", "y"}});
  std::fflush(stdout);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "A     B\né     x\nlong  y\n");
}

}  // namespace
}  // namespace theater::cli
