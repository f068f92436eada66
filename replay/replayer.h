// CONTRACT. Replay: takes a recorded chain, instantiates the recorded package (a blob of genesis), drives it with the
// recorded calls, answers its host calls from the record, and compares what it does now with what was recorded.
//
// With the recorded package, each event is built again and compared with the recorded bytes. With another package
// (`package`), type and body are compared instead: would this version have acted differently?
//
// Needs nothing but the store: neither manifest nor package nor the node that recorded. One thread; never touches the
// outside.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "persist/chain_reader.h"
#include "wasm/engine.h"

namespace theater::replay {

enum class ReplayStatus : uint8_t {
  kSame,          // every event came out as recorded
  kDiverged,      // the guest acted differently: first_difference
  kInconclusive,  // can't be said: another engine profile and a first difference at a resource limit, a missing blob,
                  // a secret that wasn't given
};
const char* replay_status_name(ReplayStatus status);

struct ReplayOptions {
  std::optional<uint64_t> to;    // stop after this sequence
  std::optional<Bytes> package;  // instead of the recorded one
  // By name, the values of secrets (the manifest's handler environment): the record holds only commitments, to which
  // they are held. Without them a chain is replayed up to the first answer that holds one.
  std::map<std::string, std::string> secrets;
  std::function<void(const std::string& message)> on_guest_log;    // optional
  std::function<void(uint64_t done, uint64_t total)> on_progress;  // optional; every few thousand events
};

struct Difference {
  uint64_t sequence = 0;
  std::string recorded;  // the event as one line (schema/display.h)
  std::string replayed;  // likewise, or what the guest did instead: "returned", "trapped: …"
};

struct ReplayReport {
  ActorId actor;
  uint64_t events = 0;      // in the chain (or up to `to`)
  uint64_t matched = 0;     // from the front, events that came out as recorded
  uint64_t host_calls = 0;  // made by the replayed guest
  ReplayStatus status = ReplayStatus::kSame;
  std::string reason;  // kInconclusive: why; kDiverged: in words
  std::optional<Difference> first_difference;
  bool same_profile = true;  // the engine profile is the recorded one
};

// Fails if the chain doesn't verify (kCorrupt: replaying a forged record proves nothing), isn't there, or its package
// isn't in the store. Divergence is not an error but a status.
Result<ReplayReport> replay_chain(persist::ChainReader& reader, const ActorId& actor, wasm::Engine& engine,
                                  const ReplayOptions& options);

}  // namespace theater::replay
