// CONTRACT. The runtime of a node: actors, their workers, and the command loop.
//
// Threads: any may call any method but stop(). Methods look up and enqueue under short locks, and never wait; callbacks
// run on the caller's thread, on *command* (timers) or on a worker, and must not block. *worker-N* run actors,
// *compile* compiles packages. An actor runs on one worker at a time; an actor that waits (for room at a subscriber or
// in a mailbox, an answer, a timer, a message) occupies none.
//
// Bounds: each actor's mailbox (messages and bytes) and orders, packages that wait to be compiled, the number of actors
// (actors_max) and of instances (the engine's limit); what doesn't fit is refused with kUnavailable and words.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "bus/outbox.h"
#include "node/actor/auditors.h"
#include "node/actor/policy.h"
#include "node/actor/recipe.h"
#include "node/chain/subscriber.h"
#include "node/runtime/metrics.h"
#include "node/runtime/module_files.h"
#include "schema/event.h"
#include "wasm/engine.h"

namespace theater::node {

template <typename T>
using Callback = std::function<void(Result<T>)>;

inline constexpr uint64_t kPassivateAfterMs = 5 * 60'000;
inline constexpr uint64_t kActorsMax = 1'000'000;

// What an auditor of that name signed before. Called on the command thread, and reads a disk.
using KeptReceipts = std::function<Result<std::optional<bus::KeptReceipt>>(const std::string& auditor)>;

struct RuntimeOptions {
  wasm::Engine* engine = nullptr;  // required, as are clock and random
  Clock* clock = nullptr;
  Random* random = nullptr;
  PublicKey identity;  // the node's, stands in each genesis
  std::string name = "node";
  std::string config_text;  // for the boot event's configuration hash
  size_t workers = 0;       // 0: one a core
  // An idle actor gives up its instance after this, unless its manifest says otherwise. 0: never.
  uint64_t passivate_after_ms = kPassivateAfterMs;
  Policy policy;                                   // what manifests may grant
  std::shared_ptr<ModuleFiles> module_files;       // compiled packages on disk; may be none
  uint64_t actors_max = kActorsMax;                // registered at once, passivated ones included
  std::vector<Auditor> auditors;                   // at least one takes all chains, if there are any
  bus::Loop* bus = nullptr;                        // for changes of the auditors; null: there are none
  KeptReceipts kept_receipts;                      // may be null: nothing is held against an auditor that is added
  Log log;                                         // any thread
  std::map<std::string, std::string> environment;  // variables that manifests may grant
};

struct SpawnRequest : Bundle {
  std::optional<Bytes> initial_state;
  schema::Origin requested_by;
  std::vector<std::shared_ptr<Subscriber>> subscribers;  // beside the auditors; these see genesis and init, too
};

// Of an actor whose effects are gated, since its life began.
struct GateInfo {
  uint64_t held = 0;  // calls and answers, at the moment
  uint64_t released = 0;
  uint64_t discarded = 0;  // answers that nobody waited for any more
  uint64_t wait_ns = 0;    // all together, of what was released
};

struct ActorInfo {
  ActorId id;
  std::string name;
  std::string state;      // "starting", "idle", "running", "waiting", "passivated", "stopping", "ended"
  std::string waits_for;  // "auditor b", "timer", …; empty if it doesn't
  Hash head;
  uint64_t events = 0;
  uint64_t mailbox = 0;  // messages
  uint64_t mailbox_bytes = 0;
  uint64_t memory_bytes = 0;
  uint64_t fuel = 0;             // consumed by all its calls, the one in progress included
  uint64_t waiting_ms = 0;       // how long it has been waiting for `waits_for`, when somebody looked
  std::string ended;             // why, for ended ones: "stop", "WasmError: …"
  std::optional<GateInfo> gate;  // none: its effects aren't gated

  ActorId parent;                  // its supervisor; zero: none
  std::string child_id;            // by which its supervisor knows it
  std::string strategy;            // of the supervisor that it is: "one_for_one", …; empty: it is none
  uint64_t restarts = 0;           // lives of the same child before this one
  std::vector<ActorId> children;   // those that live; told by show() only
  std::vector<std::string> names;  // registered; of a living actor
};

struct ActorCounts {
  uint64_t registered = 0;  // passivated ones included
  uint64_t laid_down = 0;   // of these: passivated, and nothing but a short record
  uint64_t starting = 0;    // without an id yet
};

struct AuditorInfo {
  std::string actors;  // whose chains it takes: "all", "name:web-*", …
  std::string key;     // "tk1…"; empty within one process
  std::string data, control;
  uint64_t window_bytes = 0;
  bool configured = true;  // else it was added while the node runs
  bus::Outbox::Status status;
};

struct RemovedAuditor {
  bool removed = false;      // there was one
  uint64_t lost_events = 0;  // that it was sent or was to be sent and hasn't acknowledged
};

struct NodeAbout {
  std::string name;
  std::string version;
  PublicKey identity;
  Hash engine_profile;
};

class Runtime {
 public:
  virtual ~Runtime() = default;  // as stop with no grace

  virtual NodeAbout about() const = 0;

  // Done when init has returned: genesis, the start function and init are emitted. Fails with kRefused/kInvalid before
  // genesis (bad manifest, more than the policy allows, handler not granted, signature, no instance left) or
  // kActorFailed after it (init trapped or answered err). What fails before is a fact on the node's own chain.
  virtual void spawn(SpawnRequest request, Callback<ActorInfo> done) = 0;
  // Done when the message is in the mailbox.
  virtual void send(const ActorId& actor, Bytes message, schema::Origin origin, Callback<Ok> done) = 0;
  // Done when handle-request has returned and its result is emitted; with `durable`, when it is acknowledged by all
  // strict auditors. No reply (the guest answered none) is nullopt. A guest's err is kActorFailed with its text.
  virtual void request(const ActorId& actor, Bytes message, schema::Origin origin, uint64_t timeout_ms, bool durable,
                       Callback<std::optional<Bytes>> done) = 0;
  // Lets the message in progress finish (at most `grace_ms`, then as kill), emits the terminal event. `done` when that
  // is emitted, for kill as well; kUnavailable if it found no room for kEndPatienceMs: the actor is dead then, and its
  // chain will end as soon as there is room.
  static constexpr uint64_t kEndPatienceMs = 5'000;
  virtual void stop_actor(const ActorId& actor, schema::Origin origin, uint64_t grace_ms, Callback<Ok> done) = 0;
  virtual void kill(const ActorId& actor, schema::Origin origin, std::string reason, Callback<Ok> done) = 0;
  // Gives up on the terminal event of an actor that was killed or stopped, if it finds no capacity: the chain stays
  // open and the actor is forgotten. kRefused for an actor that nobody ended.
  virtual void abandon(const ActorId& actor, Callback<Ok> done) = 0;

  // At most kListMax, those that aren't passivated first, and those that ended last.
  static constexpr size_t kListMax = 20'000;
  virtual void list(Callback<std::vector<ActorInfo>> done) = 0;
  virtual ActorCounts counts() const = 0;
  virtual void show(const ActorId& actor, Callback<ActorInfo> done) = 0;
  virtual void resolve(std::string id_prefix_or_name, Callback<ActorId> done) = 0;
  // Tail of one chain. Idempotent both ways; unsubscribing tells whether one was removed.
  virtual void subscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<Ok> done) = 0;
  virtual void unsubscribe(const ActorId& actor, std::shared_ptr<Subscriber> subscriber, Callback<bool> done) = 0;
  // Called once when the actor has ended and its terminal event is emitted (at once if it already has).
  virtual void when_ended(const ActorId& actor, Callback<ActorInfo> done) = 0;

  // Who the auditors are (node/runtime/subscriptions.h). Adding tells whether it wasn't there before, demoting whether
  // it wasn't so before; the first is told when the change is in effect, or kUnavailable after some seconds without.
  virtual std::vector<AuditorInfo> auditors() const = 0;
  virtual void add_auditor(Auditor auditor, schema::Operator by, Callback<bool> done) = 0;
  virtual void remove_auditor(const std::string& name, schema::Operator by, Callback<RemovedAuditor> done) = 0;
  virtual void demote_auditor(const std::string& name, bool demoted, schema::Operator by, Callback<bool> done) = 0;

  // Who may command this node or look at it, and no longer may: facts on its chain.
  virtual void note_key(const bus::AuthorizedKey& key, bool added) = 0;

  virtual const ActorId& node_chain() const = 0;
  // Looks at every living actor: some microseconds for a hundred of them. Not for a loop.
  virtual RuntimeMetrics metrics() const = 0;
  // Calls `work` on the command thread, soon; never after stop(). For what may take some milliseconds, and to see that
  // the thread gets on.
  virtual void defer(std::function<void()> work) = 0;
  // Refuses new spawns, stops all actors, ends the node's chain, joins the threads. Blocks; not from a callback.
  // Idempotent. False if some actor had to be killed or its terminal event found no capacity in time.
  virtual bool stop(uint64_t grace_ms) = 0;
};

Result<std::unique_ptr<Runtime>> start_runtime(RuntimeOptions options);

}  // namespace theater::node
