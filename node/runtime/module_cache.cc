#include "node/runtime/module_cache.h"

#include "base/thread.h"

namespace theater::node {

ModuleCache::ModuleCache(wasm::Engine& engine, Clock& clock, std::shared_ptr<ModuleFiles> files,
                         std::function<void(std::function<void()>)> defer)
    : engine_(engine),
      clock_(clock),
      files_(std::move(files)),
      defer_(std::move(defer)),
      thread_(start_thread("compile", [this] { compile_all(); })) {}

ModuleCache::~ModuleCache() { stop(); }

void ModuleCache::get(const Hash& package, std::shared_ptr<const Bytes> bytes, Done done) {
  std::unique_lock lock(mutex_);
  if (const auto found = by_package_.find(package); found != by_package_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    auto module = recent_.front();
    ++found_;
    lock.unlock();
    return done(std::move(module));
  }
  const auto [waiting, is_new] = waiting_.try_emplace(package);
  if (is_new && !jobs_.try_push(Job{package, std::move(bytes)})) {
    waiting_.erase(waiting);
    lock.unlock();
    return done(Error{ErrorCode::kUnavailable, str_cat(kPendingMax, " packages wait to be compiled; try again later")});
  }
  waiting->second.push_back(std::move(done));
}

void ModuleCache::stop() {
  jobs_.close();
  while (jobs_.try_pop()) {
  }
  if (thread_.joinable()) thread_.join();
}

void ModuleCache::compile_all() {
  while (auto job = jobs_.pop()) {
    const auto kept = files_ == nullptr ? nullptr : load(*job);
    const auto module = kept != nullptr ? kept : compile(*job->bytes);
    defer_([this, package = job->package, module] { compiled(package, module); });
    if (files_ == nullptr || kept != nullptr || !module.ok()) continue;
    if (const auto code = engine_.serialize(**module); code.ok()) files_->keep(job->package, *code);
  }
}

std::shared_ptr<wasm::Module> ModuleCache::load(const Job& job) {
  const auto code = files_->load(job.package);
  if (!code) return nullptr;
  auto module = engine_.load(*job.bytes, *code);
  if (module.ok()) {
    std::lock_guard lock(mutex_);
    ++loaded_;
    return std::move(module).value();
  }
  files_->forget(job.package, module.error().message);
  return nullptr;
}

Result<std::shared_ptr<wasm::Module>> ModuleCache::compile(BytesView package) {
  const uint64_t begun_ns = clock_.monotonic_ns();
  auto module = engine_.compile(package);
  std::lock_guard lock(mutex_);
  ++(module.ok() ? compiled_ : refused_);
  compiling_ns_ += clock_.monotonic_ns() - begun_ns;
  return module;
}

void ModuleCache::add_to(RuntimeMetrics& metrics) const {
  std::lock_guard lock(mutex_);
  metrics.modules_found += found_;
  metrics.modules_loaded += loaded_;
  metrics.modules_compiled += compiled_;
  metrics.modules_refused += refused_;
  metrics.compiling_ns += compiling_ns_;
  metrics.modules += recent_.size();
  metrics.modules_waiting += waiting_.size();
}

void ModuleCache::compiled(const Hash& package, const Result<std::shared_ptr<wasm::Module>>& result) {
  std::vector<Done> waiting;
  {
    std::lock_guard lock(mutex_);
    if (result.ok()) {
      recent_.push_front(*result);
      by_package_[package] = recent_.begin();
      if (recent_.size() > kModulesMax) {
        by_package_.erase(recent_.back()->package());
        recent_.pop_back();
      }
    }
    if (const auto found = waiting_.find(package); found != waiting_.end()) {
      waiting = std::move(found->second);
      waiting_.erase(found);
    }
  }
  for (const auto& done : waiting) done(result);
}

}  // namespace theater::node
