// Numbers that a process tells of itself, in the text format that Prometheus scrapes. The client library stops in
// metrics_text.cc; whoever has numbers says them with these plain types.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace theater::cli {

struct Metric {
  enum class Kind : uint8_t { kCounter, kGauge };  // only grows until the process ends, or goes both ways
  using Labels = std::vector<std::pair<std::string, std::string>>;
  struct Sample {
    Labels labels;
    double value = 0;
  };
  Kind kind = Kind::kGauge;
  std::string name;  // counters end in _total; the unit comes last: _bytes, _seconds
  std::string help;
  std::vector<Sample> samples;  // none: only the name is told
};

class Metrics {
 public:
  template <typename Number>
  void counter(std::string name, std::string help, Number value) {
    family(Metric::Kind::kCounter, std::move(name), std::move(help));
    add({}, value);
  }
  template <typename Number>
  void gauge(std::string name, std::string help, Number value) {
    family(Metric::Kind::kGauge, std::move(name), std::move(help));
    add({}, value);
  }
  // With labels: samples follow by add(), to the newest family.
  void family(Metric::Kind kind, std::string name, std::string help) {
    all.push_back({kind, std::move(name), std::move(help), {}});
  }
  template <typename Number>
  void add(Metric::Labels labels, Number value) {
    all.back().samples.push_back({std::move(labels), static_cast<double>(value)});
  }

  std::vector<Metric> all;
};

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";
std::string metrics_text(const std::vector<Metric>& metrics);

}  // namespace theater::cli
