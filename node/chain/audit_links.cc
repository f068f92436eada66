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

// How many of those that are waited for may go without what is in progress. Those that miss a payload of it already
// went.
size_t AuditLinks::may_miss() const {
  size_t counted = 0, able = 0;
  for (const auto& member : members_) {
    if (!member.waited_for()) continue;
    ++counted;
    if (!member.blob_missing) ++able;
  }
  const size_t needed = needed_auditors(mode_, k_, counted);
  return able - std::min(needed, able);
}

// Takes `room` at those that want it, at as many as are needed or, waiting, at none. In the strict mode there is one
// order only, and what was taken is kept: whoever waits for an auditor is the next one there, not the first again.
template <typename Wants, typename Reserve>
bool AuditLinks::take(const ActorId& actor, size_t room, Wants wants, Reserve reserve) {
  if (held_ != room) give_back(actor);
  held_ = room;
  const bool in_order = mode_ == schema::AuditMode::kStrict;
  const size_t may_be_full = may_miss();
  size_t full = 0;
  for (auto& member : members_) member.is_full = false;
  for (auto& member : members_) {
    if (member.has_room || member.outbox->closed() || !wants(member)) continue;
    member.has_room = reserve(*member.outbox);
    if (member.has_room || !member.waited_for()) continue;
    member.is_full = true;
    if (++full > may_be_full && in_order) return false;
  }
  if (full <= may_be_full) return true;
  give_back(actor);
  return false;
}

void AuditLinks::give_back(const ActorId& actor) {
  for (auto& member : members_) {
    if (member.has_room) member.outbox->release(actor, held_);
    member.has_room = false;
  }
}

bool AuditLinks::try_reserve(const ActorId& actor, size_t bytes) {
  const size_t room = Outbox::event_room(bytes);
  return take(
      actor, room, [](const Member& member) { return !member.blob_missing; },
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
  if (!take(actor, room, wants, [&](Outbox& outbox) { return outbox.try_reserve_blob(actor, hash, room); }))
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

void AuditLinks::when_room(const ActorId& actor, std::function<void()> waker) {
  waiting_ = true;
  for (auto& member : members_) {
    if (member.is_full) member.outbox->when_room(actor, waker);
  }
}

void AuditLinks::forget_waker(const ActorId& actor) {
  if (!waiting_) return;
  waiting_ = false;
  for (auto& member : members_) member.outbox->forget_waker(actor);
}

std::string AuditLinks::name() const {
  std::string names;
  for (const auto& member : members_) {
    if (member.is_full) names += str_cat(names.empty() ? "auditor " : " or ", member.outbox->status().auditor);
  }
  return names.empty() ? "auditors" : names;
}

// Each event is at as many as it needed. If as many have all of these events, they will do; otherwise only all
// together.
void AuditLinks::when_durable(uint64_t from, std::function<void()> then) const {
  Outboxes all, whole;
  for (const auto& member : members_) {
    if (!member.waited_for()) continue;
    all.push_back(member.outbox);
    if (member.whole_from <= from) whole.push_back(member.outbox);
  }
  const size_t needed = needed_auditors(mode_, k_, all.size());
  if (whole.size() >= needed) return node::when_durable(whole, needed, std::move(then));
  node::when_durable(all, all.size(), std::move(then));
}

}  // namespace theater::node
