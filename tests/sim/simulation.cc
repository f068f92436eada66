#include "tests/sim/simulation.h"

#include <algorithm>

#include "base/crypto.h"

namespace theater::sim {

namespace {

constexpr uint64_t kFaultsNs = 15 * kSecond;
constexpr uint64_t kCalmNs = 120 * kSecond;
constexpr uint64_t kFarewellNs = 20 * kSecond;
constexpr uint64_t kStepNs = 5 * kUs;      // at least
constexpr uint64_t kStepsMax = 2'000'000;  // of one simulation: more is somebody who never rests

class Simulation {
 public:
  Simulation(uint64_t seed, bool trace);
  Outcome run();

 private:
  struct Between {  // a node and an auditor
    explicit Between(Random& random) : wires(random) {}
    Wires wires;
    size_t node = 0, auditor = 0;
    uint64_t mended_ns = 0;
  };

  Between& between(size_t node, size_t auditor) { return *between_[node * auditors_.size() + auditor]; }
  void reply(size_t auditor, const bus::CurveKey& peer, Bytes message);
  void step();
  void carry(Between& link);
  void mend(Between& link);
  uint64_t next_ns();
  void fault();
  void break_link(Between& link);
  void trouble_auditor(SimAuditor& auditor);
  void kill_auditor(size_t number);
  bool done();
  void farewell();
  Outcome outcome();

  Context context_;
  std::vector<std::unique_ptr<SimAuditor>> auditors_;
  std::vector<std::unique_ptr<Between>> between_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  bus::MemoryWire::Faults weather_;  // of every wire, all the time
  bool faulty_ = true;
  uint64_t fault_every_ns_ = 0, fault_ns_ = 0, steps_ = 0;
};

Simulation::Simulation(uint64_t seed, bool trace) : context_(seed, trace) {
  Random& random = context_.random;
  const size_t auditors = 1 + random.below(3), nodes = 1 + random.below(4) / 3;
  weather_.drop_permille = static_cast<uint32_t>(context_.some(80));
  weather_.double_permille = static_cast<uint32_t>(context_.some(80));
  weather_.delay_permille = static_cast<uint32_t>(context_.some(300));
  weather_.latency_ns = 20 * kUs + context_.some(2 * kMs);
  weather_.delay_max_ns = kMs + context_.some(300 * kMs);
  fault_every_ns_ = (10 + context_.some(800)) * kMs;
  const bool heavy = context_.chance(150), signs = context_.chance(250);
  for (size_t i = 0; i < auditors; ++i) {
    auditors_.push_back(std::make_unique<SimAuditor>(
        context_, i, [this, i](const bus::CurveKey& peer, Bytes message) { reply(i, peer, std::move(message)); }));
    if (context_.chance(300)) auditors_.back()->syncs_fail(random.below(300));
  }
  for (size_t node = 0; node < nodes; ++node) {
    SimNode::Options options;
    options.number = node;
    options.actors = 1 + random.below(5);
    options.window_bytes = bus::Window::kWindowMin << random.below(3);
    options.events_max = (100 + random.below(1900)) / (heavy ? 4 : 1);
    options.pause_ns = 200 * kUs + context_.some(20 * kMs);
    options.heavy = heavy;
    options.blobs_known_max = 2ull << random.below(15);
    options.blobs_begun_max = 1ull << random.below(7);
    options.signs = signs;
    for (size_t auditor = 0; auditor < auditors; ++auditor) {
      auto& link = *between_.emplace_back(std::make_unique<Between>(random));
      link.node = node;
      link.auditor = auditor;
      mend(link);
      options.auditors.push_back({&link.wires, auditors_[auditor]->key()});
    }
    nodes_.push_back(std::make_unique<SimNode>(context_, options));
  }
}

void Simulation::reply(size_t auditor, const bus::CurveKey& peer, Bytes message) {
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (nodes_[node]->peer() == peer) between(node, auditor).wires.to_node.send(std::move(message), context_.now());
  }
}

void Simulation::carry(Between& link) {
  const SimNode& node = *nodes_[link.node];
  const auto arrives = [&](bus::MemoryWire& wire, bool is_frame) {
    while (auto bytes = wire.receive(context_.now())) {
      const BytesView view = *bytes;
      auditors_[link.auditor]->offer({node.peer(), node.identity(), is_frame, std::move(bytes), view});
    }
  };
  arrives(link.wires.to_auditor, false);
  arrives(link.wires.frames, true);
}

void Simulation::mend(Between& link) {
  link.mended_ns = UINT64_MAX;
  for (bus::MemoryWire* wire : link.wires.all()) {
    wire->set_faults(weather_);
    wire->mend();
  }
}

void Simulation::break_link(Between& link) {
  link.mended_ns = context_.now() + context_.some(3 * kSecond);
  auto swallowing = weather_;
  swallowing.drop_permille = 1000;
  const uint64_t how = context_.random.below(6);
  context_.say("the link of node ", link.node, " and auditor ", link.auditor, " breaks in way ", how, " until ",
               link.mended_ns / kMs, " ms");
  if (how < 3) {  // both ways; what is on its way is lost
    for (bus::MemoryWire* wire : link.wires.all()) wire->cut();
    if (how == 0) nodes_[link.node]->connection_broke(link.auditor);
  } else {  // half open: one way, and nobody notices
    link.wires.all()[how - 3]->set_faults(swallowing);
  }
}

void Simulation::trouble_auditor(SimAuditor& auditor) {
  const uint64_t until_ns = context_.now() + context_.some(4 * kSecond);
  switch (context_.random.below(3)) {
    case 0: return auditor.disk_is_full_until(until_ns);
    case 1: return auditor.disk_is_slow_until(until_ns);
    case 2: return auditor.is_busy_until(until_ns);
  }
}

void Simulation::kill_auditor(size_t number) {
  const uint64_t down_ns = context_.some(2 * kSecond);
  context_.chance(200) ? auditors_[number]->stop(down_ns) : auditors_[number]->crash(down_ns);
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (context_.chance(300)) continue;  // messages stay on their way: it comes back behind the same address
    for (bus::MemoryWire* wire : between(node, number).wires.all()) {
      wire->cut();
      wire->mend();
    }
    if (context_.chance(700)) nodes_[node]->connection_broke(number);
  }
}

void Simulation::fault() {
  Random& random = context_.random;
  fault_ns_ = context_.now() + random.below(2 * fault_every_ns_);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2: return break_link(*between_[random.below(between_.size())]);
    case 3:
    case 4: return kill_auditor(random.below(auditors_.size()));
    case 5:
    case 6: return trouble_auditor(*auditors_[random.below(auditors_.size())]);
    case 7:
      if (context_.chance(700))
        return context_.clock.wall_jumps_to(1'600'000'000 * kSecond + random.below(kSecond << 20));
      return nodes_[random.below(nodes_.size())]->crash(context_.some(kSecond));
  }
}

uint64_t Simulation::next_ns() {
  uint64_t next = faulty_ ? fault_ns_ : UINT64_MAX;
  for (const auto& node : nodes_) next = std::min(next, node->next_ns());
  for (const auto& auditor : auditors_) next = std::min(next, auditor->next_ns());
  for (const auto& link : between_) {
    next = std::min(next, link->mended_ns);
    for (const bus::MemoryWire* wire : link->wires.all()) next = std::min(next, wire->next_arrival_ns());
  }
  return next;
}

void Simulation::step() {
  ++steps_;
  context_.clock.advance_to(std::max(context_.now() + kStepNs, std::min(next_ns(), context_.now() + kSecond)));
  if (faulty_ && context_.now() >= fault_ns_) fault();
  for (const auto& link : between_) {
    if (context_.now() >= link->mended_ns) mend(*link);
    carry(*link);
  }
  for (const auto& auditor : auditors_) auditor->turn();
  for (const auto& node : nodes_) node->turn();
}

bool Simulation::done() {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) { return node->emitted_all() && node->all_durable(); });
}

Outcome Simulation::run() {
  const auto& broken = context_.witness.broken();
  const uint64_t calm_ns = context_.now() + kFaultsNs;
  const auto emitted = [&] {
    return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->emitted_all(); });
  };
  while (!broken && context_.now() < calm_ns && !emitted()) step();

  context_.say("faults end");
  faulty_ = false;
  for (const auto& link : between_) mend(*link);
  for (const auto& auditor : auditors_) auditor->end_faults();
  for (const auto& node : nodes_) {
    if (!node->is_up()) node->start_now();
  }
  const uint64_t late_ns = context_.now() + kCalmNs;
  while (!broken && context_.now() < late_ns && steps_ < kStepsMax && !done()) step();
  if (!broken && !done()) {
    std::string who;
    for (const auto& node : nodes_) who += node->waits_for() + " ";
    context_.witness.break_invariant("everything-becomes-durable", who);
  }
  if (!broken) farewell();
  return outcome();
}

void Simulation::farewell() {
  const auto& broken = context_.witness.broken();
  for (const auto& node : nodes_) node->begin_stop();
  const auto finished = [&] {
    return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->finished(); });
  };
  const uint64_t late_ns = context_.now() + kFarewellNs;
  while (!broken && context_.now() < late_ns && !finished()) step();
  if (!broken && !finished()) context_.witness.break_invariant("everything-becomes-durable", "a node can't stop");
  for (size_t i = 0; i < auditors_.size(); ++i) {
    context_.chance(500) ? auditors_[i]->stop(0) : auditors_[i]->crash(0);
    context_.witness.check_store(i, auditors_[i]->disk(), true);
  }
}

Outcome Simulation::outcome() {
  Outcome out;
  out.broken = context_.witness.broken();
  out.ended_ns = context_.now();
  out.steps = steps_;
  Sha256 digest;
  for (const StreamAccount& stream : context_.witness.streams()) {
    out.events += stream.appended.size();
    for (const auto& [actor, dropped] : stream.dropped) out.dropped += dropped.size();
    for (const auto& frame : stream.frames) digest.update(frame.link_hash.bytes);
    digest.update(stream.acknowledged.link_hash.bytes);
  }
  digest.update(as_bytes(str_cat(out.ended_ns, " ", steps_)));
  out.fingerprint = digest.finish();
  for (const auto& node : nodes_) {
    out.resent += node->resent();
    out.parked += node->parked();
    out.node_crashes += node->crashes();
  }
  for (const auto& auditor : auditors_) {
    out.auditor_crashes += auditor->crashes();
    out.failed_commits += auditor->failed_commits();
  }
  return out;
}

}  // namespace

Outcome simulate(uint64_t seed, bool trace) { return Simulation(seed, trace).run(); }

}  // namespace theater::sim
