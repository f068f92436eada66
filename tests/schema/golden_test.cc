// The files under tests/golden/ are the format. This build writes exactly them, and reads them back.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/crypto.h"
#include "base/file.h"
#include "tests/schema/golden_content.h"

namespace theater::schema {
namespace {

std::string path_of(const std::string& name) {
  return std::string(THEATER_SOURCE_DIR) + "/tests/golden/" + name + ".bin";
}

// Compares `bytes` with the file; with THEATER_WRITE_GOLDEN, writes it first.
void expect_golden(const std::string& name, const Bytes& bytes) {
  if (std::getenv("THEATER_WRITE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file(path_of(name), bytes).ok());
  }
  const auto file = read_file(path_of(name));
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(to_hex(*file), to_hex(bytes)) << name;
}

TEST(Golden, EventsAreWrittenAsTheyWere) {
  std::set<BodyKind> kinds;
  for (const GoldenEvent& golden : golden_chain()) {
    expect_golden("event-" + golden.name, golden.event.bytes);
    kinds.insert(golden.event.kind);
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Body>) << "a body kind has no golden file";
}

TEST(Golden, EventsReadBackAndLink) {
  Hash parent;
  for (const GoldenEvent& golden : golden_chain()) {
    const auto file = read_file(path_of("event-" + golden.name));
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto event = decode_event(*file);
    ASSERT_TRUE(event.ok()) << golden.name << ": " << event.error().message;
    if (golden.name != "error") {  // the chain's other end
      EXPECT_EQ(event->header.parent, parent) << golden.name;
    }
    parent = sha256(*file);
    Bytes again;
    encode_event(event->header, event->body, again);
    EXPECT_EQ(again, *file) << golden.name;
  }
}

TEST(Golden, Values) {
  std::set<Value::Kind> kinds;
  for (const GoldenValue& golden : golden_values()) {
    expect_golden("value-" + golden.name, encode_value(golden.value));
    kinds.insert(golden.value.kind());
    const auto file = read_file(path_of("value-" + golden.name));
    ASSERT_TRUE(file.ok()) << file.error().message;
    const auto value = decode_value(*file);
    ASSERT_TRUE(value.ok()) << golden.name << ": " << value.error().message;
    EXPECT_EQ(*value, golden.value) << golden.name;
  }
  EXPECT_EQ(kinds.size(), 24u) << "a value kind has no golden file";
}

// The figure that docs/formats/event.md and the design promise.
TEST(Golden, SizeOfALogOf64Bytes) {
  Header header;
  header.sequence = 1;
  header.type = "theater:simple/runtime@0.1.0/log";
  header.parent.bytes.fill(1);
  Bytes bytes;
  encode_event(header, HostCall{Effect::kNone, {Value::string(std::string(64, 'x'))}, {}}, bytes);
  EXPECT_EQ(bytes.size(), 256u);
}

}  // namespace
}  // namespace theater::schema
