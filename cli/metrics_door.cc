#include "cli/metrics_door.h"

namespace theater::cli {

Result<std::unique_ptr<MetricsDoor>> MetricsDoor::open(const std::string& listen, Clock& clock) {
  std::unique_ptr<MetricsDoor> door(new MetricsDoor(clock));
  if (listen.empty()) return door;
  TRY_ASSIGN(door->server_, HttpServer::start(listen, {{"/metrics", [self = door.get()] { return self->metrics(); }},
                                                       {"/healthz", [self = door.get()] { return self->health(); }}}));
  return door;
}

void MetricsDoor::serve(Source source) {
  source_ = std::move(source);
  serving_ = true;
}

HttpAnswer MetricsDoor::metrics() {
  std::lock_guard lock(mutex_);
  const uint64_t now_ns = clock_.monotonic_ns();
  if (!collected_ns_ || now_ns - *collected_ns_ >= kAgeMaxNs) {
    Metrics metrics;
    add_process_metrics(metrics);
    if (serving_) {
      source_.metrics(metrics);
      collected_ns_ = now_ns;
    }
    text_ = metrics_text(metrics.all);
  }
  return {200, kMetricsContentType, text_};
}

HttpAnswer MetricsDoor::health() {
  HttpAnswer answer;
  const Health health = stopping_ ? Health{false, "stopping"} : serving_ ? source_.health() : Health{false, "starting"};
  answer.status = health.ok ? 200 : 503;
  answer.body = health.text + "\n";
  return answer;
}

std::string read_metrics_config(const Config::Table& root) {
  const auto table = root.table("metrics");
  if (!table) return "";
  auto listen = table->required_text("listen");
  if (listen.empty()) return listen;
  if (auto checked = check_listen_address(listen); !checked.ok()) table->fail("listen", checked.error().message);
  return listen;
}

}  // namespace theater::cli
