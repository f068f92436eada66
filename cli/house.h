// Node and auditor in one process, for `theater run`: the same bus, auditor and runtime as two processes have, over
// endpoints inside the process. Every chain is verified and synced to the store while the actor runs.
//
// Owned and used by the main thread. stop() is what makes the end clean: actors first, then everything durable and
// acknowledged, then the sockets, then the store.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "bus/loop.h"
#include "node/runtime/runtime.h"
#include "persist/auditor.h"
#include "wasm/engine.h"

namespace theater::cli {

struct HouseOptions {
  std::string store_path;
  const SigningKey* identity = nullptr;         // of the node, required: stands in each genesis
  std::function<void(const std::string&)> log;  // one line for people; any thread
};

class House {
 public:
  static Result<std::unique_ptr<House>> start(const HouseOptions& options);
  ~House();

  node::Runtime& runtime() { return *runtime_; }
  wasm::Engine& engine() { return *engine_; }
  // Why nothing is acknowledged right now; empty if all is well.
  std::string trouble() const { return auditor_->status().last_error; }

  // Ends the actors, which have `grace_ms` for calls in progress, and then waits up to `durable_ms` until everything is
  // durable. An error if an actor had to be killed, or if something that was emitted isn't durable: its message says
  // what. Idempotent.
  Result<void> stop(uint64_t grace_ms, uint64_t durable_ms);

 private:
  House() = default;

  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<wasm::Engine> engine_;
  // The auditor outlives the bus thread, which calls it; it is stopped before both go.
  std::unique_ptr<persist::Auditor> auditor_;
  std::unique_ptr<bus::Loop> loop_;
  std::shared_ptr<bus::Outbox> outbox_;
  std::unique_ptr<node::Runtime> runtime_;
  bool stopped_ = false;
};

}  // namespace theater::cli
