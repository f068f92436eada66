// An auditor in a simulation: the real steps (persist/auditor_steps.h) over a disk in memory, in one thread, in the
// order in which persist/auditor.cc takes them with three. Commits take time, fail, and are in the middle when it dies.
//
// The disk. A batch is there as a whole or not at all, as RocksDB promises. One whose sync has begun, or failed, may be
// there after a crash or not: chance says. What a commit that returned Ok wrote is always there.
#pragma once

#include <deque>
#include <functional>

#include "persist/auditor_steps.h"
#include "persist/memory_store.h"
#include "tests/sim/context.h"

namespace theater::sim {

class SimAuditor {
 public:
  using Reply = std::function<void(const bus::CurveKey& peer, Bytes message)>;
  SimAuditor(Context& context, size_t number, Reply reply);

  bool is_up() const { return steps_ != nullptr; }
  void offer(bus::Inbound message);  // lost if it is down, or busy
  void turn();
  uint64_t next_ns() const;  // when to call turn() again if nothing comes

  void crash(uint64_t down_ns);
  void stop(uint64_t down_ns);  // in order: what came is written, if the disk lets it

  // Faults, until that time.
  void disk_is_full_until(uint64_t until_ns) { full_until_ns_ = until_ns; }
  void disk_is_slow_until(uint64_t until_ns) { slow_until_ns_ = until_ns; }
  void is_busy_until(uint64_t until_ns) { busy_until_ns_ = until_ns; }
  void syncs_fail(uint64_t permille) { fail_permille_ = permille; }
  void end_faults();

  const PublicKey& key() const { return key_.public_key(); }
  const std::shared_ptr<persist::MemoryStore>& disk() const { return disk_; }
  uint64_t crashes() const { return crashes_; }
  uint64_t failed_commits() const { return failed_commits_; }

 private:
  void open();
  void take_in();
  void verify();
  void commit();
  bool try_write(persist::Commit& commit);
  void die(uint64_t down_ns);

  Context& context_;
  const size_t number_;
  const Reply reply_;
  const uint64_t window_bytes_;
  const size_t batch_bytes_;
  const SigningKey key_;
  const std::shared_ptr<persist::MemoryStore> disk_ = std::make_shared<persist::MemoryStore>();
  uint64_t full_until_ns_ = 0, slow_until_ns_ = 0, busy_until_ns_ = 0, fail_permille_ = 0;
  uint64_t crashes_ = 0, failed_commits_ = 0;

  // While it is up.
  std::unique_ptr<persist::AuditorSteps> steps_;
  std::deque<bus::Inbound> inbound_;
  std::deque<persist::Accepted> accepted_;
  std::optional<persist::Commit> prepared_, writing_;
  uint64_t written_ns_ = 0, backoff_ns_ = 0;  // of writing_
  uint64_t tick_ns_ = 0;
  uint64_t up_ns_ = 0;
};

}  // namespace theater::sim
