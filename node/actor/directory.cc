#include "node/actor/directory.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "node/actor/actor.h"
#include "node/actor/resting.h"

namespace theater::node {

struct Directory::LaidDown {
  Resting resting;
  Names names;
};

namespace {

ActorInfo info_of(const ActorId& id, const Resting& resting) {
  ActorInfo info;
  info.id = id;
  info.name = resting.manifest->name;
  info.state = "passivated";
  info.head = resting.tip.head;
  info.events = resting.tip.length;
  info.fuel = resting.fuel;
  if (resting.gate != nullptr) info.gate = resting.gate->info();
  if (resting.parent != nullptr) {
    info.parent = resting.parent->supervisor;
    info.child_id = resting.parent->child_id;
    info.restarts = resting.parent->restarts;
  }
  return info;
}

}  // namespace

Directory::Directory(ActorContext& context) : context_(context), laid_down_(std::make_unique<AllLaidDown>()) {}

Directory::~Directory() = default;

Result<void> Directory::take_name(const std::string& name, const ActorId& id, Names& names) {
  if (!is_actor_name(name)) {
    return Error{ErrorCode::kInvalid, str_cat("a name has 1 to ", kActorNameMax,
                                              " of the characters a-z A-Z 0-9 - _ . ; here it is ", quote(name))};
  }
  if (ActorId::from_hex_text(name)) return Error{ErrorCode::kInvalid, "a name must not look like an actor's id"};
  if (!names_.contains(name) && names.size() >= kNamesMax) {
    return Error{ErrorCode::kRefused, str_cat("an actor has at most ", kNamesMax, " names")};
  }
  const auto [found, is_new] = names_.try_emplace(name, id);
  if (is_new) names.push_back(name);
  if (found->second == id) return Ok{};
  return Error{ErrorCode::kRefused, str_cat("the name '", name, "' belongs to actor ", found->second.short_hex())};
}

Directory::Names* Directory::names_of(const ActorId& id) {
  if (const auto found = awake_.find(id); found != awake_.end()) return &found->second.names;
  if (const auto found = laid_down_->find(id); found != laid_down_->end()) return &found->second.names;
  return nullptr;
}

Result<void> Directory::expect() {
  std::unique_lock lock(mutex_);
  if (closed_) return Error{ErrorCode::kUnavailable, "the node is stopping"};
  if (awake_.size() + laid_down_->size() + starting_.size() + expected_ >= actors_max_) {
    return Error{ErrorCode::kUnavailable, str_cat(actors_max_,
                                                  " actors are registered on this node, which is the most "
                                                  "(limits.actors_max in its configuration)")};
  }
  ++expected_;
  return Ok{};
}

void Directory::give_up() {
  std::unique_lock lock(mutex_);
  CHECK(expected_ > 0);
  --expected_;
  if (closed_) emptied_.notify_all();
}

void Directory::begin(const ActorPtr& actor) {
  std::unique_lock lock(mutex_);
  CHECK(expected_ > 0);
  --expected_;
  starting_.insert(actor);
}

Result<void> Directory::add(const ActorPtr& actor, const ActorId& id, const std::string& name, const ActorId& heir_of) {
  std::unique_lock lock(mutex_);
  Awake entry{actor, inherit(id, heir_of)};
  if (!name.empty()) {
    if (auto taken = take_name(name, id, entry.names); !taken.ok()) {
      keep(std::move(entry.names), heir_of);
      return taken;
    }
  }
  starting_.erase(actor);
  awake_.emplace(id, std::move(entry));
  return Ok{};
}

Directory::Names Directory::inherit(const ActorId& id, const ActorId& heir_of) {
  Names names;
  const auto kept = kept_names_.extract(heir_of);
  if (!kept) return names;
  for (auto& name : kept.mapped().names) {
    if (kept.mapped().reserved) {
      names_[name] = id;
    } else if (!names_.try_emplace(name, id).second) {
      continue;
    }
    names.push_back(std::move(name));
  }
  return names;
}

// Of an heir that didn't come to live, for the next one; or of who has ended.
void Directory::keep(Names names, const ActorId& heir_of) {
  if (names.empty()) return;
  for (const auto& name : names) {
    if (heir_of.is_zero()) {
      names_.erase(name);
    } else {
      names_[name] = heir_of;
    }
  }
  if (!heir_of.is_zero()) kept_names_[heir_of] = Kept{std::move(names)};
}

void Directory::end(const ActorPtr& actor, const ActorInfo& info, const ActorId& heir_of) {
  std::unique_lock lock(mutex_);
  starting_.erase(actor);
  if (const auto found = awake_.find(info.id); found != awake_.end()) {
    keep(std::move(found->second.names), heir_of);
    awake_.erase(found);
  }
  if (info.events > 0) ended_.push_back(info);
  if (ended_.size() > kEndedMax) ended_.pop_front();
  if (closed_) emptied_.notify_all();
}

bool Directory::lay_down(const ActorId& id, const std::function<std::optional<Resting>()>& take) {
  constexpr long kWorkerAndDirectory = 2;
  std::unique_lock lock(mutex_);
  const auto found = awake_.find(id);
  if (found == awake_.end() || found->second.actor.use_count() > kWorkerAndDirectory) return false;
  std::atomic_thread_fence(std::memory_order_acquire);  // behind what those did who let go of it
  auto resting = take();
  if (!resting) return false;
  laid_down_->emplace(id, LaidDown{std::move(*resting), std::move(found->second.names)});
  awake_.erase(found);  // the worker still has it
  if (closed_) emptied_.notify_all();
  return true;
}

// Who comes back while the node stops is stopped, by its supervisor if that lives.
Directory::ActorPtr Directory::raise(AllLaidDown::iterator who) {
  const ActorId id = who->first;
  LaidDown entry = std::move(who->second);
  laid_down_->erase(who);
  auto actor = std::make_shared<Actor>(context_.shared_from_this(), id, std::move(entry.resting));
  actor->raised();
  const auto* parent = actor->parent();
  if (closed_ && (parent == nullptr || !awake_.contains(parent->supervisor)))
    actor->post([](Actor& self) { self.stop({}, "node stop", 0); });
  awake_.emplace(id, Awake{actor, std::move(entry.names)});
  return actor;
}

void Directory::release_names(const ActorId& ended) {
  std::unique_lock lock(mutex_);
  const auto kept = kept_names_.find(ended);
  if (kept == kept_names_.end() || !std::exchange(kept->second.reserved, false)) return;
  for (const auto& name : kept->second.names) names_.erase(name);
}

void Directory::forget_names(const ActorId& ended) {
  std::unique_lock lock(mutex_);
  const auto kept = kept_names_.extract(ended);
  if (!kept || !kept.mapped().reserved) return;
  for (const auto& name : kept.mapped().names) names_.erase(name);
}

void Directory::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
}

bool Directory::closed() const {
  std::shared_lock lock(mutex_);
  return closed_;
}

bool Directory::wait_until_awake(size_t most, std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, wait, [&] { return expected_ + starting_.size() + awake_.size() <= most; });
}

std::vector<Directory::ActorPtr> Directory::clear() {
  std::vector<ActorPtr> left;
  AllLaidDown laid_down;
  {
    std::unique_lock lock(mutex_);
    for (const auto& actor : starting_) left.push_back(actor);
    for (auto& [id, entry] : awake_) left.push_back(std::move(entry.actor));
    starting_.clear();
    awake_.clear();
    laid_down.swap(*laid_down_);
    names_.clear();
  }
  for (const auto& [id, entry] : laid_down) {
    if (entry.resting.subscribers == nullptr) continue;
    for (const auto& subscriber : *entry.resting.subscribers) subscriber->end_of_chain(id);
  }
  return left;
}

std::vector<Directory::ActorPtr> Directory::awake() const {
  std::vector<ActorPtr> all;
  std::shared_lock lock(mutex_);
  all.reserve(awake_.size());
  for (const auto& [id, entry] : awake_) all.push_back(entry.actor);
  return all;
}

std::vector<Directory::ActorPtr> Directory::raise(size_t most) {
  std::vector<ActorPtr> raised;
  std::unique_lock lock(mutex_);
  while (raised.size() < most && !laid_down_->empty()) raised.push_back(raise(laid_down_->begin()));
  return raised;
}

std::vector<Directory::ActorPtr> Directory::starting() const {
  std::shared_lock lock(mutex_);
  return {starting_.begin(), starting_.end()};
}

bool Directory::contains(const ActorId& id) const {
  std::shared_lock lock(mutex_);
  return awake_.contains(id) || laid_down_->contains(id);
}

std::optional<ActorInfo> Directory::info(const ActorId& id) const {
  ActorPtr actor;
  Names names;
  {
    std::shared_lock lock(mutex_);
    if (const auto found = laid_down_->find(id); found != laid_down_->end()) {
      auto info = info_of(id, found->second.resting);
      info.names = found->second.names;
      return info;
    }
    const auto found = awake_.find(id);
    if (found == awake_.end()) return std::nullopt;
    actor = found->second.actor;
    names = found->second.names;
  }
  auto info = actor->info();
  info.names = std::move(names);
  return info;
}

std::vector<ActorInfo> Directory::infos(size_t most) const {
  std::vector<ActorInfo> infos;
  std::vector<std::pair<ActorPtr, Names>> actors;
  {
    std::shared_lock lock(mutex_);
    for (auto each = awake_.begin(); actors.size() < most && each != awake_.end(); ++each) {
      actors.emplace_back(each->second.actor, each->second.names);
    }
  }
  for (auto& [actor, names] : actors) {
    infos.push_back(actor->info());
    infos.back().names = std::move(names);
  }
  std::shared_lock lock(mutex_);
  for (auto each = laid_down_->begin(); infos.size() < most && each != laid_down_->end(); ++each) {
    infos.push_back(info_of(each->first, each->second.resting));
    infos.back().names = each->second.names;
  }
  return infos;
}

std::vector<ActorId> Directory::children_of(const ActorId& supervisor) const {
  std::unordered_set<ActorId> children;
  for_each([&](const ActorId& id, const std::string&, const Parentage* parent) {
    if (parent != nullptr && parent->supervisor == supervisor) children.insert(id);
  });
  return {children.begin(), children.end()};
}

void Directory::for_each(const std::function<void(const ActorId&, const std::string&, const Parentage*)>& what) const {
  constexpr size_t kBucketsAtOnce = 4'096;
  const auto walk = [this](const auto& map, const auto& visit) {
    for (size_t bucket = 0;; bucket += kBucketsAtOnce) {
      std::shared_lock lock(mutex_);
      const size_t end = std::min(bucket + kBucketsAtOnce, map.bucket_count());
      for (size_t i = bucket; i < end; ++i) std::for_each(map.begin(i), map.end(i), visit);
      if (end == map.bucket_count()) return;
    }
  };
  walk(awake_, [&](const auto& each) { what(each.first, each.second.actor->name(), each.second.actor->parent()); });
  walk(*laid_down_, [&](const auto& each) {
    what(each.first, each.second.resting.manifest->name, each.second.resting.parent.get());
  });
}

ActorCounts Directory::counts() const {
  std::shared_lock lock(mutex_);
  return ActorCounts{awake_.size() + laid_down_->size(), laid_down_->size(), expected_ + starting_.size()};
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

Directory::ActorPtr Directory::find(const ActorId& id) {
  {
    std::shared_lock lock(mutex_);
    if (const auto found = awake_.find(id); found != awake_.end()) return found->second.actor;
    if (!laid_down_->contains(id)) return nullptr;
  }
  std::unique_lock lock(mutex_);
  if (const auto found = laid_down_->find(id); found != laid_down_->end()) return raise(found);
  const auto found = awake_.find(id);
  return found == awake_.end() ? nullptr : found->second.actor;
}

Result<Directory::ActorPtr> Directory::resolve(std::string_view target) {
  auto id = ActorId::from_hex_text(target);
  if (!id) id = whereis(std::string(target));
  if (!id) {
    return Error{ErrorCode::kNotFound, str_cat("no actor has the name ", quote(target))};
  }
  if (auto found = find(*id)) return found;
  std::shared_lock lock(mutex_);
  if (const auto kept = kept_names_.find(*id); kept != kept_names_.end() && kept->second.reserved) {
    return Error{ErrorCode::kUnavailable, str_cat("'", escape(as_bytes(target)), "' is being restarted; try again")};
  }
  return Error{ErrorCode::kNotFound, str_cat("there is no living actor ", id->short_hex(), " on this node")};
}

Result<void> Directory::register_name(const std::string& name, const ActorId& id) {
  std::unique_lock lock(mutex_);
  auto* names = names_of(id);
  if (names == nullptr) return Error{ErrorCode::kNotFound, "only a living actor can have a name"};
  return take_name(name, id, *names);
}

Result<void> Directory::unregister_name(const std::string& name, const ActorId& id) {
  std::unique_lock lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end() || found->second != id) {
    return Error{ErrorCode::kRefused, str_cat(quote(name), " isn't this actor's name")};
  }
  names_.erase(found);
  std::erase(*names_of(id), name);
  return Ok{};
}

std::optional<ActorId> Directory::whereis(const std::string& name) const {
  std::shared_lock lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

}  // namespace theater::node
