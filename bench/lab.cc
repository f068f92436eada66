#include "bench/lab.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>
#include <filesystem>

namespace theater::bench {

Result<Lab> Lab::open(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  struct statfs info{};
  if (error || statfs(folder.c_str(), &info) != 0) {
    return Error{ErrorCode::kIo,
                 str_cat("can't use the folder ", folder, ": ", error ? error.message() : errno_text(errno))};
  }
  if (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC) {
    return Error{ErrorCode::kRefused, str_cat(folder,
                                              " is memory, not a disk: a synced write there costs nothing and proves "
                                              "nothing. Give a folder on a disk with --dir.")};
  }
  Lab lab;
  lab.folder_ = std::filesystem::absolute(folder).string();
  TRY_ASSIGN(lab.package_, load_example("burst"));
  return lab;
}

Result<RecordedStore> Lab::recorded_store() {
  if (store_) return *store_;
  TRY_ASSIGN(auto auditor, AuditorProcess::start(folder_ + "/recorded"));
  RecordedStore store{auditor.store_path(), {}};
  {
    TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
    TRY_ASSIGN(store.actor, rig->spawn(package_, nullptr));
    TRY(rig->burst(store.actor, kBurstCalls, true));
  }
  TRY(expect_no_evidence(auditor));
  auditor.stop();
  store_ = store;
  return store;
}

double seconds_between(uint64_t from_ns, uint64_t to_ns) { return static_cast<double>(to_ns - from_ns) / 1e9; }

Result<void> expect_no_evidence(AuditorProcess& auditor) {
  TRY_ASSIGN(const auto counts, auditor.counts());
  if (counts.evidence == 0) return Ok{};
  return Error{ErrorCode::kCorrupt, str_cat("the auditor kept ", counts.evidence, " records of something wrong")};
}

}  // namespace theater::bench
