// Evidence as one file that a third party checks alone, with no store and no trust in who made it: up to two items,
// each with what leads from its bytes to the node's signature. docs/formats/evidence.md is the page to this; keep them
// together.
//
//   bytes → their hash among the digests of a frame → body digest in its header → headers, linked → tip, signed
//
// decode_evidence() checks layout and bounds, check_evidence() all hashes and the signatures and then what follows from
// them. Both take anything and refuse (kCorrupt) in words. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "bus/frame.h"
#include "persist/evidence_kind.h"

namespace theater::persist {

inline constexpr size_t kEvidenceHeadersMax = 8192;  // a node signs every MiB, and every 100 ms
inline constexpr size_t kEvidenceFileMax = 4u << 20;

struct EvidenceSide {
  Bytes bytes;                // of an event; of a gap record; of a frame that was refused
  std::vector<Hash> digests;  // of all items of its frame. None: no signature covers it
  uint32_t item = 0;          // which of them is that of `bytes`
  Bytes headers;              // of the frames from that one up to the one that is signed
  bus::Tip tip;
  bool is_signed() const { return !digests.empty(); }
};

struct EvidenceFile {
  EvidenceKind kind = EvidenceKind::kUnsorted;
  PublicKey node;                   // whom it is about
  std::vector<EvidenceSide> sides;  // what was wrong, then what it contradicts
};

Bytes encode_evidence(const EvidenceFile& file);
Result<EvidenceFile> decode_evidence(BytesView bytes);

struct EvidenceVerdict {
  enum class Outcome : uint8_t {
    kProved,    // whoever holds the node's key has said what must not be said; of a rollback: has gone back
    kSigned,    // it said that; that it is wrong needs more than this file
    kUnsigned,  // shows what somebody received, not who said it
  };
  Outcome outcome = Outcome::kUnsigned;
  std::string statement;            // one sentence
  std::vector<std::string> events;  // one line for each side
};
const char* evidence_outcome_name(EvidenceVerdict::Outcome outcome);

// kCorrupt: a hash or a signature doesn't fit; the file shows nothing.
Result<EvidenceVerdict> check_evidence(const EvidenceFile& file);

}  // namespace theater::persist
