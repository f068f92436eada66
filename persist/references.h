// Which blobs an event needs. Most events need none, and saying so must cost next to nothing, because the auditor asks
// for each: a scan for the one word that every reference begins with comes before any decoding.
#pragma once

#include <vector>

#include "schema/codec.h"

namespace theater::persist {

struct BlobNeed {
  Hash hash;
  uint64_t length = 0;
};

// `bytes` passed check_event and is of this kind. In the order in which they stand; a node's own genesis needs none.
std::vector<BlobNeed> blobs_needed(BytesView bytes, schema::BodyKind kind);

}  // namespace theater::persist
