// A real auditor in another process: CURVE, its own store on a disk, synced commits. The parent makes the keys of both
// sides and a folder; the child is this same program, started with the hidden argument below.
//
// One thread. The destructor stops the auditor and waits for it; the store stays where it is.
#pragma once

#include <string>

#include "bench/child.h"
#include "bus/keys.h"
#include "bus/loop.h"

namespace theater::bench {

inline constexpr const char* kAuditorArgument = "--be-auditor";

class AuditorProcess {
 public:
  struct Counts {
    uint64_t events = 0;    // durable
    uint64_t commits = 0;   // synced writes
    uint64_t evidence = 0;  // must stay 0
  };

  // `folder` is emptied first. Ready to be dialled when it returns.
  static Result<AuditorProcess> start(const std::string& folder);
  // The same for a node that has an auditor already: with its keys.
  static Result<AuditorProcess> start_beside(const AuditorProcess& first, const std::string& folder);

  bus::DialOptions dial_options() const { return dial_; }
  const bus::SecretKeys& node_keys() const { return *node_keys_; }
  std::string store_path() const { return folder_ + "/store"; }
  Result<Counts> counts();
  // Drains, closes the store, ends the process.
  void stop() { child_.finish(); }
  // Ends it in the middle of whatever it does.
  void kill();
  // Another over the same store, keys and ports, after kill() or stop(). Ready to be dialled when it returns.
  Result<void> restart();

 private:
  static Result<AuditorProcess> start(const std::string& folder, std::shared_ptr<bus::SecretKeys> node_keys);
  AuditorProcess(Child child, std::string folder, std::shared_ptr<bus::SecretKeys> keys, bus::DialOptions dial)
      : child_(std::move(child)), folder_(std::move(folder)), node_keys_(std::move(keys)), dial_(std::move(dial)) {}
  Child child_;
  std::string folder_;
  std::shared_ptr<bus::SecretKeys> node_keys_;
  bus::DialOptions dial_;
};

// What the child does: runs an auditor over what start() put into `folder` until stdin ends. Returns the exit code.
int be_auditor(const std::string& folder, const std::string& data_endpoint, const std::string& control_endpoint);

}  // namespace theater::bench
