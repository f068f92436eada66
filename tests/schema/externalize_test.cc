// Large values leave as blobs and come back; nothing larger than the limit stays; hostile blobs are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/crypto.h"
#include "tests/schema/random_content.h"

namespace theater::schema {
namespace {

using testing::HasSubstr;

class Blobs {
 public:
  auto sink() {
    return [this](const Hash& hash, Bytes bytes) {
      EXPECT_EQ(sha256(bytes), hash);
      order.push_back(hash);
      content[hash] = std::move(bytes);
    };
  }
  auto source() {
    return [this](const Hash& hash) -> Result<Bytes> {
      const auto found = content.find(hash);
      if (found == content.end()) return Error{ErrorCode::kNotFound, "no such blob"};
      return found->second;
    };
  }
  std::vector<Hash> order;
  std::map<Hash, Bytes> content;
};

std::string large_text(char c = 'x', size_t size = 5'000) { return std::string(size, c); }

TEST(Externalize, SmallValuesStay) {
  std::vector<Value> values = {Value::string("small"), Value::bytes(Bytes(4'000)), Value::u64(1)};
  const std::vector<Value> before = values;
  Blobs blobs;
  externalize(values, blobs.sink());
  EXPECT_EQ(values, before);
  EXPECT_TRUE(blobs.order.empty());
}

// The limit is on the value's own encoding: root pointer, tag, pointer, then the text and its zero byte.
TEST(Externalize, TheLimitIsExact) {
  const size_t longest = Value::kInlineMax - 3 * 8 - 1;
  Blobs blobs;
  std::vector<Value> fits = {Value::string(std::string(longest, 'x'))};
  externalize(fits, blobs.sink());
  EXPECT_TRUE(blobs.order.empty());
  std::vector<Value> too_long = {Value::string(std::string(longest + 1, 'x'))};
  externalize(too_long, blobs.sink());
  EXPECT_EQ(blobs.order.size(), 1u);
}

TEST(Externalize, TextAndBytesAreBlobsOfTheirContent) {
  std::vector<Value> values = {Value::string(large_text()), Value::bytes(Bytes(5'000, 7))};
  Blobs blobs;
  externalize(values, blobs.sink());
  EXPECT_EQ(values[0], Value::reference({sha256(as_bytes(large_text())), 5'000, Value::Kind::kString}));
  EXPECT_EQ(values[1], Value::reference({sha256(Bytes(5'000, 7)), 5'000, Value::Kind::kBytes}));
}

TEST(Externalize, AContainerStaysIfItsLargeTextIsGone) {
  const Value original = Value::some(Value::record({{"a", Value::string(large_text())}, {"b", Value::u8(1)}}));
  std::vector<Value> values = {original};
  Blobs blobs;
  externalize(values, blobs.sink());
  ASSERT_EQ(blobs.order.size(), 1u);
  EXPECT_EQ(values[0].kind(), Value::Kind::kOption);
  EXPECT_EQ(original.get<Value::Option>()->payload->kind(), Value::Kind::kRecord);  // the shared payload didn't change
  ASSERT_TRUE(internalize(values, blobs.source()).ok());
  EXPECT_EQ(values[0], original);
}

TEST(Externalize, AContainerOfManyGoesWhole) {
  std::vector<Value> items;
  for (uint32_t i = 0; i < 2'000; ++i) items.push_back(Value::u32(i));
  items.push_back(Value::u32(7));
  const std::vector<Value> original = {Value::tuple({Value::list(items), Value::string(large_text())})};
  std::vector<Value> values = original;
  Blobs blobs;
  externalize(values, blobs.sink());
  EXPECT_EQ(blobs.order.size(), 2u);
  EXPECT_EQ(values[0].kind(), Value::Kind::kTuple);
  EXPECT_LE(encoded_size(values[0]), Value::kInlineMax);
  ASSERT_TRUE(internalize(values, blobs.source()).ok());
  EXPECT_EQ(values, original);
}

TEST(Externalize, ABlobComesAfterThoseItRefersTo) {
  std::vector<Value> items;
  for (char c = 'a'; c <= 'z'; ++c) items.push_back(Value::string(large_text(c)));
  for (int i = 0; i < 600; ++i) items.push_back(Value::string("padding"));
  const std::vector<Value> original = {Value::list(items)};
  std::vector<Value> values = original;
  Blobs blobs;
  externalize(values, blobs.sink());
  ASSERT_EQ(values[0].kind(), Value::Kind::kReference);
  EXPECT_EQ(blobs.order.size(), 27u);
  EXPECT_EQ(blobs.order.back(), values[0].get<Value::Reference>()->hash);
  ASSERT_TRUE(internalize(values, blobs.source()).ok());
  EXPECT_EQ(values, original);
}

TEST(Externalize, RandomValuesComeBack) {
  for (uint64_t seed = 0; seed < 3'000; ++seed) {
    RandomContent random(seed);
    std::vector<Value> values = random.values(4);
    for (size_t left = random.below(4); left > 0; --left) {
      values.push_back(random.chance(2) ? Value::string(large_text('x', random.below(9'000)))
                                        : Value::ok(Value::list(std::vector<Value>(
                                              random.below(700), random.value_of(Value::Kind::kString, 1)))));
    }
    // A reference that was there before would be fetched too.
    std::erase_if(values, [](const Value& value) { return to_display(value).find(" B sha256:") != std::string::npos; });
    const std::vector<Value> original = values;
    Blobs blobs;
    externalize(values, blobs.sink());
    const size_t wrappers = 2 * 8;  // an option or a result around a value of exactly the limit
    for (const Value& value : values) ASSERT_LE(encoded_size(value), Value::kInlineMax + wrappers) << "seed " << seed;
    const auto restored = internalize(values, blobs.source());
    ASSERT_TRUE(restored.ok()) << "seed " << seed << ": " << restored.error().message;
    ASSERT_EQ(values, original) << "seed " << seed;
  }
}

std::string internalize_error(Blobs& blobs, Value value) {
  std::vector<Value> values = {std::move(value)};
  const auto result = internalize(values, blobs.source());
  return result.ok() ? "accepted" : result.error().message;
}

TEST(Internalize, BlobsThatArentWhatTheReferenceSays) {
  Blobs blobs;
  const Hash hash = sha256(as_bytes("content"));
  EXPECT_EQ(internalize_error(blobs, Value::reference({hash, 7, Value::Kind::kString})), "no such blob");
  blobs.content[hash] = to_bytes("Content");
  EXPECT_THAT(internalize_error(blobs, Value::reference({hash, 7, Value::Kind::kString})), HasSubstr("aren't the 7"));
  blobs.content[hash] = to_bytes("content");
  EXPECT_THAT(internalize_error(blobs, Value::reference({hash, 8, Value::Kind::kString})), HasSubstr("aren't the 8"));
  EXPECT_THAT(internalize_error(blobs, Value::reference({hash, 7, Value::Kind::kRecord})), HasSubstr("value refused"));
  const Bytes binary = {0xFF, 0xFE};
  blobs.content[sha256(binary)] = binary;
  EXPECT_THAT(internalize_error(blobs, Value::reference({sha256(binary), 2, Value::Kind::kString})),
              HasSubstr("UTF-8"));
  EXPECT_EQ(internalize_error(blobs, Value::reference({hash, 7, Value::Kind::kString})), "accepted");
}

TEST(Internalize, BlobsThatNestTooDeep) {
  Blobs blobs;
  Value value = Value::u32(1);
  for (size_t level = 0; level < Value::kDepthMax; ++level) {
    const Bytes bytes = encode_value(Value::some(std::move(value)));
    blobs.content[sha256(bytes)] = bytes;
    value = Value::reference({sha256(bytes), bytes.size(), Value::Kind::kRecord});
  }
  EXPECT_THAT(internalize_error(blobs, std::move(value)), HasSubstr("deeper than 32"));
}

// 30 blobs of ten references each to the next would be 10^30 values.
TEST(Internalize, BlobsThatWouldFillTheMemory) {
  Blobs blobs;
  Value value = Value::bytes(Bytes(64 << 10));
  for (int level = 0; level < 12; ++level) {
    const Bytes bytes = encode_value(value);
    blobs.content[sha256(bytes)] = bytes;
    const Value reference = Value::reference({sha256(bytes), bytes.size(), Value::Kind::kRecord});
    value = Value::tuple(std::vector<Value>(10, reference));
  }
  EXPECT_THAT(internalize_error(blobs, std::move(value)), HasSubstr("blobs of more than"));
}

}  // namespace
}  // namespace theater::schema
