// What is kept of an actor that was passivated, instead of the actor: enough to make it again, in a few hundred bytes.
// A node holds a million of these.
//
// Owned by the directory; made by Actor::lay_down() and consumed by Actor's constructor. Whatever an actor gets that
// has to outlive its rest stands here, or keeps the actor from being laid down (Actor::may_be_laid_down).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "node/actor/actor_timers.h"
#include "node/actor/channel.h"
#include "node/actor/gate.h"
#include "node/actor/life.h"
#include "node/actor/relations.h"
#include "node/chain/audit_links.h"
#include "node/chain/chain.h"
#include "node/handlers/content.h"

namespace theater::node {

struct Resting {
  // Both are shared by all that have the same.
  std::shared_ptr<const Manifest> manifest;
  std::shared_ptr<wasm::Module> module;
  Chain::Tip tip;
  std::optional<Bytes> state;
  uint64_t fuel = 0;           // of all calls
  uint64_t auditors_step = 0;  // that its links were at
  // Most have none of these.
  std::shared_ptr<Gate> gate;
  std::shared_ptr<AuditLinks> links;  // of the mode quorum: who has missed what. All others' are found again
  std::unique_ptr<const Parentage> parent;
  std::unique_ptr<Relations> relations;
  std::unique_ptr<ActorTimers> timers;  // none that is set: the numbers that were given
  std::unique_ptr<std::map<uint64_t, std::shared_ptr<Channel>>> channels;
  std::unique_ptr<Labels> labels;
  // Beside the auditors' links.
  std::unique_ptr<std::vector<std::shared_ptr<Subscriber>>> subscribers;
};

}  // namespace theater::node
