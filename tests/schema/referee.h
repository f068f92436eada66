// Cap'n Proto's own library as the judge of our bytes. Slow, independent of schema/'s reader and writer, and nothing of
// it shows here, so that tests compile without its headers.
#pragma once

#include "schema/codec.h"

namespace theater::schema::referee {

// The same content through the generated builder and canonicalize(): what encode_value() and encode_event() must equal.
Bytes canonical_bytes(const Value& value);
Bytes canonical_bytes(const Header& header, const Body& body);

// The same content through the generated builder alone: valid Cap'n Proto, for the most part not canonical.
Bytes builder_bytes(const Header& header, const Body& body);

// isCanonical(), on a message of one segment without a segment table.
bool is_canonical(BytesView bytes);

}  // namespace theater::schema::referee
