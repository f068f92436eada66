#include "node/actor/auditors.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/text.h"
#include "node/actor/manifest.h"

namespace theater::node {

Result<ActorFilter> ActorFilter::parse(std::string_view text) {
  constexpr std::string_view kName = "name:", kId = "id:";
  ActorFilter filter;
  if (text == "all") return filter;
  if (text.starts_with(kName) && text.size() > kName.size() && text.size() <= kName.size() + 4 * kActorNameMax) {
    filter.kind_ = Kind::kName;
    filter.pattern_ = text.substr(kName.size());
    return filter;
  }
  if (text.starts_with(kId)) {
    if (const auto id = ActorId::from_hex_text(text.substr(kId.size()))) return only(*id);
  }
  return Error{ErrorCode::kInvalid, str_cat("whose chains an auditor takes is all, name:PATTERN (with * ? and []) or "
                                            "id:ID; here it is ",
                                            quote(text))};
}

ActorFilter ActorFilter::only(const ActorId& actor) {
  ActorFilter filter;
  filter.kind_ = Kind::kId;
  filter.id_ = actor;
  return filter;
}

bool ActorFilter::takes(const std::string& name, const ActorId& id) const {
  switch (kind_) {
    case Kind::kAll: return true;
    case Kind::kName: return fnmatch(pattern_.c_str(), name.c_str(), 0) == 0;
    case Kind::kId: return id == id_;
  }
  return false;
}

std::string ActorFilter::text() const {
  switch (kind_) {
    case Kind::kAll: return "all";
    case Kind::kName: return str_cat("name:", pattern_);
    case Kind::kId: return str_cat("id:", id_.hex());
  }
  return {};
}

Auditor::Auditor(std::shared_ptr<bus::Outbox> link_to) : outbox(std::move(link_to)) {
  link.name = outbox->status().auditor;
}

void Auditors::begin_with(std::vector<Auditor> auditors) {
  std::lock_guard lock(mutex_);
  for (auto& auditor : auditors) present_.push_back({0, std::make_shared<const Auditor>(std::move(auditor))});
}

bool Auditors::has_room() const {
  std::lock_guard lock(mutex_);
  return changes_.size() < kChangesMax;
}

void Auditors::add(AuditorPtr auditor) {
  std::lock_guard lock(mutex_);
  changes_.push_back({true, auditor});
  present_.push_back({changes_.size(), std::move(auditor)});
  step_.store(changes_.size(), std::memory_order_release);
}

void Auditors::remove(const AuditorPtr& auditor) {
  std::lock_guard lock(mutex_);
  std::erase_if(present_, [&](const Since& each) { return each.auditor == auditor; });
  changes_.push_back({false, auditor});
  step_.store(changes_.size(), std::memory_order_release);
}

std::vector<Auditors::AuditorPtr> Auditors::all() const {
  std::lock_guard lock(mutex_);
  std::vector<AuditorPtr> all;
  for (const auto& each : present_) all.push_back(each.auditor);
  return all;
}

Auditors::Outboxes Auditors::of(const std::string& name, const ActorId& id, uint64_t step) const {
  std::lock_guard lock(mutex_);
  Outboxes outboxes;
  for (const auto& each : present_) {
    if (each.step <= step && each.auditor->actors.takes(name, id)) outboxes.push_back(each.auditor->outbox);
  }
  return outboxes;
}

std::vector<Auditors::Change> Auditors::changes(const std::string& name, const ActorId& id, uint64_t from,
                                                uint64_t to) const {
  std::vector<Change> changes;
  std::lock_guard lock(mutex_);
  for (uint64_t i = from; i < to; ++i) {
    const Change& change = changes_[i];
    if (!change.auditor->actors.takes(name, id)) continue;
    const auto came = std::ranges::find_if(changes, [&](const Change& each) { return each.auditor == change.auditor; });
    if (came == changes.end()) {
      changes.push_back(change);
    } else {
      changes.erase(came);  // nobody is added twice: it is the one that goes
    }
  }
  return changes;
}

}  // namespace theater::node
