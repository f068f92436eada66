#include "bus/window.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crypto.h"

namespace theater::bus {

namespace {

constexpr uint32_t kBodyItems = 256;
// With this much room any one reservation succeeds, so a waker isn't called in vain.
constexpr uint64_t kWakeRoom = item_size(kGapSize) + item_size(schema::kEventSizeMax);
constexpr uint64_t kRoomPerWaker = 4096;
constexpr uint64_t kShareOfFree = 2;       // an actor holds at most so many times what is free
constexpr size_t kSharesKept = 16 * 1024;  // that are zero: their actors come again
constexpr int kLookedAt = 256;             // of those that wait, in one go, under the mutex

}  // namespace

size_t Outbox::event_room(size_t event_bytes) { return item_size(event_bytes); }
size_t Outbox::blob_room(size_t piece_bytes) { return item_size(kBlobHeadSize + piece_bytes); }

Window::Window(Options options) : options_(std::move(options)), fetches_(options_.auditor) {
  CHECK(options_.window_bytes >= kWindowMin && options_.wake);
  status_.auditor = options_.auditor;
  status_.last_error = "not connected yet";
}

uint64_t Window::room() const {
  const uint64_t limit = std::min(credit_bytes_, status_.durable_bytes + options_.window_bytes);
  const uint64_t used = status_.appended_bytes + reserved_;
  return limit > used ? limit - used : 0;
}

// What the bus thread could send: it is woken when this changes.
Window::Sendable Window::sendable() const { return {full_.size(), full_.empty() && !open_.builder.empty()}; }

bool Window::wants_wake() {
  if (wake_pending_) return false;
  wake_pending_ = true;
  return true;
}

Window::Share* Window::share_of(const ActorId& actor) {
  if (last_share_ != nullptr && last_share_->first == actor) return last_share_;
  const auto found = shares_.find(actor);
  return found == shares_.end() ? nullptr : last_share_ = &*found;
}

void Window::give_back(Share* share, uint64_t bytes) {
  CHECK(share->second >= bytes);
  share->second -= bytes;
  if (share->second != 0 || shares_.size() <= kSharesKept) return;
  if (last_share_ == share) last_share_ = nullptr;
  shares_.erase(share->first);
}

// With this much free, a reservation of any size would succeed.
bool Window::is_worth_trying(const ActorId& actor) {
  const uint64_t free = room();
  if (free < kWakeRoom) return false;
  if (want_blob_turn_.contains(actor) && blobs_begun_.size() >= options_.blobs_begun_max) return false;
  const Share* share = share_of(actor);
  return share == nullptr || share->second == 0 || share->second + kWakeRoom <= kShareOfFree * free;
}

bool Window::try_reserve(const ActorId& actor, size_t bytes) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (!reserve(actor, bytes, wake)) return false;
  }
  if (wake) options_.wake();
  return true;
}

bool Window::reserve(const ActorId& actor, uint64_t bytes, bool& wake) {
  if (closed()) return false;
  const auto gap = gaps_.empty() ? gap_of_.end() : gap_of_.find(actor);
  const uint64_t needed = bytes + (gap == gap_of_.end() ? 0 : item_size(kGapSize));
  const uint64_t free = room();
  if (needed > free) return false;
  Share* share = share_of(actor);
  if (share == nullptr) share = last_share_ = &*shares_.emplace(actor, 0).first;
  if (share->second != 0 && share->second + needed > kShareOfFree * free) return false;
  if (gap != gap_of_.end()) {
    const Sendable before = sendable();
    append_gap(gap->second);
    wake = sendable() != before && wants_wake();
  }
  share->second += bytes;
  reserved_ += bytes;
  return true;
}

void Window::release(const ActorId& actor, size_t bytes) {
  bool wake;
  {
    std::lock_guard lock(mutex_);
    wake = give_back_reserved(actor, bytes);
    const auto sending = sending_.find(actor);
    if (sending != sending_.end() && !sending->second.sent) wake |= end_blob_turn(actor);
  }
  if (wake) options_.wake();
}

bool Window::give_back_reserved(const ActorId& actor, uint64_t bytes) {
  CHECK(reserved_ >= bytes);
  reserved_ -= bytes;
  Share* share = share_of(actor);
  CHECK(share != nullptr, "room is released that actor ", actor.short_hex(), " didn't reserve");
  give_back(share, bytes);
  return !waiting_.empty() && room() >= kWakeRoom && wants_wake();
}

void Window::when_room(const ActorId& actor, Waker waker) {
  bool wake = false;
  {
    std::unique_lock lock(mutex_);
    if (nobody_waits()) {
      lock.unlock();
      return waker();
    }
    const auto found = waiting_by_actor_.find(actor);
    if (found != waiting_by_actor_.end()) {
      found->second->second = std::move(waker);
    } else {
      waiting_.emplace_back(actor, std::move(waker));
      waiting_by_actor_.emplace(actor, std::prev(waiting_.end()));
    }
    if (is_worth_trying(actor)) wake = wants_wake();  // it came between the failed reservation and this call
  }
  if (wake) options_.wake();
}

void Window::forget_waker(const ActorId& actor) {
  std::lock_guard lock(mutex_);
  want_blob_turn_.erase(actor);
  const auto found = waiting_by_actor_.find(actor);
  if (found == waiting_by_actor_.end()) return;
  waiting_.erase(found->second);
  waiting_by_actor_.erase(found);
}

// What was reserved becomes a part of the open body.
void Window::take_reserved(const ActorId& actor, uint64_t bytes) {
  CHECK(reserved_ >= bytes, "something was appended without a reservation");
  reserved_ -= bytes;
  Share* share = share_of(actor);
  CHECK(share != nullptr && share->second >= bytes, "actor ", actor.short_hex(), " appends what it didn't reserve");
  auto& parts = open_portion_.parts;
  if (!parts.empty() && parts.back().first == share) {
    parts.back().second += bytes;
  } else {
    parts.emplace_back(share, bytes);
  }
}

void Window::after_append(uint64_t bytes) {
  status_.appended_bytes += bytes;
  if (open_.builder.body_bytes() >= kFrameBodyTarget || open_.builder.items() >= kBodyItems) {
    full_.push_back(std::move(open_));
    open_ = Body{};
    close_portion();
  }
}

void Window::close_portion() {
  open_portion_.end_bytes = status_.appended_bytes;
  portions_.push_back(std::exchange(open_portion_, {}));
}

void Window::append(const schema::EncodedEvent& event) {
  const size_t bytes = event_room(event.bytes.size());
  bool wake;
  {
    std::lock_guard lock(mutex_);
    if (closed()) {
      reserved_ -= bytes;
      give_back(share_of(event.actor), bytes);
      ++status_.dropped_events;
      return;
    }
    const Sendable before = sendable();
    if (!gaps_.empty()) {
      const auto gap = gap_of_.find(event.actor);  // dropped after this event's reservation
      if (gap != gap_of_.end()) append_gap(gap->second);
    }
    take_reserved(event.actor, bytes);
    open_.builder.append_event(event.bytes, event.hash);
    ++open_.events;
    ++status_.appended_events;
    after_append(bytes);
    wake = sendable() != before && wants_wake();
  }
  if (wake) options_.wake();
}

void Window::drop(const schema::EncodedEvent& event) {
  std::lock_guard lock(mutex_);
  ++status_.dropped_events;
  if (closed()) return;
  note_dropped(event);
}

void Window::note_dropped(const schema::EncodedEvent& event) {
  const auto known = gap_of_.find(event.actor);
  if (known == gap_of_.end()) {
    gaps_.push_back({event.actor, event.sequence, event.sequence, event.hash});
    gap_of_.emplace(event.actor, std::prev(gaps_.end()));
  } else {
    known->second->last = event.sequence;
    known->second->head = event.hash;
  }
  if (!schema::is_terminal(event.kind)) return;
  ended_gaps_.push_back(event.actor);
  if (ended_gaps_.size() <= kEndedGapsMax) return;
  if (const auto oldest = gap_of_.find(ended_gaps_.front()); oldest != gap_of_.end()) {
    gaps_.erase(oldest->second);
    gap_of_.erase(oldest);
  }
  ended_gaps_.pop_front();
}

void Window::begin_late(const ActorId& actor, uint64_t length, const Hash& head) {
  std::lock_guard lock(mutex_);
  if (closed() || length == 0 || gap_of_.contains(actor)) return;
  gaps_.push_back({actor, 0, length - 1, head});
  gap_of_.emplace(actor, std::prev(gaps_.end()));
}

void Window::append_gap(std::list<Gap>::iterator gap) {
  open_.builder.append_gap(*gap);
  gap_of_.erase(gap->actor);
  gaps_.erase(gap);
  after_append(item_size(kGapSize));
}

// Of those chains whose next event would have room. Who goes on dropping isn't among them.
void Window::flush_gaps() {
  for (int looks = kLookedAt; looks > 0 && !gaps_.empty() && room() >= kWakeRoom; --looks) {
    if (is_worth_trying(gaps_.front().actor)) {
      append_gap(gaps_.begin());
    } else {
      gaps_.splice(gaps_.end(), gaps_, gaps_.begin());
    }
  }
}

bool Window::needs_blob(const Hash& hash) {
  std::lock_guard lock(mutex_);
  return !blobs_known_.contains(hash);
}

// --- blobs ---

bool Window::try_reserve_blob(const ActorId& actor, const Hash& hash, size_t bytes) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (!has_blob_turn(actor, hash)) {
      want_blob_turn_.insert(actor);
      return false;
    }
    if (!reserve(actor, bytes, wake)) return false;
    want_blob_turn_.erase(actor);
    take_blob_turn(actor, hash);
  }
  if (wake) options_.wake();
  return true;
}

// Actors that need the same blob at the same time send it together.
bool Window::has_blob_turn(const ActorId& actor, const Hash& hash) const {
  return blobs_begun_.size() < options_.blobs_begun_max || sending_.contains(actor) || blobs_begun_.contains(hash) ||
         blobs_known_.contains(hash);
}

void Window::take_blob_turn(const ActorId& actor, const Hash& hash) {
  if (blobs_known_.contains(hash)) return;
  const auto [sending, is_new] = sending_.try_emplace(actor, Sending{hash});
  CHECK(sending->second.hash == hash, "actor ", actor.short_hex(), " sends two blobs at once");
  if (is_new) ++blobs_begun_[hash].senders;
}

bool Window::end_blob_turn(const ActorId& actor) {
  const auto sending = sending_.find(actor);
  if (sending == sending_.end()) return false;
  const auto begun = blobs_begun_.find(sending->second.hash);
  sending_.erase(sending);
  if (begun == blobs_begun_.end()) return !want_blob_turn_.empty() && wants_wake();  // it is whole
  if (--begun->second.senders != 0) return false;
  const Sendable before = sendable();
  if (begun->second.end == 0) {
    blobs_begun_.erase(begun);
  } else {
    given_up_.push_back(begun->first);
    flush_given_up();
  }
  return (sendable() != before || !want_blob_turn_.empty()) && wants_wake();
}

void Window::give_up_blob(const ActorId& actor) {
  bool wake;
  {
    std::lock_guard lock(mutex_);
    want_blob_turn_.erase(actor);
    wake = end_blob_turn(actor);
  }
  if (wake) options_.wake();
}

void Window::flush_given_up() {
  constexpr uint64_t kSize = item_size(kBlobHeadSize);
  for (; !given_up_.empty() && room() >= kSize; given_up_.pop_front()) {
    const auto begun = blobs_begun_.find(given_up_.front());
    if (begun == blobs_begun_.end() || begun->second.senders != 0) continue;  // somebody sends it after all
    const uint64_t length = begun->second.length;
    open_.builder.append_blob(begun->first, length, length, {});
    blobs_begun_.erase(begun);
    after_append(kSize);
  }
}

bool Window::was_sent(const Hash& hash, uint64_t offset) const {
  if (blobs_known_.contains(hash)) return true;
  const auto begun = blobs_begun_.find(hash);
  return begun != blobs_begun_.end() && offset < begun->second.end;
}

void Window::note_piece(const Hash& hash, uint64_t length, uint64_t end) {
  const auto begun = blobs_begun_.find(hash);
  if (begun != blobs_begun_.end()) {
    begun->second.length = length;
    begun->second.end = end;
  }
  if (end < length) return;
  if (begun != blobs_begun_.end()) blobs_begun_.erase(begun);
  note_offered(hash);
}

void Window::note_offered(const Hash& hash) {
  if (!blobs_known_.insert(hash).second) return;
  blobs_known_order_.push_back(hash);
  if (blobs_known_order_.size() > options_.blobs_known_max) {
    blobs_known_.erase(blobs_known_order_.front());
    blobs_known_order_.pop_front();
  }
}

void Window::append_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) {
  const size_t bytes = blob_room(piece.size());
  const Bytes content = FrameBuilder::blob_content(hash, length, offset, piece);
  const Hash digest = sha256(content);
  bool wake;
  {
    std::lock_guard lock(mutex_);
    if (closed()) {
      reserved_ -= bytes;
      give_back(share_of(actor), bytes);
      return;
    }
    const Sendable before = sendable();
    if (const auto sending = sending_.find(actor); sending != sending_.end()) sending->second.sent = true;
    if (was_sent(hash, offset)) {
      wake = give_back_reserved(actor, bytes);
    } else {
      take_reserved(actor, bytes);
      open_.builder.append_blob_content(content, digest);
      after_append(bytes);
      note_piece(hash, length, offset + piece.size());
      wake = sendable() != before && wants_wake();
    }
    if (offset + piece.size() == length) wake |= end_blob_turn(actor);
  }
  if (wake) options_.wake();
}

void Window::when_durable(DurabilityWaker waker) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    durable_waiting_.emplace_back(status_.appended_bytes, waker);
    if (status_.durable_bytes == status_.appended_bytes) wake = wants_wake();  // it is: the bus thread says so at once
  }
  if (wake) options_.wake();
  if (nobody_waits()) waker(Durability::kNotWaitedFor);
}

// Nobody waits for room, and nobody needs to wait for durability.
std::vector<Waker> Window::end_waiting() {
  std::vector<Waker> wakers;
  for (const auto& [position, waker] : durable_waiting_) {
    wakers.emplace_back([waker] { waker(Durability::kNotWaitedFor); });
  }
  for (auto& [actor, waker] : waiting_) wakers.push_back(std::move(waker));
  waiting_.clear();
  waiting_by_actor_.clear();
  want_blob_turn_.clear();
  return wakers;
}

void Window::demote(bool demoted) {
  std::vector<Waker> wakers;
  {
    std::lock_guard lock(mutex_);
    demoted_.store(demoted, std::memory_order_release);
    if (demoted) wakers = end_waiting();
  }
  for (const Waker& waker : wakers) waker();
}

void Window::close() {
  std::vector<Waker> wakers;
  {
    std::lock_guard lock(mutex_);
    closed_.store(true, std::memory_order_release);
    gaps_.clear();  // no event will come for them to stand before
    gap_of_.clear();
    ended_gaps_.clear();
    given_up_.clear();
    wakers = end_waiting();
  }
  for (const Waker& waker : wakers) waker();
}

void Window::discard() {
  std::deque<std::pair<uint64_t, DurabilityWaker>> in_vain;  // destroyed without the lock
  std::lock_guard lock(mutex_);
  in_vain.swap(durable_waiting_);
  full_.clear();
  open_ = Body{};
}

void Window::fetch_blob(const Hash& hash, uint64_t length_max, FetchDone done) {
  if (closed()) return done(Error{ErrorCode::kUnavailable, str_cat("auditor ", options_.auditor, " was removed")});
  if (!fetches_.ask(hash, length_max, done)) {
    return done(
        Error{ErrorCode::kUnavailable, str_cat("auditor ", options_.auditor, " is asked for too much already")});
  }
  bool wake;
  {
    std::lock_guard lock(mutex_);
    wake = wants_wake();
  }
  if (wake) options_.wake();
}

Outbox::Status Window::status() const {
  std::lock_guard lock(mutex_);
  Status status = status_;
  status.room_bytes = closed() ? 0 : room();
  status.demoted = demoted();
  status.waiting = waiting_.size();
  return status;
}

std::optional<Window::Body> Window::take_body(bool partial) {
  std::lock_guard lock(mutex_);
  if (!full_.empty()) {
    Body body = std::move(full_.front());
    full_.pop_front();
    return body;
  }
  if (!partial || open_.builder.empty()) return std::nullopt;
  close_portion();
  return std::exchange(open_, Body{});
}

bool Window::has_partial() const {
  std::lock_guard lock(mutex_);
  return full_.empty() && !open_.builder.empty();
}

bool Window::has_full() const {
  std::lock_guard lock(mutex_);
  return !full_.empty();
}

bool Window::empty() const {
  std::lock_guard lock(mutex_);
  return full_.empty() && open_.builder.empty() && gaps_.empty() && given_up_.empty();
}

void Window::acknowledge(uint64_t durable_bytes, uint64_t events_more, uint64_t credit_bytes) {
  std::lock_guard lock(mutex_);
  CHECK(durable_bytes >= status_.durable_bytes && durable_bytes <= status_.appended_bytes);
  status_.durable_bytes = durable_bytes;
  status_.durable_events += events_more;
  credit_bytes_ = credit_bytes;
  for (; !portions_.empty() && portions_.front().end_bytes <= durable_bytes; portions_.pop_front()) {
    for (const auto& [share, bytes] : portions_.front().parts) give_back(share, bytes);
  }
  flush_gaps();
  flush_given_up();
}

void Window::woken() {
  std::lock_guard lock(mutex_);
  wake_pending_ = false;
}

std::vector<Waker> Window::take_wakers() {
  std::vector<Waker> wakers;
  std::lock_guard lock(mutex_);
  flush_gaps();
  flush_given_up();
  while (!durable_waiting_.empty() && durable_waiting_.front().first <= status_.durable_bytes) {
    wakers.emplace_back([waker = std::move(durable_waiting_.front().second)] { waker(Durability::kDurable); });
    durable_waiting_.pop_front();
  }
  const uint64_t now_free = room();
  if (waiting_.empty() || now_free < kWakeRoom) return wakers;
  uint64_t left = now_free / kRoomPerWaker;
  size_t turns = options_.blobs_begun_max - std::min(options_.blobs_begun_max, blobs_begun_.size());
  for (int looks = kLookedAt; looks > 0 && left > 0 && !waiting_.empty(); --looks) {
    const ActorId& actor = waiting_.front().first;
    const bool wants_turn = want_blob_turn_.contains(actor);
    if (!is_worth_trying(actor) || (wants_turn && turns == 0)) {
      waiting_.splice(waiting_.end(), waiting_, waiting_.begin());  // it holds too much already
      continue;
    }
    if (wants_turn) --turns;
    want_blob_turn_.erase(actor);
    wakers.push_back(std::move(waiting_.front().second));
    waiting_by_actor_.erase(waiting_.front().first);
    waiting_.pop_front();
    --left;
  }
  return wakers;
}

bool Window::wakers_ready() {
  std::lock_guard lock(mutex_);
  int looks = kLookedAt;
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& each) { return looks-- > 0 && is_worth_trying(each.first); });
}

size_t Window::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Window::set_connected(bool connected) {
  std::lock_guard lock(mutex_);
  if (connected && !status_.connected && was_connected_) ++status_.reconnects;
  status_.connected = connected;
  was_connected_ |= connected;
  if (connected) status_.last_error.clear();
}

void Window::set_error(std::string error) {
  std::lock_guard lock(mutex_);
  status_.last_error = std::move(error);
}

void Window::set_receipt(Bytes receipt) {
  std::lock_guard lock(mutex_);
  status_.receipt = std::move(receipt);
}

void Window::count_resent(uint64_t frames) {
  std::lock_guard lock(mutex_);
  status_.resent_frames += frames;
}

}  // namespace theater::bus
