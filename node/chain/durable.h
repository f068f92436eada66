// Waiting until what an actor emitted is durable as its audit mode says: strict at all its auditors, quorum at k of
// them, best-effort at none. Before a reply that was asked for as durable, and wherever else something must not leave
// the node before its record is safe.
//
// An auditor that is demoted or hung up, before or meanwhile, isn't waited for: it doesn't count, and nor is more asked
// of the others than all of them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bus/outbox.h"
#include "schema/event.h"

namespace theater::node {

// How many of `auditors` an event has to reach: k is of use in the mode quorum only.
size_t needed_auditors(schema::AuditMode mode, size_t k, size_t auditors);

// Calls `then` once, when everything appended up to now is durable at `needed` of the outboxes: at once if that is so
// already, otherwise on whatever thread the last word comes; it only enqueues. To be asked with those that the events
// in question were appended to.
void when_durable(const std::vector<std::shared_ptr<bus::Outbox>>& outboxes, size_t needed, std::function<void()> then);

}  // namespace theater::node
