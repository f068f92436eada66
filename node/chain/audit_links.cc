#include "node/chain/audit_links.h"

#include <algorithm>

#include "node/chain/durable.h"

namespace theater::node {

using bus::Outbox;

AuditLinks::AuditLinks(schema::AuditMode mode, size_t k, const Outboxes& outboxes) : mode_(mode), k_(k) {
  members_.reserve(outboxes.size());
  for (const auto& outbox : outboxes) add(outbox);
}

void AuditLinks::add(std::shared_ptr<Outbox> outbox) {
  std::erase_if(members_, [](const Member& member) { return member.outbox->closed(); });
  for (const auto& member : members_) {
    if (member.outbox == outbox) return;
  }
  members_.push_back(Member{.outbox = std::move(outbox)});
}

void AuditLinks::add_late(const std::shared_ptr<Outbox>& outbox, const ActorId& actor) {
  const size_t before = members_.size();
  add(outbox);
  if (members_.size() != before) outbox->begin_late(actor, length_, head_);
}

void AuditLinks::go_on(uint64_t length, const Hash& head) {
  length_ = length;
  head_ = head;
}

// An operator demoted or removed some in the middle of an event, and those that are left are too few: they let a
// payload of it pass when others had it, or there are none, and others take the chain by now. Then all of it is offered
// again.
bool AuditLinks::too_few_are_left(const ActorId& actor) {
  if (mode_ == schema::AuditMode::kBestEffort || members_.empty()) return false;
  if (begins_again_) return true;
  Left left = count();
  if (left.counted > 0 && left.able >= needed_auditors(mode_, k_, left.counted)) return false;
  if (left.counted == 0 && others_) {
    for (const auto& outbox : others_(actor)) add_late(outbox, actor);
    left = count();
  }
  for (auto& member : members_) member.blob_missing = false;
  begins_again_ = left.counted > 0;
  return true;
}

AuditLinks::Left AuditLinks::count() const {
  Left left;
  for (const auto& member : members_) {
    if (!member.waited_for()) continue;
    ++left.counted;
    if (!member.blob_missing) ++left.able;
  }
  return left;
}

// Takes `room` at those that want it, at as many as are needed or, waiting, at none. In the strict mode there is one
// order only, and what was taken is kept up to whoever is waited for: there it is the next one, not the first again.
template <typename Wants, typename Reserve>
bool AuditLinks::take(const ActorId& actor, size_t room, const Hash& blob, Wants wants, Reserve reserve) {
  for (auto& member : members_) member.is_full = false;
  if (too_few_are_left(actor)) return false;
  const bool for_another = held_ != room || held_for_ != blob;
  for (auto& member : members_) {
    if (for_another || !wants(member)) give_back(member, actor);
  }
  held_ = room;
  held_for_ = blob;
  const bool in_order = mode_ == schema::AuditMode::kStrict;
  // Those that miss a payload of what is in progress already went.
  const Left left = count();
  const size_t may_be_full = left.able - std::min(needed_auditors(mode_, k_, left.counted), left.able);
  size_t full = 0;
  for (auto& member : members_) {
    if (member.has_room || member.outbox->closed() || !wants(member)) continue;
    member.has_room = reserve(*member.outbox);
    if (member.has_room || !member.waited_for()) continue;
    member.is_full = true;
    if (++full <= may_be_full || !in_order) continue;
    for (auto* after = &member + 1; after <= &members_.back(); ++after) give_back(*after, actor);
    return false;
  }
  if (full <= may_be_full) return true;
  give_back(actor);
  return false;
}

void AuditLinks::give_back(Member& member, const ActorId& actor) {
  if (std::exchange(member.has_room, false)) member.outbox->release(actor, held_);
}

void AuditLinks::give_back(const ActorId& actor) {
  for (auto& member : members_) give_back(member, actor);
}

bool AuditLinks::try_reserve(const ActorId& actor, size_t bytes) {
  const size_t room = Outbox::event_room(bytes);
  return take(
      actor, room, Hash{}, [](const Member& member) { return !member.blob_missing; },
      [&](Outbox& outbox) { return outbox.try_reserve(actor, room); });
}

void AuditLinks::release(const ActorId& actor, size_t) { give_back(actor); }

bool AuditLinks::needs_blob(const Hash& hash) {
  bool any = false;
  for (auto& member : members_) {
    member.wants_blob = !member.outbox->closed() && !member.blob_missing && member.outbox->needs_blob(hash);
    any |= member.wants_blob;
  }
  return any;
}

bool AuditLinks::try_reserve_blob(const ActorId& actor, const Hash& hash, size_t piece_bytes) {
  const size_t room = Outbox::blob_room(piece_bytes);
  const auto wants = [](const Member& member) { return member.wants_blob && !member.blob_missing; };
  if (!take(actor, room, hash, wants, [&](Outbox& outbox) { return outbox.try_reserve_blob(actor, hash, room); }))
    return false;
  for (auto& member : members_) {
    if (!wants(member) || member.has_room) continue;
    member.blob_missing = true;
    member.outbox->give_up_blob(actor);
  }
  return true;
}

void AuditLinks::deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset,
                              BytesView piece) {
  for (auto& member : members_) {
    if (member.has_room) member.outbox->append_blob(actor, hash, length, offset, piece);
    member.has_room = false;
  }
}

void AuditLinks::deliver(const schema::EncodedEvent& event) {
  length_ = event.sequence + 1;
  head_ = event.hash;
  bool any_closed = false;
  for (auto& member : members_) {
    if (member.has_room) {
      member.outbox->append(event);
      member.whole_from = std::min(member.whole_from, event.sequence);
    } else {
      member.outbox->drop(event);
      member.whole_from = UINT64_MAX;
    }
    member.has_room = member.blob_missing = member.is_full = false;
    any_closed |= member.outbox->closed();
  }
  if (waiting_) forget_waker(event.actor);  // of those that were full, when others had room first
  if (any_closed) std::erase_if(members_, [](const Member& member) { return member.outbox->closed(); });
}

void AuditLinks::forget_event(const ActorId& actor) {
  give_back(actor);
  for (auto& member : members_) {
    member.blob_missing = member.is_full = false;
    member.outbox->give_up_blob(actor);
  }
}

bool AuditLinks::when_room(const ActorId& actor, std::function<void()> waker) {
  bool any_new = false;
  for (auto& member : members_) {
    any_new |= member.is_full && !member.asked;
    member.asked = member.is_full;
    if (!member.is_full) continue;
    member.outbox->when_room(actor, waker);
    waiting_ = true;
  }
  return any_new;
}

void AuditLinks::forget_waker(const ActorId& actor) {
  if (!waiting_) return;
  waiting_ = false;
  for (auto& member : members_) {
    member.asked = false;
    member.outbox->forget_waker(actor);
  }
}

std::string AuditLinks::name() const {
  std::string names;
  for (const auto& member : members_) {
    if (member.is_full) names += str_cat(names.empty() ? "auditor " : " or ", member.outbox->status().auditor);
  }
  return names.empty() ? "auditors" : names;
}

// Asked with those that are waited for now. What was emitted before an operator demoted or removed those that had it is
// asked of nobody any more; whoever waited for it then goes on waiting.
void AuditLinks::when_durable(uint64_t from, std::function<void()> then) const {
  if (mode_ == schema::AuditMode::kBestEffort || members_.empty()) return then();
  std::vector<Holder> holders;
  uint64_t whole_from = UINT64_MAX;
  for (const auto& member : members_) {
    if (member.waited_for()) whole_from = std::min(whole_from, member.whole_from);
  }
  for (const auto& member : members_) {
    if (!member.waited_for()) continue;
    holders.push_back({member.outbox, member.whole_from <= std::max(from, whole_from)});
  }
  node::when_durable(mode_, k_, holders, std::move(then));
}

}  // namespace theater::node
