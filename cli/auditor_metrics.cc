#include "cli/auditor_metrics.h"

namespace theater::cli {

void add_auditor_metrics(Metrics& metrics, const persist::AuditorStatus& status) {
  metrics.counter("theater_store_frames_total", "Frames made durable.", status.frames);
  metrics.counter("theater_store_events_total", "Events made durable.", status.events);
  metrics.counter("theater_store_bytes_total", "Bytes of frames made durable.", status.bytes);
  metrics.counter("theater_store_commits_total", "Synced writes to the store.", status.commits);
  metrics.family(Metric::Kind::kCounter, "theater_store_evidence_total", "Records of something wrong, by kind.");
  for (size_t kind = 0; kind < persist::kEvidenceKinds; ++kind) {
    const auto name = persist::evidence_kind_name(persist::EvidenceKind{static_cast<uint8_t>(kind)});
    metrics.add({{"kind", name}}, status.evidence_by_kind[kind]);
  }
  metrics.counter("theater_backfilled_events_total", "Of the events: got from other auditors.", status.backfilled);
  metrics.gauge("theater_store_gaps", "Chains that lack events which may still come.", status.gaps);
  metrics.counter("theater_intake_dropped_total", "Messages that found the intake full; nodes send them again.",
                  status.dropped);
  metrics.gauge("theater_store_writable", "1 while the store takes writes, otherwise 0.",
                status.last_error.empty() ? 1 : 0);
}

Health auditor_health(const persist::AuditorStatus& status) {
  if (status.last_error.empty()) return {};
  return {false, status.last_error};
}

}  // namespace theater::cli
