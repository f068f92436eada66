// Who is registered on this node: actors from the spawn that makes them to their end, by id and by registered name, and
// what is remembered of those that have ended. A name belongs to one actor that hasn't ended, or
// to one that is about to be restarted.
//
// An actor that is passivated and that nobody holds is laid down: the directory keeps what is left of it (resting.h),
// and makes the actor again when somebody looks it up. So whoever wants to reach an actor looks it up here; a weak
// pointer to one is good for waking it and nothing else.
//
// Any thread; every method takes one short lock. Bounds: actors_max registered actors, kEndedMax ended ones are
// remembered, kNamesMax names an actor.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/runtime/runtime.h"

namespace theater::node {

class Actor;
struct Parentage;
struct ActorContext;
struct Resting;

class Directory {
 public:
  static constexpr size_t kEndedMax = 1'000;
  static constexpr size_t kNamesMax = 100;  // of one actor
  using ActorPtr = std::shared_ptr<Actor>;

  // `context` owns this.
  explicit Directory(ActorContext& context);
  ~Directory();
  void set_actors_max(size_t actors) { actors_max_ = actors; }  // before the first spawn

  // A spawn takes these steps: it is expected (kUnavailable: the directory is closed, or full), begins without an id,
  // is added with one, and ends. What was expected and came to nothing is given up.
  Result<void> expect();
  void give_up();
  void begin(const ActorPtr& actor);
  // kRefused if `name` (empty: none) belongs to another one; the actor isn't added then. The names that were kept for
  // the heir of `heir_of` (zero: of nobody) are its own from now on, released ones only if nobody has taken them.
  Result<void> add(const ActorPtr& actor, const ActorId& id, const std::string& name, const ActorId& heir_of = {});
  // Its names are free again, or kept for the heir of `heir_of` (zero: of nobody) until they are released or forgotten.
  void end(const ActorPtr& actor, const ActorInfo& info, const ActorId& heir_of = {});
  // Anybody may take what was kept for that one's heir, which gets what is left.
  void release_names(const ActorId& ended);
  // Likewise, and there will be no heir.
  void forget_names(const ActorId& ended);

  // In the actor's turn. False if somebody else holds the actor, or if `take` gives nothing; else the directory lets go
  // of it. `take` is called with the lock.
  bool lay_down(const ActorId& id, const std::function<std::optional<Resting>()>& take);

  void close();  // no more spawns
  bool closed() const;
  // Until at most `most` actors are left that aren't laid down, those included that are expected; false if `wait`
  // passed first. Only after close().
  bool wait_until_awake(size_t most, std::chrono::milliseconds wait);
  std::vector<ActorPtr> clear();  // whoever is left

  ActorPtr find(const ActorId& id);
  // A registered name, or 64 hexadecimal digits. kNotFound with words.
  Result<ActorPtr> resolve(std::string_view target);
  bool contains(const ActorId& id) const;
  std::vector<ActorPtr> awake() const;                     // those that have an id and aren't laid down
  std::vector<ActorPtr> raise(size_t most);                // makes as many again of those that are laid down
  std::vector<ActorPtr> starting() const;                  // those that don't have an id yet
  std::optional<ActorInfo> info(const ActorId& id) const;  // of one that is registered
  std::vector<ActorInfo> infos(size_t most) const;         // of those that are awake, then of those that are laid down
  // Calls `what` with each registered actor's id, manifest's name and parent, with the lock; now and then it lets
  // others have that, so that one may be missed or come twice that is laid down or comes back just now.
  void for_each(const std::function<void(const ActorId&, const std::string&, const Parentage*)>& what) const;
  std::vector<ActorId> children_of(const ActorId& supervisor) const;  // looks at every actor; so it takes a while
  ActorCounts counts() const;
  std::vector<ActorInfo> ended() const;  // newest last
  std::optional<ActorInfo> find_ended(const ActorId& id) const;

  Result<void> register_name(const std::string& name, const ActorId& id);
  Result<void> unregister_name(const std::string& name, const ActorId& id);  // kRefused if it isn't this actor's
  std::optional<ActorId> whereis(const std::string& name) const;

 private:
  using Names = std::vector<std::string>;
  struct Awake {
    ActorPtr actor;
    Names names;
  };
  struct Kept {  // of who has ended
    Names names;
    bool reserved = true;  // names_ has them
  };
  struct LaidDown;
  using AllLaidDown = std::unordered_map<ActorId, LaidDown>;
  // With the lock:
  Result<void> take_name(const std::string& name, const ActorId& id, Names& names);
  Names inherit(const ActorId& id, const ActorId& heir_of);
  void keep(Names names, const ActorId& heir_of);
  Names* names_of(const ActorId& id);  // of one that is registered, or nullptr
  ActorPtr raise(AllLaidDown::iterator who);

  ActorContext& context_;
  size_t actors_max_ = SIZE_MAX;
  mutable std::shared_mutex mutex_;
  std::condition_variable_any emptied_;
  std::unordered_set<ActorPtr> starting_;
  std::unordered_map<ActorId, Awake> awake_;
  std::unique_ptr<AllLaidDown> laid_down_;
  std::unordered_map<std::string, ActorId> names_;
  std::unordered_map<ActorId, Kept> kept_names_;  // of who has ended and may have an heir
  std::deque<ActorInfo> ended_;
  size_t expected_ = 0;
  bool closed_ = false;
};

}  // namespace theater::node
