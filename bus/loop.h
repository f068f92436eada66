// CONTRACT. The bus thread: owns every ZeroMQ socket of the process (one context, one thread, one poll), and with them
// all links, the auditor's doors and the control endpoint. Everything else talks to it by thread-safe queues and never
// waits for it; it never waits for anybody else.
//
//   A node        dial()s each auditor and gets an Outbox.
//   An auditor    listen()s, gets what arrives through an Inbound sink, and answers by reply().
//   `theater run` does both, over inproc:// endpoints: same code, no CURVE inside one process.
//   Both          serve() a control endpoint if they want one.
//
// Started by make_loop, stopped by stop() or the destructor. Calls after stop() do nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "bus/control.h"
#include "bus/keys.h"
#include "bus/outbox.h"
#include "bus/receipts.h"

namespace theater::bus {

struct DialOptions {
  std::string name;           // of the auditor, for messages
  std::string data_endpoint;  // tcp://host:port or inproc://name
  std::string control_endpoint;
  std::optional<PublicKeys> server;  // the auditor's pinned keys; required for tcp
  uint64_t window_bytes = 8u << 20;  // the node's own cap on unacknowledged bytes
  std::optional<KeptReceipt> kept_receipt = std::nullopt;
};

struct ListenOptions {
  std::string data_endpoint;
  std::string control_endpoint;
  std::string authorized_keys_file;  // role node; required for tcp
};

// A key that may come in, or may not any more: those that are there at the beginning, then what changes. Called on the
// bus thread; only enqueues. One whose roles change goes and comes.
using KeyNews = std::function<void(const AuthorizedKey& key, bool added)>;

struct ServeOptions {
  std::string endpoint;              // "unix:/path" (mode 0600) or tcp://host:port
  std::string authorized_keys_file;  // required for tcp
  KeyNews on_key = {};
};

// One message from a node to the auditor. The bytes live as long as the object.
struct Inbound {
  CurveKey peer;          // authenticated; zero inside one process
  PublicKey identity;     // the peer's, from the authorized keys (zero inside one process: then HELLO's word counts)
  bool is_frame = false;  // else a control message of the link (bus/messages.h)
  std::shared_ptr<const void> owner;
  BytesView bytes;
};

// Takes a message or says no when full: then it is dropped, counted, and comes again by the protocol's resend. Called
// on the bus thread; never blocks.
using InboundSink = std::function<bool(Inbound)>;

class Loop {
 public:
  virtual ~Loop() = default;

  // dial, listen and serve wait for the bus thread to open the sockets; nothing else here waits.
  virtual Result<std::shared_ptr<Outbox>> dial(const DialOptions& options) = 0;
  // The same from any thread, this one's own included: `done` is called on the bus thread.
  using Dialed = std::function<void(Result<std::shared_ptr<Outbox>>)>;
  virtual void dial(const DialOptions& options, Dialed done) = 0;
  // Ends a link: it takes nothing more from now on, and what it took has `grace_ms` to become durable; then goodbye.
  // `done` is called on the bus thread with the number of events that weren't acknowledged and are given up.
  using HungUp = std::function<void(uint64_t lost_events)>;
  virtual void hang_up(std::shared_ptr<Outbox> outbox, uint64_t grace_ms, HungUp done) = 0;
  virtual Result<void> listen(const ListenOptions& options, InboundSink sink) = 0;
  // To the node with that key, on its current session; dropped if it has none. Any thread; bounded queue, oldest
  // dropped (acks are cumulative and repeated).
  virtual void reply(const CurveKey& peer, Bytes control_message) = 0;
  virtual Result<void> serve(const ServeOptions& options, ControlHandler& handler) = 0;

  // Sends goodbyes, waits up to `grace_ms` until every outbox is durable, then closes all sockets and joins the thread.
  // False if something was left unacknowledged, but by a demoted one; if that is away, nobody waits for it. Idempotent.
  virtual bool stop(uint64_t grace_ms) = 0;
};

struct LoopOptions {
  const SecretKeys* keys = nullptr;             // required as soon as anything uses tcp
  PublicKey identity;                           // what HELLO says; the keys' own if there are keys
  std::string name;                             // what HELLO says: the node's, for people
  Clock* clock = nullptr;                       // required
  Random* random = nullptr;                     // required
  std::function<void(const std::string&)> log;  // one line for people: connected, refused, lost. Any thread
  const SigningKey* signer = nullptr;           // of `identity`: signs frame tips; the keys' own if there are keys
};
Result<std::unique_ptr<Loop>> make_loop(LoopOptions options);

}  // namespace theater::bus
