#include "cli/node_metrics.h"

#include <algorithm>
#include <future>

#include "cli/output.h"

namespace theater::cli {
namespace {

using Kind = Metric::Kind;

double seconds_of_ms(uint64_t ms) { return static_cast<double>(ms) / 1e3; }

void add_actors(Metrics& metrics, const node::RuntimeMetrics& runtime, uint64_t instances_max) {
  metrics.family(Kind::kGauge, "theater_actors", "Living actors by state.");
  for (const auto& [state, count] : runtime.actors) metrics.add({{"state", state}}, count);
  metrics.family(Kind::kGauge, "theater_actors_waiting", "Actors that can't go on, by what they wait for.");
  for (const auto& [reason, waiting] : runtime.waiting) metrics.add({{"for", reason}}, waiting.actors);
  metrics.family(Kind::kGauge, "theater_longest_wait_seconds", "How long the one that waits longest has been waiting.");
  for (const auto& [reason, waiting] : runtime.waiting) {
    metrics.add({{"for", reason}}, seconds_of_ms(waiting.longest_ms));
  }
  metrics.counter("theater_spawn_requests_total", "Spawns that were asked for from outside.", runtime.spawn_requests);
  metrics.counter("theater_actors_spawned_total", "Actors that were born: their genesis is emitted.", runtime.spawned);
  metrics.counter("theater_actors_unborn_total", "Actors that ended before there was a chain.", runtime.unborn);
  metrics.family(Kind::kCounter, "theater_actors_ended_total", "Actors that ended, by how: shutdown, or which error.");
  for (const auto& [how, count] : runtime.ended) metrics.add({{"how", how}}, count);
  metrics.counter("theater_actor_restarts_total", "Lives that a supervisor began after another one.", runtime.restarts);
  metrics.counter("theater_chains_abandoned_total", "Chains that were given up without their terminal event.",
                  runtime.abandoned);
  metrics.counter("theater_passivations_total", "Instances given up by actors that had nothing to do.",
                  runtime.passivations);
  metrics.counter("theater_activations_total", "Instances made for such actors again.", runtime.activations);
  metrics.gauge("theater_instances", "Actors that hold an instance in memory.", runtime.instances);
  metrics.gauge("theater_instances_max", "Instances that there may be (limits.instances_max).", instances_max);
  metrics.gauge("theater_guest_memory_bytes", "Linear memory of all actors.", runtime.memory_bytes);
}

void add_work(Metrics& metrics, const node::RuntimeMetrics& runtime) {
  metrics.counter("theater_events_total", "Events emitted on actors' chains.", runtime.events);
  metrics.counter("theater_guest_calls_total", "Calls into guests.", runtime.calls);
  metrics.counter("theater_host_calls_total", "Calls of guests to their host.", runtime.host_calls);
  metrics.counter("theater_fuel_total", "Fuel that guests consumed in calls that are over.", runtime.fuel);
  metrics.counter("theater_gated_released_total", "Calls and answers of gated actors that went out.", runtime.released);
  metrics.counter("theater_gated_discarded_total", "Answers of gated actors that were held for too long.",
                  runtime.discarded);
  metrics.counter("theater_gated_held_microseconds_total", "How long these were held, all together.", runtime.held_us);
  metrics.family(Kind::kCounter, "theater_messages_total", "Messages put into mailboxes, by where from.");
  metrics.add({{"from", "actor"}}, runtime.sent);
  metrics.add({{"from", "outside"}}, runtime.taken);
  metrics.family(Kind::kCounter, "theater_messages_refused_total", "Messages that no mailbox took, by where from.");
  metrics.add({{"from", "actor"}}, runtime.sends_refused);
  metrics.add({{"from", "outside"}}, runtime.takes_refused);
  metrics.gauge("theater_mailbox_messages", "Messages in all mailboxes.", runtime.mailbox_messages);
  metrics.gauge("theater_mailbox_bytes", "Bytes in all mailboxes.", runtime.mailbox_bytes);
  metrics.gauge("theater_mailbox_longest_messages", "Messages in the fullest mailbox.", runtime.mailbox_longest);
}

void add_machinery(Metrics& metrics, const node::RuntimeMetrics& runtime) {
  metrics.gauge("theater_workers", "Threads that run actors.", runtime.workers);
  metrics.gauge("theater_run_queue_actors", "Actors that could run and wait for a worker.", runtime.run_queue);
  metrics.gauge("theater_timers", "Timers that are set.", runtime.timers);
  metrics.gauge("theater_commands_waiting", "Work that waits for the command thread.", runtime.commands);
  metrics.gauge("theater_modules", "Compiled packages that are kept.", runtime.modules);
  metrics.gauge("theater_modules_waiting", "Packages that wait to be compiled, or are.", runtime.modules_waiting);
  metrics.counter("theater_modules_found_total", "Spawns that found their package compiled.", runtime.modules_found);
  metrics.counter("theater_modules_loaded_total", "Packages that were found compiled in modules.folder.",
                  runtime.modules_loaded);
  metrics.counter("theater_modules_compiled_total", "Packages that were compiled.", runtime.modules_compiled);
  metrics.counter("theater_modules_refused_total", "Packages that the engine refused.", runtime.modules_refused);
  metrics.counter("theater_compile_seconds_total", "Time spent compiling packages.",
                  static_cast<double>(runtime.compiling_ns) / 1e9);
  metrics.counter("theater_node_chain_events_total", "Events emitted on the node's own chain.", runtime.node_events);
  metrics.gauge("theater_node_chain_facts_waiting", "Facts that wait to become events of the node's own chain.",
                runtime.node_facts_waiting);
}

}  // namespace

void add_node_metrics(Metrics& metrics, const node::RuntimeMetrics& runtime, uint64_t instances_max) {
  add_actors(metrics, runtime, instances_max);
  add_work(metrics, runtime);
  add_machinery(metrics, runtime);
}

void add_auditor_links(Metrics& metrics, const std::vector<node::AuditorInfo>& auditors) {
  const auto add = [&](Kind kind, const char* name, const char* help, auto number_of) {
    metrics.family(kind, name, help);
    for (const auto& each : auditors) metrics.add({{"auditor", each.status.auditor}}, number_of(each.status));
  };
  using Link = const bus::Outbox::Status&;
  add(Kind::kGauge, "theater_auditor_connected", "1 while the auditor is there, otherwise 0.",
      [](Link link) { return link.connected ? 1 : 0; });
  add(Kind::kGauge, "theater_auditor_demoted", "1 while no actor waits for this auditor, otherwise 0.",
      [](Link link) { return link.demoted ? 1 : 0; });
  add(Kind::kCounter, "theater_auditor_events_total", "Events handed to this auditor's link.",
      [](Link link) { return link.appended_events; });
  add(Kind::kCounter, "theater_auditor_durable_events_total", "Events that it acknowledged as durable.",
      [](Link link) { return link.durable_events; });
  add(Kind::kCounter, "theater_auditor_durable_bytes_total", "Bytes that it acknowledged as durable.",
      [](Link link) { return link.durable_bytes; });
  add(Kind::kGauge, "theater_auditor_unacknowledged_events", "Events that it hasn't acknowledged yet.",
      [](Link link) { return link.appended_events - std::min(link.appended_events, link.durable_events); });
  add(Kind::kGauge, "theater_auditor_unacknowledged_bytes", "Bytes that it hasn't acknowledged yet.",
      [](Link link) { return link.appended_bytes - std::min(link.appended_bytes, link.durable_bytes); });
  add(Kind::kGauge, "theater_auditor_room_bytes", "Bytes that may be appended before actors wait: credit and window.",
      [](Link link) { return link.room_bytes; });
  add(Kind::kGauge, "theater_auditor_waiting_actors", "Chains that wait for room at this auditor.",
      [](Link link) { return link.waiting; });
  add(Kind::kCounter, "theater_auditor_dropped_events_total",
      "Events that found no room and that no actor waited with.", [](Link link) { return link.dropped_events; });
  add(Kind::kCounter, "theater_auditor_resent_frames_total", "Frames that were sent again.",
      [](Link link) { return link.resent_frames; });
  add(Kind::kCounter, "theater_auditor_reconnects_total", "Connections after the first one.",
      [](Link link) { return link.reconnects; });
}

Health node_health(node::Runtime& runtime, uint64_t patience_ms) {
  const auto answered = std::make_shared<std::promise<void>>();
  auto answer = answered->get_future();
  runtime.defer([answered] { answered->set_value(); });
  if (answer.wait_for(std::chrono::milliseconds(patience_ms)) != std::future_status::ready) {
    return {false, str_cat("the command thread didn't answer within ", patience_ms, " ms")};
  }
  std::string away;
  for (const auto& auditor : runtime.auditors()) {
    const auto& status = auditor.status;
    if (status.connected) continue;
    away += str_cat(away.empty() ? "" : "; ", "auditor ", status.auditor, " is away",
                    status.last_error.empty() ? "" : ": ", status.last_error);
  }
  if (away.empty()) return {};
  return {true, str_cat("degraded: ", away)};
}

}  // namespace theater::cli
