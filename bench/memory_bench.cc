// Resident memory, each time in a process of its own that does nothing else, so that what another benchmark left behind
// doesn't count. The auditor, where there is one, is yet another process.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "bench/benchmarks.h"
#include "bench/lab.h"

namespace theater::bench {
namespace {

constexpr size_t kIdleActors = 10'000;
constexpr size_t kMillion = 1'000'000;
constexpr uint64_t kWarmUpEvents = 1'000'000;
constexpr uint64_t kAuditedEvents = 5'000'000;

Result<double> resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t total_pages = 0, resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return Error{ErrorCode::kIo, "can't read /proc/self/statm"};
  return static_cast<double>(resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// One actor first, so that the module, the workers and the runtime's own tables are there.
Result<double> actor_memory(Lab& lab) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY(rig->spawn(lab.package(), nullptr));
  TRY_ASSIGN(const double before, resident_bytes());
  for (size_t i = 0; i < kIdleActors; ++i) TRY(rig->spawn(lab.package(), nullptr));
  TRY_ASSIGN(const double after, resident_bytes());
  return (after - before) / static_cast<double>(kIdleActors);
}

// Registered and passivated, with 64 bytes of state each. Some first, so that what living ones need is there, and with
// far fewer instances than actors, so that most are passivated because others want theirs.
Result<double> idle_million(Lab& lab) {
  NodeRig::Options options;
  options.instances_max = 2'000;
  TRY_ASSIGN(auto rig, NodeRig::start(options));
  Package package = lab.package();
  package.manifest += "passivate_after = \"1 s\"\n";  // in its [limits]
  package.initial_state = Bytes(64, 's');
  TRY(rig->spawn_many(package, kIdleActors, 64, true));
  TRY(rig->wait_until_at_rest());
  TRY_ASSIGN(const double before, resident_bytes());
  TRY_ASSIGN(const double seconds, rig->spawn_many(package, kMillion, 64, true));
  TRY(rig->wait_until_at_rest());
  TRY_ASSIGN(const double after, resident_bytes());
  const uint64_t begin_ns = rig->clock().monotonic_ns();
  if (!rig->runtime().stop(10'000)) return Error{ErrorCode::kInvalid, "not every actor could be ended"};
  std::fprintf(stderr, "theater-bench: a million spawned in %.0f s, ended in %.0f s\n", seconds,
               seconds_between(begin_ns, rig->clock().monotonic_ns()));
  return (after - before) / static_cast<double>(kMillion);
}

Result<double> node_memory(Lab& lab) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/node_memory"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
  TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
  TRY(rig->burst(actor, kWarmUpEvents, true));
  TRY_ASSIGN(const double before, resident_bytes());
  for (uint64_t done = 0; done < kAuditedEvents; done += kBurstCalls) TRY(rig->burst(actor, kBurstCalls, true));
  TRY_ASSIGN(const double after, resident_bytes());
  TRY(expect_no_evidence(auditor));
  return after - before;
}

Result<Outcome> in_children(const std::string& name, Lab& lab, size_t runs) {
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    TRY_ASSIGN(auto child, Child::start({kMeasureArgument, name, lab.folder()}));
    TRY_ASSIGN(const std::string line, child.receive());
    double value = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (error != std::errc{}) return Error{ErrorCode::kIo, str_cat("the measuring process answered \"", line, "\"")};
    outcome.values.push_back(value);
  }
  return outcome;
}

}  // namespace

int measure_in_child(const std::string& name, const std::string& folder) {
  const auto measure = [&]() -> Result<double> {
    TRY_ASSIGN(auto lab, Lab::open(folder));
    if (name == "idle_million") return idle_million(lab);
    return name == "actor_memory" ? actor_memory(lab) : node_memory(lab);
  };
  const auto value = measure();
  if (!value.ok()) {
    std::fprintf(stderr, "theater-bench: %s: %s\n", name.c_str(), value.error().message.c_str());
    return 1;
  }
  std::cout << static_cast<int64_t>(value.value()) << std::endl;
  return 0;
}

std::vector<Benchmark> memory_benchmarks() {
  return {
      {"actor_memory", "B", "resident bytes of an idle actor, 10,000 alive", "< 24,576", 3,
       [](Lab& lab, size_t runs) { return in_children("actor_memory", lab, runs); }},
      {"node_memory", "B", "growth of the node's resident size over 5 million audited events, after warm-up",
       "< 8,388,608", 3, [](Lab& lab, size_t runs) { return in_children("node_memory", lab, runs); }},
      {"idle_million", "B", "resident bytes of a registered, passivated actor with 64 B of state, among a million",
       "< 600", 1, [](Lab& lab, size_t runs) { return in_children("idle_million", lab, runs); }},
  };
}

}  // namespace theater::bench
