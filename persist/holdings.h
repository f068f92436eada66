// What each node makes this auditor hold that nothing asks for yet: chains that haven't ended, and blobs that no event
// refers to; and what is kept of it because it was refused. All are bounded for each node's key, so that one node can't
// fill the disk of an auditor with what looks like the beginning of something. What a node has beyond its bound is
// refused, and with it all that would follow on that link, until an operator raises the bound; other nodes notice
// nothing.
//
// A chain counts from whatever came of it first until its end came, live or from another auditor, or until it is
// stopped. A blob counts from its first piece until an event refers to it. Both stay when their node dies: such a chain
// is never ended, and such an event may never come. They aren't forgotten to make room. The chains are on record, and a
// later run of the node may go on with them. And that no event will refer to a blob can't be known: what one node has
// sent is passed over when another one sends it, and isn't fetched when another auditor gives the event; they all rely
// on it.
//
// The counts stand in rows of the store and change in the same batch as what they count. One thread, the recorder's.
#pragma once

#include <map>

#include "persist/rows.h"

namespace theater::persist {

struct HoldingLimits {
  uint64_t open_chains = 10'000'000;
  uint64_t loose_bytes = uint64_t{4} << 30;  // of blobs that no event refers to
};

class Holdings {
 public:
  Holdings(const Store& store, HoldingLimits limits) : store_(store), limits_(limits) {}

  // Before anything of `node` is counted, and before `node` is asked about. An error: the store can't be read.
  Result<void> load(const PublicKey& node);
  // Why a frame isn't taken that begins `begun` chains, or that brings blobs; empty if it is.
  std::string refuses_chains(const PublicKey& node, uint64_t begun) const;
  std::string refuses_blobs(const PublicKey& node) const;

  // Whatever begins one: a genesis, or the first event or gap that is said of an actor.
  void chain_begun(const PublicKey& node) { change(node).open_chains += 1; }
  void chain_over(const PublicKey& node);
  // Of blobs, and refused frames: as they come, and when an event refers to one or an unfinished one is dropped.
  void bytes_came(const PublicKey& node, uint64_t bytes) { change(node).loose_bytes += bytes; }
  void bytes_are_off(const PublicKey& node, uint64_t bytes);

  void write(Batch& batch);  // what changed

 private:
  struct Entry {
    HoldingRow row;
    bool dirty = false;
  };
  const HoldingRow& held(const PublicKey& node) const;
  HoldingRow& change(const PublicKey& node);

  const Store& store_;
  const HoldingLimits limits_;
  std::map<PublicKey, Entry> entries_;  // one for each node that has a key here
};

}  // namespace theater::persist
