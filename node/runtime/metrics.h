// What a runtime tells of itself in numbers: how much has happened since it started, and how things are at the moment.
// Plain values; who serves them gives them their names (cli/node_metrics.cc, docs/operations.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace theater::node {

struct RuntimeMetrics {
  // Since the start.
  uint64_t spawn_requests = 0, spawned = 0, restarts = 0, unborn = 0, abandoned = 0;
  uint64_t passivations = 0, activations = 0;
  std::map<std::string, uint64_t> ended;  // by "shutdown" and the names of error kinds
  uint64_t events = 0, calls = 0, host_calls = 0, fuel = 0;
  uint64_t sent = 0, sends_refused = 0;               // between actors
  uint64_t taken = 0, takes_refused = 0;              // from outside
  uint64_t released = 0, discarded = 0, held_us = 0;  // of gated actors: what went out or nobody wanted any more
  uint64_t modules_found = 0, modules_loaded = 0, modules_compiled = 0, modules_refused = 0;
  uint64_t compiling_ns = 0;

  // Of living actors.
  std::map<std::string, uint64_t> actors;  // by state; every state is there
  struct Waiting {
    uint64_t actors = 0;
    uint64_t longest_ms = 0;
  };
  std::map<std::string, Waiting> waiting;            // by what for: "auditor", "answer", …; all are there
  uint64_t instances = 0;                            // with a linear memory
  uint64_t memory_bytes = 0;                         // of all linear memories
  uint64_t mailbox_messages = 0, mailbox_bytes = 0;  // in all mailboxes
  uint64_t mailbox_longest = 0;                      // messages in the fullest one

  // Of the machinery.
  uint64_t workers = 0;
  uint64_t run_queue = 0;  // actors that could run and wait for a worker
  uint64_t timers = 0;
  uint64_t commands = 0;         // that wait for the command thread
  uint64_t modules = 0;          // kept
  uint64_t modules_waiting = 0;  // to be compiled
  uint64_t node_events = 0;      // of the node's own chain
  uint64_t node_facts_waiting = 0;
};

}  // namespace theater::node
