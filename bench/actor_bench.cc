// One actor by itself: how long it takes to get one, and what its host calls cost, with nobody listening or with a
// subscriber in the same process that takes everything.
#include <atomic>
#include <filesystem>

#include "bench/benchmarks.h"
#include "bench/lab.h"

namespace theater::bench {
namespace {

constexpr size_t kSpawnsPerRun = 400;
constexpr size_t kSpawnsToWarmUp = 100;

// Takes every event and forgets it.
class Sink final : public node::Subscriber {
 public:
  std::string name() const override { return "sink"; }
  bool closed() const override { return false; }
  bool try_reserve(const ActorId&, size_t) override { return true; }
  void release(const ActorId&, size_t) override {}
  bool when_room(const ActorId&, std::function<void()>) override { return false; }
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent&) override { events_.fetch_add(1, std::memory_order_relaxed); }
  void end_of_chain(const ActorId&) override {}
  uint64_t events() const { return events_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> events_{0};
};

// From the request to the answer that init has returned. Each actor is killed again, outside the measured time.
Result<Outcome> spawn_warm(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  auto sink = std::make_shared<Sink>();
  Outcome outcome;
  for (size_t i = 0; i < kSpawnsToWarmUp + runs * kSpawnsPerRun; ++i) {
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    uint64_t end_ns = 0;
    TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), sink, &end_ns));
    TRY(rig->kill(actor));
    if (i >= kSpawnsToWarmUp) outcome.values.push_back(static_cast<double>(end_ns - begin_ns) / 1e3);
  }
  return outcome;
}

// The first spawn of a node that has just started; `kept`: the node before it has left the compiled package on disk.
Result<Outcome> first_spawn(Lab& lab, size_t runs, bool kept) {
  const std::string folder = lab.folder() + "/modules";
  Outcome outcome;
  for (size_t i = 0; i < runs + 1; ++i) {  // one to warm up, which writes what `kept` finds
    if (!kept) std::filesystem::remove_all(folder);
    TRY_ASSIGN(auto rig, NodeRig::start({.instances_max = 100, .modules_folder = folder}));
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    uint64_t end_ns = 0;
    TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr, &end_ns));
    TRY(rig->kill(actor));
    if (i > 0) outcome.values.push_back(static_cast<double>(end_ns - begin_ns) / 1e3);
  }
  std::filesystem::remove_all(folder);
  return outcome;
}
Result<Outcome> spawn_cold(Lab& lab, size_t runs) { return first_spawn(lab, runs, false); }
Result<Outcome> spawn_kept(Lab& lab, size_t runs) { return first_spawn(lab, runs, true); }

Result<Outcome> host_call(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
  TRY(rig->burst(actor, kBurstCalls / 10, false));  // warm-up
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    TRY(rig->burst(actor, kBurstCalls, false));
    const uint64_t end_ns = rig->clock().monotonic_ns();
    outcome.values.push_back(static_cast<double>(kBurstCalls) / seconds_between(begin_ns, end_ns));
  }
  return outcome;
}

}  // namespace

std::vector<Benchmark> actor_benchmarks() {
  return {
      {"spawn_warm", "us", "spawn request to init returned, module cached, every event handed to a subscriber", "< 100",
       5, spawn_warm},
      {"spawn_cold", "us", "the first spawn of a node that has just started: the package is compiled", "-", 20,
       spawn_cold},
      {"spawn_kept", "us", "the same, with the compiled package on disk from the node before", "< spawn_cold", 20,
       spawn_kept},
      {"host_call", "calls/s", "recorded 64 B log calls of one actor, no subscriber", ">= 1,000,000", 5, host_call},
  };
}

}  // namespace theater::bench
