// Our bytes are Cap'n Proto's canonical bytes; and nothing else is accepted.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "tests/schema/random_content.h"
#include "tests/schema/referee.h"

namespace theater::schema {
namespace {

TEST(Canonical, ValuesEqualCapnProtosOwn) {
  for (uint64_t seed = 0; seed < 12'000; ++seed) {
    RandomContent random(seed);
    const Value value = random.value_of(static_cast<Value::Kind>(seed % 24), 1 + seed % 6);
    const Bytes bytes = encode_value(value);
    ASSERT_EQ(to_hex(bytes), to_hex(referee::canonical_bytes(value))) << "seed " << seed;
    ASSERT_TRUE(referee::is_canonical(bytes)) << "seed " << seed;
  }
}

TEST(Canonical, EventsEqualCapnProtosOwn) {
  Bytes bytes;
  size_t builder_differs = 0;
  for (uint64_t seed = 0; seed < 9'000; ++seed) {
    RandomContent random(seed);
    const Event event = random.event(static_cast<BodyKind>(seed % 9));
    encode_event(event.header, event.body, bytes);
    ASSERT_EQ(to_hex(bytes), to_hex(referee::canonical_bytes(event.header, event.body))) << "seed " << seed;
    ASSERT_TRUE(referee::is_canonical(bytes)) << "seed " << seed;
    const Bytes built = referee::builder_bytes(event.header, event.body);
    if (built == bytes) continue;
    ++builder_differs;  // valid Cap'n Proto with the same content: refused all the same
    ASSERT_FALSE(check_event(built).ok()) << "seed " << seed;
  }
  EXPECT_GT(builder_differs, 1000u);
}

// A value nested as deep as allowed, through every kind that nests.
Value deep(size_t levels) {
  Value value = Value::u32(7);
  for (size_t level = 1; level < levels; ++level) {
    switch (level % 6) {
      case 0: value = Value::list({std::move(value)}); break;
      case 1: value = Value::some(std::move(value)); break;
      case 2: value = Value::tuple({std::move(value)}); break;
      case 3: value = Value::variant("v", std::move(value)); break;
      case 4: value = Value::err(std::move(value)); break;
      case 5: value = Value::record({{"f", std::move(value)}}); break;
    }
  }
  return value;
}

TEST(Canonical, DepthLimit) {
  const Bytes deepest = encode_value(deep(Value::kDepthMax));
  ASSERT_TRUE(decode_value(deepest).ok());
  EXPECT_EQ(*decode_value(deepest), deep(Value::kDepthMax));
  const Bytes deeper = referee::canonical_bytes(deep(Value::kDepthMax + 1));
  const auto refused = decode_value(deeper);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(refused.error().message.find("nested deeper than 32 levels"), std::string::npos) << refused.error().message;
  EXPECT_DEATH(encode_value(deep(Value::kDepthMax + 1)), "deeper than 32 levels");
}

// Whatever is accepted is exactly what its content encodes to.
void expect_refused_or_exact(const Bytes& bytes, const std::string& what) {
  const auto checked = check_event(bytes);
  const auto decoded = decode_event(bytes);
  ASSERT_EQ(checked.ok(), decoded.ok()) << what;
  if (!decoded.ok()) {
    ASSERT_EQ(checked.error().message, decoded.error().message) << what;
    ASSERT_EQ(decoded.error().code, ErrorCode::kCorrupt) << what;
    return;
  }
  Bytes again;
  encode_event(decoded->header, decoded->body, again);
  ASSERT_EQ(to_hex(again), to_hex(bytes)) << what;
  ASSERT_TRUE(referee::is_canonical(bytes)) << what;
}

TEST(Canonical, TruncatedPaddedAndFlippedEventsAreRefusedOrOtherEvents) {
  for (uint64_t seed = 0; seed < 900; ++seed) {
    RandomContent random(seed);
    const Event event = random.event(static_cast<BodyKind>(seed % 9));
    Bytes bytes;
    encode_event(event.header, event.body, bytes);
    const Hash hash = sha256(bytes);
    const std::string name = str_cat("seed ", seed);

    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(check_event(BytesView(bytes).first(size)).ok()) << name << " cut to " << size;
    }
    for (size_t at = 0; at <= bytes.size(); at += 8) {
      Bytes padded = bytes;
      padded.insert(padded.begin() + static_cast<ptrdiff_t>(at), 8, 0);
      expect_refused_or_exact(padded, str_cat(name, " padded at ", at));
      if (at == bytes.size()) {
        ASSERT_FALSE(check_event(padded).ok()) << name;
      }
    }
    for (int flip = 0; flip < 100; ++flip) {
      Bytes flipped = bytes;
      const size_t at = random.below(bytes.size());
      flipped[at] ^= static_cast<uint8_t>(1 + random.below(255));
      expect_refused_or_exact(flipped, str_cat(name, " flipped at ", at));
      ASSERT_NE(sha256(flipped), hash);
    }
  }
}

TEST(Canonical, MutatedValuesAreRefusedOrOtherValues) {
  for (uint64_t seed = 0; seed < 2'400; ++seed) {
    RandomContent random(seed);
    const Bytes bytes = encode_value(random.value_of(static_cast<Value::Kind>(seed % 24), 5));
    for (size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_FALSE(decode_value(BytesView(bytes).first(size)).ok()) << "seed " << seed << " cut to " << size;
    }
    for (int flip = 0; flip < 100; ++flip) {
      Bytes flipped = bytes;
      const size_t at = random.below(bytes.size());
      flipped[at] ^= static_cast<uint8_t>(1 + random.below(255));
      const auto decoded = decode_value(flipped);
      if (!decoded.ok()) continue;
      ASSERT_EQ(to_hex(encode_value(*decoded)), to_hex(flipped)) << "seed " << seed << " flipped at " << at;
      ASSERT_TRUE(referee::is_canonical(flipped)) << "seed " << seed << " flipped at " << at;
    }
  }
}

}  // namespace
}  // namespace theater::schema
