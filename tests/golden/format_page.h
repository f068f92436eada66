// What a test of docs/formats needs: the pages and golden files by their path in the tree, and the bytes of the example
// that a page shows. A missing file or a malformed example fails the test that asked. Any thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/file.h"
#include "base/text.h"

namespace theater {

inline Bytes file(const std::string& path) {
  const auto content = read_file(std::string(THEATER_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(content.ok()) << content.error().message;
  return content.ok() ? *content : Bytes{};
}

// The bytes of the lines that look like "0018  d0 c7 36 ae bc e5 ea 18  …".
inline Bytes example_in(const std::string& page) {
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

}  // namespace theater
