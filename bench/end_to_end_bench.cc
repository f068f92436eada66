// The main job: what an actor does is acknowledged as durable by an auditor in another process. Encrypted (CURVE),
// verified, synced to a disk. What counts is what the node knows to be acknowledged, not what was sent.
#include <atomic>
#include <future>
#include <thread>

#include "bench/benchmarks.h"
#include "bench/lab.h"
#include "node/chain/audit_links.h"
#include "node/chain/chain.h"

namespace theater::bench {
namespace {

constexpr size_t kManyActors = 10'000;
constexpr uint64_t kManyCalls = 20;  // of each actor in its turn
constexpr size_t kManyInFlight = 64;
constexpr size_t kAppendsPerRun = 200;
constexpr uint64_t kRecoveryBurstCalls = 20'000;
constexpr uint64_t kRecoveryLimitNs = 60'000'000'000;

// Measures what `work` makes durable, in events per second, and how many synced writes that took.
template <typename Work>
Result<double> durable_rate(NodeRig& rig, Work&& work) {
  const uint64_t before = rig.outbox().status().durable_events;
  const uint64_t begin_ns = rig.clock().monotonic_ns();
  TRY(work());
  TRY(rig.wait_durable());
  const uint64_t end_ns = rig.clock().monotonic_ns();
  return static_cast<double>(rig.outbox().status().durable_events - before) / seconds_between(begin_ns, end_ns);
}

// Runs `work` `runs` times after once for nothing, and counts the auditor's synced writes meanwhile.
template <typename Work>
Result<Outcome> measure_durable(AuditorProcess& auditor, NodeRig& rig, size_t runs, Work&& work) {
  TRY(work());
  TRY(rig.wait_durable());
  TRY_ASSIGN(const auto before, auditor.counts());
  Outcome outcome;
  for (size_t i = 0; i < runs; ++i) {
    TRY_ASSIGN(const double rate, durable_rate(rig, work));
    outcome.values.push_back(rate);
  }
  TRY_ASSIGN(const auto after, auditor.counts());
  outcome.counted = {{"events", static_cast<double>(after.events - before.events)},
                     {"syncs", static_cast<double>(after.commits - before.commits)}};
  TRY(expect_no_evidence(auditor));
  return outcome;
}

Result<Outcome> end_to_end(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/end_to_end"));
  RecordedStore store{auditor.store_path(), {}};
  Outcome outcome;
  {
    TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
    TRY_ASSIGN(store.actor, rig->spawn(lab.package(), nullptr));
    TRY(rig->burst(store.actor, kBurstCalls, true));  // one chain of a known length, for verify and replay
    TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
    TRY_ASSIGN(outcome, measure_durable(auditor, *rig, runs, [&] { return rig->burst(actor, kBurstCalls, true); }));
  }
  auditor.stop();
  lab.keep_store(store);
  return outcome;
}

// The same events at two auditors, both of which the actor waits for. Each is a process of its own with its own store.
Result<Outcome> end_to_end_2(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto first, AuditorProcess::start(lab.folder() + "/end_to_end_2/first"));
  TRY_ASSIGN(auto second, AuditorProcess::start_beside(first, lab.folder() + "/end_to_end_2/second"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &first, .second_auditor = &second}));
  TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
  TRY_ASSIGN(auto outcome, measure_durable(first, *rig, runs, [&] { return rig->burst(actor, kBurstCalls, true); }));
  TRY(expect_no_evidence(second));
  return outcome;
}

Result<Outcome> end_to_end_many(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/end_to_end_many"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
  std::vector<ActorId> actors;
  for (size_t i = 0; i < kManyActors; ++i) {
    TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
    actors.push_back(actor);
  }
  return measure_durable(auditor, *rig, runs, [&] { return rig->burst_in_turn(actors, kManyCalls, kManyInFlight); });
}

// A chain of the node's own kind, whose events nothing but this benchmark makes.
schema::Body genesis_body(NodeRig& rig, const PublicKey& identity) {
  schema::Genesis genesis;
  genesis.name = "append_to_ack";
  genesis.node = identity;
  genesis.engine_profile = rig.engine().profile().hash;
  return genesis;
}

Result<Outcome> append_to_ack(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/append_to_ack"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
  node::Chain chain(rig->clock(), [] { return [] {}; });
  chain.add(std::make_shared<node::AuditLinks>(schema::AuditMode::kStrict, 0,
                                               node::AuditLinks::Outboxes{rig->shared_outbox()}));
  schema::EncodedEvent scratch;
  const auto append = [&](std::string_view type, schema::Body body) -> Result<double> {
    TRY(rig->wait_durable());
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    chain.begin(type, std::move(body));
    if (chain.step(scratch) != node::Chain::Step::kDone) {
      return Error{ErrorCode::kUnavailable, "one event found no room in an idle outbox"};
    }
    TRY(rig->wait_durable());
    return static_cast<double>(rig->clock().monotonic_ns() - begin_ns) / 1e3;
  };

  TRY(append(schema::kTypeGenesis, genesis_body(*rig, auditor.node_keys().public_keys().identity)));
  const schema::Body fact = schema::Fact{schema::Value::string(std::string(64, 'x'))};
  Outcome outcome;
  for (size_t i = 0; i < (runs + 1) * kAppendsPerRun; ++i) {
    TRY_ASSIGN(const double us, append("bench", fact));
    if (i >= kAppendsPerRun) outcome.values.push_back(us);
  }
  TRY(expect_no_evidence(auditor));
  return outcome;
}

// How long the answers of a gated actor are held, one request after the other.
Result<Outcome> gated_effect(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/gated_effect"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
  TRY_ASSIGN(Package counter, load_example("counter"));
  const std::string audit = "[audit]\n";
  const size_t at = counter.manifest.find(audit);
  CHECK(at != std::string::npos, "the manifest of counter has no table [audit]");
  counter.manifest.insert(at + audit.size(), "effects = \"gated\"\n");
  TRY_ASSIGN(const ActorId actor, rig->spawn(counter, nullptr));
  uint64_t before_ns = 0;
  Outcome outcome;
  for (size_t i = 0; i < (runs + 1) * kAppendsPerRun; ++i) {
    TRY(rig->request(actor, "1"));
    TRY_ASSIGN(const node::GateInfo gate, rig->gate_of(actor));
    if (gate.released != i + 1) return Error{ErrorCode::kCorrupt, str_cat(gate.released, " answers were released")};
    if (i >= kAppendsPerRun) outcome.values.push_back(static_cast<double>(gate.wait_ns - before_ns) / 1e3);
    before_ns = gate.wait_ns;
  }
  TRY(expect_no_evidence(auditor));
  return outcome;
}

// An actor emits without a pause; the auditor is killed, then started again. From its start until more is durable than
// there was when it was killed.
Result<Outcome> recovery(Lab& lab, size_t runs) {
  TRY_ASSIGN(auto auditor, AuditorProcess::start(lab.folder() + "/recovery"));
  TRY_ASSIGN(auto rig, NodeRig::start({.auditor = &auditor}));
  TRY_ASSIGN(const ActorId actor, rig->spawn(lab.package(), nullptr));
  const auto durable = [&] { return rig->outbox().status().durable_events; };
  const auto wait_for_more_than = [&](uint64_t events) -> Result<void> {
    const uint64_t begin_ns = rig->clock().monotonic_ns();
    while (durable() <= events) {
      if (rig->clock().monotonic_ns() - begin_ns > kRecoveryLimitNs) {
        return Error{ErrorCode::kDeadline, "nothing became durable within a minute after the auditor's restart"};
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return Ok{};
  };

  std::atomic<bool> enough = false;
  auto load = std::async(std::launch::async, [&]() -> Result<void> {
    while (!enough) TRY(rig->burst(actor, kRecoveryBurstCalls, false));
    return Ok{};
  });
  Outcome outcome;
  const auto measure = [&]() -> Result<void> {
    for (size_t i = 0; i < runs + 1; ++i) {
      TRY(wait_for_more_than(durable() + kRecoveryBurstCalls));  // it flows
      auditor.kill();
      const uint64_t before = durable();
      const uint64_t begin_ns = rig->clock().monotonic_ns();
      TRY(auditor.restart());
      TRY(wait_for_more_than(before));
      if (i > 0) outcome.values.push_back(static_cast<double>(rig->clock().monotonic_ns() - begin_ns) / 1e6);
    }
    return Ok{};
  };
  const auto measured = measure();
  enough = true;
  // Without an auditor the load would wait for it as long as a request may.
  if (!measured.ok()) TRY(rig->kill(actor));
  const auto loaded = load.get();
  TRY(measured);
  TRY(loaded);
  TRY(rig->wait_durable());
  TRY(expect_no_evidence(auditor));
  return outcome;
}

}  // namespace

std::vector<Benchmark> end_to_end_benchmarks() {
  return {
      {"end_to_end", "events/s", "log calls of one actor, acknowledged as durable by an auditor in another process",
       ">= 400,000", 5, end_to_end},
      {"end_to_end_2", "events/s", "the same at two auditors, both of which the actor waits for", ">= 220,000", 5,
       end_to_end_2},
      {"end_to_end_many", "events/s", "the same from 10,000 actors in turn", ">= 350,000", 5, end_to_end_many},
      {"append_to_ack", "us", "one event, nothing else going on: recorded to durable acknowledgement", "< 550", 5,
       append_to_ack},
      {"gated_effect", "us", "an answer of a gated actor: recorded, durable at one auditor, released", "< 650", 5,
       gated_effect},
      {"recovery", "ms", "an auditor that was killed under load: from its restart until it flows again", "< 1,000", 5,
       recovery},
  };
}

}  // namespace theater::bench
