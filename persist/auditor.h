// CONTRACT. The auditor: takes frames from the bus, verifies every link, makes them durable in its store, and only then
// lets them be acknowledged.
//
//   bus thread → inbound queue (bounded) → intake → verify → commit → reply (ACK) → bus thread
//
// Threads: intake (frame order, duplicates, credit; bus/receiver.h), verify (hashes, parents, rules), commit (one
// synced write for frames, heads, watermark, blobs and evidence, then the acknowledgement). Each hands over by a
// bounded queue; a full one holds up the one before it, and in the end the credit that nodes are granted. A small frame
// that comes when nothing else is under way is verified and written by intake itself: each hand-over to a sleeping
// thread costs tens of microseconds, which is what an event that comes alone would wait for. If that write fails, the
// commit thread tries again.
//
// Two threads more: backfill asks other auditors for what is missing (backfill.h), answer serves them (service.h).
//
// What fails verification is kept as evidence with a reason; only the chain concerned stops, the stream goes on. A
// store that can't be written (disk full, i/o error) stops acknowledging, says so, and tries again. As long as it isn't
// certain that what it shows is on disk (store.h), nodes that say HELLO and auditors that ask are told to come again.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "bus/loop.h"
#include "persist/evidence_kind.h"
#include "persist/holdings.h"
#include "persist/peer.h"

namespace theater::persist {

struct AuditorOptions {
  std::string store_path;
  bool sync = true;                       // false only for benchmarks: acknowledgements then promise less
  uint64_t window_bytes = 8u << 20;       // credit for each node
  size_t batch_bytes = 1u << 20;          // at most, a commit
  HoldingLimits limits;                   // of what one node can make it hold
  Clock* clock = nullptr;                 // required
  const bus::SecretKeys* keys = nullptr;  // its identity signs receipts; none: there are none
  Log log;                                // any thread
  // Sends a link control message to a node: Loop::reply. Any thread.
  std::function<void(const bus::CurveKey& peer, Bytes message)> reply;
  // Called on the thread that wrote, after each durable batch, before the acknowledgement is sent. Optional.
  std::function<void()> on_durable;
  std::vector<std::shared_ptr<Peer>> peers;  // other auditors, asked in this order for what is missing here
  uint64_t backfill_interval_ms = 5'000;
};

struct AuditorStatus {
  uint64_t frames = 0, events = 0, bytes = 0;  // durable since start
  uint64_t commits = 0;                        // synced writes
  uint64_t evidence = 0;                       // records of something wrong, since start
  uint64_t backfilled = 0;                     // of the events: from other auditors
  uint64_t gaps = 0;                           // chains that lack events which may still come
  std::vector<PeerStatus> peers;
  std::array<uint64_t, kEvidenceKinds> evidence_by_kind{};
  uint64_t dropped = 0;    // inbound messages refused because the queue was full; resent by the node
  std::string last_error;  // why nothing is acknowledged right now; empty if all is well
};

class Auditor {
 public:
  virtual ~Auditor() = default;  // stops
  // To be given to Loop::listen. Never blocks.
  virtual bool offer(bus::Inbound message) = 0;
  virtual AuditorStatus status() const = 0;
  // Answers the verbs of docs/formats/control.md; to be given to Loop::serve. Lives as long as the auditor, and says
  // kUnavailable after stop().
  virtual bus::ControlHandler& service() = 0;
  // Looks for what is missing at once, instead of in a few seconds. Any thread.
  virtual void backfill_now() = 0;
  // Drains what is in the queues, commits, acknowledges, joins the threads. Idempotent.
  virtual void stop() = 0;
};

// kRefused if another process has the store open (the message names its pid), kInvalid for another version's store.
Result<std::unique_ptr<Auditor>> start_auditor(AuditorOptions options);

}  // namespace theater::persist
