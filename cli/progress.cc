#include "cli/progress.h"

#include <chrono>
#include <cstdio>

#include "base/text.h"
#include "base/thread.h"
#include "cli/output.h"

namespace theater::cli {
namespace {
std::atomic<bool> shown{false};
}  // namespace

void clear_progress() {
  if (shown.exchange(false)) std::fputs("\r\033[K", stderr);
}

Progress::Progress(std::string what) : what_(std::move(what)) {
  if (stderr_is_terminal()) thread_ = start_thread("progress", [this] { run(); });
}

Progress::~Progress() {
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  ended_changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  clear_progress();
}

void Progress::update(uint64_t done, uint64_t total) {
  done_ = done;
  total_ = total;
}

void Progress::run() {
  std::unique_lock lock(mutex_);
  for (uint64_t seconds = 1;; ++seconds) {
    if (ended_changed_.wait_for(lock, std::chrono::seconds(1), [this] { return ended_; })) return;
    std::string line = str_cat(what_, " … ", seconds, " s");
    if (total_ != 0) line += str_cat(", ", done_ * 100 / total_, " %");
    clear_progress();
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
    shown = true;
  }
}

}  // namespace theater::cli
