// Reading what an auditor recorded as evidence: frames and events that broke a rule, in the order in which they came.
// Nothing is judged here; the reason is what the verifier said when it came.
//
// Of a store opened for reading; one thread at a time. kCorrupt if a row is damaged.
#pragma once

#include <functional>
#include <optional>

#include "persist/rows.h"
#include "persist/store.h"

namespace theater::persist {

// Calls `each` with the number and the record, until it returns false.
Result<void> walk_evidence(const Store& store,
                           const std::function<bool(uint64_t number, const EvidenceRow& row)>& each);

// The record with this number, as typed. kNotFound.
Result<EvidenceRow> find_evidence(const Store& store, uint64_t number);

struct EvidenceBytes {
  Bytes frame;
  bool as_sent = true;  // false: pieces of blobs are replaced by stubs, see docs/formats/store.md
};
// The frame that a record is about: kept in the record if it was refused, stored like any other if only an event in it
// was. kCorrupt if it is gone.
Result<EvidenceBytes> read_evidence_frame(const Store& store, const EvidenceRow& row);

}  // namespace theater::persist
