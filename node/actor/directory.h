// Who lives on this node: actors from the spawn that makes them to their end, by id and by registered name, and what is
// remembered of those that have ended. A name belongs to one living actor, or to one that is about to be restarted.
//
// Any thread; every method takes one short lock, and none calls back. Bounds: kEndedMax ended actors are remembered,
// kNamesMax names an actor.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
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

class Directory {
 public:
  static constexpr size_t kEndedMax = 1'000;
  static constexpr size_t kNamesMax = 100;  // of one actor
  using ActorPtr = std::shared_ptr<Actor>;

  // A spawn takes these steps: it is expected (false: the directory is closed), begins without an id, is added with
  // one, and ends. What was expected and came to nothing is given up.
  bool expect();
  void give_up();
  void begin(const ActorPtr& actor);
  // kRefused if `name` (empty: none) belongs to another one; the actor isn't added then. The names that were kept for
  // the heir of `heir_of` (zero: of nobody) are its own from now on.
  Result<void> add(const ActorPtr& actor, const ActorId& id, const std::string& name, const ActorId& heir_of = {});
  // Its names are free again, or kept for its heir until release_names().
  void end(const ActorPtr& actor, const ActorInfo& info, bool keep_names = false);
  void release_names(const ActorId& ended);

  void close();  // no more spawns
  bool closed() const;
  // Until nobody is expected or alive; false if `wait` passed first.
  bool wait_until_empty(std::chrono::milliseconds wait);
  std::vector<ActorPtr> clear();  // whoever is left

  ActorPtr find(const ActorId& id) const;
  // A registered name, or 64 hexadecimal digits. kNotFound with words.
  Result<ActorPtr> resolve(std::string_view target) const;
  std::vector<ActorPtr> living() const;    // those that have an id
  std::vector<ActorPtr> starting() const;  // those that don't yet
  std::vector<ActorInfo> ended() const;    // newest last
  std::optional<ActorInfo> find_ended(const ActorId& id) const;

  Result<void> register_name(const std::string& name, const ActorId& id);
  Result<void> unregister_name(const std::string& name, const ActorId& id);  // kRefused if it isn't this actor's
  std::optional<ActorId> whereis(const std::string& name) const;

 private:
  struct Entry {
    ActorPtr actor;
    std::vector<std::string> names;
  };
  Result<void> take_name(const std::string& name, const ActorId& id, Entry& entry);  // with the lock
  bool is_empty() const { return expected_ == 0 && starting_.empty() && actors_.empty(); }

  mutable std::shared_mutex mutex_;
  std::condition_variable_any emptied_;
  std::unordered_set<ActorPtr> starting_;
  std::unordered_map<ActorId, Entry> actors_;
  std::unordered_map<std::string, ActorId> names_;
  std::unordered_map<ActorId, std::vector<std::string>> kept_names_;  // of who has ended and has an heir
  std::deque<ActorInfo> ended_;
  size_t expected_ = 0;
  bool closed_ = false;
};

}  // namespace theater::node
