// Any bytes as an event: refused with a reason, or exactly what their content encodes to, canonical by Cap'n Proto's
// own judgement, and fit to be shown.
#include "schema/display.h"
#include "tests/schema/referee.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace theater;
  const BytesView bytes(data, size);
  const auto checked = schema::check_event(bytes);
  const auto decoded = schema::decode_event(bytes);
  CHECK(checked.ok() == decoded.ok());
  if (!decoded.ok()) {
    CHECK(checked.error().message == decoded.error().message && decoded.error().code == ErrorCode::kCorrupt);
    return 0;
  }
  CHECK(checked->kind == kind_of(decoded->body) && checked->header.sequence == decoded->header.sequence);
  Bytes again;
  schema::encode_event(decoded->header, decoded->body, again);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()), to_hex(bytes));
  CHECK(schema::referee::is_canonical(bytes), to_hex(bytes));
  CHECK(is_utf8(as_bytes(to_line(*decoded, 80))));
  CHECK(is_utf8(as_bytes(to_json(*decoded, Hash{}))));
  return 0;
}
