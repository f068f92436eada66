// What is encoded decodes to the same content, and that encodes to the same bytes.
#include <gtest/gtest.h>

#include "tests/schema/random_content.h"

namespace theater::schema {
namespace {

TEST(Roundtrip, RandomValuesOfAllKinds) {
  for (uint64_t seed = 0; seed < 24'000; ++seed) {
    RandomContent random(seed);
    const Value value = random.value_of(static_cast<Value::Kind>(seed % 24), 1 + seed % 6);
    const Bytes bytes = encode_value(value);
    ASSERT_EQ(bytes.size(), encoded_size(value)) << "seed " << seed;
    const auto decoded = decode_value(bytes);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.error().message;
    ASSERT_EQ(*decoded, value) << "seed " << seed;
    ASSERT_EQ(encode_value(*decoded), bytes) << "seed " << seed;
  }
}

TEST(Roundtrip, RandomEventsOfAllKinds) {
  Bytes bytes, again;
  for (uint64_t seed = 0; seed < 18'000; ++seed) {
    RandomContent random(seed);
    const Event event = random.event(static_cast<BodyKind>(seed % 9));
    encode_event(event.header, event.body, bytes);
    if (bytes.size() > kEventSizeMax) continue;
    const auto checked = check_event(bytes);
    ASSERT_TRUE(checked.ok()) << "seed " << seed << ": " << checked.error().message;
    ASSERT_EQ(checked->kind, kind_of(event.body));
    const auto decoded = decode_event(bytes);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.error().message;
    ASSERT_EQ(decoded->body, event.body) << "seed " << seed;
    for (const Header* header : {&checked->header, &decoded->header}) {
      ASSERT_EQ(header->incarnation, event.header.incarnation);
      ASSERT_EQ(header->sequence, event.header.sequence);
      ASSERT_EQ(header->time_ns, event.header.time_ns);
      ASSERT_EQ(header->actor, event.header.actor);
      ASSERT_EQ(header->parent, event.header.parent);
      ASSERT_EQ(header->type, event.header.type);
    }
    encode_event(decoded->header, decoded->body, again);
    ASSERT_EQ(again, bytes) << "seed " << seed;
  }
}

}  // namespace
}  // namespace theater::schema
