// CONTRACT. The way out of the node: one Outbox a link, between the workers that emit events and the bus thread that
// sends them. It holds what was emitted and isn't yet acknowledged as durable, and nothing else: this window is the
// only history a node ever keeps.
//
// Room is what the auditor granted (credit) clamped by the node's own window; both are absolute byte counts since the
// stream began. It is shared by actors: one may hold twice what is still free, and always one event if there is room at
// all. So a single noisy actor leaves a third of the window, and n of them leave 1/(2n+1): whoever holds little isn't
// kept waiting by who holds much. (Dynamic thresholds: Choudhury and Hahne, IEEE/ACM ToN 6(2), 1998.) A producer
// reserves room first, possibly waits, and then appends in one step that can't fail. Bytes that were appended are freed
// when the auditor acknowledges them as durable.
//
// Threads: every method, any thread; one short mutex. The bus thread takes frames out by the interface in bus/sender.h.
// Bounds: at most `window_bytes` appended and unacknowledged; at most `blobs_known_max` remembered blob hashes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "schema/event.h"

namespace theater::bus {

// Called once when there may be room again. Runs on the bus thread: only enqueues something, never blocks.
using Waker = std::function<void()>;
// What is said of what one waits for to be durable. kDurable is the last word. kNotWaitedFor may come before it:
// nobody is to wait for this auditor any more; what it has may still become durable there.
enum class Durability : uint8_t { kDurable, kNotWaitedFor };
using DurabilityWaker = std::function<void(Durability)>;
// Called once, on the bus thread or at once: only enqueues. kNotFound: the auditor says that it doesn't hold the blob.
using FetchDone = std::function<void(Result<Bytes>)>;

class Outbox {
 public:
  virtual ~Outbox() = default;

  // Takes `bytes` of room (an item's encoded size: see event_room() and blob_room()) or returns false.
  virtual bool try_reserve(const ActorId& actor, size_t bytes) = 0;
  virtual void release(const ActorId& actor, size_t bytes) = 0;
  // Asks for a call when room may be there. Each call of `waker` consumes it; at most one waker for each `actor`.
  virtual void when_room(const ActorId& actor, Waker waker) = 0;
  virtual void forget_waker(const ActorId& actor) = 0;

  // Consumes a reservation of event.actor's of event_room(event.bytes.size()).
  virtual void append(const schema::EncodedEvent& event) = 0;

  // Best-effort actors: the event was not reserved and is dropped for this link. Counted, and marked by a gap record
  // (the range and the head after it) before the next event of that chain.
  virtual void drop(const schema::EncodedEvent& event) = 0;

  // The chain, `length` events long, begins on this link in its middle. What was before is marked by a gap from event 0
  // on, of which an auditor that had the chain before may hold a part.
  virtual void begin_late(const ActorId& actor, uint64_t length, const Hash& head) = 0;

  // True until this blob was offered on this stream (or forgotten: the memory of offers is bounded).
  virtual bool needs_blob(const Hash& hash) = 0;
  // As try_reserve(), for a piece of that blob. Not many blobs may be on their way at once, because an auditor keeps
  // what it needs to put them together: whoever would begin one more waits, too.
  virtual bool try_reserve_blob(const ActorId& actor, const Hash& hash, size_t bytes) = 0;
  // One piece; consumes that reservation, of blob_room(piece.size()). Pieces come in order; the last one
  // (offset + size == length) marks the blob offered.
  virtual void append_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset,
                           BytesView piece) = 0;

  // The actor sends no more of the blob that it is sending, if it is sending one.
  virtual void give_up_blob(const ActorId& actor) = 0;

  // Says kDurable when everything appended up to now is durable, and kNotWaitedFor when this auditor is demoted or hung
  // up, before or meanwhile. Of what one that is hung up never acknowledges nothing more is said. On the bus thread, on
  // the thread that demotes or hangs up, or at once: only enqueues.
  virtual void when_durable(DurabilityWaker waker) = 0;

  // Nobody is to wait for a demoted auditor: whoever does is woken, on this thread, and whoever asks to be woken is so
  // at once. Room is what it was; what finds none is dropped, whatever the actor's audit mode.
  virtual void demote(bool demoted) = 0;
  virtual bool demoted() const = 0;
  // Hung up for good (Loop::hang_up): there is no room any more, what was reserved and is appended goes nowhere.
  virtual bool closed() const = 0;

  // Asks the auditor for a blob of at most `length_max` bytes; what comes is checked against the hash (bus/fetches.h).
  virtual void fetch_blob(const Hash& hash, uint64_t length_max, FetchDone done) = 0;

  static size_t event_room(size_t event_bytes);
  static size_t blob_room(size_t piece_bytes);
  static constexpr size_t kBlobPieceMax = 48 * 1024;
  // Smaller windows would make an actor with one large event wait for ever.
  static constexpr uint64_t kWindowMin = 512 * 1024, kWindowMax = uint64_t{1} << 30;

  struct Status {
    std::string auditor;     // as configured
    bool connected = false;  // a WELCOME was received in this session
    std::string last_error;  // why not, for people; empty if nothing is known
    uint64_t appended_events = 0, appended_bytes = 0;
    uint64_t durable_events = 0, durable_bytes = 0;  // acknowledged as durable
    uint64_t dropped_events = 0;                     // found no room, and nobody waited
    uint64_t resent_frames = 0, reconnects = 0;
    uint64_t room_bytes = 0;  // that may be reserved now
    bool demoted = false;     // nobody waits for it
    uint64_t waiting = 0;     // chains that asked for a call when there is room
    Bytes receipt;            // the auditor's newest one, an encoded link message (bus/receipts.h); empty: none
  };
  virtual Status status() const = 0;
};

}  // namespace theater::bus
