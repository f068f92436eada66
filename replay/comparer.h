// Whether what the guest did now is what the record says it did then.
//
// The replayed event takes its header from the record (incarnation, sequence, time, parent) and its type and body from
// the guest; if its bytes are the recorded ones, so is its hash, which was computed when the record was verified. Where
// bytes may rightly differ (another package, another engine profile), the decoded bodies are compared instead, and what
// depends on the engine alone is left out: fuel, and the wording of traps.
//
// One owner, one thread. Keeps the first difference.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "replay/replayer.h"
#include "replay/tape.h"
#include "schema/event.h"

namespace theater::replay {

class Comparer {
 public:
  // Not `exact`: bodies are compared, as above.
  explicit Comparer(bool exact) : exact_(exact) {}

  void set_exact(bool exact) { exact_ = exact; }
  bool exact() const { return exact_; }

  // False at a difference, which is then kept.
  bool matches(const Tape::Entry& recorded, std::string_view type, const schema::Body& body);

  // The guest did something that is no event: "returned", "trapped: …".
  void differs(const Tape::Entry& recorded, std::string did_instead);

  bool failed() const { return difference_.has_value(); }
  const std::optional<Difference>& difference() const { return difference_; }

 private:
  bool exact_;
  Bytes buffer_;
  std::optional<Difference> difference_;
};

inline constexpr size_t kLineWidth = 400;  // of an event in a difference

// The recorded event as one line; for a difference.
std::string recorded_line(const Tape::Entry& recorded);

}  // namespace theater::replay
