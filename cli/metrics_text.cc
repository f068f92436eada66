#include "cli/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace theater::cli {

std::string metrics_text(const std::vector<Metric>& metrics) {
  std::vector<prometheus::MetricFamily> families;
  families.reserve(metrics.size());
  for (const auto& metric : metrics) {
    prometheus::MetricFamily family;
    family.name = metric.name;
    family.help = metric.help;
    const bool counts = metric.kind == Metric::Kind::kCounter;
    family.type = counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
    for (const auto& sample : metric.samples) {
      prometheus::ClientMetric& out = family.metric.emplace_back();
      for (const auto& [name, value] : sample.labels) out.label.push_back({name, value});
      if (counts) {
        out.counter.value = sample.value;
      } else {
        out.gauge.value = sample.value;
      }
    }
    families.push_back(std::move(family));
  }
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

}  // namespace theater::cli
