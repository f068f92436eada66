// How RocksDB's write-ahead log lies on the disk. Internal to persist/.
//
// A synced write that makes a file longer also has to write the file's size and where its new part lies: for one small
// event that is a third of the whole sync. So a log that takes small writes is filled with zeros some way ahead, and
// the write that is waited for changes nothing but data. A log that was closed in order has its own length again.
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace theater::persist {

inline constexpr size_t kLogAhead = 64u << 10;       // bytes of zeros
inline constexpr size_t kLogSmallWrite = 16u << 10;  // larger ones fill nothing: then the size costs little

// RocksDB's own files, but for the logs. Must outlive every database that was opened with it.
std::unique_ptr<rocksdb::Env> make_rocks_env();

}  // namespace theater::persist
