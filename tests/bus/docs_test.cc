// The examples in docs/formats are the golden files, byte for byte, and what the pages print about them is true.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/file.h"
#include "bus/frame.h"
#include "bus/keys.h"

namespace theater::bus {
namespace {

Bytes file(const std::string& path) {
  const auto content = read_file(std::string(THEATER_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(content.ok()) << content.error().message;
  return content.ok() ? *content : Bytes{};
}

// The bytes of the lines that look like "0018  d0 c7 36 ae bc e5 ea 18  …".
Bytes example_in(const std::string& page) {
  const Bytes content = file(page);
  Bytes out;
  for (std::string_view rest = as_text(content); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto offset = line.size() >= 29 ? from_hex(line.substr(0, 4)) : std::nullopt;
    if (!offset || line.substr(4, 2) != "  ") continue;
    EXPECT_EQ(size_t{(*offset)[0]} << 8 | (*offset)[1], out.size()) << line;
    for (size_t i = 0; i < 8; ++i) {
      const auto byte = from_hex(line.substr(6 + 3 * i, 2));
      EXPECT_TRUE(byte) << line;
      if (byte) out.push_back((*byte)[0]);
    }
  }
  return out;
}

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
