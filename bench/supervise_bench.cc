// A child that crashes and comes back: how long nobody answers.
#include <algorithm>
#include <thread>

#include "bench/benchmarks.h"
#include "bench/lab.h"
#include "wasm/wat.h"

namespace theater::bench {
namespace {

constexpr size_t kCrashes = 500;
constexpr uint64_t kGiveUpNs = 10'000'000'000;

// Answers each request with nothing, and traps at one that isn't empty.
constexpr const char* kMortal = R"((module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
  (func (export "theater:simple/actor@0.1.0#init") (param i32 i32 i32 i32 i32) (result i32) i32.const 0)
  (func (export "theater:simple/message-server-client@0.1.0#handle-request")
    (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    (if (local.get 6) (then unreachable))
    i32.const 0)))";

node::Bundle family() {
  node::Bundle child;
  child.manifest = "name = \"mortal\"\nregister = \"mortal\"\n[[handler]]\ntype = \"message-server\"\n";
  node::Bundle supervisor;
  supervisor.manifest =
      "name = \"supervisor\"\n[[handler]]\ntype = \"message-server\"\n[supervisor]\nintensity = 100000\n"
      "[[child]]\nid = \"mortal\"\nmanifest = \"mortal.toml\"\n";
  supervisor.children.emplace("mortal", std::move(child));
  return supervisor;
}

// Of the living one by that name; nothing if there is none, or it doesn't answer.
std::optional<ActorId> ask_by_name(NodeRig& rig, const std::string& message) {
  std::optional<ActorId> actor;
  rig.runtime().resolve("mortal", [&](const Result<ActorId>& found) {
    if (found.ok()) actor = *found;
  });
  if (!actor || !rig.request(*actor, message).ok()) return std::nullopt;
  return actor;
}

// From the request that kills it to the next life's first answer.
Result<Outcome> restart(Lab&, size_t runs) {
  TRY_ASSIGN(auto rig, NodeRig::start({}));
  auto bundle = family();
  TRY_ASSIGN(bundle.children.at("mortal").package, wasm::wat_to_wasm(kMortal));
  TRY(rig->spawn(std::move(bundle)));
  Outcome outcome;
  for (size_t run = 0; run < runs; ++run) {
    std::vector<double> values;
    for (size_t i = 0; i < kCrashes; ++i) {
      const uint64_t begin_ns = rig->clock().monotonic_ns();
      ask_by_name(*rig, "die");
      while (!ask_by_name(*rig, "")) {
        std::this_thread::yield();  // the node's threads need the cores
        if (rig->clock().monotonic_ns() - begin_ns > kGiveUpNs) {
          return Error{ErrorCode::kDeadline, "the child didn't come back"};
        }
      }
      values.push_back(static_cast<double>(rig->clock().monotonic_ns() - begin_ns) / 1'000);
    }
    outcome.values.push_back(median(std::move(values)));
  }
  return outcome;
}

}  // namespace

std::vector<Benchmark> supervise_benchmarks() {
  return {{"restart", "us", "a child traps; its supervisor's decision is recorded; the next life answers", "< 300", 5,
           restart}};
}

}  // namespace theater::bench
