#include "bus/zmq_socket.h"

#include <malloc.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "bus/frame.h"
#include "bus/messages.h"
#include "bus/receiver.h"
#include "bus/z85.h"

namespace theater::bus {

namespace {

constexpr int kZapEnforceDomain = 93;  // ZMQ_ZAP_ENFORCE_DOMAIN: a draft name, accepted by Debian's build
constexpr size_t kCurveOverhead = 33;
constexpr size_t kPartsMax = 16;
constexpr int kMapThreshold = 4 << 20;
constexpr int kTrimThreshold = 32 << 20;
// What may wait to be received from one connection: twice the frames in flight, and otherwise two of the largest.
constexpr uint64_t kFramesWaitingMax = 2 * kFramesInFlight * kFrameBodyMax;
constexpr uint64_t kWaitingMax = 64 << 20;
constexpr int kAnswersWaitingMax = 256;  // of a link's messages for one node; more are dropped, and come again

Error zmq_error(const std::string& what) {
  return Error{ErrorCode::kIo, str_cat(what, ": ", zmq_strerror(zmq_errno()))};
}

class Message {
 public:
  Message() { zmq_msg_init(&message_); }
  ~Message() { zmq_msg_close(&message_); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  zmq_msg_t* raw() { return &message_; }
  bool receive(void* socket) { return zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT) >= 0; }
  bool more() { return zmq_msg_more(&message_) != 0; }
  BytesView bytes() { return {static_cast<const uint8_t*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)}; }
  int descriptor() { return zmq_msg_get(&message_, ZMQ_SRCFD); }
  std::optional<CurveKey> user() {
    const char* id = zmq_msg_gets(&message_, "User-Id");
    return id == nullptr ? std::nullopt : CurveKey::from_hex_text(id);
  }

 private:
  zmq_msg_t message_;
};

// Sets options one after the other and remembers the first that failed.
class OptionSetter {
 public:
  explicit OptionSetter(void* socket) : socket_(socket) {}
  void number(int option, int value) { set(option, &value, sizeof value); }
  void number64(int option, int64_t value) { set(option, &value, sizeof value); }
  void text(int option, const std::string& value) { set(option, value.data(), value.size()); }
  bool ok() const { return ok_; }

 private:
  void set(int option, const void* value, size_t size) {
    if (ok_ && zmq_setsockopt(socket_, option, value, size) != 0) ok_ = false;
  }
  void* socket_;
  bool ok_ = true;
};

int type_of(SocketRole role) {
  switch (role) {
    case SocketRole::kDataOut: return ZMQ_PUSH;
    case SocketRole::kDataIn: return ZMQ_PULL;
    case SocketRole::kTalk: return ZMQ_DEALER;
    case SocketRole::kAnswer: return ZMQ_ROUTER;
    case SocketRole::kAsk: return ZMQ_DEALER;
    case SocketRole::kServe: return ZMQ_ROUTER;
    case SocketRole::kGatekeeper: return ZMQ_REP;
    case SocketRole::kWatch: return ZMQ_PAIR;
  }
  return -1;
}

// At a receive high-water mark libzmq 4.3.4 stops reading. If the connection breaks then, it lets go of the descriptor,
// and aborts when it next wants to write: a heartbeat, or the answer to a ping among what it had read
// (stream_engine_base.cpp, `!_io_error`). So no socket has that mark, but for a command's in a stream; and heartbeats
// come only from who connects to a link. He asks the other side to notice when they stay out. TCP notices all others.
void set_liveness(OptionSetter& set, SocketRole role) {
  if (role == SocketRole::kDataOut || role == SocketRole::kTalk) {
    set.number(ZMQ_HEARTBEAT_IVL, 2000);
    set.number(ZMQ_HEARTBEAT_TIMEOUT, 6000);
    set.number(ZMQ_HEARTBEAT_TTL, 6000);
  }
  set.number(ZMQ_TCP_KEEPALIVE, 1);
  set.number(ZMQ_TCP_KEEPALIVE_IDLE, 10);
  set.number(ZMQ_TCP_KEEPALIVE_INTVL, 5);
  set.number(ZMQ_TCP_KEEPALIVE_CNT, 3);
  set.number(ZMQ_TCP_MAXRT, 15000);
  set.number(ZMQ_HANDSHAKE_IVL, 5000);
  set.number(ZMQ_RECONNECT_IVL, 100);
  set.number(ZMQ_RECONNECT_IVL_MAX, 5000);
}

void set_role(OptionSetter& set, SocketRole role, size_t message_max) {
  set.number(ZMQ_LINGER, 0);
  if (role == SocketRole::kGatekeeper || role == SocketRole::kWatch) return;
  set_liveness(set, role);
  set.number(ZMQ_RCVHWM, 0);  // the guard's to bound
  set.number64(ZMQ_MAXMSGSIZE, static_cast<int64_t>(message_max + kCurveOverhead));
  switch (role) {
    case SocketRole::kDataOut:
      set.number(ZMQ_IMMEDIATE, 1);
      set.number(ZMQ_SNDHWM, kFramesInFlight);
      set.number(ZMQ_SNDBUF, 1 << 20);
      break;
    case SocketRole::kDataIn: set.number(ZMQ_RCVBUF, 1 << 20); break;
    case SocketRole::kTalk:
    case SocketRole::kAsk: set.number(ZMQ_IMMEDIATE, 1); break;
    case SocketRole::kAnswer:
      set.number(ZMQ_ROUTER_MANDATORY, 1);
      set.number(ZMQ_SNDHWM, kAnswersWaitingMax);
      break;
    case SocketRole::kServe:
      set.number(ZMQ_ROUTER_MANDATORY, 1);
      set.number(ZMQ_SNDHWM, 0);  // who sends counts the bytes
      break;
    case SocketRole::kGatekeeper:
    case SocketRole::kWatch: break;
  }
}

void set_security(OptionSetter& set, const SocketSecurity& security) {
  if (security.keys == nullptr) return;
  set.text(ZMQ_CURVE_SECRETKEY, security.keys->curve_secret_z85());
  if (security.server) {
    set.text(ZMQ_CURVE_PUBLICKEY, security.keys->curve_public_z85());
    set.text(ZMQ_CURVE_SERVERKEY, z85_text(security.server->bytes));
  } else {
    set.number(ZMQ_CURVE_SERVER, 1);
    set.text(ZMQ_ZAP_DOMAIN, security.domain);
    set.number(kZapEnforceDomain, 1);
  }
}

bool names_sender(SocketRole role) { return role == SocketRole::kAnswer || role == SocketRole::kServe; }

void release_shared(void*, void* hint) { delete static_cast<std::shared_ptr<const Bytes>*>(hint); }

}  // namespace

ZmqContext::ZmqContext(int io_threads) : context_(zmq_ctx_new()) {
  CHECK(context_ != nullptr);
  mallopt(M_MMAP_THRESHOLD, kMapThreshold);   // NOLINT(concurrency-mt-unsafe): before any other thread
  mallopt(M_TRIM_THRESHOLD, kTrimThreshold);  // NOLINT(concurrency-mt-unsafe)
  zmq_ctx_set(context_, ZMQ_IO_THREADS, io_threads);
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, 1023);
}

ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(context_) != 0 && zmq_errno() == EINTR) {
  }
}

Result<ZmqSocket> ZmqSocket::make(ZmqContext& context, SocketRole role, const SocketSecurity& security,
                                  size_t message_max) {
  void* raw = zmq_socket(context.raw(), type_of(role));
  if (raw == nullptr) return zmq_error("can't make a ZeroMQ socket");
  ZmqSocket socket(raw, role, message_max);
  OptionSetter set(raw);
  set_role(set, role, message_max);
  set_security(set, security);
  if (!set.ok()) return zmq_error("can't set up a ZeroMQ socket (is libzmq built with CURVE?)");
  return socket;
}

ZmqSocket::ZmqSocket(ZmqSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)),
      role_(other.role_),
      message_max_(other.message_max_),
      watched_(other.watched_),
      dropping_(other.dropping_),
      guard_(std::move(other.guard_)) {}

ZmqSocket& ZmqSocket::operator=(ZmqSocket&& other) noexcept {
  if (this != &other) {
    close();
    socket_ = std::exchange(other.socket_, nullptr);
    role_ = other.role_;
    message_max_ = other.message_max_;
    watched_ = other.watched_;
    dropping_ = other.dropping_;
    guard_ = std::move(other.guard_);
  }
  return *this;
}

ZmqSocket::~ZmqSocket() { close(); }

void ZmqSocket::close() {
  if (socket_ == nullptr) return;
  if (watched_) zmq_socket_monitor(socket_, nullptr, 0);  // so that nothing waits for a reader that is gone
  zmq_close(socket_);
  socket_ = nullptr;
}

Result<void> ZmqSocket::bind(const std::string& endpoint) {
  if (zmq_bind(socket_, endpoint.c_str()) == 0) return Ok{};
  if (zmq_errno() != EADDRINUSE) return zmq_error(str_cat("can't listen on ", endpoint));
  return Error{ErrorCode::kRefused,
               str_cat("another process already listens on ", endpoint, "; stop it or choose another port")};
}

Result<void> ZmqSocket::bind_listening(const std::string& path, int descriptor) {
  OptionSetter set(socket_);
  set.number(ZMQ_USE_FD, descriptor);
  if (!set.ok()) return zmq_error("can't hand a Unix socket to ZeroMQ");
  return bind(str_cat("ipc://", path));
}

Result<void> ZmqSocket::connect(const std::string& endpoint) {
  if (zmq_connect(socket_, endpoint.c_str()) != 0) return zmq_error(str_cat("can't connect to ", endpoint));
  return Ok{};
}

Result<ZmqSocket> ZmqSocket::watch(ZmqContext& context, bool attempts_too) {
  const std::string endpoint = str_cat("inproc://watch-", reinterpret_cast<uintptr_t>(socket_));
  const int events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
                     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                     (attempts_too ? ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_CONNECT_RETRIED : 0);
  TRY_ASSIGN(ZmqSocket watcher, make(context, SocketRole::kWatch, {}, 0));
  if (zmq_socket_monitor(socket_, endpoint.c_str(), events) != 0) return zmq_error("can't watch a socket");
  watched_ = true;
  TRY(watcher.connect(endpoint));
  guard_ = watcher.guard_ = std::make_shared<MessageGuard>(
      message_max_, role_ != SocketRole::kDataOut, role_ == SocketRole::kDataIn ? kFramesWaitingMax : kWaitingMax);
  return watcher;
}

void ZmqSocket::linger(int ms) { zmq_setsockopt(socket_, ZMQ_LINGER, &ms, sizeof ms); }

void ZmqSocket::take_at_most(int messages) { zmq_setsockopt(socket_, ZMQ_RCVHWM, &messages, sizeof messages); }

SendOutcome ZmqSocket::send(BytesView bytes) {
  if (zmq_send(socket_, bytes.data(), bytes.size(), ZMQ_DONTWAIT) >= 0) return SendOutcome::kSent;
  return zmq_errno() == EHOSTUNREACH ? SendOutcome::kGone : SendOutcome::kFull;
}

SendOutcome ZmqSocket::send_shared(const std::shared_ptr<const Bytes>& bytes) {
  zmq_msg_t message;
  auto hint = std::make_unique<std::shared_ptr<const Bytes>>(bytes);
  if (zmq_msg_init_data(&message, const_cast<uint8_t*>(bytes->data()), bytes->size(), release_shared, hint.get()) !=
      0) {
    return SendOutcome::kFull;
  }
  (void)hint.release();  // now release_shared's
  if (zmq_msg_send(&message, socket_, ZMQ_DONTWAIT) >= 0) return SendOutcome::kSent;
  zmq_msg_close(&message);
  return SendOutcome::kFull;
}

SendOutcome ZmqSocket::name_receiver(BytesView routing_id) {
  const int sent = zmq_send(socket_, routing_id.data(), routing_id.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE);
  if (sent >= 0) return SendOutcome::kSent;
  return zmq_errno() == EHOSTUNREACH ? SendOutcome::kGone : SendOutcome::kFull;
}

SendOutcome ZmqSocket::send_to(BytesView routing_id, BytesView bytes) {
  const SendOutcome named = name_receiver(routing_id);
  return named == SendOutcome::kSent ? send(bytes) : named;
}

SendOutcome ZmqSocket::send_shared_to(BytesView routing_id, const std::shared_ptr<const Bytes>& bytes) {
  const SendOutcome named = name_receiver(routing_id);
  return named == SendOutcome::kSent ? send_shared(bytes) : named;
}

std::optional<Received> ZmqSocket::receive(int& left) {
  while (left > 0) {
    --left;
    Received received;
    auto message = std::make_shared<Message>();
    if (!message->receive(socket_)) {
      if (guard_ != nullptr) guard_->emptied();
      return std::nullopt;
    }
    if (guard_ != nullptr && !dropping_) guard_->came(message->descriptor());
    if (!dropping_ && names_sender(role_) && message->more()) {
      received.routing_id.assign(message->bytes().begin(), message->bytes().end());
      message = std::make_shared<Message>();
      if (!message->receive(socket_)) return std::nullopt;
    }
    if (guard_ != nullptr) guard_->took(message->descriptor(), message->bytes().size());
    if (!std::exchange(dropping_, message->more()) && !dropping_) {
      received.user = message->user();
      received.bytes = message->bytes();
      received.owner = std::move(message);
      return received;
    }
  }
  return std::nullopt;
}

std::optional<Watched> ZmqSocket::next_watched() {
  for (;;) {
    Message event, address;
    if (!event.receive(socket_) || event.bytes().size() < 6) return std::nullopt;
    if (!event.more() || !address.receive(socket_)) return std::nullopt;
    uint16_t kind;
    uint32_t value;
    std::memcpy(&kind, event.bytes().data(), sizeof kind);
    std::memcpy(&value, event.bytes().data() + sizeof kind, sizeof value);
    if (kind == ZMQ_EVENT_ACCEPTED || kind == ZMQ_EVENT_CONNECTED) guard_->opened(static_cast<int>(value));
    const std::string where = escape(address.bytes());
    if (kind == ZMQ_EVENT_DISCONNECTED) return Watched{WatchEvent::kDisconnected, where};
    if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) return Watched{WatchEvent::kConnected, where};
    if (kind == ZMQ_EVENT_CONNECT_RETRIED) return Watched{WatchEvent::kAttemptFailed, where};
    if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) return Watched{WatchEvent::kRefusedKey, where};
    if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
      return Watched{WatchEvent::kHandshakeFailed, where};
    }
  }
}

std::vector<std::string> ZmqSocket::shut_endless(uint64_t monotonic_ns) {
  return guard_ == nullptr ? std::vector<std::string>() : guard_->look(monotonic_ns);
}

std::optional<std::vector<Bytes>> ZmqSocket::receive_parts() {
  std::vector<Bytes> parts;
  for (;;) {
    Message part;
    if (!part.receive(socket_)) return std::nullopt;
    if (parts.size() < kPartsMax) parts.emplace_back(part.bytes().begin(), part.bytes().end());
    if (!part.more()) return parts;
  }
}

void ZmqSocket::send_parts(std::span<const Bytes> parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const int flags = ZMQ_DONTWAIT | (i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
    if (zmq_send(socket_, parts[i].data(), parts[i].size(), flags) < 0) return;
  }
}

void poll(std::span<const PollItem> items, uint64_t timeout_ns) {
  std::vector<zmq_pollitem_t> raw;
  raw.reserve(items.size());
  for (const PollItem& item : items) {
    const short events = static_cast<short>(ZMQ_POLLIN | (item.out ? ZMQ_POLLOUT : 0));
    raw.push_back({item.socket == nullptr ? nullptr : item.socket->raw(), item.descriptor, events, 0});
  }
  const long timeout_ms = static_cast<long>((timeout_ns + 999'999) / 1'000'000);
  zmq_poll(raw.data(), static_cast<int>(raw.size()), timeout_ms);
}

CurvePair new_curve_pair() {
  char public_text[41], secret_text[41];
  CHECK(zmq_curve_keypair(public_text, secret_text) == 0, "libzmq is built without CURVE");
  CurvePair pair;
  CHECK(zmq_z85_decode(pair.public_half.data(), public_text) != nullptr);
  CHECK(zmq_z85_decode(pair.secret.data(), secret_text) != nullptr);
  return pair;
}

std::array<uint8_t, 32> curve_public_of(const std::array<uint8_t, 32>& secret) {
  char public_text[41];
  CHECK(zmq_curve_public(public_text, z85_text(secret).c_str()) == 0, "libzmq is built without CURVE");
  std::array<uint8_t, 32> bytes;
  CHECK(zmq_z85_decode(bytes.data(), public_text) != nullptr);
  return bytes;
}

std::string z85_text(const std::array<uint8_t, 32>& key) {
  char text[41];
  CHECK(zmq_z85_encode(text, key.data(), key.size()) != nullptr);
  return text;
}

}  // namespace theater::bus
