#include "node/runtime/metrics.h"

#include "node/runtime/runtime_impl.h"

namespace theater::node {

RuntimeMetrics RuntimeImpl::metrics() const {
  RuntimeMetrics metrics;
  const auto& counters = context_->counters;
  metrics.spawn_requests = counters.sum(Count::kSpawnRequests);
  metrics.spawned = counters.sum(Count::kSpawned);
  metrics.restarts = counters.sum(Count::kRestarts);
  metrics.unborn = counters.sum(Count::kUnborn);
  metrics.abandoned = counters.sum(Count::kAbandoned);
  metrics.passivations = counters.sum(Count::kPassivations);
  metrics.activations = counters.sum(Count::kActivations);
  metrics.events = counters.sum(Count::kEvents);
  metrics.calls = counters.sum(Count::kCalls);
  metrics.host_calls = counters.sum(Count::kHostCalls);
  metrics.fuel = counters.sum(Count::kFuel);
  metrics.released = counters.sum(Count::kReleased);
  metrics.discarded = counters.sum(Count::kDiscarded);
  metrics.held_us = counters.sum(Count::kHeldMicros);
  metrics.sent = counters.sum(Count::kSent);
  metrics.sends_refused = counters.sum(Count::kSendsRefused);
  metrics.taken = counters.sum(Count::kTaken);
  metrics.takes_refused = counters.sum(Count::kTakesRefused);
  metrics.ended["shutdown"] = counters.sum(Count::kShutdowns);
  for (uint8_t kind = 0; kind <= static_cast<uint8_t>(schema::ErrorKind::kGuestError); ++kind) {
    const auto error = static_cast<schema::ErrorKind>(kind);
    metrics.ended[schema::error_kind_name(error)] = counters.sum(Counters::error(error));
  }

  for (const char* state : {"starting", "idle", "running", "waiting", "passivated", "stopping"})
    metrics.actors[state] = 0;
  for (const char* reason : {"auditor", "subscriber", "timer", "answer", "mailbox", "instance", "disk", "content"})
    metrics.waiting[reason] = {};
  for (const auto& actor : context_->directory.starting()) actor->add_to(metrics);
  for (const auto& actor : context_->directory.awake()) actor->add_to(metrics);
  metrics.actors["passivated"] += context_->directory.counts().laid_down;

  metrics.workers = context_->scheduler.workers();
  metrics.run_queue = context_->scheduler.queued();
  metrics.timers = context_->timers.size();
  metrics.commands = context_->commands.size();
  modules_->add_to(metrics);
  const auto node_chain = node_chain_->status();
  metrics.node_events = node_chain.events;
  metrics.node_facts_waiting = node_chain.waiting;
  return metrics;
}

}  // namespace theater::node
