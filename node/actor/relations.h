// Whom an actor is linked to, whom it watches, and who watches it. Plain data; the actor guards it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "base/ids.h"

namespace theater::node {

struct Relations {
  static constexpr size_t kMax = 1'000;  // of all three
  std::set<ActorId> links;
  std::map<uint64_t, ActorId> monitors;             // whom it watches
  std::set<std::pair<ActorId, uint64_t>> watchers;  // who watches it, by which number of theirs
  uint64_t last_monitor = 0;
};

}  // namespace theater::node
