// The Outbox as it is: what was emitted to one auditor and isn't durable there yet. Producers append to an open body
// under one short mutex; a full body is put aside; the bus thread takes bodies out, seals them into frames
// (bus/sender.h) and tells here what became durable.
//
// Threads: the Outbox's methods any; the rest is the bus thread's, by way of Sender. `wake` may be called from any
// thread, with the mutex not held, and at most once until the bus thread calls woken(). Bounds: appended and not
// durable ≤ min(credit, window_bytes), and for each event among that 16 bytes more; `blobs_known_max` remembered
// offers; `blobs_begun_max` blobs on their way; one pending gap for each chain that is dropping, and for the last
// kEndedGapsMax that ended so (of those before, an auditor has an open chain or none); one room waker an actor;
// durability wakers as many as callers wait. Without room: try_reserve says no, and the producer waits or drops.
// A gap is told once there is room for what follows it, so that it covers all that was dropped one after the other.
#pragma once

#include <atomic>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bus/fetches.h"
#include "bus/frame.h"
#include "bus/outbox.h"

namespace theater::bus {

class Window final : public Outbox {
 public:
  static constexpr size_t kBlobsBegunMax = 64;  // docs/formats/frame.md
  static constexpr size_t kEndedGapsMax = 64 * 1024;

  struct Options {
    std::string auditor;
    uint64_t window_bytes = 8u << 20;
    size_t blobs_known_max = 64 * 1024;
    std::function<void()> wake;
    size_t blobs_begun_max = kBlobsBegunMax;
  };

  explicit Window(Options options);

  bool try_reserve(const ActorId& actor, size_t bytes) override;
  void release(const ActorId& actor, size_t bytes) override;
  void when_room(const ActorId& actor, Waker waker) override;
  void forget_waker(const ActorId& actor) override;
  void append(const schema::EncodedEvent& event) override;
  void drop(const schema::EncodedEvent& event) override;
  void begin_late(const ActorId& actor, uint64_t length, const Hash& head) override;
  bool needs_blob(const Hash& hash) override;
  bool try_reserve_blob(const ActorId& actor, const Hash& hash, size_t bytes) override;
  void append_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override;
  void give_up_blob(const ActorId& actor) override;
  void when_durable(DurabilityWaker waker) override;
  void demote(bool demoted) override;
  bool demoted() const override { return demoted_.load(std::memory_order_acquire); }
  bool closed() const override { return closed_.load(std::memory_order_acquire); }
  void fetch_blob(const Hash& hash, uint64_t length_max, FetchDone done) override;
  Status status() const override;

  // --- The bus thread's side.

  struct Body {
    FrameBuilder builder;
    uint64_t events = 0;
  };
  // The oldest full body; with `partial`, the open one if there is no full one.
  std::optional<Body> take_body(bool partial);
  bool has_partial() const;  // something is appended, but no full body
  bool has_full() const;
  bool empty() const;  // nothing appended that wasn't taken, and no gap pending

  // Bytes up to `durable_bytes` of the stream, with so many events more, are durable; `credit_bytes` is the new limit.
  void acknowledge(uint64_t durable_bytes, uint64_t events_more, uint64_t credit_bytes);

  void close();    // takes nothing more; what it holds may still become durable. Wakes all who wait
  void discard();  // after that, and when the link is gone: what wasn't sent is of no use any more
  void woken();    // the bus thread is up and looks: the next append wakes it again
  // Those to call now: who waits for durability that came, and who waits for room, in the order of asking and as many
  // as the room suggests.
  std::vector<Waker> take_wakers();
  bool wakers_ready();
  size_t waiting() const;

  Fetches& fetches() { return fetches_; }
  const Fetches& fetches() const { return fetches_; }

  void set_connected(bool connected);
  void set_error(std::string error);
  void count_resent(uint64_t frames);
  void set_receipt(Bytes receipt);

 private:
  // What an actor holds: reserved, or appended and not durable. In `shares_` at least for as long as it isn't zero.
  using Share = std::pair<const ActorId, uint64_t>;
  // What one body is made of, so that its durability gives each actor back what it held.
  struct Portion {
    uint64_t end_bytes = 0;
    std::vector<std::pair<Share*, uint64_t>> parts;
  };

  // A blob of which the auditor has a part.
  struct BegunBlob {
    uint64_t length = 0, end = 0;  // how far it was sent
    size_t senders = 0;
  };
  struct Sending {
    Hash hash;
    bool sent = false;  // something of it, by this actor
  };

  struct Sendable {
    size_t full = 0;
    bool partial = false;
    bool operator==(const Sendable&) const = default;
  };

  uint64_t room() const;
  Sendable sendable() const;
  Share* share_of(const ActorId& actor);  // null: it holds nothing
  bool is_worth_trying(const ActorId& actor);
  void give_back(Share* share, uint64_t bytes);
  bool give_back_reserved(const ActorId& actor, uint64_t bytes);  // as wants_wake()
  bool reserve(const ActorId& actor, uint64_t bytes, bool& wake);
  bool has_blob_turn(const ActorId& actor, const Hash& hash) const;
  void take_blob_turn(const ActorId& actor, const Hash& hash);
  bool end_blob_turn(const ActorId& actor);  // as wants_wake()
  void flush_given_up();
  bool was_sent(const Hash& hash, uint64_t offset) const;
  void note_piece(const Hash& hash, uint64_t length, uint64_t end);
  void note_offered(const Hash& hash);
  void close_portion();
  void note_dropped(const schema::EncodedEvent& event);
  void append_gap(std::list<Gap>::iterator gap);
  void flush_gaps();
  void take_reserved(const ActorId& actor, uint64_t bytes);
  void after_append(uint64_t bytes);
  bool nobody_waits() const { return demoted() || closed(); }
  std::vector<Waker> end_waiting();
  // Returns true if the caller has to wake the bus thread once the mutex is free.
  bool wants_wake();

  const Options options_;
  Fetches fetches_;
  std::atomic<bool> demoted_{false}, closed_{false};  // written with the mutex
  mutable std::mutex mutex_;
  Body open_;
  std::deque<Body> full_;
  uint64_t reserved_ = 0;
  std::unordered_map<ActorId, uint64_t> shares_;
  Share* last_share_ = nullptr;   // of the actor that was looked up last
  Portion open_portion_;          // of open_
  std::deque<Portion> portions_;  // of full bodies and those that were taken
  uint64_t credit_bytes_ = 0;
  bool wake_pending_ = false, was_connected_ = false;
  Status status_;
  std::list<Gap> gaps_;  // that aren't told yet
  std::unordered_map<ActorId, std::list<Gap>::iterator> gap_of_;
  std::deque<ActorId> ended_gaps_;  // of chains that ended, oldest first; some are told already
  std::list<std::pair<ActorId, Waker>> waiting_;
  std::unordered_map<ActorId, std::list<std::pair<ActorId, Waker>>::iterator> waiting_by_actor_;
  // By the byte position waited for, which only grows.
  std::deque<std::pair<uint64_t, DurabilityWaker>> durable_waiting_;
  std::unordered_map<Hash, BegunBlob> blobs_begun_;
  std::unordered_map<ActorId, Sending> sending_;
  std::deque<Hash> given_up_;                   // begun, and nobody sends the rest: the auditor is to be told
  std::unordered_set<ActorId> want_blob_turn_;  // among those that wait for room
  std::unordered_set<Hash> blobs_known_;
  std::deque<Hash> blobs_known_order_;
};

}  // namespace theater::bus
