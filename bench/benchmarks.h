// The benchmarks by family; main.cc strings them together in the order in which they run. Later ones may use what
// earlier ones left in the Lab.
#pragma once

#include <vector>

#include "bench/harness.h"

namespace theater::bench {

std::vector<Benchmark> actor_benchmarks();       // spawn_warm, host_call
std::vector<Benchmark> talk_benchmarks();        // request_local, spawn_rate, fairness, fan_in
std::vector<Benchmark> supervise_benchmarks();   // restart
std::vector<Benchmark> end_to_end_benchmarks();  // end_to_end, end_to_end_2, end_to_end_many, append_to_ack, recovery
std::vector<Benchmark> record_benchmarks();      // verify, replay
std::vector<Benchmark> rest_benchmarks();        // activate
std::vector<Benchmark> memory_benchmarks();      // actor_memory, node_memory, idle_million

// One memory measurement in a process of its own: what a child does that was started with this argument, then the name.
inline constexpr const char* kMeasureArgument = "--measure";
int measure_in_child(const std::string& name, const std::string& folder);

}  // namespace theater::bench
