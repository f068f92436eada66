// Actors that talk to each other, on one node, everything recorded and hashed, without an auditor.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "bench/benchmarks.h"
#include "bench/lab.h"

namespace theater::bench {
namespace {

constexpr uint64_t kRoundTrips = 100'000;
constexpr size_t kSenders = 1'000;
constexpr uint64_t kSendsEach = 300;
constexpr size_t kSpawns = 20'000;
constexpr size_t kLooping = 200;
constexpr size_t kQuietRequests = 400;

std::string text_of(std::optional<Bytes> bytes) { return bytes ? std::string(as_text(*bytes)) : std::string(); }

// One pair: as many round trips a second as one takes. A caller asks N times.
Result<Outcome> request_local(Lab&, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY_ASSIGN(const Package relay, load_example("relay"));
  TRY_ASSIGN(const Package counter, load_example("counter"));
  TRY_ASSIGN(const ActorId asks, rig->spawn(relay, nullptr));
  TRY_ASSIGN(const ActorId answers, rig->spawn(counter, nullptr));
  Outcome outcome;
  for (size_t i = 0; i < runs + 1; ++i) {
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    TRY_ASSIGN(const auto answer, rig->request(asks, str_cat("request ", answers.hex(), " ", kRoundTrips, " 1")));
    const uint64_t end_ns = rig->clock().monotonic_ns();
    if (text_of(answer) != str_cat((i + 1) * kRoundTrips)) {
      return Error{ErrorCode::kCorrupt, str_cat("the counter says ", text_of(answer))};
    }
    if (i > 0) outcome.values.push_back(static_cast<double>(kRoundTrips) / seconds_between(begin_ns, end_ns));
  }
  return outcome;
}

// Starts one request of each actor, and waits for all answers.
Result<void> ask_all(NodeRig& rig, const std::vector<ActorId>& actors, const std::string& message) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    size_t left;
    std::optional<Error> error;
  };
  auto shared = std::make_shared<Shared>();
  shared->left = actors.size();
  for (const ActorId& actor : actors) {
    rig.runtime().request(actor, to_bytes(message), {}, 0, false, [shared](Result<std::optional<Bytes>> answer) {
      std::lock_guard lock(shared->mutex);
      if (!answer.ok()) shared->error = std::move(answer).error();
      if (--shared->left == 0) shared->changed.notify_one();
    });
  }
  std::unique_lock lock(shared->mutex);
  shared->changed.wait(lock, [&] { return shared->left == 0; });
  if (shared->error) return *shared->error;
  return Ok{};
}

// The counter's sum says whether anything was lost.
Result<Outcome> fan_in(Lab&, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY_ASSIGN(const Package relay, load_example("relay"));
  TRY_ASSIGN(const Package counter, load_example("counter"));
  TRY_ASSIGN(const ActorId sink, rig->spawn(counter, nullptr));
  std::vector<ActorId> senders;
  for (size_t i = 0; i < kSenders; ++i) {
    TRY_ASSIGN(const ActorId sender, rig->spawn(relay, nullptr));
    senders.push_back(sender);
  }
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    TRY(ask_all(*rig, senders, str_cat("send ", sink.hex(), " ", kSendsEach, " 1")));
    const uint64_t expected = (i + 1) * kSenders * kSendsEach;
    uint64_t sum = 0;
    while (sum < expected) {  // what was sent is in the mailbox, in front of this
      TRY_ASSIGN(const auto answer, rig->request(sink, "0"));
      sum = std::stoull(text_of(answer));
    }
    const uint64_t end_ns = rig->clock().monotonic_ns();
    if (sum != expected) return Error{ErrorCode::kCorrupt, str_cat("the counter says ", sum, ", not ", expected)};
    outcome.values.push_back(static_cast<double>(kSenders * kSendsEach) / seconds_between(begin_ns, end_ns));
  }
  return outcome;
}

Result<Outcome> spawn_rate(Lab&, size_t runs) {
  NodeRig::Options options;
  options.instances_max = 2 * 4'096;
  TRY_ASSIGN(auto rig, NodeRig::start(options));
  TRY_ASSIGN(const Package counter, load_example("counter"));
  TRY_ASSIGN(const ActorId first, rig->spawn(counter, nullptr));  // compiles
  TRY(rig->kill(first));
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    TRY_ASSIGN(const double seconds, rig->spawn_many(counter, kSpawns, 64));
    outcome.values.push_back(static_cast<double>(kSpawns) / seconds);
  }
  return outcome;
}

// How long a quiet actor's answers take while others loop. A run is the 99th percentile of kQuietRequests.
Result<Outcome> fairness(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  TRY_ASSIGN(const Package counter, load_example("counter"));
  TRY_ASSIGN(const ActorId quiet, rig->spawn(counter, nullptr));
  for (size_t i = 0; i < kLooping; ++i) {
    TRY_ASSIGN(const ActorId looping, rig->spawn(lab.package(), nullptr));
    rig->runtime().request(looping, to_bytes("1000000000"), {}, 0, false, [](const auto&) {});
  }
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    std::vector<double> milliseconds;
    for (size_t j = 0; j < kQuietRequests; ++j) {
      const uint64_t begin_ns = rig->clock().monotonic_ns();
      TRY(rig->request(quiet, "1"));
      milliseconds.push_back(static_cast<double>(rig->clock().monotonic_ns() - begin_ns) / 1e6);
    }
    std::sort(milliseconds.begin(), milliseconds.end());
    outcome.values.push_back(milliseconds[milliseconds.size() * 99 / 100]);
  }
  return outcome;
}

}  // namespace

std::vector<Benchmark> talk_benchmarks() {
  return {
      {"request_local", "calls/s", "round trips of one actor that asks another, one at a time", ">= 120,000", 5,
       request_local},
      {"spawn_rate", "calls/s", "warm spawns, 64 under way, each killed again", ">= 20,000", 3, spawn_rate},
      {"fairness", "ms", "99th percentile of a quiet actor's answers while 200 actors loop", "< 25", 5, fairness},
      {"fan_in", "messages/s", "1,000 actors send to one, nothing lost", ">= 300,000", 5, fan_in},
  };
}

}  // namespace theater::bench
