// ZeroMQ, wrapped: what the bus thread and the control client need of it, with failures as values and never blocking
// except in poll(). The options that make a socket safe (docs/formats/bus.md, "Sockets") are set here and nowhere else.
//
// A socket belongs to one thread. A context outlives its sockets; one context a process. It also tells malloc to keep
// what frames free instead of handing it back to the kernel and asking again: an eighth of the whole cost of a link.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/text.h"
#include "bus/keys.h"
#include "bus/message_guard.h"

namespace theater::bus {

class ZmqContext {
 public:
  explicit ZmqContext(int io_threads);
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* raw() const { return context_; }

 private:
  void* context_;
};

// Who a socket is to the other side. kDataOut pushes frames to one auditor, kDataIn takes them; kTalk talks about them,
// kAnswer answers many; kAsk is a command's, and kServe answers commands; kGatekeeper decides about keys (ZAP); kWatch
// reads another socket's monitor.
enum class SocketRole : uint8_t { kDataOut, kDataIn, kTalk, kAnswer, kAsk, kServe, kGatekeeper, kWatch };

struct SocketSecurity {
  const SecretKeys* keys = nullptr;  // null: no CURVE (inproc and Unix sockets only)
  std::optional<CurveKey> server;    // a client's: the pinned key of the other side
  std::string domain;                // a server's: what the gatekeeper is asked about
};

struct Received {
  Bytes routing_id;                   // kAnswer, kServe: who sent it
  std::optional<CurveKey> user;       // authenticated; nothing without CURVE
  std::shared_ptr<const void> owner;  // keeps `bytes` alive
  BytesView bytes;
};

enum class SendOutcome : uint8_t { kSent, kFull, kGone };

enum class WatchEvent : uint8_t { kDisconnected, kRefusedKey, kHandshakeFailed, kConnected, kAttemptFailed };
struct Watched {
  WatchEvent event;
  std::string address;
};

class ZmqSocket {
 public:
  static Result<ZmqSocket> make(ZmqContext& context, SocketRole role, const SocketSecurity& security,
                                size_t message_max);
  ZmqSocket(ZmqSocket&&) noexcept;
  ZmqSocket& operator=(ZmqSocket&&) noexcept;
  ~ZmqSocket();

  Result<void> bind(const std::string& endpoint);
  // Binds to a Unix socket that this process already listens on.
  Result<void> bind_listening(const std::string& path, int descriptor);
  Result<void> connect(const std::string& endpoint);
  // A socket that tells what happens to this one; if asked, also that it is connected (the handshake is done) and that
  // an attempt to connect failed. Made before bind or connect, and closed after it. A socket that is watched guards
  // itself against messages without end, as long as next_watched() and shut_endless() are called.
  Result<ZmqSocket> watch(ZmqContext& context, bool attempts_too = false);
  void linger(int ms);
  // Takes no more than this from the other side while nobody receives. Once it is connected, and only where that side
  // may stop the process.
  void take_at_most(int messages);

  SendOutcome send(BytesView bytes);
  SendOutcome send_shared(const std::shared_ptr<const Bytes>& bytes);
  SendOutcome send_to(BytesView routing_id, BytesView bytes);
  // The bytes are let go of, on any thread, when libzmq has nothing of them waiting any more. kServe: never kFull.
  SendOutcome send_shared_to(BytesView routing_id, const std::shared_ptr<const Bytes>& bytes);
  // The next message; nothing if there is none now, or `left` is used up: each one that is taken out lowers it, and so
  // does each part of those that have another shape than the role's, which are dropped.
  std::optional<Received> receive(int& left);
  std::optional<Watched> next_watched();                         // kWatch
  std::vector<std::string> shut_endless(uint64_t monotonic_ns);  // bus/message_guard.h
  std::optional<std::vector<Bytes>> receive_parts();             // kGatekeeper
  void send_parts(std::span<const Bytes> parts);                 // kGatekeeper

  void* raw() const { return socket_; }

 private:
  ZmqSocket(void* socket, SocketRole role, size_t message_max)
      : socket_(socket), role_(role), message_max_(message_max) {}
  void close();
  SendOutcome name_receiver(BytesView routing_id);

  void* socket_;
  SocketRole role_;
  size_t message_max_;
  bool watched_ = false;
  bool dropping_ = false;                // more parts of a message that is dropped are to come
  std::shared_ptr<MessageGuard> guard_;  // the watched socket's and its watcher's
};

struct PollItem {
  const ZmqSocket* socket = nullptr;
  int descriptor = -1;  // if socket is null
  bool out = false;     // wait for room to send too
};
// Waits until one of them is ready, at most so long.
void poll(std::span<const PollItem> items, uint64_t timeout_ns);

}  // namespace theater::bus
