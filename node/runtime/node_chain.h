// The node's own chain: it began, which binary it was, every actor that was spawned and how each ended. An actor that
// no auditor heard of thus leaves a trace.
//
// It is a task like an actor: when auditors are full or absent, facts wait here in order, and the command loop never
// does. When kFactsMax wait, spawns from outside are refused, facts that can wait do (has_room()), and so do births,
// each of which takes its room first (reserve()). Beyond that only ends are added, one for each actor that was born
// while there was room.
//
// Threads: any; its chain is touched by the worker that runs it only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "node/chain/chain.h"
#include "node/runtime/scheduler.h"

namespace theater::node {

inline constexpr std::string_view kFactBoot = "node/boot";
inline constexpr std::string_view kFactSpawn = "node/spawn";
inline constexpr std::string_view kFactEnd = "node/end";
inline constexpr std::string_view kFactKeyAdded = "node/key-added";  // of who may command the node, or look
inline constexpr std::string_view kFactKeyRemoved = "node/key-removed";
inline constexpr std::string_view kFactSubscriptionAdded = "node/subscription-added";
inline constexpr std::string_view kFactSubscriptionRemoved = "node/subscription-removed";
inline constexpr std::string_view kFactSubscriptionDemoted = "node/subscription-demoted";
inline constexpr std::string_view kFactSubscriptionPromoted = "node/subscription-promoted";

class NodeChain final : public Task {
 public:
  static constexpr size_t kFactsMax = 1'000;

  // Genesis is begun here, so that id() is known; it is emitted at the first turn.
  // `owner` keeps the scheduler: a waker on another thread may be the last to hold this.
  NodeChain(std::shared_ptr<const void> owner, Scheduler& scheduler, Clock& clock, schema::Genesis genesis,
            std::vector<std::shared_ptr<Subscriber>> subscribers);

  const ActorId& id() const { return id_; }
  bool has_room() const;
  // Room for one fact that comes by add_reserved(), or is given back. False: there is none; `task` is woken once when
  // it is worth asking again.
  bool reserve(const std::shared_ptr<Task>& task);
  void give_back();
  void forget(const Task& task);  // it doesn't wait any more
  // `type` is one of the constants above. `then` runs on this task's worker when the fact is emitted; it doesn't if the
  // chain ends before, or has: false.
  bool add(std::string_view type, schema::Value value, std::function<void()> then = {});
  void add_reserved(std::string_view type, schema::Value value);
  // Emits what waits, then the terminal event, then calls `done`. Once.
  void finish(std::string reason, std::function<void()> done);
  void post(std::function<void(Chain&)> order);  // on its worker, at its next turn

  struct Status {
    Hash head;
    uint64_t events = 0;
    size_t waiting = 0;     // facts not emitted yet
    std::string waits_for;  // "auditor b"; empty if it doesn't
    bool ended = false;
  };
  Status status() const;

 protected:
  Next turn(Worker& worker) override;

 private:
  struct Fact {
    std::string_view type;
    schema::Value value;
    std::function<void()> then;
  };
  bool begin_next();
  bool is_full() const { return facts_.size() + reserved_ >= kFactsMax; }  // with the lock
  void wake_next();

  const std::shared_ptr<const void> owner_;
  ActorId id_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Fact> facts_;
  size_t reserved_ = 0;
  std::deque<std::pair<const Task*, std::weak_ptr<Task>>> waiting_;  // for room, oldest first; each once
  std::vector<std::function<void(Chain&)>> orders_;
  bool finishing_ = false;
  std::string reason_;
  std::function<void()> done_;
  Status status_;
  std::function<void()> then_;  // of the fact that is being emitted; of the worker

  Chain chain_;
};

}  // namespace theater::node
