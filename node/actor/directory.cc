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
  if (ActorId::from_hex_text(name)) return Error{ErrorCode::kInvalid, "a name must not look like an actor's id"};
  if (!names_.contains(name) && entry.names.size() >= kNamesMax) {
    return Error{ErrorCode::kRefused, str_cat("an actor has at most ", kNamesMax, " names")};
  }
  const auto [found, is_new] = names_.try_emplace(name, id);
  if (is_new) entry.names.push_back(name);
  if (found->second == id) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the name '", name, "' belongs to actor ", found->second.short_hex())};
}

bool Directory::expect() {
  std::unique_lock lock(mutex_);
  if (closed_) return false;
  ++expected_;
  return true;
}

void Directory::give_up() {
  std::unique_lock lock(mutex_);
  CHECK(expected_ > 0);
  --expected_;
  if (is_empty()) emptied_.notify_all();
}

void Directory::begin(const ActorPtr& actor) {
  std::unique_lock lock(mutex_);
  CHECK(expected_ > 0);
  --expected_;
  starting_.insert(actor);
}

Result<void> Directory::add(const ActorPtr& actor, const ActorId& id, const std::string& name, const ActorId& heir_of) {
  Entry entry{actor, {}};
  std::unique_lock lock(mutex_);
  if (auto kept = kept_names_.extract(heir_of)) {
    entry.names = std::move(kept.mapped());
    for (const auto& each : entry.names) names_[each] = id;
  }
  if (!name.empty()) TRY(take_name(name, id, entry));
  starting_.erase(actor);
  actors_.emplace(id, std::move(entry));
  return Ok{};
}

void Directory::end(const ActorPtr& actor, const ActorInfo& info, bool keep_names) {
  std::unique_lock lock(mutex_);
  starting_.erase(actor);
  if (const auto found = actors_.find(info.id); found != actors_.end()) {
    auto& names = found->second.names;
    if (keep_names && !names.empty()) {
      kept_names_.emplace(info.id, std::move(names));
    } else {
      for (const auto& name : names) names_.erase(name);
    }
    actors_.erase(found);
  }
  if (info.events > 0) ended_.push_back(info);
  if (ended_.size() > kEndedMax) ended_.pop_front();
  if (is_empty()) emptied_.notify_all();
}

void Directory::release_names(const ActorId& ended) {
  std::unique_lock lock(mutex_);
  const auto kept = kept_names_.extract(ended);
  if (!kept) return;
  for (const auto& name : kept.mapped()) names_.erase(name);
}

void Directory::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
}

bool Directory::closed() const {
  std::shared_lock lock(mutex_);
  return closed_;
}

bool Directory::wait_until_empty(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, wait, [this] { return is_empty(); });
}

std::vector<Directory::ActorPtr> Directory::clear() {
  std::vector<ActorPtr> left;
  std::unique_lock lock(mutex_);
  for (const auto& actor : starting_) left.push_back(actor);
  for (auto& [id, entry] : actors_) left.push_back(std::move(entry.actor));
  starting_.clear();
  actors_.clear();
  names_.clear();
  return left;
}

std::vector<Directory::ActorPtr> Directory::living() const {
  std::vector<ActorPtr> all;
  std::shared_lock lock(mutex_);
  all.reserve(actors_.size());
  for (const auto& [id, entry] : actors_) all.push_back(entry.actor);
  return all;
}

std::vector<Directory::ActorPtr> Directory::starting() const {
  std::shared_lock lock(mutex_);
  return {starting_.begin(), starting_.end()};
}

std::vector<ActorInfo> Directory::ended() const {
  std::shared_lock lock(mutex_);
  return {ended_.begin(), ended_.end()};
}

std::optional<ActorInfo> Directory::find_ended(const ActorId& id) const {
  std::shared_lock lock(mutex_);
  for (const auto& info : ended_) {
    if (info.id == id) return info;
  }
  return std::nullopt;
}

Directory::ActorPtr Directory::find(const ActorId& id) const {
  std::shared_lock lock(mutex_);
  const auto found = actors_.find(id);
  return found == actors_.end() ? nullptr : found->second.actor;
}

Result<Directory::ActorPtr> Directory::resolve(std::string_view target) const {
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
  if (kept_names_.contains(id)) {
    return Error{ErrorCode::kUnavailable, str_cat("'", escape(as_bytes(target)), "' is being restarted; try again")};
  }
  return Error{ErrorCode::kNotFound, str_cat("there is no living actor ", id.short_hex(), " on this node")};
}

Result<void> Directory::register_name(const std::string& name, const ActorId& id) {
  std::unique_lock lock(mutex_);
  const auto found = actors_.find(id);
  if (found == actors_.end()) return Error{ErrorCode::kNotFound, "only a living actor can have a name"};
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
