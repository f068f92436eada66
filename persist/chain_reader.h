// CONTRACT. Reading what an auditor holds: chains, their events in order, and the blobs they refer to. Everything that
// looks at evidence (chain list, verify, replay, export) goes through this; it works on a store that no auditor has
// open and on one that a running auditor is writing.
//
// A ChainReader shows the store as it was when opened or last refresh()ed. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "schema/event.h"

namespace theater::persist {

class Store;

enum class ChainStatus : uint8_t {
  kComplete,  // from genesis to a terminal event
  kOpen,      // from genesis, not ended yet (or the node died)
  kPartial,   // joined late, or gaps
  kOrphaned,  // an old tail that a `resumed` of a higher incarnation left behind
  kErased,    // payloads were deleted; the chain still verifies
  kBroken,    // some event fails verification: sequence and reason say where and why
};
const char* chain_status_name(ChainStatus status);

struct SequenceRange {
  uint64_t first, last;
};

struct ChainSummary {
  ActorId actor;
  std::string name;     // from genesis; empty if the genesis isn't here
  uint64_t events = 0;  // stored
  Hash head;            // of the last stored event
  uint64_t last_sequence = 0;
  uint32_t incarnation = 0;
  ChainStatus status = ChainStatus::kOpen;
  std::vector<SequenceRange> missing;  // kPartial
  PublicKey node;
  uint64_t first_time_ns = 0, last_time_ns = 0;
  bool is_node_chain = false;  // the node's own chain: neither package nor manifest
};

class EventCursor {
 public:
  virtual ~EventCursor() = default;
  struct Item {
    BytesView bytes;    // valid until the next call of next()
    uint64_t sequence;  // as indexed; the verifier checks it against the bytes
  };
  // The next stored event, or nothing at the end. kCorrupt if the store can't give it: the message names chain and
  // sequence.
  virtual Result<std::optional<Item>> next() = 0;
};

class ChainReader {
 public:
  virtual ~ChainReader() = default;
  virtual Result<std::vector<ChainSummary>> list() = 0;  // in order of arrival
  virtual Result<ChainSummary> summary(const ActorId& actor) = 0;
  // An id, a unique prefix of at least 3 digits, or a name that only one chain has (of several lives, the newest).
  // kNotFound and kInvalid (ambiguous: the message lists the candidates).
  virtual Result<ActorId> resolve(std::string_view id_or_name) = 0;
  virtual Result<std::unique_ptr<EventCursor>> events(const ActorId& actor, uint64_t first_sequence = 0) = 0;
  virtual Result<Bytes> blob(const Hash& hash) = 0;  // verified against its hash
  virtual Result<void> refresh() = 0;                // sees what the auditor has written since
  // What lies underneath, for the verifier, which looks at more than the chains; null if there is no such thing.
  virtual const Store* store() const { return nullptr; }
};

// Read-only; works beside a running auditor. kNotFound (no store there; says how one is made), kInvalid (another
// version's), kCorrupt (what RocksDB says, in words).
Result<std::unique_ptr<ChainReader>> open_chain_reader(const std::string& store_path);

}  // namespace theater::persist
