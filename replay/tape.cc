#include "replay/tape.h"

#include <utility>

#include "base/crypto.h"

namespace theater::replay {

Result<Tape> Tape::open(persist::ChainReader& reader, const ActorId& actor, uint64_t last,
                        std::function<void(uint64_t)> on_progress) {
  Tape tape;
  tape.actor_ = actor;
  tape.last_ = last;
  tape.on_progress_ = std::move(on_progress);
  TRY_ASSIGN(tape.cursor_, reader.events(actor));
  tape.bytes_.reserve(kBytes + schema::kEventSizeMax);
  tape.spare_.reserve(kBytes + schema::kEventSizeMax);
  tape.entries_.reserve(kEvents);
  return tape;
}

Result<void> Tape::refill() {
  if (exhausted_ || entries_.size() - next_ >= kLow) return Ok{};
  if (on_progress_ && popped_ >= next_progress_) {
    on_progress_(popped_);
    next_progress_ = popped_ + kProgressEvents;
  }
  keep_unread();
  for (bool full = false; !full && !exhausted_;) TRY(read_one(full));
  return Ok{};
}

// Moves what is still unread to the front of the other buffer.
void Tape::keep_unread() {
  spare_.clear();
  size_t kept = 0;
  for (size_t i = next_; i < entries_.size(); ++i) {
    Entry entry = entries_[i];
    const uint8_t* from = entry.bytes.data();
    const size_t at = spare_.size();
    spare_.insert(spare_.end(), entry.bytes.begin(), entry.bytes.end());
    entry.bytes = {spare_.data() + at, entry.bytes.size()};
    std::string_view& type = entry.view.header.type;
    const size_t type_at = static_cast<size_t>(reinterpret_cast<const uint8_t*>(type.data()) - from);
    type = as_text(entry.bytes.subspan(type_at, type.size()));
    entries_[kept++] = entry;
  }
  entries_.resize(kept);
  next_ = 0;
  std::swap(bytes_, spare_);
}

Result<void> Tape::read_one(bool& full) {
  const auto corrupt = [&](uint64_t sequence, const std::string& reason) {
    return Error{ErrorCode::kCorrupt, str_cat("chain ", actor_.short_hex(), ", event ", sequence, ": ", reason,
                                              "; a record that doesn't verify can't be replayed (theater chain verify "
                                              "says more)")};
  };
  TRY_ASSIGN(const auto item, cursor_->next());
  if (!item) {
    exhausted_ = true;
    return Ok{};
  }
  if (item->bytes.size() > schema::kEventSizeMax) {
    return corrupt(item->sequence, str_cat("it has ", item->bytes.size(), " bytes, more than an event may have"));
  }
  const size_t at = bytes_.size();
  bytes_.insert(bytes_.end(), item->bytes.begin(), item->bytes.end());
  const BytesView bytes{bytes_.data() + at, bytes_.size() - at};
  const Hash hash = sha256(bytes);
  const uint64_t sequence = state_.next_sequence;
  auto view = persist::verify_next(state_, bytes, hash);
  if (!view.ok()) return corrupt(sequence, view.error().message);
  if (sequence == 0 && state_.actor != actor_) return corrupt(0, "it is another chain's genesis");
  entries_.push_back({bytes, view.value(), hash});
  exhausted_ = sequence >= last_;
  full = entries_.size() >= kEvents || bytes_.size() >= kBytes;
  return Ok{};
}

}  // namespace theater::replay
