// /metrics and /healthz of a daemon, on the address that its configuration names.
//
// The door is opened before anything else, because who holds the port is the daemon; until serve() it says "starting",
// from stopping() on "stopping". Any thread. What it serves must live until the door is gone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"
#include "cli/http_server.h"
#include "cli/metrics_text.h"

namespace theater::cli {

// "ok", or "degraded: …" for what a restart wouldn't mend: both are 200. Otherwise 503 and why.
struct Health {
  bool ok = true;
  std::string text = "ok";
};

class MetricsDoor {
 public:
  struct Source {
    std::function<void(Metrics&)> metrics;
    std::function<Health()> health;  // may take as long as it says in docs/operations.md
  };

  // Empty `listen`: no door, and nothing else here does anything.
  static Result<std::unique_ptr<MetricsDoor>> open(const std::string& listen, Clock& clock);
  void serve(Source source);
  void stopping() { stopping_ = true; }

 private:
  // Metrics are collected at most this often, however many ask.
  static constexpr uint64_t kAgeMaxNs = 250'000'000;

  explicit MetricsDoor(Clock& clock) : clock_(clock) {}
  HttpAnswer metrics();
  HttpAnswer health();

  Clock& clock_;
  std::atomic<bool> serving_{false}, stopping_{false};
  Source source_;     // written once, before serving_
  std::mutex mutex_;  // of what follows
  std::string text_;
  std::optional<uint64_t> collected_ns_;
  std::unique_ptr<HttpServer> server_;  // last: its threads use the rest
};

// The table [metrics] of node.toml and auditor.toml: the address, or nothing.
std::string read_metrics_config(const Config::Table& root);

// What every daemon tells of its process and its threads, from /proc. Missing where that can't be read.
void add_process_metrics(Metrics& metrics);

}  // namespace theater::cli
