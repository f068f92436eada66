// What a benchmark of Theater is, and how its figures are printed. A benchmark measures one thing some number of times;
// what is reported is the median, beside the smallest and the largest. Nothing here decides whether a figure is good.
//
//   --json        one object a line: name, unit, median, min, max, runs, and what else the benchmark counted
//   otherwise     a table for people, with the figure that the project holds itself to beside each
//
// Everything runs on the main thread, one benchmark after the other.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace theater::bench {

class Lab;  // what benchmarks share: bench/lab.h

struct Outcome {
  std::vector<double> values;                           // one a run, in the benchmark's unit
  std::vector<std::pair<std::string, double>> counted;  // beside the figure itself: ("syncs", 812)
};

struct Benchmark {
  std::string name;
  std::string unit;  // us, ms, B, events/s, calls/s, messages/s, ratio
  std::string what;  // one line for --list
  std::string goal;  // "< 100", ">= 1000000"; shown to people only
  size_t runs = 5;   // unless --runs says otherwise
  std::function<Result<Outcome>(Lab& lab, size_t runs)> run;
};

// Of a list that isn't empty; of an even number of values the mean of the middle two.
double median(std::vector<double> values);

std::string to_json_line(const Benchmark& benchmark, const Outcome& outcome);
std::string table_head();
std::string to_table_line(const Benchmark& benchmark, const Outcome& outcome);

}  // namespace theater::bench
