// Changing who a node's auditors are while it runs. What was added lasts as long as the node's process, as everything
// the node has; what is to last stands in its configuration.
//
// Every change is a fact on the node's own chain, with who asked for it. Adding and removing take effect when that fact
// is emitted, that is, when the auditors there were have it; so they wait while the node's chain does, and say for
// whom. Demoting takes effect at once, because the one who is demoted is the one who can't take the fact: it goes to
// the others and leaves a gap with that one. From then on nobody waits for it, and it gets what it has room for.
//
// Whose chains it takes: ActorFilter. The node's own chain goes to those who take all, of which there is always one. An
// auditor is its key: none is there twice under two names, because its store couldn't tell the copies from a lie.
//
// Any thread; callbacks on the caller's, the bus thread, a worker or the command thread. Bounds: one change of a name
// at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "node/actor/actor.h"
#include "node/runtime/node_chain.h"
#include "node/runtime/runtime.h"

namespace theater::node {

class Subscriptions : public std::enable_shared_from_this<Subscriptions> {
 public:
  static constexpr uint64_t kPatienceMs = 5'000;  // for the node's chain
  static constexpr uint64_t kHangUpMs = 5'000;    // for what a removed auditor hasn't acknowledged

  // `chain` gives its events to `links`. `bus` may be null: then nobody is added or removed.
  Subscriptions(std::shared_ptr<ActorContext> context, NodeChain& chain, std::shared_ptr<AuditLinks> links,
                bus::Loop* bus, KeptReceipts kept_receipts);

  void add(Auditor auditor, const schema::Operator& by, Callback<bool> done);
  void remove(const std::string& name, const schema::Operator& by, Callback<RemovedAuditor> done);
  void demote(const std::string& name, bool demoted, const schema::Operator& by, Callback<bool> done);
  // Those that take the node's own chain, and those that will when it goes on.
  Auditors::Outboxes of_node_chain();

 private:
  using AuditorPtr = Auditors::AuditorPtr;
  template <typename T>
  struct Asked;  // somebody waits for a change

  AuditorPtr find(const std::string& name) const;
  Result<bool> begin_to_add(const Auditor& auditor);
  Result<AuditorPtr> begin_to_remove(const std::string& name);
  // With the lock: nobody else changes it meanwhile, or takes that key.
  Result<void> reserve(const std::string& name, std::optional<bus::PublicKeys> key = std::nullopt);
  void give_back(const std::string& name);
  bool is_last(const AuditorPtr& auditor) const;
  void dial(Auditor auditor, const schema::Operator& by, const std::shared_ptr<Asked<bool>>& asked);
  void dialed(Auditor auditor, const schema::Operator& by, const std::shared_ptr<Asked<bool>>& asked);
  Result<AuditorPtr> set_demoted(const std::string& name, bool demoted);
  void set_changed();
  template <typename T>
  std::shared_ptr<Asked<T>> ask(Callback<T> done);
  template <typename T>
  void wait_for_chain(const std::shared_ptr<Asked<T>>& asked);
  static schema::Value value_of(const Auditor& auditor, const schema::Operator& by);

  const std::shared_ptr<ActorContext> context_;
  NodeChain& chain_;
  const std::shared_ptr<AuditLinks> links_;
  bus::Loop* const bus_;
  const KeptReceipts kept_receipts_;
  std::mutex mutex_;
  struct Changing {
    std::optional<bus::PublicKeys> key;  // of one that comes
    AuditorPtr coming;                   // it waits for the node's chain only
  };
  std::map<std::string, Changing> changing_;  // by name
};

}  // namespace theater::node
