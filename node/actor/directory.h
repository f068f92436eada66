// Who lives on this node, for whoever sends: actors by id and by registered name. A name belongs to one living actor.
//
// Any thread; every method takes one short lock. It holds actors from the moment they have an id until they have ended.
#pragma once

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace theater::node {

class Actor;

class Directory {
 public:
  // kRefused if `name` (empty: none) belongs to another one; the actor isn't added then.
  Result<void> add(const std::shared_ptr<Actor>& actor, const ActorId& id, const std::string& name);
  void remove(const ActorId& id);  // with all its names

  std::shared_ptr<Actor> find(const ActorId& id) const;
  // A registered name, or 64 hexadecimal digits. kNotFound with words.
  Result<std::shared_ptr<Actor>> resolve(std::string_view target) const;

  Result<void> register_name(const std::string& name, const ActorId& id);
  Result<void> unregister_name(const std::string& name, const ActorId& id);  // kRefused if it isn't this actor's
  std::optional<ActorId> whereis(const std::string& name) const;

 private:
  struct Entry {
    std::shared_ptr<Actor> actor;
    std::vector<std::string> names;
  };
  Result<void> take_name(const std::string& name, const ActorId& id, Entry& entry);  // with the lock

  mutable std::shared_mutex mutex_;
  std::unordered_map<ActorId, Entry> actors_;
  std::unordered_map<std::string, ActorId> names_;
};

}  // namespace theater::node
