// A part of a blob, for whoever asks piece by piece (bus/fetches.h). Nothing is kept between two parts, and nothing is
// hashed here: who has the whole checks it.
#pragma once

#include "base/ids.h"
#include "persist/store.h"

namespace theater::persist {

struct BlobPart {
  uint64_t length = 0;  // of the whole blob
  Bytes bytes;          // from the offset on, at most what was asked for; none at the end
};

// No value: the store doesn't hold the blob, or the offset lies beyond it.
Result<std::optional<BlobPart>> read_blob_part(const Store& store, const Hash& hash, uint64_t offset, size_t most);

}  // namespace theater::persist
