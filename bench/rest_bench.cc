// Actors that were passivated: how long one takes to answer, without an auditor.
#include <thread>

#include "bench/benchmarks.h"
#include "bench/lab.h"

namespace theater::bench {
namespace {

constexpr size_t kSleepers = 500;

// Each sleeper is asked once a run, and all rest again before the next. A run is the median of its answers.
Result<Outcome> activate(Lab&, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY_ASSIGN(Package counter, load_example("counter"));
  counter.manifest += "passivate_after = \"200 ms\"\n";  // in its [limits]
  std::vector<ActorId> sleepers;
  for (size_t i = 0; i < kSleepers; ++i) {
    TRY_ASSIGN(const ActorId actor, rig->spawn(counter, nullptr));
    sleepers.push_back(actor);
  }
  Outcome outcome;
  for (size_t i = 0; i < runs + 1; ++i) {
    TRY(rig->wait_until_at_rest());
    std::vector<double> microseconds;
    for (const ActorId& actor : sleepers) {
      uint64_t told_ns = 0;
      const uint64_t begin_ns = rig->clock().monotonic_ns();
      TRY_ASSIGN(const auto answer, rig->request(actor, "1", &told_ns));
      if (!answer || as_text(*answer) != str_cat(i + 1)) return Error{ErrorCode::kCorrupt, "a wrong sum"};
      microseconds.push_back(static_cast<double>(told_ns - begin_ns) / 1e3);
    }
    if (i > 0) outcome.values.push_back(median(std::move(microseconds)));
  }
  return outcome;
}

}  // namespace

std::vector<Benchmark> rest_benchmarks() {
  return {{"activate", "us", "a request to a passivated actor, until it is answered", "< 100", 5, activate}};
}

}  // namespace theater::bench
