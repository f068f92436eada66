// Where an auditor keeps what it holds: five ordered tables of bytes, written in batches that are durable as a whole or
// not at all. What stands in the rows is rows.h's business (docs/formats/store.md); this interface only separates them
// from the disk, so that RocksDB stays in one file (rocks_store.cc) and tests have a twin in memory (memory_store.h)
// that can fail.
//
// A store is opened once for writing (the auditor) or any number of times for reading. A reading store shows the state
// of its opening or of the last refresh().
//
// Threads: get, scan, cursors and commit may run at the same time on different threads; open and refresh may not.
// Errors: kIo if the disk says no (the batch is not written; committing it again is right), kCorrupt if what is there
// fails its checksum.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace theater::persist {

enum class Table : uint8_t {
  kRows,      // chains, names, marks, blobs, evidence, meta: small
  kHeads,     // how far each chain has come: small, overwritten
  kFrames,    // frames in order of arrival: large, written once
  kSegments,  // which events of which chain stand in which frame
  kBlobs,     // pieces of blobs
};
inline constexpr size_t kTables = 5;

// What a commit promised, kept apart from the tables (tip_file.h), so that a store that lost it can't look whole.
struct TipNote {
  uint64_t commit = 0;  // number of the newest synced commit
  struct Chain {
    ActorId actor;
    uint64_t next_sequence = 0;
  };
  std::vector<Chain> chains;  // what it extended; at most kTipChainsMax of them
};
inline constexpr size_t kTipChainsMax = 30;

class Batch {
 public:
  virtual ~Batch() = default;
  // The value is the two parts, one after the other.
  virtual void put(Table table, BytesView key, BytesView value, BytesView value_rest = {}) = 0;
  virtual void remove(Table table, BytesView key) = 0;
  virtual size_t bytes() const = 0;  // about what will be written
};

// Walks upwards over the keys that begin with a prefix. Borrows the store; what key() and value() return is valid until
// next(). In a store for writing it may see what is committed meanwhile, in one for reading it ends before refresh().
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual BytesView key() const = 0;
  virtual BytesView value() const = 0;
  virtual void next() = 0;
  virtual Result<void> status() const = 0;  // why it isn't valid; Ok at the end
};

class Store {
 public:
  virtual ~Store() = default;
  virtual Result<std::optional<Bytes>> get(Table table, BytesView key) const = 0;
  // Begins at the first key that isn't less than `from` (the prefix if empty).
  virtual std::unique_ptr<Cursor> scan(Table table, BytesView prefix, BytesView from = {}) const = 0;
  virtual std::unique_ptr<Batch> batch() const = 0;
  // Synced when it returns Ok. A batch that failed may be committed again.
  virtual Result<void> commit(Batch& batch, const TipNote& tip) = 0;
  // Asked after reading: kUnavailable if what was read may not be on disk. So it is after a write that failed if the
  // database couldn't be opened for writing again, until a write succeeds: what that one left in the log shows.
  virtual Result<void> certain() const = 0;
  // False if nothing was written since the last time.
  virtual Result<bool> refresh() = 0;
  virtual Result<void> close() = 0;  // of a writer: everything in tables at rest. Idempotent
  // What the last commit promised, as far as is known; nothing if unknown.
  virtual std::optional<TipNote> promised() const = 0;
  // What was found wrong and passed over when opening for reading; empty if nothing.
  virtual std::string damage() const = 0;
};

}  // namespace theater::persist
