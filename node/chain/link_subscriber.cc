#include "node/chain/link_subscriber.h"

namespace theater::node {

using bus::Outbox;

StrictLink::StrictLink(std::shared_ptr<Outbox> outbox)
    : outbox_(std::move(outbox)), name_(str_cat("auditor ", outbox_->status().auditor)) {}

bool StrictLink::try_reserve(const ActorId& actor, size_t bytes) {
  return outbox_->try_reserve(actor, Outbox::event_room(bytes));
}
void StrictLink::release(const ActorId& actor, size_t bytes) { outbox_->release(actor, Outbox::event_room(bytes)); }
void StrictLink::when_room(const ActorId& actor, std::function<void()> waker) {
  outbox_->when_room(actor, std::move(waker));
}
void StrictLink::forget_waker(const ActorId& actor) { outbox_->forget_waker(actor); }
void StrictLink::deliver(const schema::EncodedEvent& event) { outbox_->append(event); }
bool StrictLink::needs_blob(const Hash& hash) { return outbox_->needs_blob(hash); }
bool StrictLink::try_reserve_blob(const ActorId& actor, size_t piece_bytes) {
  return outbox_->try_reserve(actor, Outbox::blob_room(piece_bytes));
}
void StrictLink::deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset,
                              BytesView piece) {
  outbox_->append_blob(actor, hash, length, offset, piece);
}

BestEffortLink::BestEffortLink(std::shared_ptr<Outbox> outbox)
    : outbox_(std::move(outbox)), name_(str_cat("auditor ", outbox_->status().auditor)) {}

bool BestEffortLink::try_reserve(const ActorId& actor, size_t bytes) {
  reserved_ = !blob_missing_ && outbox_->try_reserve(actor, Outbox::event_room(bytes));
  return true;
}

void BestEffortLink::release(const ActorId& actor, size_t bytes) {
  if (reserved_) outbox_->release(actor, Outbox::event_room(bytes));
  reserved_ = false;
  blob_missing_ = false;
}

void BestEffortLink::deliver(const schema::EncodedEvent& event) {
  if (reserved_) {
    outbox_->append(event);
  } else {
    outbox_->drop(event);
  }
  reserved_ = false;
  blob_missing_ = false;
}

bool BestEffortLink::needs_blob(const Hash& hash) { return !blob_missing_ && outbox_->needs_blob(hash); }

bool BestEffortLink::try_reserve_blob(const ActorId& actor, size_t piece_bytes) {
  piece_fits_ = !blob_missing_ && outbox_->try_reserve(actor, Outbox::blob_room(piece_bytes));
  if (!piece_fits_) blob_missing_ = true;
  return true;
}

void BestEffortLink::deliver_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset,
                                  BytesView piece) {
  if (piece_fits_) outbox_->append_blob(actor, hash, length, offset, piece);
  piece_fits_ = false;
}

}  // namespace theater::node
