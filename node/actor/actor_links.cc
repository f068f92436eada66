// Links and monitors, by Erlang's rules: a link goes both ways, and who is linked to an actor that ends other than
// normally ends too, unless it exports handle-exit and is told instead. A monitor goes one way and only tells.
//
// What others may touch (whom this actor is linked to, who watches it) is guarded by the lock. A link that this actor
// makes or cuts counts from the call's event on; what others do to its links is a fact that comes when there is room.
#include "node/actor/actor.h"

namespace theater::node {

using schema::Value;

namespace {

constexpr std::string_view kFactLinked = "link";
constexpr std::string_view kFactUnlinked = "unlink";

}  // namespace

// Those that have ended count until its guest has been told.
Result<void> Actor::relate(size_t more) {
  if (relations_ == nullptr) relations_ = std::make_unique<Relations>();
  const size_t all = relations_->size() + signals_.size();
  if (all + more <= Relations::kMax) return Ok{};
  return Error{ErrorCode::kRefused,
               str_cat("'", name(), "' has ", all, " links and monitors; at most ", Relations::kMax, " are allowed")};
}

// --- what this actor's guest asks; in its turn ---

// Room at both is taken first, so that with the event nothing can refuse it any more.
Result<void> Actor::link(std::string_view target) {
  TRY_ASSIGN(const auto other, context_->directory.resolve(target));
  if (other.get() == this) return Ok{};
  {
    std::lock_guard lock(mutex_);
    if (relations_ != nullptr && relations_->is_linked(other->id())) return Ok{};
    TRY(relate(1));
    ++relations_->reserved;
  }
  if (auto reserved = other->reserve_relation(); !reserved.ok()) {
    give_back_relation();
    return reserved;
  }
  with_event([this, other](bool emitted) {
    give_back_relation();
    other->give_back_relation();
    if (emitted) make_link(*other);
  });
  return Ok{};
}

// Who has ended between the call and its event is an actor that doesn't exist: whoever links to it dies or is told.
void Actor::make_link(Actor& other) {
  {
    std::lock_guard lock(mutex_);
    relations_->link(other.id());
  }
  const auto linked = other.linked_by(id());
  if (linked.ok()) return;
  LifeEnd gone;
  gone.actor = other.id();
  gone.kind = Exit::Kind::error;
  gone.reason = linked.error().message;
  gone.terminal = newest_event();
  linked_ended(gone);
}

Result<void> Actor::unlink(std::string_view target) {
  TRY_ASSIGN(const auto other, context_->directory.resolve(target));
  with_event([this, other](bool emitted) {
    if (!emitted) return;
    {
      std::lock_guard lock(mutex_);
      if (relations_ == nullptr || !relations_->unlink(other->id())) return;
    }
    other->unlinked_by(id());
  });
  return Ok{};
}

Result<uint64_t> Actor::monitor(std::string_view target) {
  TRY_ASSIGN(const auto other, context_->directory.resolve(target));
  uint64_t number;
  {
    std::lock_guard lock(mutex_);
    TRY(relate(1));
    number = ++relations_->last_monitor;
    relations_->monitors.emplace(number, other->id());
  }
  auto watched = other->watched_by(id(), number);
  if (watched.ok()) return number;
  std::lock_guard lock(mutex_);
  relations_->monitors.erase(number);
  return std::move(watched).error();
}

// No news of it comes after this.
bool Actor::demonitor(uint64_t number) {
  ActorId target;
  {
    std::lock_guard lock(mutex_);
    if (relations_ == nullptr) return false;
    const auto found = relations_->monitors.find(number);
    if (found == relations_->monitors.end()) return signals_.take_back(wasm::handle_down_function(), number);
    target = found->second;
    relations_->monitors.erase(found);
  }
  if (const auto other = context_->directory.find(target)) other->unwatched_by(id(), number);
  return true;
}

// --- what others do to it; any thread ---

// For a link that comes with the event of who makes it, which holds this actor until then.
Result<void> Actor::reserve_relation() {
  std::lock_guard lock(mutex_);
  if (closed_) return *closed_;
  TRY(relate(1));
  ++relations_->reserved;
  return Ok{};
}

void Actor::give_back_relation() {
  std::lock_guard lock(mutex_);
  if (relations_ != nullptr) --relations_->reserved;  // null: it has ended
}

Result<void> Actor::linked_by(const ActorId& other) {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return *closed_;
    if (relations_->linked_by(other)) has_news_.store(true, std::memory_order_relaxed);
  }
  wake();
  return Ok{};
}

void Actor::unlinked_by(const ActorId& other) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || relations_ == nullptr || !relations_->unlinked_by(other)) return;
    has_news_.store(true, std::memory_order_relaxed);
  }
  wake();
}

// In its turn, when nothing else is to be stated: the next of what others did to its links.
void Actor::state_news_of_links() {
  if (!has_news_.load(std::memory_order_relaxed) || !may_emit()) return;
  std::optional<std::pair<ActorId, bool>> news;
  {
    std::lock_guard lock(mutex_);
    if (relations_ != nullptr) news = relations_->take_news();
    if (!news) has_news_.store(false, std::memory_order_relaxed);
  }
  if (!news) return;
  state_fact(news->second ? kFactLinked : kFactUnlinked, Value::record({{"actor", Value::string(news->first.hex())}}));
}

Result<void> Actor::watched_by(const ActorId& other, uint64_t number) {
  std::lock_guard lock(mutex_);
  if (closed_) return *closed_;
  TRY(relate(1));
  relations_->watchers.emplace(other, number);
  return Ok{};
}

void Actor::unwatched_by(const ActorId& other, uint64_t number) {
  std::lock_guard lock(mutex_);
  if (relations_ != nullptr) relations_->watchers.erase({other, number});
}

void Actor::linked_ended(const LifeEnd& end) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || relations_ == nullptr || !relations_->ended(end.actor)) return;
  }
  if (exports(wasm::handle_exit_function())) {
    return signal(Signal{
        &wasm::handle_exit_function(), {Value::string(end.actor.hex()), Value::string(end.reason)}, end.cause(), 0});
  }
  if (end.kind == Exit::Kind::normal) return;
  post_always([end](Actor& self) {
    self.kill(end.cause(), str_cat("it was linked to ", end.actor.short_hex(), ", which ended: ", end.reason));
  });
}

void Actor::watched_ended(uint64_t number, const LifeEnd& end) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || relations_ == nullptr || relations_->monitors.erase(number) == 0) return;
    if (!exports(wasm::handle_down_function())) return;
    // In one step: whoever finds no monitor any more finds the signal to take back.
    signals_.push(Signal{&wasm::handle_down_function(),
                         {Value::u64(number), Value::string(end.actor.hex()), Value::string(end.reason)},
                         end.cause(),
                         number});
  }
  wake();
}

// --- its own end ---

void Actor::cut_relations() {
  std::unique_ptr<Relations> relations;
  {
    std::lock_guard lock(mutex_);
    relations = std::move(relations_);
  }
  if (relations == nullptr || end_ == nullptr) return;
  for (const auto& [id_of_other, link] : relations->links) {
    if (!link.linked) continue;
    if (const auto other = context_->directory.find(id_of_other)) other->linked_ended(*end_);
  }
  for (const auto& [watcher, number] : relations->watchers) {
    if (const auto other = context_->directory.find(watcher)) other->watched_ended(number, *end_);
  }
  for (const auto& [number, target] : relations->monitors) {
    if (const auto other = context_->directory.find(target)) other->unwatched_by(id(), number);
  }
}

}  // namespace theater::node
