// Another auditor, asked for what is missing here. Nothing it says is believed: rules.h checks events by their hashes,
// and blobs have theirs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bus/keys.h"
#include "persist/blob_part.h"

namespace theater::persist {

inline constexpr uint64_t kRangeEventsMax = 1024;     // of one answer,
inline constexpr size_t kRangeBytesMax = 1u << 20;    // unless a single event has more
inline constexpr size_t kBlobAnswerMax = 512u << 10;  // bytes

// Used by one thread. An error means that it can't be asked now; it may say so again and again.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual const std::string& name() const = 0;
  virtual const PublicKey& identity() const = 0;
  // Of the events `first` to `last`, those nearest to `last` that it holds without a hole and that fit an answer, in
  // order. None: it doesn't hold `last`.
  virtual Result<std::vector<Bytes>> range(const ActorId& actor, uint64_t first, uint64_t last) = 0;
  // Nothing: it doesn't hold the blob.
  virtual Result<std::optional<BlobPart>> blob(const Hash& hash, uint64_t offset) = 0;
};

struct PeerStatus {
  std::string name;
  uint64_t events = 0;      // taken from it, since start
  uint64_t refused = 0;     // answers that are kept as evidence
  std::string last_result;  // for people; empty: not asked yet
};

struct RemotePeerOptions {
  std::string name;
  std::string endpoint;  // tcp://host:port, or unix:/path
  bus::PublicKeys server;
  std::string key_file;
};
// Over its service endpoint. Connects when it is asked something, again after a failure. An answer takes at most 5 s.
std::shared_ptr<Peer> make_remote_peer(RemotePeerOptions options);

}  // namespace theater::persist
