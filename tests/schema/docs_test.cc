// The examples in docs/formats are the golden files, byte for byte, and the hash that the page prints is theirs.
#include <gtest/gtest.h>

#include "base/crypto.h"
#include "tests/golden/format_page.h"

namespace theater::schema {
namespace {

TEST(Docs, TheExamplesAreTheGoldenFiles) {
  EXPECT_EQ(to_hex(example_in("docs/formats/event.md")), to_hex(file("tests/golden/event-log.bin")));
  EXPECT_EQ(to_hex(example_in("docs/formats/value.md")), to_hex(file("tests/golden/value-record.bin")));
}

TEST(Docs, TheHashIsTheEvents) {
  const Bytes page = file("docs/formats/event.md");
  EXPECT_NE(as_text(page).find(sha256(file("tests/golden/event-log.bin")).hex()), std::string_view::npos);
}

}  // namespace
}  // namespace theater::schema
