// A line on the terminal for anything that takes more than a second: what is being done, for how long, and how far it
// got. Nothing at all when stderr isn't a terminal, or when it is over within the second.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace theater::cli {

// Lives as long as the work. update() from any thread.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(uint64_t done, uint64_t total);

 private:
  void run();

  const std::string what_;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
  std::thread thread_;
};

// Removes the progress line, if one is shown, so that other text can begin in the first column.
void clear_progress();

}  // namespace theater::cli
