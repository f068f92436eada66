// Who takes an actor's chain: those that match when its life begins, and what changes of them later, which is an event
// of the chain itself.
#include "node/actor/actor.h"

namespace theater::node {

using schema::Value;

// Right before genesis, which says how many there are.
Result<void> Actor::find_auditors() {
  auditors_step_ = context_->auditors.step();
  for (auto& outbox : context_->auditors.of(name(), {}, auditors_step_)) links_->add(std::move(outbox));
  const size_t auditors = links_->size();
  if (manifest_->quorum > auditors) {
    return Error{ErrorCode::kInvalid,
                 str_cat("audit.quorum of '", name(), "' is ", manifest_->quorum, ", and its chain goes to ", auditors,
                         auditors == 1 ? " auditor" : " auditors", "; see theater subscription list")};
  }
  birth_->genesis.audit.auditors = static_cast<uint16_t>(auditors);
  return Ok{};
}

// Those who took the chain up to now hear of a new one before it hears anything. One that is removed is closed by then,
// or will be: the chain lets go of it by itself.
void Actor::catch_up_with_auditors() {
  if (phase_ == Phase::kBirth || phase_ == Phase::kGenesis || phase_ == Phase::kTerminal || phase_ == Phase::kEnded)
    return;
  const uint64_t now = context_->auditors.step();
  for (const auto& change : context_->auditors.changes(name(), id(), auditors_step_, now)) {
    auto value = Value::record(
        {{"name", Value::string(change.auditor->link.name)}, {"key", Value::string(change.auditor->key_text())}});
    if (!change.added) {
      state_fact(kFactAuditorRemoved, std::move(value));
      continue;
    }
    state_fact(kFactAuditorAdded, std::move(value),
               [this, outbox = change.auditor->outbox] { links_->add_late(outbox, id()); });
  }
  auditors_step_ = now;
}

}  // namespace theater::node
