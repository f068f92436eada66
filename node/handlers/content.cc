#include "node/handlers/content.h"

namespace theater::node {

void Content::put(const Hash& hash, Shared bytes) {
  std::lock_guard lock(mutex_);
  if (const auto found = by_hash_.find(hash); found != by_hash_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return;
  }
  if (bytes->size() > cache_bytes_) return;
  held_bytes_ += bytes->size();
  entries_.push_front({hash, std::move(bytes)});
  by_hash_[hash] = entries_.begin();
  while (held_bytes_ > cache_bytes_) {
    held_bytes_ -= entries_.back().bytes->size();
    by_hash_.erase(entries_.back().hash);
    entries_.pop_back();
  }
}

Content::Shared Content::find(const Hash& hash) {
  std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->bytes;
}

void Content::set_auditors(Outboxes auditors) {
  auto set = std::make_shared<const Outboxes>(std::move(auditors));
  std::lock_guard lock(mutex_);
  auditors_ = std::move(set);
}

void Content::fetch(const Hash& hash, std::function<void(Result<Shared>)> done) {
  std::shared_ptr<const Outboxes> auditors;
  {
    std::lock_guard lock(mutex_);
    auditors = auditors_;
  }
  fetch_from(auditors, 0, hash, std::nullopt, std::move(done));
}

void Content::fetch_from(const std::shared_ptr<const Outboxes>& auditors, size_t next, const Hash& hash,
                         std::optional<Error> trouble, std::function<void(Result<Shared>)> done) {
  if (next == auditors->size()) return trouble ? done(*trouble) : done(Shared());
  const auto answered = [self = shared_from_this(), auditors, next, hash, trouble, done](Result<Bytes> got) {
    if (!got.ok()) {
      auto now = got.error().code == ErrorCode::kNotFound ? trouble : std::optional(got.error());
      return self->fetch_from(auditors, next + 1, hash, std::move(now), done);
    }
    auto bytes = std::make_shared<const Bytes>(std::move(*got));
    self->put(hash, bytes);
    done(std::move(bytes));
  };
  (*auditors)[next]->fetch_blob(hash, kContentMax, answered);
}

Result<void> Labels::reserve(const std::string& label) {
  if (label.empty() || label.size() > kLabelMax) {
    return Error{ErrorCode::kInvalid, str_cat("a label has 1 to ", kLabelMax, " bytes")};
  }
  std::lock_guard lock(mutex_);
  if (!labels_.contains(label) && labels_.size() + reserved_ >= most_) {
    return Error{ErrorCode::kRefused, str_cat("there are ", most_, " labels already; delete some first")};
  }
  ++reserved_;
  return Ok{};
}

void Labels::set_reserved(const std::string& label, const Hash& hash) {
  std::lock_guard lock(mutex_);
  --reserved_;
  labels_[label] = hash;
}

void Labels::give_back() {
  std::lock_guard lock(mutex_);
  --reserved_;
}

bool Labels::contains(const std::string& label) const {
  std::lock_guard lock(mutex_);
  return labels_.contains(label);
}

std::optional<Hash> Labels::get(const std::string& label) const {
  std::lock_guard lock(mutex_);
  const auto found = labels_.find(label);
  return found == labels_.end() ? std::nullopt : std::optional(found->second);
}

void Labels::remove(const std::string& label) {
  std::lock_guard lock(mutex_);
  labels_.erase(label);
}

std::vector<std::pair<std::string, Hash>> Labels::all() const {
  std::lock_guard lock(mutex_);
  return {labels_.begin(), labels_.end()};
}

}  // namespace theater::node
