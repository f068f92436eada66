// What people and programs read: nothing a guest sent can break a line, a terminal or a JSON reader.
#include "schema/display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/schema/golden_content.h"
#include "tests/schema/random_content.h"

namespace theater::schema {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Display, EveryKind) {
  EXPECT_EQ(to_display(Value::boolean(true)), "true");
  EXPECT_EQ(to_display(Value::s8(-3)), "-3");
  EXPECT_EQ(to_display(Value::u64(std::numeric_limits<uint64_t>::max())), "18446744073709551615");
  EXPECT_EQ(to_display(Value::f32(0.1f)), "0.1");
  EXPECT_EQ(to_display(Value::f64(std::numeric_limits<double>::quiet_NaN())), "nan");
  EXPECT_EQ(to_display(Value::f64(-std::numeric_limits<double>::infinity())), "-inf");
  EXPECT_EQ(to_display(Value::character(U'é')), "'é'");
  EXPECT_EQ(to_display(Value::character(U'\n')), "'\\n'");
  EXPECT_EQ(to_display(Value::character(U'\'')), "'\\''");
  EXPECT_EQ(to_display(Value::string("a \"b\"\n")), "\"a \\\"b\\\"\\n\"");
  EXPECT_EQ(to_display(Value::bytes({'h', 'i', 0, 0xFF})), "\"hi\\x00\\xff\"");
  EXPECT_EQ(to_display(Value::list({Value::u16(1), Value::u16(2)})), "[1, 2]");
  EXPECT_EQ(to_display(Value::tuple({Value::u8(1), Value::string("x")})), "(1, \"x\")");
  EXPECT_EQ(to_display(Value::record({{"name", Value::string("x")}, {"size", Value::u8(3)}})),
            "{name: \"x\", size: 3}");
  EXPECT_EQ(to_display(Value::variant("circle", Value::u8(2))), "circle(2)");
  EXPECT_EQ(to_display(Value::variant("point")), "point");
  EXPECT_EQ(to_display(Value::enumeration("red")), "red");
  EXPECT_EQ(to_display(Value::none()), "none");
  EXPECT_EQ(to_display(Value::some(Value::list({Value::u16(1)}))), "some([1])");
  EXPECT_EQ(to_display(Value::ok()), "ok");
  EXPECT_EQ(to_display(Value::err(Value::string("no"))), "err(\"no\")");
  EXPECT_EQ(to_display(Value::flags({"read", "write"})), "{read, write}");
  EXPECT_EQ(to_display(Value::reference({Hash{{0x3F, 0xA0}}, 4711, Value::Kind::kBytes})),
            "<4711 B sha256:3fa000000000…>");
  EXPECT_EQ(to_display(Value::secret({Hash{{0x3F}}})), "<secret 3f0000000000…>");
}

TEST(Display, CutsAtCharacters) {
  EXPECT_EQ(to_display(Value::string("abcdef"), 8), "\"abcdef\"");
  EXPECT_EQ(to_display(Value::string("abcdef"), 7), "\"abcde…");
  EXPECT_EQ(to_display(Value::string("ééééé"), 4), "\"éé…");
  EXPECT_EQ(to_display(Value::string(std::string(100'000, 'x')), 3), "\"x…");
  EXPECT_EQ(to_display(Value::list(std::vector<Value>(100'000, Value::u32(1))), 5), "[1, …");
  EXPECT_EQ(to_display(Value::string("x"), 1), "…");
}

TEST(Display, LinesOfTheGoldenChain) {
  std::vector<std::string> lines;
  for (const GoldenEvent& golden : golden_chain()) lines.push_back(to_line(*decode_event(golden.event.bytes)));
  EXPECT_THAT(lines[0], HasSubstr("0  genesis  \"counter\" package "));
  EXPECT_THAT(lines[0], HasSubstr("quorum after 808182838485 by 606162636465 request req-1"));
  EXPECT_EQ(
      lines[1],
      "1  theater:simple/message-server-client@0.1.0/handle-request  (some(\"41\"), (\"operator\", \"add 1\")) from "
      "a0a1a2a3a4a5 event 17");
  EXPECT_EQ(lines[2], "2  theater:simple/runtime@0.1.0/log  (\"hello\")");
  EXPECT_EQ(lines[3], "3  theater:simple/random@0.1.0/u64  () -> 81985529216486895");
  EXPECT_EQ(lines[4], "4  example:web/client@0.1.0/post  (\"https://example.org\", \"\\x01\\x02\\x03\") outside");
  EXPECT_EQ(lines[5], "5  example:web/client@0.1.0/post  -> ok(204)");
  EXPECT_EQ(lines[6],
            "6  theater:simple/message-server-client@0.1.0/handle-request  -> ok((some(\"42\"), (some(\"42\"))))");
  EXPECT_EQ(lines[7], "7  resumed  node 212223242526 call interrupted unknown:4 dropped:timers");
  EXPECT_EQ(lines[8], "8  subscription-added  {auditor: \"a\", strict: true}");
  EXPECT_EQ(lines[9], "9  shutdown  stop none by the command line");
  EXPECT_EQ(lines[10], "9  WasmError  trap: unreachable");
}

TEST(Display, NoControlCharacterReachesTheTerminal) {
  for (uint64_t seed = 0; seed < 5'000; ++seed) {
    RandomContent random(seed);
    const Event event = random.event();
    for (const size_t width : {size_t{0}, size_t{40}}) {
      const std::string line = to_line(event, width);
      ASSERT_TRUE(is_utf8(as_bytes(line))) << "seed " << seed;
      for (const char c : line) ASSERT_GE(static_cast<uint8_t>(c), 0x20) << "seed " << seed;
    }
  }
}

TEST(Json, Strings) {
  EXPECT_EQ(json_string("a\"\\\n\x7F é"), "\"a\\\"\\\\\\u000a\\u007f é\"");
  EXPECT_EQ(json_string("\xFFx\xE2\x82"), "\"\uFFFDx\uFFFD\uFFFD\"");
  EXPECT_EQ(json_string(""), "\"\"");
}

TEST(Json, Values) {
  EXPECT_EQ(to_json(Value::u64(uint64_t{1} << 53)), "9007199254740992");
  EXPECT_EQ(to_json(Value::u64((uint64_t{1} << 53) + 1)), "\"9007199254740993\"");
  EXPECT_EQ(to_json(Value::s64(-(int64_t{1} << 53) - 1)), "\"-9007199254740993\"");
  EXPECT_EQ(to_json(Value::s64(std::numeric_limits<int64_t>::min())), "\"-9223372036854775808\"");
  EXPECT_EQ(to_json(Value::f64(std::numeric_limits<double>::infinity())), "\"Infinity\"");
  EXPECT_EQ(to_json(Value::f32(0.1f)), "0.1");
  EXPECT_EQ(to_json(Value::character(U'é')), "\"é\"");
  EXPECT_EQ(to_json(Value::bytes(to_bytes("hi"))), "{\"bytes\":\"aGk=\",\"text\":\"hi\"}");
  EXPECT_EQ(to_json(Value::bytes({0xFF, 0xFE, 0xFD})), "{\"bytes\":\"//79\"}");
  EXPECT_EQ(to_json(Value::record({{"n", Value::list({Value::u16(1), Value::u16(2)})}})), "{\"n\":[1,2]}");
  EXPECT_EQ(to_json(Value::tuple({Value::none(), Value::some(Value::none())})), "[null,{\"some\":null}]");
  EXPECT_EQ(to_json(Value::variant("c", Value::u8(1))), "{\"case\":\"c\",\"value\":1}");
  EXPECT_EQ(to_json(Value::variant("c")), "{\"case\":\"c\",\"value\":null}");
  EXPECT_EQ(to_json(Value::ok()), "{\"ok\":null}");
  EXPECT_EQ(to_json(Value::err(Value::string("x"))), "{\"err\":\"x\"}");
  EXPECT_EQ(to_json(Value::flags({"a", "b"})), "[\"a\",\"b\"]");
  EXPECT_THAT(to_json(Value::reference({Hash{}, 9, Value::Kind::kString})), HasSubstr("\"length\":9"));
}

TEST(Json, AnEvent) {
  const auto chain = golden_chain();
  const std::string json = to_json(*decode_event(chain[2].event.bytes), chain[2].event.hash);
  EXPECT_EQ(json, str_cat("{\"sequence\":2,\"type\":\"theater:simple/runtime@0.1.0/log\",\"kind\":\"host-call\","
                          "\"time\":\"2026-11-24T06:00:00.000002000Z\",\"actor\":\"",
                          chain[0].event.hash.hex(), "\",\"incarnation\":0,\"hash\":\"", chain[2].event.hash.hex(),
                          "\",\"parent\":\"", chain[1].event.hash.hex(),
                          "\",\"effect\":\"none\",\"args\":[\"hello\"],\"results\":[]}"));
  const std::string genesis = to_json(*decode_event(chain[0].event.bytes), chain[0].event.hash);
  EXPECT_THAT(genesis, HasSubstr("\"actor\":\"" + chain[0].event.hash.hex()));
  EXPECT_THAT(genesis, Not(HasSubstr("\"parent\"")));
}

}  // namespace
}  // namespace theater::schema
