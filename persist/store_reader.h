// Reading chains out of any Store: what open_chain_reader() does after opening, and what the verifier shares with it.
#pragma once

#include "persist/chain_reader.h"
#include "persist/rows.h"
#include "persist/rules.h"

namespace theater::persist {

// kInvalid if the store is another version's. Damage that the store found at opening is left to the verifier.
Result<std::unique_ptr<ChainReader>> make_chain_reader(std::shared_ptr<Store> store);

struct StoredGap {
  uint64_t first = 0, last = 0;
  Hash head;  // zero if unknown
};
Result<std::vector<StoredGap>> read_gaps(const Store& store, uint64_t chain);

// One event of a chain, if it is stored; `newest`: the chain's segments that aren't in the tables yet.
Result<std::optional<Bytes>> read_event(const Store& store, const ActorId& actor, uint64_t chain, const Bytes& newest,
                                        uint64_t sequence);

// Rules::misfit() by what the store shows. A neighbour that can't be read, or is on its way to the disk, isn't looked
// at: whoever verifies the chain looks at all of it.
Result<std::optional<Misfit>> find_misfit(const Store& store, ChainEntry& entry, const Bytes& newest,
                                          const OpenGap& gap, const FillEvent& first, const ChainState& last);

// Verified against its hash.
Result<Bytes> read_blob(const Store& store, const Hash& hash);

// The chain that a name stands for, of those that have it, in order of arrival.
Result<ActorId> resolve_named(ChainReader& reader, std::string_view name, const std::vector<ActorId>& found);
std::string candidates(const std::vector<ActorId>& actors);

}  // namespace theater::persist
