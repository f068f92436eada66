// Whom an actor is linked to, whom it watches, and who watches it. Plain data; the actor guards it.
//
// What others do to its links is news that its chain tells when there is room. Of each other actor only the last word
// counts, so that however often they link and unlink, there is no more to tell than there may be relations.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/ids.h"

namespace theater::node {

struct Relations {
  static constexpr size_t kMax = 1'000;  // of all kinds

  struct Link {
    bool linked = false;
    std::optional<bool> news;  // what the chain doesn't say yet: linked, or not any more
  };
  std::map<ActorId, Link> links;                    // of each at least one of both
  std::map<uint64_t, ActorId> monitors;             // whom it watches
  std::set<std::pair<ActorId, uint64_t>> watchers;  // who watches it, by which number of theirs
  uint64_t last_monitor = 0;
  ActorId told_last;
  size_t reserved = 0;  // for links whose event isn't emitted yet

  size_t size() const { return links.size() + monitors.size() + watchers.size() + reserved; }
  bool is_linked(const ActorId& other) const {
    const auto found = links.find(other);
    return found != links.end() && found->second.linked;
  }
  // By the actor itself, whose own event says so; by the other one, which is news; or because that one has ended. All
  // say whether that changed anything.
  bool link(const ActorId& other) {
    return set(other, true, [](Link& link) { link.news.reset(); });
  }
  bool unlink(const ActorId& other) {
    return set(other, false, [](Link& link) { link.news.reset(); });
  }
  bool linked_by(const ActorId& other) { return set(other, true, became_news); }
  bool unlinked_by(const ActorId& other) { return set(other, false, became_news); }
  bool ended(const ActorId& other) {
    return set(other, false, [](Link&) {});
  }

  // The next news to tell, each one's in turn. Whoever takes it tells it.
  std::optional<std::pair<ActorId, bool>> take_news() {
    auto next = links.upper_bound(told_last);
    for (size_t left = links.size(); left > 0; --left, ++next) {
      if (next == links.end()) next = links.begin();
      if (!next->second.news) continue;
      told_last = next->first;
      const bool linked = *std::exchange(next->second.news, std::nullopt);
      if (!next->second.linked) links.erase(next);
      return std::pair(told_last, linked);
    }
    return std::nullopt;
  }

 private:
  // What wasn't told before it was taken back needn't be.
  static void became_news(Link& link) {
    if (link.news) {
      link.news.reset();
    } else {
      link.news = link.linked;
    }
  }
  template <typename Then>
  bool set(const ActorId& other, bool linked, Then then) {
    const auto [found, is_new] = links.try_emplace(other);
    const bool changes = found->second.linked != linked;
    found->second.linked = linked;
    if (changes) then(found->second);
    if (!found->second.linked && !found->second.news) links.erase(found);
    return changes;
  }
};

}  // namespace theater::node
