// Any bytes as a value: refused with a reason, or exactly what their content encodes to, canonical by Cap'n Proto's own
// judgement, and fit to be shown.
#include "schema/display.h"
#include "tests/schema/referee.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace theater;
  const BytesView bytes(data, size);
  const auto decoded = schema::decode_value(bytes);
  if (!decoded.ok()) {
    CHECK(decoded.error().code == ErrorCode::kCorrupt && !decoded.error().message.empty());
    return 0;
  }
  const Bytes again = schema::encode_value(*decoded);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()), to_hex(bytes));
  CHECK(schema::encoded_size(*decoded) == size);
  CHECK(schema::referee::is_canonical(bytes), to_hex(bytes));
  CHECK(is_utf8(as_bytes(to_display(*decoded, 80))));
  CHECK(is_utf8(as_bytes(schema::to_json(*decoded))));
  return 0;
}
