// A guest that was built for another WIT is refused when it is loaded, also where the core signatures are equal: what
// its `component-type` sections say is compared with the tables. The sections come from wit-bindgen
// (tests/guests/component_type/make.sh), or stand here as text where no generator would write them.
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "tests/wasm/guest_test_util.h"
#include "wasm/wat.h"

namespace theater::wasm {
namespace {

using schema::Effect;

constexpr const char* kName = "component-type:message-actor";

// Imports nothing; its types are the same whatever the section says.
const char* const kGuest = R"((module (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "theater:simple/actor@0.1.0#init") (param i32 i32 i32 i32 i32) (result i32) unreachable)))";

Bytes assembled(const std::string& text) {
  auto bytes = wat_to_wasm(text);
  CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
  return std::move(*bytes);
}

// A section as wit-component writes it, around what a world has.
std::string world(const std::string& items) {
  return R"((component (@custom "wit-component-encoding" "\04\00")
    (type (component (export "test:test/world" (component )" +
         items + R"()))) (export "world" (type 0))))";
}

class WorldTest : public ::testing::Test {
 protected:
  std::string said_of(BytesView section, std::string_view name = kName) {
    auto module = engine_->compile(with_section(assembled(kGuest), name, section));
    return module.ok() ? "accepted" : module.error().message;
  }
  std::string said_of_file(const std::string& name) { return said_of(section_file(name)); }
  std::string said_of_text(const std::string& text) { return said_of(assembled(text)); }

  std::unique_ptr<Engine> engine_ = make_engine();
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "says: " << (text)

TEST_F(WorldTest, TheWitOfTheSdkIsAccepted) { EXPECT_EQ(said_of_file("same"), "accepted"); }

TEST_F(WorldTest, AnotherTypeIsRefusedWithBothTypes) {
  const std::map<std::string, std::string> expected = {
      {"log_bytes",
       "imports theater:simple/runtime@0.1.0 log as func(msg: list<u8>), but it is func(msg: string), says its custom "
       "section component-type:"},
      {"log_name", "runtime@0.1.0 log as func(message: string), but it is func(msg: string)"},
      {"random_s32", "bytes as func(len: s32) -> result<list<u8>, string>, but it is func(len: u32) -> "},
      {"random_char", "bytes as func(len: char) -> result<list<u8>, string>, but it is func(len: u32) -> "},
      {"random_s64", "random@0.1.0 u64 as func() -> s64, but it is func() -> u64"},
      {"shutdown_record",
       "shutdown as func(data: option<record {text: list<u8>}>) -> result<_, string>, but it is func(data: "
       "option<list<u8>>) -> result<_, string>"},
      {"init_string",
       "exports theater:simple/actor@0.1.0#init as func(state: option<string>, params: tuple<string>) -> "
       "result<tuple<option<list<u8>>>, string>, but it is func(state: option<list<u8>>, "},
      {"request_swapped",
       "exports theater:simple/message-server-client@0.1.0#handle-request as func(state: option<list<u8>>, params: "
       "tuple<list<u8>, string>)"},
  };
  for (const auto& [name, text] : expected) EXPECT_SAYS(said_of_file(name), text) << " for " << name;
}

TEST_F(WorldTest, EverySectionIsRead) {
  const Bytes first = with_section(assembled(kGuest), "component-type:first", section_file("same"));
  const auto both = engine_->compile(with_section(first, "component-type", section_file("log_bytes")));
  ASSERT_FALSE(both.ok());
  EXPECT_SAYS(both.error().message, "func(msg: list<u8>)");
  EXPECT_EQ(said_of(section_file("log_bytes"), "other-component-type"), "accepted");
}

TEST_F(WorldTest, StringsInAnotherEncodingAreRefused) { EXPECT_SAYS(said_of_file("utf16"), "strings aren't UTF-8"); }

TEST_F(WorldTest, WhatTheTablesDontKnowIsLeftAlone) {
  EXPECT_EQ(said_of_text(world(R"(
    (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u64)))))
    (import "theater:simple/runtime@0.2.0" (instance (export "log" (func (param "line" u8)))))
    (import "run" (func))
    (export "theater:simple/runtime@0.1.0" (instance (export "log" (func))))
    (export "other" (func (param "a" string))))")),
            "accepted");
}

TEST_F(WorldTest, TypesThatTheaterDoesntHaveAreRefusedByName) {
  const auto log = [this](const std::string& before, const std::string& type) {
    return said_of_text(world("(import \"theater:simple/runtime@0.1.0\" (instance " + before +
                              "(export \"log\" (func (param \"msg\" " + type + ")))))"));
  };
  EXPECT_EQ(log("", "string"), "accepted");
  EXPECT_SAYS(log("(type (map string u8))", "0"), "func(msg: map<string, u8>)");
  EXPECT_SAYS(log("(type (list u8 4))", "0"), "func(msg: list<u8, 4>)");
  EXPECT_SAYS(log("(type (stream u8))", "0"), "func(msg: stream<u8>)");
  EXPECT_SAYS(log("(type (future))", "0"), "func(msg: future)");
  EXPECT_SAYS(log("(export \"file\" (type (sub resource))) (type (borrow 0))", "1"), "func(msg: borrow<resource>)");
  EXPECT_SAYS(said_of_text(world(R"((import "theater:simple/runtime@0.1.0" (instance
                (export "log" (func async (param "msg" string))))))")),
              "async func(msg: string)");
}

// What rpc may call is found by name and core signature, and a section that says otherwise is believed.
TEST_F(WorldTest, WhatOthersMayCall) {
  const std::string entry = "(param i32 i32 i32 i32 i32) (result i32) unreachable)";
  std::string text = kGuest;
  text.pop_back();
  text += "(func (export \"my:shop/till@1.0.0#sell\") " + entry;
  text += "(func (export \"my:shop/till@1.0.0#text\") " + entry;
  text += "(func (export \"my:shop/till@1.0.0#good-post\") " + entry;
  text += "(func (export \"cabi_post_my:shop/till@1.0.0#good-post\") (param i32))";
  text += "(func (export \"my:shop/till@1.0.0#odd-post\") " + entry;
  text += "(func (export \"cabi_post_my:shop/till@1.0.0#odd-post\"))";
  text += "(func (export \"my:shop/till@1.0.0#other\") (param i32) (result i32) unreachable)";
  text += "(func (export \"theater:simple/till@1.0.0#sell\") " + entry;
  text +=
      "(func (export \"bare\") " + entry + "(func (export \"#none\") " + entry + "(func (export \"none#\") " + entry;
  text += "(func (export \"a#b/c\") " + entry;
  text += "(func (export \"" + std::string(260, 'n') + "#long\") " + entry + ")";
  const auto names_of = [&](const Bytes& package) {
    auto module = engine_->compile(package);
    CHECK(module.ok(), module.error().message);
    std::string names;
    for (const auto& each : (*module)->callables()) {
      EXPECT_TRUE((*module)->exports(each));
      EXPECT_EQ(each.type_name,
                str_cat(each.name.substr(0, each.name.find('#')), "/", each.name.substr(each.name.find('#') + 1)));
      names += each.name.substr(each.name.find('#') + 1) + " ";
    }
    return names;
  };
  const Bytes package = assembled(text);
  EXPECT_EQ(names_of(package), "sell text good-post ");
  const std::string exports = R"(
      (type (list u8)) (type (option 0)) (type (tuple 0)) (type (tuple 1)) (type (tuple 1 3))
      (type (result 4 (error string)))
      (export "sell" (func (param "state" 1) (param "params" 2) (result 5)))
      (export "text" (func (param "state" 1) (param "params" (tuple string)) (result 5))))";
  const auto section = [&](std::string types) {
    const size_t at = types.find("(tuple string)");
    types.replace(at, 14, "6");
    types.insert(types.find("(export"), "(type (tuple string)) ");
    return assembled(world("(export \"my:shop/till@1.0.0\" (instance " + types + "))"));
  };
  EXPECT_EQ(names_of(with_section(package, kName, section(exports))), "sell good-post ");
}

TEST_F(WorldTest, WhatIsNoWorldIsRefused) {
  EXPECT_SAYS(said_of({}), "can't be read");
  EXPECT_SAYS(said_of(as_bytes("hello, world")), "can't be read");
  EXPECT_SAYS(said_of(assembled(kGuest)), "can't be read");
  EXPECT_SAYS(said_of_text("(component)"), "format 4");
  EXPECT_SAYS(said_of_text(R"((component (@custom "wit-component-encoding" "\03\00")))"), "format 4");
  EXPECT_SAYS(said_of_text(R"((component (@custom "wit-component-encoding" "\04\00")))"), "0 exports");
  EXPECT_SAYS(said_of_text(R"((component (@custom "wit-component-encoding" "\04\00")
                (type u8) (export "a" (type 0))))"),
              "isn't a component type");
  EXPECT_SAYS(said_of_text(R"((component (@custom "wit-component-encoding" "\04\00")
                (type (component)) (export "a" (type 0))))"),
              "isn't the type of a world");
  EXPECT_SAYS(said_of_text(R"((component (@custom "wit-component-encoding" "\04\00") (core module)))"),
              "more than the type of a world");
  // wit-bindgen's own, with a byte after it or cut anywhere but before the names of its producers, which come last.
  const Bytes whole = section_file("same");
  size_t accepted = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string said = said_of(BytesView(whole).first(size));
    if (said == "accepted")
      ++accepted;
    else
      ASSERT_NE(said.find("can't be read"), std::string::npos) << size << " bytes: " << said;
  }
  EXPECT_EQ(accepted, 1u);
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_SAYS(said_of(longer), "can't be read");
}

// Any flipped bit gives an answer, never a crash: accepted where it means nothing (names of functions that become
// unknown, of producers), refused elsewhere.
TEST_F(WorldTest, FlippedBitsNeverCrash) {
  const Bytes whole = section_file("same");
  size_t accepted = 0;
  for (size_t at = 0; at < whole.size(); ++at) {
    Bytes flipped = whole;
    flipped[at] ^= static_cast<uint8_t>(1u << (at % 8));
    accepted += said_of(flipped) == "accepted" ? 1 : 0;
  }
  EXPECT_GT(accepted, 0u);
  EXPECT_LT(accepted, whole.size() / 2);
}

TEST_F(WorldTest, TypesThatGrowWithoutEndAreRefused) {
  // Each type is a pair of the one before: 2^30 words as text.
  std::string pairs = "(type (tuple string string))";
  for (int i = 0; i < 30; ++i) pairs += str_cat("(type (tuple ", i, " ", i, "))");
  EXPECT_SAYS(said_of_text(world("(import \"a:b/c\" (instance " + pairs + "(export \"f\" (func (param \"x\" 30)))))")),
              "can't be read");
  // As many times a long one as the text may be, and once more.
  std::string fields;
  for (int i = 0; i < 500; ++i) fields += str_cat("(field \"f", i, "\" string)");
  std::string functions = "(type (record " + fields + ")) (export \"r\" (type (eq 0)))";
  for (int i = 0; i < 1000; ++i) functions += str_cat("(export \"f", i, "\" (func (param \"x\" 1)))");
  EXPECT_SAYS(said_of_text(world("(import \"a:b/c\" (instance " + functions + "))")), "4 MiB as text");
  // Deeper than any type may be.
  std::string lists = "(type (list u8))";
  for (int i = 0; i < 1000; ++i) lists += str_cat("(type (list ", i, "))");
  EXPECT_SAYS(
      said_of_text(world("(import \"a:b/c\" (instance " + lists + "(export \"f\" (func (param \"x\" 1000)))))")),
      "can't be read");
}

}  // namespace
}  // namespace theater::wasm
