// A recorded chain in memory, shown as a store would show it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "persist/chain_reader.h"

namespace theater::replay {

struct Recording {
  ActorId actor;
  std::vector<Bytes> events;
  std::map<Hash, Bytes> blobs;
};

class MemoryReader final : public persist::ChainReader {
 public:
  explicit MemoryReader(Recording recording) : recording_(std::move(recording)) {}

  persist::ChainStatus status = persist::ChainStatus::kOpen;

  Result<std::vector<persist::ChainSummary>> list() override {
    TRY_ASSIGN(auto one, summary(recording_.actor));
    return std::vector{one};
  }
  Result<persist::ChainSummary> summary(const ActorId& actor) override {
    if (actor != recording_.actor) return Error{ErrorCode::kNotFound, "no such chain"};
    persist::ChainSummary summary;
    summary.actor = actor;
    summary.events = recording_.events.size();
    summary.last_sequence = recording_.events.size() - 1;
    summary.status = status;
    return summary;
  }
  Result<ActorId> resolve(std::string_view) override { return recording_.actor; }
  Result<std::unique_ptr<persist::EventCursor>> events(const ActorId& actor, uint64_t first_sequence) override {
    if (actor != recording_.actor) return Error{ErrorCode::kNotFound, "no such chain"};
    return std::unique_ptr<persist::EventCursor>(std::make_unique<Cursor>(recording_, first_sequence));
  }
  Result<Bytes> blob(const Hash& hash) override {
    const auto found = recording_.blobs.find(hash);
    if (found == recording_.blobs.end()) {
      return Error{ErrorCode::kNotFound, str_cat("blob ", hash.short_hex(), " isn't in the store")};
    }
    return found->second;
  }
  Result<void> refresh() override { return Ok{}; }

 private:
  // Hands out the same buffer each time, as a store's cursor may.
  class Cursor final : public persist::EventCursor {
   public:
    Cursor(const Recording& recording, uint64_t next) : recording_(recording), next_(next) {}
    Result<std::optional<Item>> next() override {
      if (next_ >= recording_.events.size()) return std::optional<Item>();
      bytes_ = recording_.events[next_];
      return std::optional<Item>({bytes_, next_++});
    }

   private:
    const Recording& recording_;
    uint64_t next_;
    Bytes bytes_;
  };

  Recording recording_;
};

}  // namespace theater::replay
