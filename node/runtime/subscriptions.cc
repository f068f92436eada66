#include "node/runtime/subscriptions.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/text.h"

namespace theater::node {

using schema::Value;

// Answered once: when the change took effect, or before, when that takes long.
template <typename T>
struct Subscriptions::Asked {
  std::atomic<bool> answered{false};
  Callback<T> done;
  Timers::Id timer{};
  std::shared_ptr<ActorContext> context;

  void answer(Result<T> result) {
    if (answered.exchange(true)) return;
    context->timers.cancel(timer);
    done(std::move(result));
  }
};

Subscriptions::Subscriptions(std::shared_ptr<ActorContext> context, NodeChain& chain, std::shared_ptr<AuditLinks> links,
                             bus::Loop* bus, KeptReceipts kept_receipts)
    : context_(std::move(context)),
      chain_(chain),
      links_(std::move(links)),
      bus_(bus),
      kept_receipts_(std::move(kept_receipts)) {}

template <typename T>
std::shared_ptr<Subscriptions::Asked<T>> Subscriptions::ask(Callback<T> done) {
  auto asked = std::make_shared<Asked<T>>();
  asked->done = std::move(done);
  asked->context = context_;
  return asked;
}

// A change that waits for long goes on waiting, but whoever asked for it is told.
template <typename T>
void Subscriptions::wait_for_chain(const std::shared_ptr<Asked<T>>& asked) {
  asked->timer = context_->timers.set(after_ms(context_->clock->monotonic_ns(), kPatienceMs), [this, asked] {
    asked->answer(Error{ErrorCode::kUnavailable,
                        str_cat("the node's own chain has to say so first and waits for ", chain_.status().waits_for,
                                "; it will be done when there is room there, or: theater subscription demote NAME")});
  });
}

Subscriptions::AuditorPtr Subscriptions::find(const std::string& name) const {
  for (auto& auditor : context_->auditors.all()) {
    if (auditor->link.name == name) return auditor;
  }
  return nullptr;
}

Value Subscriptions::value_of(const Auditor& auditor, const schema::Operator& by) {
  return Value::record({{"actors", Value::string(auditor.actors.text())},
                        {"asked_by", Value::string("operator " + by.key.hex())},
                        {"key", Value::string(auditor.key_text())},
                        {"name", Value::string(auditor.link.name)}});
}

Result<void> Subscriptions::reserve(const std::string& name, std::optional<bus::PublicKeys> key) {
  if (bus_ == nullptr) {
    return Error{ErrorCode::kUnavailable, "this node's auditors can't be changed while it runs"};
  }
  if (!context_->auditors.has_room() || !chain_.has_room()) {
    return Error{ErrorCode::kUnavailable, str_cat("the node's own chain waits for ", chain_.status().waits_for,
                                                  ", or its auditors were changed too often; see theater node status")};
  }
  if (!changing_.try_emplace(name, Changing{std::move(key), nullptr}).second) {
    return Error{ErrorCode::kUnavailable,
                 str_cat("a change of auditor '", name, "' waits for ", chain_.status().waits_for,
                         " already, which has no room for the node's own chain; if that lasts: theater subscription "
                         "demote NAME")};
  }
  return Ok{};
}

void Subscriptions::give_back(const std::string& name) {
  std::lock_guard lock(mutex_);
  changing_.erase(name);
}

// Actors look at the set at the beginning of a turn.
void Subscriptions::set_changed() {
  Auditors::Outboxes outboxes;
  for (const auto& auditor : context_->auditors.all()) outboxes.push_back(auditor->outbox);
  context_->content->set_auditors(std::move(outboxes));
  context_->commands.push([context = context_] {
    for (const auto& actor : context->directory.starting()) actor->wake();
    for (const auto& actor : context->directory.awake()) actor->wake();
  });
}

// False: it is there already.
Result<bool> Subscriptions::begin_to_add(const Auditor& auditor) {
  const auto& link = auditor.link;
  if (!is_actor_name(link.name)) {
    return Error{ErrorCode::kInvalid, str_cat("an auditor's name has 1 to ", kActorNameMax,
                                              " of the characters a-z A-Z 0-9 - _ . ; here it is ", quote(link.name))};
  }
  std::lock_guard lock(mutex_);
  for (const auto& other : context_->auditors.all()) {
    const auto& its = other->link;
    if (its.name == link.name) {
      const bool same = its.data_endpoint == link.data_endpoint && its.control_endpoint == link.control_endpoint &&
                        its.server == link.server && its.window_bytes == link.window_bytes &&
                        other->actors == auditor.actors;
      if (same) return false;
      return Error{ErrorCode::kRefused, str_cat("there is another auditor '", link.name,
                                                "' with other particulars; remove it first, or choose another name")};
    }
    if (link.server && its.server && its.server->shares_a_key_with(*link.server)) {
      return Error{ErrorCode::kRefused, str_cat("that key is auditor '", its.name, "', which is there already")};
    }
  }
  for (const auto& [name, changing] : changing_) {
    if (link.server && changing.key && name != link.name && changing.key->shares_a_key_with(*link.server)) {
      return Error{ErrorCode::kRefused, str_cat("that key is auditor '", name, "', which is being added")};
    }
  }
  TRY(reserve(link.name, link.server));
  return true;
}

void Subscriptions::add(Auditor auditor, const schema::Operator& by, Callback<bool> done) {
  auto begun = begin_to_add(auditor);
  if (!begun.ok() || !*begun) return done(std::move(begun));
  auditor.configured = false;
  auto asked = ask(std::move(done));
  context_->commands.push([weak = weak_from_this(), auditor = std::move(auditor), by, asked]() mutable {
    if (const auto self = weak.lock()) self->dial(std::move(auditor), by, asked);
  });
}

void Subscriptions::dial(Auditor auditor, const schema::Operator& by, const std::shared_ptr<Asked<bool>>& asked) {
  if (kept_receipts_) {
    auto kept = kept_receipts_(auditor.link.name);
    if (!kept.ok()) {
      give_back(auditor.link.name);
      return asked->answer(std::move(kept).error());
    }
    auditor.link.kept_receipt = std::move(*kept);
  }
  const auto dialing = auditor.link;
  bus_->dial(dialing, [weak = weak_from_this(), auditor = std::move(auditor), by,
                       asked](Result<std::shared_ptr<bus::Outbox>> outbox) {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (!outbox.ok()) {
      self->give_back(auditor.link.name);
      return asked->answer(std::move(outbox).error());
    }
    Auditor linked = auditor;
    linked.outbox = std::move(*outbox);
    self->dialed(std::move(linked), by, asked);
  });
}

void Subscriptions::dialed(Auditor auditor, const schema::Operator& by, const std::shared_ptr<Asked<bool>>& asked) {
  const auto added = std::make_shared<const Auditor>(std::move(auditor));
  {
    std::lock_guard lock(mutex_);
    changing_[added->link.name].coming = added;
  }
  wait_for_chain(asked);
  const bool will_be = chain_.add(kFactSubscriptionAdded, value_of(*added, by), [this, added, asked] {
    context_->auditors.add(added);
    if (added->actors.takes_all()) links_->add_late(added->outbox, chain_.id());
    give_back(added->link.name);
    set_changed();
    asked->answer(true);
  });
  if (will_be) return;
  bus_->hang_up(added->outbox, 0, [](uint64_t) {});
  asked->answer(Error{ErrorCode::kUnavailable, "the node is stopping"});
}

// With the lock: without it nobody would have to have the node's own chain. One that comes counts, if all that holds it
// up is this very auditor: the node's chain goes to it when nobody else is left.
bool Subscriptions::is_last(const AuditorPtr& auditor) const {
  const auto all = context_->auditors.all();
  const auto is_other = [&](const AuditorPtr& each) {
    return each != auditor && each->actors.takes_all() && !each->outbox->demoted() &&
           !changing_.contains(each->link.name);
  };
  const auto comes = [](const auto& each) { return each.second.coming && each.second.coming->actors.takes_all(); };
  return auditor->actors.takes_all() && std::ranges::none_of(all, is_other) && std::ranges::none_of(changing_, comes);
}

Auditors::Outboxes Subscriptions::of_node_chain() {
  Auditors::Outboxes outboxes;
  std::lock_guard lock(mutex_);
  for (const auto& auditor : context_->auditors.all()) {
    if (auditor->actors.takes_all()) outboxes.push_back(auditor->outbox);
  }
  for (const auto& [name, changing] : changing_) {
    if (changing.coming && changing.coming->actors.takes_all()) outboxes.push_back(changing.coming->outbox);
  }
  return outboxes;
}

Result<Subscriptions::AuditorPtr> Subscriptions::begin_to_remove(const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto found = find(name);
  if (found == nullptr) return found;
  if (is_last(found)) {
    return Error{ErrorCode::kRefused,
                 str_cat("'", name,
                         "' is the last auditor that takes all chains and that actors wait for; add "
                         "another one first")};
  }
  const std::string waits_for = chain_.status().waits_for;
  if (!waits_for.empty() && waits_for != str_cat("auditor ", name)) {
    return Error{ErrorCode::kUnavailable, str_cat("the node's own chain has to say so first and waits for ", waits_for,
                                                  "; demote that one, then remove '", name, "'")};
  }
  TRY(reserve(name));
  return found;
}

void Subscriptions::remove(const std::string& name, const schema::Operator& by, Callback<RemovedAuditor> done) {
  auto begun = begin_to_remove(name);
  if (!begun.ok()) return done(std::move(begun).error());
  const AuditorPtr removed = *begun;
  if (removed == nullptr) return done(RemovedAuditor{});
  auto asked = ask(std::move(done));
  wait_for_chain(asked);
  const bool will_be = chain_.add(kFactSubscriptionRemoved, value_of(*removed, by), [this, removed, asked] {
    context_->timers.cancel(asked->timer);
    context_->auditors.remove(removed);
    give_back(removed->link.name);
    set_changed();
    bus_->hang_up(removed->outbox, kHangUpMs,
                  [asked](uint64_t lost_events) { asked->answer(RemovedAuditor{true, lost_events}); });
  });
  if (!will_be) asked->answer(Error{ErrorCode::kUnavailable, "the node is stopping"});
}

void Subscriptions::demote(const std::string& name, bool demoted, const schema::Operator& by, Callback<bool> done) {
  auto changed = set_demoted(name, demoted);
  if (changed.ok() && *changed != nullptr) {
    chain_.add(demoted ? kFactSubscriptionDemoted : kFactSubscriptionPromoted, value_of(**changed, by));
    if (context_->log) {
      context_->log(str_cat("auditor ", name,
                            demoted ? " is demoted: no actor waits for it, and what it misses is marked"
                                    : " is promoted: actors wait for it again"));
    }
  }
  if (!changed.ok()) return done(std::move(changed).error());
  done(*changed != nullptr);
}

// Null: it was so already. A full chain may be what a demotion is for, so that it isn't asked for room.
Result<Subscriptions::AuditorPtr> Subscriptions::set_demoted(const std::string& name, bool demoted) {
  std::lock_guard lock(mutex_);
  auto found = find(name);
  if (found == nullptr) {
    return Error{ErrorCode::kNotFound, str_cat("there is no auditor ", quote(name), "; see theater subscription list")};
  }
  if (found->outbox->demoted() == demoted) return AuditorPtr();
  if (!demoted && !chain_.has_room()) {
    return Error{ErrorCode::kUnavailable,
                 str_cat("the node's own chain waits for ", chain_.status().waits_for, " and has no room to say so")};
  }
  if (demoted && is_last(found)) {
    return Error{ErrorCode::kRefused,
                 str_cat("'", name,
                         "' is the last auditor that takes all chains and that actors wait for, and "
                         "nobody would have their record; add another one first")};
  }
  found->outbox->demote(demoted);
  return found;
}

}  // namespace theater::node
