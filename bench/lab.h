// What benchmarks share: the folder on a real disk, the guest, and a store with one long chain that the end-to-end run
// (or, if that wasn't asked for, a short one of the same kind) has written.
//
// One owner (main), one thread.
#pragma once

#include <optional>
#include <string>

#include "bench/harness.h"
#include "bench/node_rig.h"

namespace theater::bench {

struct RecordedStore {
  std::string path;
  ActorId actor;  // whose chain has one burst of kBurstCalls
};

class Lab {
 public:
  // Refuses a folder that is only memory: a synced write there proves nothing.
  static Result<Lab> open(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const Package& package() const { return package_; }

  // The auditor that wrote it must have stopped.
  void keep_store(RecordedStore store) { store_ = std::move(store); }
  Result<RecordedStore> recorded_store();

 private:
  std::string folder_;
  Package package_;
  std::optional<RecordedStore> store_;
};

// Log calls in one measured burst.
inline constexpr uint64_t kBurstCalls = 1'000'000;

double seconds_between(uint64_t from_ns, uint64_t to_ns);
// An auditor's process that must have found nothing wrong.
Result<void> expect_no_evidence(AuditorProcess& auditor);

}  // namespace theater::bench
