#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "bus/station.h"

namespace theater::bus {

namespace {

constexpr int kRequestsATurn = 64;
constexpr size_t kRequestBytesATurn = 256 << 10;  // some milliseconds; what is left waits for the next turn
constexpr size_t kLookingRequestMax = 16 << 10;   // of who isn't an operator
// What waits for one client, and for all that have its key.
constexpr size_t kPeerResponsesMax = 8192;
constexpr size_t kPeerBytesMax = 2 * kControlMessageMax;
constexpr size_t kKeyBytesMax = 2 * kPeerBytesMax;
constexpr int kBacklog = 64;

Error unix_error(const std::string& what, const std::string& path) {
  return Error{ErrorCode::kIo, str_cat(what, " ", path, ": ", errno_text(errno))};
}

// True if somebody listens there.
bool somebody_answers(const sockaddr_un& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;
  const bool answers =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
  ::close(probe);
  return answers;
}

// Held between looking whether somebody answers and listening, so that of two processes that start at once the second
// finds the first. Where the folder can't be locked it goes without.
class FolderLock {
 public:
  explicit FolderLock(const std::string& path) {
    const size_t slash = path.rfind('/');
    fd_ =
        open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd_ >= 0 && i < kLockAttempts && flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) usleep(10'000);
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  static constexpr int kLockAttempts = 100;  // one second; nobody of ours holds it for longer than a millisecond
  int fd_ = -1;
};

// A listening Unix socket that only its owner can use from the first moment on.
Result<int> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::kInvalid,
                 str_cat("the path of a Unix socket has 1 to ", sizeof address.sun_path - 1, " bytes: ", path)};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const FolderLock one_at_a_time(path);
  struct stat info{};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return Error{ErrorCode::kRefused, str_cat(path, " exists and is no socket; it stays as it is")};
    if (somebody_answers(address)) {
      return Error{ErrorCode::kRefused,
                   str_cat("another process already answers on ", path, "; stop it or choose another path")};
    }
    unlink(path.c_str());
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return unix_error("can't make a Unix socket for", path);
  // On Linux the socket file inherits the descriptor's mode.
  if (fchmod(listener, 0600) != 0 ||
      ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kBacklog) != 0) {
    const Error error = unix_error("can't listen on", path);
    ::close(listener);
    return error;
  }
  return listener;
}

}  // namespace

// Of a connection, or of a key, whatever it asks for: what waits.
struct ControlServer::Waiting {
  size_t responses = 0, bytes = 0;
};

// One request.
struct ControlServer::OutgoingClient {
  std::atomic<bool> gone{false};
  Bytes routing_id;
  std::optional<AuthorizedKey> asked_as;  // none over a Unix socket
  std::shared_ptr<Waiting> peer, key;
  Waiting own;
  std::function<void()> drained;
};

// What is to be sent, from any thread to the bus thread; and what waits, until the I/O thread takes it for the wire.
struct ControlServer::Outgoing {
  explicit Outgoing(std::function<void()> wake_bus) : wake(std::move(wake_bus)) {}

  std::mutex mutex;  // guards all of it, and what is counted
  const std::function<void()> wake;
  std::deque<std::shared_ptr<Item>> items;
  std::vector<std::function<void()>> drained;  // to be called
  bool closed = false;
  std::map<Bytes, std::weak_ptr<Waiting>> peers;    // by routing id
  std::map<CurveKey, std::weak_ptr<Waiting>> keys;  // zero: all of a Unix socket
};

// A response, which counts as long as it is there.
struct ControlServer::Item {
  // With the mutex held.
  Item(std::shared_ptr<Outgoing> to, std::shared_ptr<OutgoingClient> whose, Bytes encoded)
      : outgoing(std::move(to)), client(std::move(whose)), bytes(std::move(encoded)) {
    for (Waiting* waiting : {&client->own, client->peer.get(), client->key.get()}) {
      ++waiting->responses;
      waiting->bytes += bytes.size();
    }
  }
  // Without the mutex, on any thread.
  ~Item() {
    std::lock_guard lock(outgoing->mutex);
    for (Waiting* waiting : {&client->own, client->peer.get(), client->key.get()}) {
      --waiting->responses;
      waiting->bytes -= bytes.size();
    }
    if (outgoing->closed || client->gone || !client->drained || client->own.responses != 0) return;
    outgoing->drained.push_back(std::exchange(client->drained, nullptr));
    outgoing->wake();
  }
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const std::shared_ptr<Outgoing> outgoing;
  const std::shared_ptr<OutgoingClient> client;
  const Bytes bytes;
};

class ControlServer::SocketResponder final : public Responder {
 public:
  SocketResponder(std::shared_ptr<Outgoing> outgoing, std::shared_ptr<OutgoingClient> client, uint64_t id)
      : outgoing_(std::move(outgoing)), client_(std::move(client)), id_(id) {}

  void respond(ControlResponse response) override {
    response.id = id_;
    if (gone()) return;
    Bytes bytes = encode_control(response);
    if (bytes.size() > kControlMessageMax) {
      response.error =
          Error{ErrorCode::kRefused, str_cat("the answer has ", bytes.size(), " bytes, more than a control message's ",
                                             kControlMessageMax, "; ask for less")};
      response.more = false;
      bytes = encode_control(response);
    }
    std::lock_guard lock(outgoing_->mutex);
    if (outgoing_->closed) return;
    const Waiting& peer = *client_->peer;
    if (peer.responses >= kPeerResponsesMax || peer.bytes + bytes.size() > kPeerBytesMax ||
        client_->key->bytes + bytes.size() > kKeyBytesMax) {
      client_->gone = true;  // it doesn't read as fast as it asks
      return;
    }
    outgoing_->items.push_back(std::make_shared<Item>(outgoing_, client_, std::move(bytes)));
    if (outgoing_->items.size() == 1) outgoing_->wake();  // else the bus thread was woken already
  }
  bool gone() const override { return client_->gone; }
  Backlog backlog() const override {
    std::lock_guard lock(outgoing_->mutex);
    return {client_->own.responses, client_->own.bytes};
  }
  void when_drained(std::function<void()> drained) override {
    {
      std::lock_guard lock(outgoing_->mutex);
      if (client_->gone || outgoing_->closed) return;
      if (client_->own.responses != 0) {
        client_->drained = std::move(drained);
        return;
      }
    }
    drained();
  }

 private:
  const std::shared_ptr<Outgoing> outgoing_;
  const std::shared_ptr<OutgoingClient> client_;
  const uint64_t id_;
};

ControlServer::ControlServer(const Surroundings& around, ServeOptions options, ControlHandler& handler)
    : around_(around),
      options_(std::move(options)),
      handler_(handler),
      outgoing_(std::make_shared<Outgoing>(around.wake)) {}

ControlServer::~ControlServer() {
  std::deque<std::shared_ptr<Item>> never_sent;  // goes when the mutex is free again
  std::vector<std::function<void()>> never_called;
  {
    std::lock_guard lock(outgoing_->mutex);
    outgoing_->closed = true;
    for (auto& item : outgoing_->items) item->client->gone = true;
    never_sent.swap(outgoing_->items);
    never_called.swap(outgoing_->drained);
  }
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
}

Result<std::unique_ptr<ControlServer>> ControlServer::make(const Surroundings& around, const ServeOptions& options,
                                                           ControlHandler& handler, Gatekeeper& gatekeeper,
                                                           size_t index) {
  std::unique_ptr<ControlServer> server(new ControlServer(around, options, handler));
  const bool is_unix = options.endpoint.starts_with("unix:");
  SocketSecurity security;
  if (!is_unix) {
    if (!options.endpoint.starts_with("tcp://")) {
      return Error{ErrorCode::kInvalid, str_cat("`", options.endpoint, "` is neither unix:/PATH nor tcp://HOST:PORT")};
    }
    if (around.options.keys == nullptr) {
      return Error{ErrorCode::kInvalid,
                   str_cat("a control endpoint on ", options.endpoint, " needs a key file (`theater keys new`)")};
    }
    TRY_ASSIGN(KeyGate gate, KeyGate::open(options.authorized_keys_file,
                                           {Role::kOperator, Role::kReader, Role::kAuditor}, options.on_key));
    server->gate_ = std::make_unique<KeyGate>(std::move(gate));
    security.keys = around.options.keys;
    security.domain = str_cat("control-", index);
  }
  TRY_ASSIGN(ZmqSocket socket, ZmqSocket::make(around.context, SocketRole::kServe, security, kControlMessageMax));
  TRY_ASSIGN(ZmqSocket watch, socket.watch(around.context));
  server->watch_ = std::make_unique<ZmqSocket>(std::move(watch));
  server->socket_ = std::make_unique<ZmqSocket>(std::move(socket));
  if (is_unix) {
    TRY(server->open_unix(options.endpoint.substr(5)));
  } else {
    TRY(server->socket_->bind(options.endpoint));
    gatekeeper.add_gate(security.domain, server->gate_.get());
  }
  return server;
}

Result<void> ControlServer::open_unix(const std::string& path) {
  TRY_ASSIGN(const int listener, listen_unix(path));
  unix_path_ = path;
  return socket_->bind_listening(path, listener);  // ZeroMQ closes it
}

void ControlServer::add_poll_items(std::vector<PollItem>& items) const {
  items.push_back({watch_.get()});
  items.push_back({socket_.get()});
}

void ControlServer::turn(const Now& now) {
  if (gate_ != nullptr) gate_->refresh(now, around_);
  while (const auto watched = watch_->next_watched()) {
    if (gate_ == nullptr)
      continue;  // a Unix socket has no keys: that was a client that looked whether somebody listens
    if (watched->event == WatchEvent::kHandshakeFailed && slow_log_.due("handshake", now.monotonic_ns)) {
      around_.log(str_cat("a handshake failed at the control endpoint ", options_.endpoint,
                          ": somebody connects who has another public key for this process"));
    }
  }
  take_requests(now);
  send_responses();
  shut_endless(*socket_, options_.endpoint, around_, slow_log_, now);
}

void ControlServer::take_requests(const Now&) {
  size_t bytes = 0;
  int left = kRequestsATurn;
  while (bytes < kRequestBytesATurn) {
    auto received = socket_->receive(left);
    if (!received) return;
    ControlPeer peer;
    auto client = std::make_shared<OutgoingClient>();
    if (gate_ == nullptr) {
      peer = {{}, "local", true, {Role::kOperator, Role::kReader}};
    } else {
      const AuthorizedKey* key = received->user ? gate_->admit(*received->user) : nullptr;
      if (key == nullptr) continue;  // revoked since it connected
      peer = {key->keys.identity, key->name, false, key->roles};
      client->asked_as = *key;
    }
    client->routing_id = std::move(received->routing_id);
    count_for(*client, received->user.value_or(CurveKey{}));
    const size_t size_max = peer.may(Role::kOperator) ? kControlMessageMax : kLookingRequestMax;
    if (received->bytes.size() > size_max) {  // and isn't read: that takes this thread's time
      SocketResponder(outgoing_, std::move(client), 0)
          .respond({0, false,
                    Error{ErrorCode::kRefused, str_cat("the request has ", received->bytes.size(),
                                                       " bytes; of who isn't an operator, one has at most ", size_max)},
                    schema::Value::record({})});
      continue;
    }
    bytes += received->bytes.size();
    auto request = decode_control_request(received->bytes);
    auto responder = std::make_shared<SocketResponder>(outgoing_, std::move(client), request.ok() ? request->id : 0);
    if (request.ok()) {
      handler_.handle(peer, std::move(*request), std::move(responder));
    } else {
      responder->respond({0, false, request.error(), schema::Value::record({})});
    }
  }
}

void ControlServer::count_for(OutgoingClient& client, const CurveKey& key) {
  constexpr size_t kSweepAbove = 64;
  const auto find_or_make = [](auto& all, const auto& whose) {
    if (all.size() > kSweepAbove) std::erase_if(all, [](const auto& each) { return each.second.expired(); });
    auto& known = all[whose];
    auto waiting = known.lock();
    if (waiting == nullptr) known = waiting = std::make_shared<Waiting>();
    return waiting;
  };
  std::lock_guard lock(outgoing_->mutex);
  client.peer = find_or_make(outgoing_->peers, client.routing_id);
  client.key = find_or_make(outgoing_->keys, key);
}

// A key that was taken out, or has lost a role, gets no more of what it asked for before.
bool ControlServer::may_hear(const OutgoingClient& client) const {
  if (!client.asked_as) return true;
  const AuthorizedKey* key = gate_->admit(client.asked_as->keys.curve);
  return key != nullptr && std::ranges::all_of(client.asked_as->roles, [key](Role role) {
           return std::ranges::find(key->roles, role) != key->roles.end();
         });
}

void ControlServer::send_responses() {
  std::deque<std::shared_ptr<Item>> items;
  std::vector<std::function<void()>> drained;
  {
    std::lock_guard lock(outgoing_->mutex);
    items.swap(outgoing_->items);
    drained.swap(outgoing_->drained);
  }
  for (const auto& item : items) {
    OutgoingClient& client = *item->client;
    if (!may_hear(client)) client.gone = true;
    if (client.gone) continue;
    // libzmq holds the item until it is on the wire, and so does the count.
    if (socket_->send_shared_to(client.routing_id, {item, &item->bytes}) != SendOutcome::kSent) client.gone = true;
  }
  for (const auto& call : drained) call();
}

}  // namespace theater::bus
