// Manifests by the hash of their text, so that a million actors of one kind share one, and a spawn doesn't parse what
// was parsed before.
//
// Any thread; one short lock, not held while a text is parsed. The last kRecentMax are kept; older ones as long as an
// actor has them.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "node/actor/manifest.h"

namespace theater::node {

class ManifestCache {
 public:
  static constexpr size_t kRecentMax = 16;

  // `hash` is that of `text`. Errors as those of parse_manifest().
  Result<std::shared_ptr<const Manifest>> get(const Hash& hash, const std::string& text);

 private:
  void forget_unused();  // with the lock

  std::mutex mutex_;
  std::unordered_map<Hash, std::weak_ptr<const Manifest>> by_text_;
  std::array<std::shared_ptr<const Manifest>, kRecentMax> recent_;
  size_t next_recent_ = 0;
  size_t forget_at_ = 2 * kRecentMax;  // entries
};

}  // namespace theater::node
