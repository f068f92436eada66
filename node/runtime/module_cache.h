// Packages are compiled once, on a thread of their own, and kept by the hash of their bytes: a second actor of the same
// package starts in microseconds. With ModuleFiles they are kept on disk, too.
//
// get() may be called from any thread; compilation and files are *compile*'s, and what waited for it goes on on the
// command thread. Bounds: kModulesMax modules, the least recently used one goes first (actors keep theirs alive);
// kPendingMax packages wait for the compiler, more are refused.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bounded_queue.h"
#include "base/clock.h"
#include "node/runtime/metrics.h"
#include "node/runtime/module_files.h"
#include "wasm/engine.h"

namespace theater::node {

class ModuleCache {
 public:
  using Done = std::function<void(Result<std::shared_ptr<wasm::Module>>)>;
  static constexpr size_t kModulesMax = 64;
  static constexpr size_t kPendingMax = 64;

  // `defer` runs its argument on the command thread; called on *compile*. `files` may be none.
  ModuleCache(wasm::Engine& engine, Clock& clock, std::shared_ptr<ModuleFiles> files,
              std::function<void(std::function<void()>)> defer);
  ~ModuleCache();  // as stop()

  // Calls `done` at once if the module is there, later otherwise. `package` is the hash of `bytes`.
  void get(const Hash& package, std::shared_ptr<const Bytes> bytes, Done done);
  void add_to(RuntimeMetrics& metrics) const;
  // Waits for the compilation in progress; what waits behind it is dropped. Idempotent.
  void stop();

 private:
  struct Job {
    Hash package;
    std::shared_ptr<const Bytes> bytes;
  };
  using Modules = std::list<std::shared_ptr<wasm::Module>>;

  void compile_all();
  Result<std::shared_ptr<wasm::Module>> compile(BytesView package);
  std::shared_ptr<wasm::Module> load(const Job& job);  // none: it isn't kept
  void compiled(const Hash& package, const Result<std::shared_ptr<wasm::Module>>& result);

  wasm::Engine& engine_;
  Clock& clock_;
  const std::shared_ptr<ModuleFiles> files_;
  mutable std::mutex mutex_;  // guards what follows, up to the jobs
  const std::function<void(std::function<void()>)> defer_;
  Modules recent_;  // newest first
  std::unordered_map<Hash, Modules::iterator> by_package_;
  std::unordered_map<Hash, std::vector<Done>> waiting_;
  uint64_t found_ = 0, loaded_ = 0, compiled_ = 0, refused_ = 0, compiling_ns_ = 0;
  BoundedQueue<Job> jobs_{kPendingMax};
  std::thread thread_;
};

}  // namespace theater::node
