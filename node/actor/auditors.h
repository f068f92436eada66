// The auditors of a node, and whose chains each takes: those that the configuration names, and those that were added
// while the node runs. The set changes in steps, which are numbered; an actor remembers the step that its own links are
// at, and catches up before its next event (actor_audit.cc). So one that rests needs no work when the set changes.
//
// Any thread; one short lock. Bounds: kChangesMax changes in the life of a node's process.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "bus/loop.h"
#include "bus/outbox.h"

namespace theater::node {

// On an actor's own chain. The first goes to those who took the chain before, and takes effect after it.
inline constexpr std::string_view kFactAuditorAdded = "audit/auditor-added";
inline constexpr std::string_view kFactAuditorRemoved = "audit/auditor-removed";

// "all", "name:PATTERN" with * ? and [] as in a shell, or "id:" and an actor's whole id. An id is known only when the
// actor lives already.
class ActorFilter {
 public:
  ActorFilter() = default;  // all
  static Result<ActorFilter> parse(std::string_view text);
  static ActorFilter only(const ActorId& actor);

  bool takes_all() const { return kind_ == Kind::kAll; }
  bool takes(const std::string& name, const ActorId& id) const;
  std::string text() const;
  bool names_actor() const { return kind_ == Kind::kId; }
  bool operator==(const ActorFilter&) const = default;

 private:
  enum class Kind : uint8_t { kAll, kName, kId };
  Kind kind_ = Kind::kAll;
  std::string pattern_;
  ActorId id_;
};

struct Auditor {
  Auditor() = default;
  // Takes all chains, over a link that is there.
  Auditor(std::shared_ptr<bus::Outbox> link);  // NOLINT(google-explicit-constructor)

  std::string key_text() const { return link.server ? link.server->text() : ""; }

  bus::DialOptions link;  // its name and where it is
  ActorFilter actors;
  bool configured = true;  // else it was added while the node runs
  std::shared_ptr<bus::Outbox> outbox;
};

class Auditors {
 public:
  static constexpr size_t kChangesMax = 10'000;
  using Outboxes = std::vector<std::shared_ptr<bus::Outbox>>;
  using AuditorPtr = std::shared_ptr<const Auditor>;

  struct Change {
    bool added = false;  // or removed
    AuditorPtr auditor;
  };

  // The number of changes up to now.
  uint64_t step() const { return step_.load(std::memory_order_acquire); }

  void begin_with(std::vector<Auditor> auditors);  // before any actor
  void add(AuditorPtr auditor);
  void remove(const AuditorPtr& auditor);
  bool has_room() const;  // for another change

  std::vector<AuditorPtr> all() const;
  // Those that take this actor's chain and were there at that step, as far as they still are.
  Outboxes of(const std::string& name, const ActorId& id, uint64_t step) const;
  // What changed for this actor after the step `from` up to the step `to`, in order. What came and went between isn't
  // told.
  std::vector<Change> changes(const std::string& name, const ActorId& id, uint64_t from, uint64_t to) const;

 private:
  struct Since {
    uint64_t step;
    AuditorPtr auditor;
  };
  mutable std::mutex mutex_;
  std::vector<Since> present_;
  std::vector<Change> changes_;  // the first made step 1
  std::atomic<uint64_t> step_{0};
};

}  // namespace theater::node
