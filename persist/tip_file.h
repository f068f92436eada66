// The file TIP beside RocksDB's own: the number of the newest commit that was synced, and what it extended. RocksDB's
// write-ahead log can't tell a torn tail after a crash (no harm: nothing of it was acknowledged) from an acknowledged
// commit that somebody cut off or damaged. TIP can: it is written after each sync, so it never promises too much, and a
// store with fewer commits than TIP says has lost something.
//
// Not synced itself: after a power cut it may be older than the store, and then promises less. Layout:
// docs/formats/store.md.
#pragma once

#include <utility>

#include "persist/store.h"

namespace theater::persist {

inline constexpr const char* kTipFileName = "TIP";

class TipFile {
 public:
  TipFile() = default;
  TipFile(TipFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TipFile& operator=(TipFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~TipFile();

  static Result<TipFile> open(const std::string& folder);  // for writing; makes it
  Result<void> write(const TipNote& tip);                  // one write of one block

  // Nothing if there is no such file; kCorrupt if it is damaged.
  static Result<std::optional<TipNote>> read(const std::string& folder);

 private:
  int fd_ = -1;
};

}  // namespace theater::persist
