// Content by its hash, as the handler `store` sees it: a bounded cache in the node's memory, and behind it the
// auditors, who got all of it as blobs of the chains. The node keeps nothing else, and nothing on disk. And labels:
// names for hashes.
//
// Any thread; short mutexes. Content that was dropped from the cache is fetched from the first auditor that has it, and
// checked against its hash.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "bus/outbox.h"

namespace theater::node {

inline constexpr uint64_t kContentMax = uint64_t{16} << 20;  // bytes of one content

class Content : public std::enable_shared_from_this<Content> {
 public:
  using Shared = std::shared_ptr<const Bytes>;
  static constexpr size_t kCacheBytes = size_t{64} << 20;

  explicit Content(size_t cache_bytes = kCacheBytes) : cache_bytes_(cache_bytes) {}

  using Outboxes = std::vector<std::shared_ptr<bus::Outbox>>;
  void set_auditors(Outboxes auditors);  // those to ask from now on

  void put(const Hash& hash, Shared bytes);
  Shared find(const Hash& hash);  // null: it isn't in the cache
  // Asks one auditor after the other. No content (null): all of them say that they don't have it. `done` is called
  // once, on whatever thread the answer comes; it only enqueues.
  void fetch(const Hash& hash, std::function<void(Result<Shared>)> done);

 private:
  void fetch_from(const std::shared_ptr<const Outboxes>& auditors, size_t next, const Hash& hash,
                  std::optional<Error> trouble, std::function<void(Result<Shared>)> done);

  struct Entry {
    Hash hash;
    Shared bytes;
  };
  const size_t cache_bytes_;
  std::mutex mutex_;
  std::shared_ptr<const Outboxes> auditors_ = std::make_shared<const Outboxes>();
  std::list<Entry> entries_;  // used last in front
  std::unordered_map<Hash, std::list<Entry>::iterator> by_hash_;
  size_t held_bytes_ = 0;
};

// Names for hashes: an actor's own, or those that the node's actors share. What an actor sets stands in its chain; the
// node keeps nothing of them over its own end. Others see it from the event on: room is taken before.
class Labels {
 public:
  static constexpr size_t kLabelMax = 256;  // bytes of a name

  explicit Labels(size_t most) : most_(most) {}

  Result<void> reserve(const std::string& label);  // room for one more, for set_reserved() or give_back()
  void set_reserved(const std::string& label, const Hash& hash);
  void give_back();
  bool contains(const std::string& label) const;
  std::optional<Hash> get(const std::string& label) const;
  void remove(const std::string& label);
  std::vector<std::pair<std::string, Hash>> all() const;

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::map<std::string, Hash> labels_;
  size_t reserved_ = 0;
};

}  // namespace theater::node
