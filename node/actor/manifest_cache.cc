#include "node/actor/manifest_cache.h"

#include <algorithm>

namespace theater::node {

Result<std::shared_ptr<const Manifest>> ManifestCache::get(const Hash& hash, const std::string& text) {
  {
    std::lock_guard lock(mutex_);
    if (const auto found = by_text_.find(hash); found != by_text_.end()) {
      if (auto manifest = found->second.lock()) return manifest;
    }
  }
  TRY_ASSIGN(auto parsed, parse_manifest(text));
  auto manifest = std::make_shared<const Manifest>(std::move(parsed));
  std::shared_ptr<const Manifest> dropped;  // destroyed without the lock
  std::lock_guard lock(mutex_);
  auto& known = by_text_[hash];
  if (auto other = known.lock()) return other;  // somebody else was faster
  known = manifest;
  dropped = std::exchange(recent_[next_recent_], manifest);
  next_recent_ = (next_recent_ + 1) % kRecentMax;
  if (by_text_.size() >= forget_at_) forget_unused();
  return manifest;
}

void ManifestCache::forget_unused() {
  std::erase_if(by_text_, [](const auto& each) { return each.second.expired(); });
  forget_at_ = std::max(2 * by_text_.size(), 2 * kRecentMax);
}

}  // namespace theater::node
