// What is done with a stored chain: verifying it and replaying it, each on one core, from the store that end_to_end
// wrote.
#include "bench/benchmarks.h"
#include "bench/lab.h"
#include "persist/verifier.h"
#include "replay/replayer.h"

namespace theater::bench {
namespace {

// Calls `once`, which returns the number of events that it went through, `runs` times after once for nothing.
template <typename Once>
Result<Outcome> measure_events(size_t runs, Once&& once) {
  SystemClock clock;
  Outcome outcome;
  for (size_t i = 0; i <= runs; ++i) {
    const uint64_t begin_ns = clock.monotonic_ns();
    TRY_ASSIGN(const uint64_t events, once());
    const uint64_t end_ns = clock.monotonic_ns();
    if (i > 0) outcome.values.push_back(static_cast<double>(events) / seconds_between(begin_ns, end_ns));
    outcome.counted = {{"events", static_cast<double>(events)}};
  }
  return outcome;
}

Result<Outcome> verify(Lab& lab, size_t runs) {
  TRY_ASSIGN(const auto store, lab.recorded_store());
  TRY_ASSIGN(auto reader, persist::open_chain_reader(store.path));
  return measure_events(runs, [&]() -> Result<uint64_t> {
    TRY_ASSIGN(const auto report, persist::verify_chain(*reader, store.actor));
    if (report.summary.status == persist::ChainStatus::kBroken || report.verified != report.summary.events) {
      return Error{ErrorCode::kCorrupt, str_cat("the recorded chain doesn't verify: ", report.reason)};
    }
    return report.verified;
  });
}

Result<Outcome> replay(Lab& lab, size_t runs) {
  TRY_ASSIGN(const auto store, lab.recorded_store());
  TRY_ASSIGN(auto reader, persist::open_chain_reader(store.path));
  wasm::EngineOptions options;
  options.instances_max = 4;
  TRY_ASSIGN(auto engine, wasm::make_wasmtime_engine(options));
  return measure_events(runs, [&]() -> Result<uint64_t> {
    TRY_ASSIGN(const auto report, replay::replay_chain(*reader, store.actor, *engine, {}));
    if (report.status != replay::ReplayStatus::kSame || report.host_calls != kBurstCalls) {
      return Error{ErrorCode::kCorrupt, str_cat("the recorded chain doesn't replay: ",
                                                replay::replay_status_name(report.status), " ", report.reason)};
    }
    return report.matched;
  });
}

}  // namespace

std::vector<Benchmark> record_benchmarks() {
  return {
      {"verify", "events/s", "a stored chain verified again, one core", ">= 800,000", 5, verify},
      {"replay", "events/s", "a stored chain replayed by the real engine, one core", ">= 500,000", 5, replay},
  };
}

}  // namespace theater::bench
