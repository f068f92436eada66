// What a node serves on /metrics and /healthz: the numbers of its runtime and of its links to auditors, under the names
// that docs/operations.md explains.
#pragma once

#include <vector>

#include "cli/metrics_door.h"
#include "node/runtime/runtime.h"

namespace theater::cli {

void add_node_metrics(Metrics& metrics, const node::RuntimeMetrics& runtime, uint64_t instances_max);
void add_auditor_links(Metrics& metrics, const std::vector<node::AuditorInfo>& auditors);

// Not well if the command thread doesn't answer within `patience_ms`. An auditor that is away makes it degraded: actors
// wait then, and a restart of the node would lose what isn't acknowledged yet.
Health node_health(node::Runtime& runtime, uint64_t patience_ms = 1'000);

}  // namespace theater::cli
