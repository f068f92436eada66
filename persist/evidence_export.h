// From stores to evidence that convinces a third party (evidence_file.h).
//
// Of stores opened for reading; one thread at a time. kCorrupt if a row is damaged.
#pragma once

#include "persist/chain_reader.h"
#include "persist/evidence_file.h"
#include "persist/rows.h"

namespace theater::persist {

// kInvalid if the record doesn't say which item it is about, or that is a piece of a blob.
Result<EvidenceFile> export_evidence(const Store& store, const EvidenceRow& row);

// Two auditors' copies of one chain that part.
struct Difference {
  ActorId actor;
  uint64_t sequence = 0;  // of the first event that isn't the same
  EvidenceFile proof;
};
// Every chain that both hold, as far as both hold it. Judges neither store: `chain verify` does.
Result<std::vector<Difference>> compare_stores(ChainReader& one, ChainReader& other);

}  // namespace theater::persist
