// One actor's chain: the only place where events come into being. It remembers the newest hash and nothing that was
// emitted.
//
// Emission is an object that can wait: begin(), then step() until it says kDone. A step first sends the payloads that
// the event refers to, in pieces that fit a frame, then takes room at every subscriber in the order in which they were
// added, and only when all have room stamps, hashes, advances the head and delivers, in one go. Whoever is full keeps
// the step at kParked and calls the waker once it is worth trying again. cancel() gives all room back: nothing was
// emitted.
//
//   chain.begin(type, schema::HostCall{…});
//   if (chain.step(scratch) == Chain::Step::kParked) …   // the waker will tell
//
// The event is built in `scratch`, a buffer of the worker's that keeps its size, so that an event costs no allocation.
// Used by one thread at a time: the worker that runs the actor. Holds at most one emission.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "node/chain/subscriber.h"
#include "schema/event.h"
#include "schema/secrets.h"

namespace theater::node {

// Bytes that an event refers to by hash.
struct Blob {
  Hash hash;
  std::shared_ptr<const Bytes> bytes;
};

class Chain {
 public:
  enum class Step : uint8_t {
    kDone,      // emitted: head and length have advanced
    kParked,    // some subscriber is full; call step() again after the waker was called
    kTooLarge,  // the event exceeds kEventSizeMax; nothing was emitted, the emission is over
  };
  using Waker = std::function<void()>;

  // Where a chain stands between two events: what it takes to go on with it in another object.
  struct Tip {
    Hash head;
    uint64_t length = 0;
    uint64_t time_ns = 0;
    uint64_t genesis_time_ns = 0;
    uint32_t incarnation = 0;
  };

  // `make_waker` is asked for a waker whenever a subscriber is full. `incarnation` stands in each event.
  Chain(Clock& clock, std::function<Waker()> make_waker, uint32_t incarnation = 0);
  ~Chain();
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  // Known as soon as genesis was begun (its time is stamped then), zero before.
  const ActorId& id() const { return id_; }
  std::optional<Hash> head() const;              // no event yet: no head
  uint64_t length() const { return length_; }    // events emitted: the sequence of the next one
  uint64_t time_ns() const { return time_ns_; }  // of the newest event
  bool ended() const { return ended_; }          // its terminal event was emitted

  uint64_t genesis_time_ns() const { return genesis_time_ns_; }

  // The two halves of moving a chain to another object; nothing may be in progress. The subscribers go to whoever keeps
  // the tip, in their order, and hear nothing of it. The new object must not have begun a chain.
  Tip tip() const;
  std::vector<std::shared_ptr<Subscriber>> take_subscribers();
  void go_on(const ActorId& id, const Tip& tip);

  // Tail-only: it sees what is emitted from now on. Adding one that is there does nothing; one added after the end is
  // told so at once.
  void add(std::shared_ptr<Subscriber> subscriber);
  // Says whether it was there.
  bool remove(const Subscriber& subscriber);
  size_t subscribers() const { return entries_.size(); }

  // Before genesis or go_on(). Where one of these stands in a value of an event, a commitment is recorded; may be null.
  void keep_from_record(std::unique_ptr<schema::Secrets> secrets) { secrets_ = std::move(secrets); }
  bool holds_secret(const std::vector<schema::Value>& values) const { return secrets_ && secrets_->any_in(values); }
  std::string hidden(std::string_view text) const { return secrets_ ? secrets_->hidden(text) : std::string(text); }

  // `type` is borrowed until the emission is over: names of the function table and constants. Values that are too large
  // for an event are replaced by references. `blobs`: what the event refers to beside its values.
  void begin(std::string_view type, schema::Body body, std::vector<Blob> blobs = {});
  Step step(schema::EncodedEvent& scratch);
  void cancel();   // no emission: does nothing
  void give_up();  // ends the chain without a terminal event: it stays open
  bool emitting() const { return emission_.active; }
  // Which subscriber a parked emission waits for.
  std::string waits_for() const;

  // After kDone: the values as they were given to begin(), for whoever goes on with them.
  std::vector<schema::Value> take_args();
  std::vector<schema::Value> take_results();
  void forget_values();  // frees what is left of them; for a chain that rests

 private:
  struct Entry {
    std::shared_ptr<Subscriber> subscriber;
    size_t reserved = 0;
    bool has_room = false;
    uint32_t blobs_done = 0;
    uint64_t blob_offset = 0;
  };
  struct Emission {
    bool active = false;
    std::string_view type;
    schema::Body body;
    std::vector<Blob> blobs;
    std::optional<std::vector<schema::Value>> args, results;  // the originals, if some were replaced
    const Subscriber* full = nullptr;
  };

  void hide_secrets();
  void replace_large_values();
  uint64_t encode(schema::EncodedEvent& scratch) const;  // returns the time that it stamped
  void evict_closed();
  bool send_blobs(Entry& entry);
  bool begins_again(Entry& entry);
  bool reserve(Entry& entry, size_t bytes);
  template <typename TryOnce>
  bool take_room(Entry& entry, TryOnce try_once);
  void release(Entry& entry) const;
  void deliver(schema::EncodedEvent& scratch, uint64_t time_ns);
  void end();

  Clock& clock_;
  const std::function<Waker()> make_waker_;
  uint32_t incarnation_;
  bool ended_ = false;
  ActorId id_;
  Hash head_;
  uint64_t length_ = 0;
  uint64_t time_ns_ = 0;
  uint64_t genesis_time_ns_ = 0;
  std::unique_ptr<schema::Secrets> secrets_;  // most have none
  std::vector<Entry> entries_;
  Emission emission_;
};

}  // namespace theater::node
