// What kinds of wrong an auditor tells apart. The numbers stand in stores and in files that were handed on, the names
// on the command line and among the metrics: neither ever changes its meaning.
#pragma once

#include <array>
#include <cstdint>

namespace theater::persist {

enum class EvidenceKind : uint8_t {
  kUnsorted = 0,          // recorded by a program that knew no kinds
  kEquivocation = 1,      // a second event at a sequence, in the same incarnation
  kRewind = 2,            // back to a sequence of which no event is here to compare with
  kRollback = 3,          // `resumed` on an older event: what follows that one was acknowledged
  kLowerIncarnation = 4,  // of a run that a later one has replaced
  kAfterEnd = 5,          // something after the terminal event
  kBrokenLink = 6,        // parent, sequence, time or incarnation don't follow the event before
  kWrongGenesis = 7,      // names another node, or comes after later events
  kForeignKey = 8,        // of a chain that belongs to another node
  kMalformed = 9,         // bytes that are no event
  kMissingBlob = 10,      // refers to content that never came
  kBadBlob = 11,          // content that isn't what its hash says
  kBadFrame = 12,         // the body isn't what the header says
  kFalseTip = 13,         // a signature that isn't the node's
  kFalseFill = 14,        // what another auditor gave for a gap doesn't belong there
};
inline constexpr size_t kEvidenceKinds = 15;

inline constexpr std::array<const char*, kEvidenceKinds> kEvidenceKindNames = {
    "unsorted",     "equivocation", "rewind",        "rollback",    "lower-incarnation",
    "after-end",    "broken-link",  "wrong-genesis", "foreign-key", "malformed",
    "missing-blob", "bad-blob",     "bad-frame",     "false-tip",   "false-fill"};

constexpr const char* evidence_kind_name(EvidenceKind kind) { return kEvidenceKindNames[static_cast<size_t>(kind)]; }

}  // namespace theater::persist
