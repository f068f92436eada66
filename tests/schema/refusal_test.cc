// Each rule of docs/formats/event.md and value.md that a decoder holds, broken in one place: refused, with the reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/codec.h"

namespace theater::schema {
namespace {

using testing::HasSubstr;

constexpr size_t kWord = 8;

uint64_t word_at(const Bytes& bytes, size_t index) {
  uint64_t word;
  std::memcpy(&word, bytes.data() + index * kWord, kWord);
  return word;
}
void set_word(Bytes& bytes, size_t index, uint64_t word) { std::memcpy(bytes.data() + index * kWord, &word, kWord); }

std::string reason(const Bytes& event) {
  const auto checked = check_event(event);
  const auto decoded = decode_event(event);
  EXPECT_EQ(checked.ok(), decoded.ok());
  if (checked.ok()) return "accepted";
  EXPECT_EQ(checked.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(checked.error().message, decoded.error().message);
  return checked.error().message;
}
std::string value_reason(const Bytes& value) {
  const auto decoded = decode_value(value);
  return decoded.ok() ? "accepted" : decoded.error().message;
}

Header header_of(std::string_view type, uint64_t sequence = 5) {
  Header header;
  header.sequence = sequence;
  header.time_ns = 1;
  header.type = type;
  if (sequence > 0) {
    header.actor.bytes.fill(0xAA);
    header.parent.bytes.fill(0xBB);
  }
  return header;
}
Bytes encoded(const Header& header, const Body& body) {
  Bytes bytes;
  encode_event(header, body, bytes);
  EXPECT_EQ(reason(bytes), "accepted");
  return bytes;
}
Bytes log_event() { return encoded(header_of("i/log"), HostCall{Effect::kNone, {Value::string("hello")}, {}}); }

Genesis genesis_of(Origin requested_by) {
  Genesis genesis;
  genesis.name = "a";
  genesis.node = PublicKey{{1}};
  genesis.audit = {AuditMode::kBestEffort, 0, 1, true};
  genesis.requested_by = std::move(requested_by);
  return genesis;
}

// The words of log_event(): 0 root, 1-11 data, 12 type, 13 body, 14 "i/log", 15 the call's args, 16 the list's tag,
// 17 the value's data, 18 the value's pointer, 19 "hello".
constexpr size_t kDataWord = 1, kTypePointer = 12, kBodyPointer = 13, kTypeText = 14, kArgsPointer = 15, kListTag = 16,
                 kValueData = 17, kValuePointer = 18, kHello = 19;

TEST(Refusal, TheLogEventIsLaidOutAsTheseTestsThink) {
  const Bytes bytes = log_event();
  ASSERT_EQ(bytes.size(), 20 * kWord);
  EXPECT_EQ(as_text(BytesView(bytes).subspan(kTypeText * kWord, 6)), std::string_view("i/log\0", 6));
  EXPECT_EQ(as_text(BytesView(bytes).subspan(kHello * kWord, 6)), std::string_view("hello\0", 6));
}

struct Break {
  const char* name;
  size_t word;
  uint64_t flip;
  const char* reason;
};

TEST(Refusal, OneWordOfAnEventIsWrong) {
  const Break breaks[] = {
      {"null root", 0, 0, "root pointer"},
      {"root is a list", 0, 1, "not a pointer to a struct"},
      {"root is a far pointer", 0, 2, "not a pointer to a struct"},
      {"root points elsewhere", 0, 1 << 2, "canonical order"},
      {"root has an unknown data word", 0, uint64_t{11 ^ 12} << 32, "unknown fields"},
      {"version", kDataWord, 1 ^ 2, "version"},
      {"body kind", kDataWord, uint64_t{3 ^ 9} << 16, "unknown kind"},
      {"type is no list", kTypePointer, 1, "not a pointer to a list"},
      {"type is a list of words", kTypePointer, uint64_t{0x2 ^ 0x5} << 32, "another element size"},
      {"type is longer than its text", kTypePointer, uint64_t{6 ^ 7} << 35, "accepted"},  // "i/log\0" is a text
      {"type ends early", kTypePointer, uint64_t{6 ^ 5} << 35, "no zero byte after the text"},
      {"type goes beyond the end", kTypePointer, uint64_t{1} << 63, "beyond the end"},
      {"type's padding", kTypeText, uint64_t{1} << 63, "padding that isn't zero"},
      {"type's zero byte", kTypeText, uint64_t{'x'} << 40, "no zero byte after the text"},
      {"type isn't UTF-8", kTypeText, 0x80, "isn't UTF-8"},
      {"body points elsewhere", kBodyPointer, 1 << 2, "canonical order"},
      {"body has data before its pointers", kBodyPointer, uint64_t{1} << 32, "effect: unknown"},
      {"args is no list", kArgsPointer, 3, "not a pointer to a list"},
      {"args is a list of bytes", kArgsPointer, uint64_t{7 ^ 2} << 32, "another element size"},
      {"args has another length", kArgsPointer, uint64_t{0x2 ^ 0x3} << 35, "contradicts its length"},
      {"args' tag counts more", kListTag, uint64_t{1 ^ 2} << 2, "contradicts its length"},
      {"args' tag is a list's", kListTag, 1, "isn't a struct's"},
      {"args' elements are wider", kListTag, uint64_t{1 ^ 3} << 32, "unknown fields"},
      {"value kind 0", kValueData, 13, "wider than the widest"},
      {"value kind 25", kValueData, 13 ^ 25, "unknown kind"},
      {"value with data it doesn't use", kValueData, uint64_t{1} << 16, "doesn't use"},
      {"value's pointer elsewhere", kValuePointer, 1 << 2, "canonical order"},
      {"text isn't UTF-8", kHello, 0x80, "isn't UTF-8"},
  };
  for (const Break& one : breaks) {
    Bytes bytes = log_event();
    const bool to_null = one.flip == 0;
    set_word(bytes, one.word, to_null ? 0 : word_at(bytes, one.word) ^ one.flip);
    EXPECT_THAT(reason(bytes), HasSubstr(one.reason)) << one.name;
  }
}

TEST(Refusal, EverythingOfAnEventMissing) {
  EXPECT_THAT(reason({}), HasSubstr("it is empty"));
  EXPECT_THAT(reason(Bytes(7)), HasSubstr("whole number of words"));
  EXPECT_THAT(reason(Bytes(8)), HasSubstr("root pointer is null"));
  Bytes no_type = log_event();
  set_word(no_type, kTypePointer, 0);
  EXPECT_THAT(reason(no_type), HasSubstr("type is empty"));
  Bytes empty_struct = Bytes(8);
  set_word(empty_struct, 0, 0xFFFF'FFFC);
  EXPECT_THAT(reason(empty_struct), HasSubstr("version"));
}

TEST(Refusal, TooLong) {
  const Bytes large = [&] {
    Bytes bytes;
    encode_event(header_of("i/f"), HostCall{Effect::kNone, {Value::bytes(Bytes(kEventSizeMax, 1))}, {}}, bytes);
    return bytes;
  }();
  EXPECT_THAT(reason(large), HasSubstr("more than the 65536 allowed"));
}

TEST(Refusal, GenesisIsSequenceZeroAndNothingElseIs) {
  Bytes later = log_event();
  set_word(later, kDataWord + 1, 0);
  EXPECT_THAT(reason(later), HasSubstr("only genesis, has sequence 0"));

  const Bytes genesis = encoded(header_of(kTypeGenesis, 0), genesis_of({}));
  ASSERT_EQ(word_at(genesis, 0) >> 32 & 0xFFFF, 3u);  // data ends with the time: no actor, no parent
  Bytes numbered = genesis;
  set_word(numbered, 2, 1);
  EXPECT_THAT(reason(numbered), HasSubstr("only genesis, has sequence 0"));
}

TEST(Refusal, GenesisWithActorOrParent) {
  // Another kind's event, made into a genesis: the words of actor and parent stay.
  Bytes bytes = encoded(header_of("xxxxxxx"), Fact{});
  set_word(bytes, kDataWord, word_at(bytes, kDataWord) & ~uint64_t{0xFFFF'0000});
  set_word(bytes, kDataWord + 1, 0);
  std::memcpy(bytes.data() + kTypeText * kWord, "genesis", 7);
  EXPECT_THAT(reason(bytes), HasSubstr("genesis names an actor"));
  for (size_t i = 0; i < 4; ++i) set_word(bytes, kDataWord + 3 + i, 0);
  EXPECT_THAT(reason(bytes), HasSubstr("genesis names a parent"));
}

TEST(Refusal, TypesThatBelongToOtherBodies) {
  const auto retyped = [](Bytes bytes, std::string_view type) {
    std::memcpy(bytes.data() + kTypeText * kWord, type.data(), type.size());
    return reason(bytes);
  };
  EXPECT_THAT(retyped(encoded(header_of(kTypeShutdown), Shutdown{}), "Shutdown"), HasSubstr("doesn't belong"));
  EXPECT_THAT(retyped(encoded(header_of(kTypeError), ErrorBody{}), "wasmerror"), HasSubstr("doesn't belong"));
  EXPECT_THAT(retyped(encoded(header_of(kTypeResumed), Resumed{}), "Resumed"), HasSubstr("doesn't belong"));
  EXPECT_THAT(retyped(encoded(header_of("Shutdown"), WasmCall{}), kTypeShutdown), HasSubstr("doesn't belong"));
  EXPECT_THAT(retyped(encoded(header_of("Resumed"), Fact{}), kTypeResumed), HasSubstr("doesn't belong"));
}

TEST(Refusal, UnknownEnumsAndFlags) {
  const auto with_first_body_word = [](std::string_view type, const Body& body, uint64_t word) {
    Bytes bytes = encoded(header_of(type), body);
    const size_t at = kTypeText + (type.size() + kWord) / kWord;
    set_word(bytes, at, word);
    return reason(bytes);
  };
  EXPECT_THAT(with_first_body_word("i/f", HostCall{Effect::kOutside, {}, {}}, 2), HasSubstr("effect: unknown"));
  EXPECT_THAT(with_first_body_word("i/f", HostReturn{Outcome::kUnknown, {}}, 2), HasSubstr("outcome: unknown"));
  EXPECT_THAT(with_first_body_word(kTypeError, ErrorBody{ErrorKind::kKilled, "", 0, false, {}}, 6),
              HasSubstr("error kind: unknown"));
  EXPECT_THAT(with_first_body_word(kTypeError, ErrorBody{ErrorKind::kKilled, "", 0, false, {}}, 1 | 2 << 16),
              HasSubstr("neither yes nor no"));
  EXPECT_THAT(with_first_body_word(kTypeResumed, Resumed{PublicKey{{1}}, {}, true, {}, {}, {}}, 2),
              HasSubstr("neither yes nor no"));
}

TEST(Refusal, UnknownAuditModesAndOrigins) {
  const Bytes genesis = encoded(header_of(kTypeGenesis, 0), genesis_of(Operator{PublicKey{{2}}, "r"}));
  // 0 root, 1-3 data, 4-5 pointers, 6 "genesis", 7-12 data of genesis, 13-14 pointers, 15 "a", 16-18 origin, 19 "r"
  constexpr size_t kFirst = 7, kOrigin = 16;
  Bytes broken = genesis;
  set_word(broken, kFirst, word_at(broken, kFirst) + 1);
  EXPECT_THAT(reason(broken), HasSubstr("audit mode: unknown"));
  broken = genesis;
  set_word(broken, kFirst, word_at(broken, kFirst) | uint64_t{1} << 49);
  EXPECT_THAT(reason(broken), HasSubstr("gated: neither yes nor no"));
  for (const uint64_t tag : {uint64_t{0}, uint64_t{3}, uint64_t{1} << 16 | 1}) {
    broken = genesis;
    set_word(broken, kOrigin, tag);
    EXPECT_THAT(reason(broken), HasSubstr("origin: unknown kind")) << tag;
  }
  broken = genesis;
  set_word(broken, kOrigin, 2);
  EXPECT_THAT(reason(broken), HasSubstr("a pointer that a cause doesn't use"));
}

TEST(Refusal, AClientWithTheDataOfACause) {
  const Cause cause{ActorId{{1}}, 2, Hash{{3}}};
  Bytes bytes = encoded(header_of("i/f"), WasmCall{{}, cause});
  constexpr size_t kOrigin = kTypeText + 1 + 2;  // after the type and the call's two pointers
  ASSERT_EQ(word_at(bytes, kOrigin), 2u);
  set_word(bytes, kOrigin, 1);
  EXPECT_THAT(reason(bytes), HasSubstr("data that a client doesn't use"));
}

TEST(Refusal, TooManyResults) {
  // A tuple's and a result's lists look the same: a host call with two results, made into a wasm result.
  Bytes two = encoded(header_of("i/f"), HostReturn{Outcome::kDone, {Value::u8(1), Value::u8(2)}});
  set_word(two, kDataWord, (word_at(two, kDataWord) & ~uint64_t{0xFFFF'0000}) | 2 << 16);
  EXPECT_THAT(reason(two), HasSubstr("results: more than one"));

  Bytes intent = encoded(header_of("i/f"), HostCall{Effect::kNone, {}, {Value::u8(1)}});
  EXPECT_DEATH(encode_event(header_of("i/f"), HostCall{Effect::kOutside, {}, {Value::u8(1)}}, intent),
               "intent has results");
}

TEST(Refusal, Values) {
  // The words of a value: 0 root, 1 data, then a second data word or a pointer.
  const auto patched = [](const Value& value, size_t word, uint64_t content) {
    Bytes bytes = encode_value(value);
    set_word(bytes, word, content);
    return value_reason(bytes);
  };
  EXPECT_THAT(patched(Value::boolean(true), 1, 1 | 2 << 16), HasSubstr("doesn't use"));
  EXPECT_THAT(patched(Value::u8(1), 1, 3 | uint64_t{1} << 24), HasSubstr("doesn't use"));
  EXPECT_THAT(patched(Value::f32(1), 1, 10 | uint64_t{0x7FC0'0001} << 32), HasSubstr("another bit pattern"));
  EXPECT_THAT(patched(Value::f64(1), 2, 0xFFF8'0000'0000'0000), HasSubstr("another bit pattern"));
  EXPECT_THAT(patched(Value::character('a'), 1, 12 | uint64_t{0xD800} << 32), HasSubstr("Unicode scalar"));
  EXPECT_THAT(patched(Value::character('a'), 1, 12 | uint64_t{0x11'0000} << 32), HasSubstr("Unicode scalar"));
  EXPECT_THAT(patched(Value::reference({Hash{{1}}, 5, Value::Kind::kBytes}), 1, 23 | 14 << 16),
              HasSubstr("don't stand for"));

  Bytes empty = encode_value(Value::string("a"));
  set_word(empty, 2, word_at(empty, 2) - (uint64_t{1} << 35));  // one byte, which is the zero byte after the text
  set_word(empty, 3, 0);
  EXPECT_THAT(value_reason(empty), HasSubstr("empty text that isn't a null pointer"));

  Bytes list = encode_value(Value::list({Value::s8(1), Value::s8(2)}));
  set_word(list, 4, 3 | 1 << 16);  // the first item becomes a u8
  EXPECT_THAT(value_reason(list), HasSubstr("list<u8> that isn't written as bytes"));
  EXPECT_DEATH(encode_value(Value::list({Value::u8(1)})), "Value::bytes");
}

TEST(Refusal, DigestsOfAnotherLength) {
  for (const Value& value : {Value::secret({Hash{{1}}}), Value::reference({Hash{{1}}, 0, Value::Kind::kString})}) {
    Bytes bytes = encode_value(value);
    ASSERT_EQ(bytes.size(), 7 * kWord);
    set_word(bytes, 2, word_at(bytes, 2) - (uint64_t{1} << 35));  // 31 bytes; the last one is zero anyway
    EXPECT_THAT(value_reason(bytes), HasSubstr("isn't 32 bytes"));
    set_word(bytes, 2, 0);
    EXPECT_THAT(value_reason(bytes), testing::AnyOf(HasSubstr("last pointer is null"), HasSubstr("isn't 32 bytes")));
  }
}

// A struct list of nothing can claim a thousand million elements; that must cost neither time nor memory.
TEST(Refusal, AListOfManyEmptyElements) {
  Bytes list = encode_value(Value::tuple({Value::none()}));
  ASSERT_EQ(list.size(), 5 * kWord);  // root, data, pointer, tag, element
  set_word(list, 2, uint64_t{1} | uint64_t{7} << 32);
  EXPECT_THAT(value_reason(list), HasSubstr("empty list that isn't a null pointer"));
  set_word(list, 2, uint64_t{1} | uint64_t{7} << 32 | uint64_t{1} << 35);
  set_word(list, 3, 0xFFFF'FFFC);
  EXPECT_THAT(value_reason(list), HasSubstr("contradicts its length"));
}

TEST(Refusal, WhatTheEncoderIsOwed) {
  Bytes out;
  EXPECT_DEATH(encode_event(header_of(""), Fact{}, out), "type is empty");
  EXPECT_DEATH(encode_event(header_of(std::string(kEventTypeMax + 1, 'x')), Fact{}, out), "longer than 256");
  EXPECT_DEATH(encode_event(header_of("i/f", 0), Fact{}, out), "only genesis");
  EXPECT_DEATH(encode_event(header_of("i/f"), Shutdown{}, out), "doesn't belong");
  EXPECT_DEATH(encode_event(header_of("i/f"), Fact{Value::string("\xFF")}, out), "isn't UTF-8");
  Genesis genesis = genesis_of({});
  genesis.nonce.resize(15);
  EXPECT_DEATH(encode_event(header_of(kTypeGenesis, 0), genesis, out), "nonce");
}

}  // namespace
}  // namespace theater::schema
