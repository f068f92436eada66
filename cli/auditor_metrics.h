// What an auditor serves on /metrics and /healthz, under the names that docs/operations.md explains.
#pragma once

#include "cli/metrics_door.h"
#include "persist/auditor.h"

namespace theater::cli {

void add_auditor_metrics(Metrics& metrics, const persist::AuditorStatus& status);
// Not well while nothing can be acknowledged.
Health auditor_health(const persist::AuditorStatus& status);

}  // namespace theater::cli
