#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "bus/control.h"
#include "bus/zmq_socket.h"

namespace theater::bus {

namespace {

// A stream may be quiet for as long as the connection lives; TCP notices when it doesn't.
constexpr uint64_t kNever = ~uint64_t{0};
constexpr uint64_t kTimeoutMaxMs = 7 * 24 * 3'600'000;
constexpr uint64_t kPollMaxNs = MessageGuard::kLookNs;
constexpr uint64_t kRefusedMs = 3'000;    // attempts that fail at once go on for so long: a node may just be starting
constexpr uint64_t kHandshakeMs = 4'500;  // ZeroMQ's own limit, 5 s, and a little less
constexpr uint64_t kSilentMs = 10'000;    // for a host that says nothing at all
constexpr int kStreamedMax = 1'000;       // responses of a stream that wait here; then they wait at the other side

Result<void> probe_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalid,
                 str_cat("the path of a Unix socket has 1 to ", sizeof address.sun_path - 1, " bytes: ", path)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return Error{ErrorCode::kIo, str_cat("can't make a socket: ", errno_text(errno))};
  const int failure = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  ::close(probe);
  if (failure == 0 || failure == EAGAIN) return Ok{};
  if (failure == EACCES || failure == EPERM) {
    return Error{ErrorCode::kRefused,
                 str_cat("unix:", path, " belongs to another user; only its owner (and root) may use it")};
  }
  return Error{ErrorCode::kUnavailable, str_cat("nobody listens on unix:", path, " (", errno_text(failure),
                                                "); is it running, and with this control endpoint?")};
}

class SocketClient final : public ControlClient {
 public:
  explicit SocketClient(Options options) : options_(std::move(options)), context_(1) {}

  Result<void> open();
  Result<schema::Value> call(const std::string& verb, schema::Value args, const std::string& request_id) override;
  Result<void> stream(const std::string& verb, schema::Value args,
                      const std::function<bool(schema::Value)>& each) override;

 private:
  // Until the handshake is done.
  Result<void> await_connection();
  Result<uint64_t> send(const std::string& verb, schema::Value args, const std::string& request_id);
  Result<ControlResponse> receive(uint64_t id, uint64_t deadline_ns);
  // Takes what the watcher has to say; an error if the connection was refused or broke.
  Result<void> look();
  // Waits for the socket; an error if the connection was refused meanwhile.
  Result<void> wait(bool out, uint64_t deadline_ns, const char* what);
  uint64_t deadline_ns() { return after_ms(std::min(options_.timeout_ms, kTimeoutMaxMs)); }
  uint64_t after_ms(uint64_t ms) { return clock_.monotonic_ns() + ms * 1'000'000; }

  const Options options_;
  SystemClock clock_;  // only for timeouts of a person's command
  ZmqContext context_;
  std::optional<SecretKeys> keys_;
  std::unique_ptr<ZmqSocket> watch_, socket_;  // the watcher is closed last
  uint64_t next_id_ = 1;
  uint64_t opened_ns_ = 0;
  bool connected_ = false, attempt_failed_ = false;
};

Result<void> SocketClient::open() {
  const std::string& endpoint = options_.endpoint;
  SocketSecurity security;
  std::string address;
  if (endpoint.starts_with("unix:")) {
    TRY(probe_unix(endpoint.substr(5)));
    address = str_cat("ipc://", endpoint.substr(5));
  } else if (endpoint.starts_with("tcp://")) {
    if (!options_.key_file || !options_.server) {
      return Error{ErrorCode::kInvalid,
                   str_cat(endpoint,
                           " needs your key file and the server's public key; a context holds both "
                           "(`theater context add`)")};
    }
    TRY_ASSIGN(SecretKeys keys, SecretKeys::load(*options_.key_file));
    keys_.emplace(std::move(keys));
    security.keys = &*keys_;
    security.server = options_.server->curve;
    address = endpoint;
  } else {
    return Error{ErrorCode::kInvalid, str_cat("`", endpoint, "` is neither unix:/PATH nor tcp://HOST:PORT")};
  }
  TRY_ASSIGN(ZmqSocket socket, ZmqSocket::make(context_, SocketRole::kAsk, security, kControlMessageMax));
  TRY_ASSIGN(ZmqSocket watch, socket.watch(context_, /*attempts_too=*/true));
  watch_ = std::make_unique<ZmqSocket>(std::move(watch));
  socket_ = std::make_unique<ZmqSocket>(std::move(socket));
  opened_ns_ = clock_.monotonic_ns();
  TRY(socket_->connect(address));
  return await_connection();
}

Result<void> SocketClient::await_connection() {
  const uint64_t refused_ms = std::min(options_.timeout_ms, kRefusedMs);
  const uint64_t silent_ms = std::min(options_.timeout_ms, kSilentMs);
  const uint64_t refused_ns = after_ms(refused_ms), silent_ns = after_ms(silent_ms);
  const PollItem items[] = {{watch_.get()}};
  for (;;) {
    TRY(look());
    if (connected_) return Ok{};
    const uint64_t now = clock_.monotonic_ns();
    if (attempt_failed_ && now >= refused_ns) {
      return Error{ErrorCode::kUnavailable,
                   str_cat("nobody listens on ", options_.endpoint, ": all attempts failed for ", refused_ms,
                           " ms; is it running, and with this control endpoint?")};
    }
    if (now >= silent_ns) {
      return Error{ErrorCode::kUnavailable,
                   str_cat("no connection to ", options_.endpoint, " within ", silent_ms,
                           " ms: the host says nothing; is the address right, and does no firewall stand between?")};
    }
    poll(items, (now < refused_ns ? refused_ns : silent_ns) - now);
  }
}

Result<void> SocketClient::wait(bool out, uint64_t deadline_ns, const char* what) {
  const uint64_t now = clock_.monotonic_ns();
  if (now >= deadline_ns) {
    return Error{ErrorCode::kUnavailable,
                 str_cat(options_.endpoint, " ", what, " within ", options_.timeout_ms, " ms")};
  }
  const PollItem items[] = {{socket_.get(), -1, out}, {watch_.get()}};
  poll(items, std::min(deadline_ns - now, kPollMaxNs));
  return look();
}

Result<void> SocketClient::look() {
  (void)socket_->shut_endless(clock_.monotonic_ns());  // then it is disconnected
  while (const auto watched = watch_->next_watched()) {
    switch (watched->event) {
      case WatchEvent::kRefusedKey:
        return Error{ErrorCode::kRefused, str_cat(options_.endpoint,
                                                  " refused this key; its authorized-keys file must name it with a "
                                                  "role that fits: operator or reader for a node, auditor or reader "
                                                  "for an auditor")};
      case WatchEvent::kHandshakeFailed:
        // A wrong key is noticed at once; whoever says nothing at all is given up after the handshake's limit.
        if (clock_.monotonic_ns() - opened_ns_ >= kHandshakeMs * 1'000'000) {
          return Error{ErrorCode::kUnavailable, str_cat("something listens on ", options_.endpoint,
                                                        " and doesn't answer; is it a node, and does it still run?")};
        }
        return Error{ErrorCode::kRefused, str_cat("the handshake with ", options_.endpoint,
                                                  " failed: the public key given for it is probably not its own")};
      case WatchEvent::kDisconnected:
        return Error{ErrorCode::kUnavailable, str_cat(options_.endpoint, " closed the connection")};
      case WatchEvent::kConnected: connected_ = true; break;
      case WatchEvent::kAttemptFailed: attempt_failed_ = true; break;
    }
  }
  return Ok{};
}

Result<uint64_t> SocketClient::send(const std::string& verb, schema::Value args, const std::string& request_id) {
  ControlRequest request{next_id_++, verb, request_id, std::move(args)};
  const Bytes bytes = encode_control(request);
  if (bytes.size() > kControlMessageMax) {
    return Error{ErrorCode::kRefused, str_cat("the request has ", bytes.size(),
                                              " bytes; a control message has at most ", kControlMessageMax)};
  }
  const uint64_t deadline = deadline_ns();
  while (socket_->send(bytes) != SendOutcome::kSent) TRY(wait(true, deadline, "took no request"));
  return request.id;
}

Result<ControlResponse> SocketClient::receive(uint64_t id, uint64_t deadline_ns) {
  for (;;) {
    int left = 1;
    const auto received = socket_->receive(left);
    if (received) {
      TRY_ASSIGN(ControlResponse response, decode_control_response(received->bytes));
      if (response.id == id || (response.id == 0 && response.error)) return response;
      // Of an earlier request that nobody waits for any more; or there is no end of them.
    }
    TRY(wait(false, deadline_ns, "didn't answer"));
  }
}

Result<schema::Value> SocketClient::call(const std::string& verb, schema::Value args, const std::string& request_id) {
  TRY_ASSIGN(const uint64_t id, send(verb, std::move(args), request_id));
  TRY_ASSIGN(ControlResponse response, receive(id, deadline_ns()));
  if (response.error) return *response.error;
  return std::move(response.result);
}

Result<void> SocketClient::stream(const std::string& verb, schema::Value args,
                                  const std::function<bool(schema::Value)>& each) {
  TRY_ASSIGN(const uint64_t id, send(verb, std::move(args), ""));
  socket_->take_at_most(kStreamedMax);
  for (bool more = true; more;) {
    TRY_ASSIGN(ControlResponse response, receive(id, kNever));
    if (response.error) return *response.error;
    more = response.more;
    if (!each(std::move(response.result))) break;
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<ControlClient>> ControlClient::connect(const Options& options) {
  auto client = std::make_unique<SocketClient>(options);
  TRY(client->open());
  return std::unique_ptr<ControlClient>(std::move(client));
}

}  // namespace theater::bus
