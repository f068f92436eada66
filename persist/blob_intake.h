// Puts blobs together from the pieces that arrive in frames. A blob counts as here when its last piece has come and the
// whole has the hash it was announced by; what doesn't is removed and becomes evidence. Pieces go into the batch in
// which their frame is, so a restart goes on in the middle of a blob.
//
// Bounds: a blob of at most kBlobMax bytes in at most kPiecesMax pieces; at most kUnfinishedMax blobs in the making for
// each node (one more drops the oldest: a stream has half as many, see bus/window.h). Hashing is incremental; nothing
// is held but the digest's state. One thread, the recorder's.
#pragma once

#include <map>
#include <unordered_map>

#include "base/crypto.h"
#include "bus/frame.h"
#include "persist/holdings.h"
#include "persist/references.h"
#include "persist/rows.h"

namespace theater::persist {

inline constexpr uint64_t kBlobMax = uint64_t{256} << 20;
inline constexpr size_t kPiecesMax = 65'536;
inline constexpr size_t kUnfinishedMax = 128;

class BlobIntake {
 public:
  BlobIntake(const Store& store, uint64_t& next_blob, Holdings& holdings)
      : store_(store), next_blob_(next_blob), holdings_(holdings) {}

  // What was in the making when the store was closed.
  Result<void> load();

  // Empty, or what is wrong with the piece. `commit` is the number of the commit that `batch` becomes.
  Result<std::string> add(const PublicKey& node, const bus::BlobPiece& piece, Batch& batch, uint64_t commit);
  // An event refers to it: from now on it is wanted.
  Result<bool> has(const BlobNeed& need, Batch& batch);

  // Before a batch goes to the disk: how far the unfinished ones have come.
  void write_progress(Batch& batch);
  void forget_known(uint64_t durable_commit);  // keeps the memory of known blobs in bounds

 private:
  using Key = std::pair<PublicKey, Hash>;
  struct Unfinished {
    PieceRow row;
    std::vector<uint64_t> offsets;
    Sha256 digest;
    bool dirty = false;
  };
  struct Known {
    uint64_t length = 0;
    uint64_t commit = 0;             // that brought it; 0 if it was read from the store
    std::optional<PublicKey> loose;  // no event refers to it: who sent it
  };

  Result<Known*> known(const Hash& hash);  // null if it isn't here
  Unfinished& begin(const Key& key, uint64_t length, Batch& batch);
  void drop(std::map<Key, Unfinished>::iterator at, Batch& batch);

  const Store& store_;
  uint64_t& next_blob_;
  Holdings& holdings_;
  std::map<Key, Unfinished> unfinished_;
  std::unordered_map<Hash, Known> known_;
};

}  // namespace theater::persist
