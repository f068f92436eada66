// Waiting until what an actor emitted is durable as its audit mode says: strict at all its auditors, quorum at k of
// them, best-effort at none. Before a reply that was asked for as durable, and wherever else something must not leave
// the node before its record is safe.
//
// An auditor that is demoted or hung up meanwhile isn't waited for: it doesn't count, and nor is more asked of the
// others than all of them. But something that nobody else has is durable only when that one says so, late or never:
// demoting the last who has it opens nothing.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bus/outbox.h"
#include "schema/event.h"

namespace theater::node {

// How many of `auditors` an event has to reach: k is of use in the mode quorum only.
size_t needed_auditors(schema::AuditMode mode, size_t k, size_t auditors);

// An auditor that got some of the events in question, or all of them.
struct Holder {
  std::shared_ptr<bus::Outbox> outbox;
  bool whole = false;
};

// Calls `then` once, when everything that was appended to these up to now is durable at as many as the mode asks for:
// at once if that is so already, otherwise on whatever thread the last word comes; it only enqueues. Each event must
// have been appended to as many of them as the mode asks for. If no word comes any more, `then` is destroyed uncalled.
void when_durable(schema::AuditMode mode, size_t k, const std::vector<Holder>& holders, std::function<void()> then);

}  // namespace theater::node
