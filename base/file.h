// Whole small files (manifests, keys, packages), with errors that name the path. Not for stores: those are RocksDB's.
#pragma once

#include <string>

#include "base/result.h"
#include "base/text.h"

namespace theater {

inline constexpr size_t kFileSizeMax = size_t{1} << 30;

// The file's content. kNotFound if it doesn't exist, kInvalid if it is larger than `size_max`, kIo otherwise.
Result<Bytes> read_file(const std::string& path, size_t size_max = kFileSizeMax);

// Replaces `path` by a file with `content` and permission bits `mode`: written beside it, synced, renamed. kInvalid if
// something else than a regular file is there.
Result<void> write_file(const std::string& path, BytesView content, unsigned mode = 0644);

}  // namespace theater
