// Configuration files: strict, and every refusal says where and what would be right.
#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theater {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const Config& config) {
  const auto finished = config.finish();
  return finished.ok() ? "" : finished.error().message;
}

Config parsed(std::string_view text) {
  auto config = Config::parse(text, "m.toml");
  CHECK(config.ok(), config.error().message);
  return std::move(config).value();
}

TEST(ConfigTest, ReadsEveryKindOfValue) {
  const auto config = parsed(R"(
name = "counter"
gated = true
workers = 4
tags = ["a", "b"]
[limits]
memory = "64 MiB"
stack = 4096
timeout = "30 s"
[[handler]]
type = "runtime"
[[handler]]
type = "timing"
)");
  const auto root = config.root();
  EXPECT_EQ(root.required_text("name"), "counter");
  EXPECT_TRUE(root.boolean("gated", false));
  EXPECT_EQ(root.number("workers", 0), 4u);
  EXPECT_THAT(root.texts("tags"), ElementsAre("a", "b"));
  const auto limits = root.table("limits");
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->size_bytes("memory", 0), 64u << 20);
  EXPECT_EQ(limits->size_bytes("stack", 0), 4096u);
  EXPECT_EQ(limits->duration_ms("timeout", 0), 30'000u);
  std::vector<std::string> types;
  for (const auto& handler : root.tables("handler")) types.push_back(handler.required_text("type"));
  EXPECT_THAT(types, ElementsAre("runtime", "timing"));
  EXPECT_EQ(error_of(config), "");
}

TEST(ConfigTest, AbsentKeysGiveTheDefault) {
  const auto config = parsed("");
  EXPECT_EQ(config.root().text("name", "x"), "x");
  EXPECT_EQ(config.root().number("n", 7), 7u);
  EXPECT_FALSE(config.root().table("limits"));
  EXPECT_TRUE(config.root().tables("handler").empty());
  EXPECT_EQ(error_of(config), "");
}

TEST(ConfigTest, AnUnknownKeyIsRefusedWithPlaceAndTheNearestKnownOne) {
  const auto config = parsed("name = \"x\"\npackge = \"y\"\n");
  config.root().text("name");
  config.root().text("package");
  EXPECT_EQ(error_of(config), "m.toml:2:1: unknown key 'packge'; did you mean 'package'?");
}

TEST(ConfigTest, AnUnknownKeyFarFromAllOthersListsThem) {
  const auto config = parsed("zzzzzzzz = 1\n");
  config.root().text("name");
  EXPECT_EQ(error_of(config), "m.toml:1:1: unknown key 'zzzzzzzz'; known here: name");
}

TEST(ConfigTest, UnknownKeysInTablesAndArraysOfTablesAreFound) {
  const auto config = parsed("[limits]\nmemroy = 1\n");
  config.root().table("limits")->size_bytes("memory", 0);
  EXPECT_EQ(error_of(config), "m.toml:2:1: unknown key 'memroy'; did you mean 'memory'?");

  const auto other = parsed("[[handler]]\ntype = \"a\"\n[[handler]]\n  tipe = \"b\"\n");
  for (const auto& handler : other.root().tables("handler")) handler.text("type");
  EXPECT_EQ(error_of(other), "m.toml:4:3: unknown key 'tipe'; did you mean 'type'?");
}

TEST(ConfigTest, AnUnknownTableIsRefusedOnce) {
  const auto config = parsed("[limit]\nmemory = 1\n");
  config.root().table("limits");
  EXPECT_EQ(error_of(config), "m.toml:1:2: unknown key 'limit'; did you mean 'limits'?");
}

TEST(ConfigTest, AWrongTypeSaysWhichOneWasExpected) {
  const auto config = parsed("name = 5\n");
  EXPECT_EQ(config.root().text("name", "x"), "x");
  EXPECT_EQ(error_of(config), "m.toml:1:8: 'name' must be a string; here is a number");

  const auto number = parsed("n = 1.5\n");
  number.root().number("n", 0);
  EXPECT_EQ(error_of(number), "m.toml:1:5: 'n' must be a whole number; here is a number with a fraction");

  const auto table = parsed("limits = 1\n");
  EXPECT_FALSE(table.root().table("limits"));
  EXPECT_EQ(error_of(table), "m.toml:1:10: 'limits' must be a table, written [limits]; here is a number");

  const auto tables = parsed("[handler]\ntype = \"a\"\n");
  EXPECT_TRUE(tables.root().tables("handler").empty());
  EXPECT_THAT(error_of(tables), HasSubstr("an array of tables, each written [[handler]]; here is a table"));

  const auto texts = parsed("t = [\"a\", 1]\n");
  texts.root().texts("t");
  EXPECT_EQ(error_of(texts), "m.toml:1:11: 't' must be an array of strings; here is a number");
}

TEST(ConfigTest, TheFirstErrorInTheFileIsReported) {
  const auto config = parsed("a = 1\nb = 2\n");
  config.root().text("b");
  config.root().text("a");
  EXPECT_THAT(error_of(config), HasSubstr("m.toml:1:5"));
}

TEST(ConfigTest, SizesAndDurationsNeedUnitsThatExist) {
  EXPECT_EQ(parse_size_bytes("1 GiB"), uint64_t{1} << 30);
  EXPECT_EQ(parse_size_bytes("5"), 5u);
  EXPECT_FALSE(parse_size_bytes("5 MB"));
  EXPECT_FALSE(parse_size_bytes("-5 B"));
  EXPECT_FALSE(parse_size_bytes(""));
  EXPECT_FALSE(parse_size_bytes("99999999999 TiB"));
  EXPECT_EQ(parse_duration_ms("2 h"), 7'200'000u);
  EXPECT_EQ(parse_duration_ms("250ms"), 250u);
  EXPECT_FALSE(parse_duration_ms("30"));
  EXPECT_FALSE(parse_duration_ms("30 days"));

  const auto config = parsed("memory = \"64 MB\"\ntimeout = 30\n");
  config.root().size_bytes("memory", 1);
  EXPECT_THAT(error_of(config), HasSubstr("m.toml:1:10: 'memory' is no size"));
  config.root().duration_ms("timeout", 1);
}

TEST(ConfigTest, BoundsAreHeld) {
  const auto config = parsed("n = -1\n");
  EXPECT_EQ(config.root().number("n", 3, 1, 10), 3u);
  EXPECT_EQ(error_of(config), "m.toml:1:5: 'n' is -1; it must be from 1 to 10");
}

TEST(ConfigTest, AMissingRequiredKeySaysWhatToWrite) {
  const auto config = parsed("");
  config.root().required_text("package");
  EXPECT_THAT(error_of(config), HasSubstr("'package' is missing; write: package = \"…\""));
}

TEST(ConfigTest, AChoiceListsWhatIsAllowed) {
  const auto config = parsed("mode = \"loose\"\n");
  EXPECT_EQ(config.root().choice("mode", {"strict", "best-effort"}, "strict"), "strict");
  EXPECT_EQ(error_of(config), "m.toml:1:8: 'mode' is \"loose\", which is none of \"strict\", \"best-effort\"");
}

TEST(ConfigTest, SyntaxErrorsHaveAPlace) {
  const auto config = Config::parse("name = \"x\"\nb = = 2\n", "m.toml");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(config.error().message, HasSubstr("m.toml:2:"));
}

TEST(ConfigTest, BinaryAndHugeInputIsRefused) {
  EXPECT_FALSE(Config::parse(std::string_view("\0asm\1\0\0\0", 8), "x.wasm").ok());
  EXPECT_FALSE(Config::parse(std::string(Config::kTextMax + 1, ' '), "x").ok());
  EXPECT_FALSE(Config::parse("a = " + std::string(100'000, '['), "x").ok());
}

// Found by an attack on the command line: the recursion over the tables ended the process.
TEST(ConfigTest, AKeyOfAHundredThousandPartsIsRefused) {
  std::string key = "a";
  for (int i = 0; i < 100'000; ++i) key += ".a";
  const auto config = Config::parse("name = \"x\"\n" + key + " = 1", "m.toml");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(config.error().message, HasSubstr("m.toml:2:"));
  EXPECT_TRUE(Config::parse("text = \"" + std::string(1000, '.') + "\"", "m.toml").ok());
}

}  // namespace
}  // namespace theater
