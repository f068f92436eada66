// The examples in docs/formats are the golden files, byte for byte, and what the pages print about them is true.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "bus/frame.h"
#include "bus/keys.h"
#include "tests/golden/format_page.h"

namespace theater::bus {
namespace {

bool says(const std::string& page, const std::string& text) {
  const Bytes content = file(page);
  return as_text(content).find(text) != std::string_view::npos;
}

TEST(BusDocs, the_examples_are_the_golden_files) {
  EXPECT_EQ(to_hex(example_in("docs/formats/frame.md")), to_hex(file("tests/golden/frame-1.bin")));
  EXPECT_EQ(to_hex(example_in("docs/formats/bus.md")), to_hex(file("tests/golden/link-hello.bin")));
}

TEST(BusDocs, the_link_hash_is_the_frames) {
  const Bytes golden = file("tests/golden/frame-1.bin");
  EXPECT_TRUE(says("docs/formats/frame.md", parse_frame(golden)->link_hash.hex()));
}

TEST(BusDocs, the_public_key_is_the_golden_one) {
  const Bytes golden = file("tests/golden/public-key.txt");
  const std::string line(as_text(golden).substr(0, golden.size() - 1));
  const PublicKeys keys = PublicKeys::parse(line).value();
  EXPECT_EQ(keys.curve.bytes[0], 1);
  EXPECT_EQ(keys.identity.bytes[0], 2);
  EXPECT_EQ(keys.text(), line);
  EXPECT_TRUE(says("docs/formats/keys.md", line));
}

}  // namespace
}  // namespace theater::bus
