#include "bench/harness.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/check.h"
#include "schema/display.h"

namespace theater::bench {
namespace {

// Whole numbers as such; anything else with three digits after the point.
std::string number(double value) {
  char text[64];
  const bool whole = std::abs(value) >= 1000 || value == std::floor(value);
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.3f", value);
  return text;
}

// 1234567 as 1,234,567.
std::string grouped(double value) {
  std::string text = number(value);
  size_t end = text.find('.');
  if (end == std::string::npos) end = text.size();
  const size_t begin = text[0] == '-' ? 1 : 0;
  for (size_t at = end; at > begin + 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string padded(const std::string& text, int width) {
  char out[256];
  std::snprintf(out, sizeof out, "%*s", width, text.c_str());
  return out;
}

std::string row(const std::string& name, const std::string& unit, const std::string& middle, const std::string& low,
                const std::string& high, const std::string& runs, const std::string& goal) {
  return str_cat(padded(name, -17), padded(unit, -10), padded(middle, 14), padded(low, 14), padded(high, 14),
                 padded(runs, 7), "   ", goal);
}

}  // namespace

double median(std::vector<double> values) {
  CHECK(!values.empty());
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::string to_json_line(const Benchmark& benchmark, const Outcome& outcome) {
  const auto [low, high] = std::ranges::minmax(outcome.values);
  std::string line =
      str_cat("{\"name\":", schema::json_string(benchmark.name), ",\"unit\":", schema::json_string(benchmark.unit),
              ",\"median\":", number(median(outcome.values)), ",\"min\":", number(low), ",\"max\":", number(high),
              ",\"runs\":", outcome.values.size());
  for (const auto& [name, count] : outcome.counted) line += str_cat(",", schema::json_string(name), ":", number(count));
  return line + "}";
}

std::string table_head() { return row("name", "unit", "median", "min", "max", "runs", "goal"); }

std::string to_table_line(const Benchmark& benchmark, const Outcome& outcome) {
  const auto [low, high] = std::ranges::minmax(outcome.values);
  std::string line = row(benchmark.name, benchmark.unit, grouped(median(outcome.values)), grouped(low), grouped(high),
                         str_cat(outcome.values.size()), benchmark.goal);
  for (const auto& [name, count] : outcome.counted) line += str_cat("   ", name, " ", grouped(count));
  return line;
}

}  // namespace theater::bench
