#include "node/actor/directory.h"

#include <mutex>

#include "base/check.h"
#include "base/text.h"
#include "node/actor/manifest.h"

namespace theater::node {

Result<void> Directory::take_name(const std::string& name, const ActorId& id, Entry& entry) {
  if (!is_actor_name(name)) {
    return Error{ErrorCode::kInvalid,
                 str_cat("a name has 1 to ", kActorNameMax, " of the characters a-z A-Z 0-9 - _ . ; here it is \"",
                         escape(as_bytes(name.substr(0, 100))), "\"")};
  }
  const auto [found, is_new] = names_.try_emplace(name, id);
  if (is_new) entry.names.push_back(name);
  if (found->second == id) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the name '", name, "' belongs to actor ", found->second.short_hex())};
}

Result<void> Directory::add(const std::shared_ptr<Actor>& actor, const ActorId& id, const std::string& name) {
  Entry entry{actor, {}};
  std::unique_lock lock(mutex_);
  if (!name.empty()) TRY(take_name(name, id, entry));
  actors_.emplace(id, std::move(entry));
  return Ok{};
}

void Directory::remove(const ActorId& id) {
  Entry removed;  // destroyed without the lock
  std::unique_lock lock(mutex_);
  const auto found = actors_.find(id);
  if (found == actors_.end()) return;
  removed = std::move(found->second);
  actors_.erase(found);
  for (const auto& name : removed.names) names_.erase(name);
}

std::shared_ptr<Actor> Directory::find(const ActorId& id) const {
  std::shared_lock lock(mutex_);
  const auto found = actors_.find(id);
  return found == actors_.end() ? nullptr : found->second.actor;
}

Result<std::shared_ptr<Actor>> Directory::resolve(std::string_view target) const {
  std::shared_lock lock(mutex_);
  ActorId id;
  if (const auto parsed = ActorId::from_hex_text(target)) {
    id = *parsed;
  } else if (const auto named = names_.find(std::string(target)); named != names_.end()) {
    id = named->second;
  } else {
    return Error{ErrorCode::kNotFound,
                 str_cat("no actor has the name '", escape(as_bytes(target.substr(0, 100))), "'")};
  }
  const auto found = actors_.find(id);
  if (found != actors_.end()) return found->second.actor;
  return Error{ErrorCode::kNotFound, str_cat("there is no living actor ", id.short_hex(), " on this node")};
}

Result<void> Directory::register_name(const std::string& name, const ActorId& id) {
  std::unique_lock lock(mutex_);
  const auto found = actors_.find(id);
  CHECK(found != actors_.end(), "a name for an actor that isn't there");
  return take_name(name, id, found->second);
}

Result<void> Directory::unregister_name(const std::string& name, const ActorId& id) {
  std::unique_lock lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end() || found->second != id) {
    return Error{ErrorCode::kRefused, str_cat("'", escape(as_bytes(name.substr(0, 100))), "' isn't this actor's name")};
  }
  names_.erase(found);
  std::erase(actors_.at(id).names, name);
  return Ok{};
}

std::optional<ActorId> Directory::whereis(const std::string& name) const {
  std::shared_lock lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

}  // namespace theater::node
