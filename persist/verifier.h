// CONTRACT. Recomputes what the record claims: every hash from the bytes, every parent link, sequence, canonical form,
// genesis, incarnation, time order, terminal rule, and that referenced blobs are there. Trusts nothing but the reader's
// order of events. Pure but for reading; one thread.
//
// Verifier takes one event after the other and is what the auditor runs on arrival, too: one set of rules.
#pragma once

#include <optional>
#include <string>

#include "persist/chain_reader.h"
#include "schema/codec.h"

namespace theater::persist {

// The state of one chain, as far as it was verified. Small: an auditor keeps one for each active chain.
struct ChainState {
  ActorId actor;
  Hash head;
  uint64_t next_sequence = 0;
  uint64_t last_time_ns = 0;
  uint32_t incarnation = 0;
  bool ended = false;
  bool after_gap = false;  // what came last is a gap, in which the incarnation may have changed
};

// The rules between one event and the next, for bytes that passed check_event.
Result<void> advance(ChainState& state, const schema::EventView& view, const Hash& hash);

// The state before an event whose predecessors are missing: what it says about itself is taken as it is.
ChainState joined_before(const schema::EventView& view);

// Checks `bytes` (event `hash` computed by the caller from exactly these bytes) as the next event of `state` and
// advances it. For the first event of a chain give a default state. The error's message is the reason, without chain
// and sequence.
Result<schema::EventView> verify_next(ChainState& state, BytesView bytes, const Hash& hash);

struct VerifyReport {
  ChainSummary summary;              // status after verification
  uint64_t verified = 0;             // events that passed
  std::optional<uint64_t> sequence;  // kBroken: where
  std::string reason;                // kBroken: why
  bool stopped = false;  // kBroken only because an event was refused on arrival: what came before it is as it should be
};

struct StoreReport {
  std::vector<VerifyReport> chains;  // those that are listed, in order of arrival, and those that should be
  std::vector<std::string> faults;   // what is wrong with the store as a whole, one sentence each
};

// Never fails for what it finds in the chain (that is the report); fails only if the store can't be read at all.
Result<VerifyReport> verify_chain(ChainReader& reader, const ActorId& actor);
// One pass over the store where that is faster. Whatever is wrong with one chain, everything else is looked at.
Result<StoreReport> verify_all(ChainReader& reader);

}  // namespace theater::persist
