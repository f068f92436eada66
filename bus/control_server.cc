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
#include <set>

#include "bus/station.h"

namespace theater::bus {

namespace {

constexpr int kRequestsATurn = 64;
// What waits for one client, and for all of them.
constexpr size_t kPeerResponsesMax = 8192;
constexpr size_t kPeerBytesMax = 2 * kControlMessageMax;
constexpr size_t kOutgoingBytesMax = 4 * kPeerBytesMax;
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

// A connection, whatever it asks for.
struct ControlServer::OutgoingPeer {
  size_t responses = 0, bytes = 0;  // that wait
};

// One request.
struct ControlServer::OutgoingClient {
  std::atomic<bool> gone{false};
  Bytes routing_id;
  std::optional<AuthorizedKey> asked_as;  // none over a Unix socket
  std::shared_ptr<OutgoingPeer> peer;
  Responder::Backlog backlog;
  std::function<void()> drained;
};

// What is to be sent, from any thread to the bus thread.
struct ControlServer::Outgoing {
  struct Item {
    std::shared_ptr<OutgoingClient> client;
    Bytes bytes;
  };

  void add(Item item) {
    account(item, 1);
    items.push_back(std::move(item));
  }
  // It doesn't wait any more. Returns what is to be called without the lock.
  std::function<void()> remove(const Item& item) {
    account(item, -1);
    if (item.client->backlog.responses != 0 || item.client->gone) return nullptr;
    return std::exchange(item.client->drained, nullptr);
  }

  std::mutex mutex;  // guards all of it, and what peers and clients count
  std::deque<Item> items;
  size_t bytes = 0;
  bool closed = false;
  std::map<Bytes, std::weak_ptr<OutgoingPeer>> peers;  // by routing id

 private:
  void account(const Item& item, int sign) {
    const size_t size = item.bytes.size();
    for (auto* sum : {&bytes, &item.client->peer->bytes, &item.client->backlog.bytes}) {
      *sum = sign > 0 ? *sum + size : *sum - size;
    }
    item.client->peer->responses += static_cast<size_t>(sign);
    item.client->backlog.responses += static_cast<size_t>(sign);
  }
};

class ControlServer::SocketResponder final : public Responder {
 public:
  SocketResponder(std::shared_ptr<Outgoing> outgoing, std::shared_ptr<OutgoingClient> client, uint64_t id,
                  std::function<void()> wake)
      : outgoing_(std::move(outgoing)), client_(std::move(client)), id_(id), wake_(std::move(wake)) {}

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
    {
      std::lock_guard lock(outgoing_->mutex);
      if (outgoing_->closed) return;
      const auto& peer = *client_->peer;
      if (peer.responses >= kPeerResponsesMax || peer.bytes + bytes.size() > kPeerBytesMax ||
          outgoing_->bytes + bytes.size() > kOutgoingBytesMax) {
        client_->gone = true;  // it doesn't read as fast as it asks
        return;
      }
      outgoing_->add({client_, std::move(bytes)});
      if (outgoing_->items.size() > 1) return;  // the bus thread was woken already
      wake_();
    }
  }
  bool gone() const override { return client_->gone; }
  Backlog backlog() const override {
    std::lock_guard lock(outgoing_->mutex);
    return client_->backlog;
  }
  void when_drained(std::function<void()> drained) override {
    {
      std::lock_guard lock(outgoing_->mutex);
      if (client_->gone || outgoing_->closed) return;
      if (client_->backlog.responses != 0) {
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
  const std::function<void()> wake_;
};

ControlServer::ControlServer(const Surroundings& around, ServeOptions options, ControlHandler& handler)
    : around_(around), options_(std::move(options)), handler_(handler), outgoing_(std::make_shared<Outgoing>()) {}

ControlServer::~ControlServer() {
  {
    std::lock_guard lock(outgoing_->mutex);
    outgoing_->closed = true;
    for (auto& item : outgoing_->items) {
      item.client->gone = true;
      item.client->drained = nullptr;
    }
    outgoing_->items.clear();
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
  TRY_ASSIGN(ZmqSocket socket, ZmqSocket::make(around.context, SocketRole::kAnswer, security, kControlMessageMax));
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
  for (int i = 0; i < kRequestsATurn; ++i) {
    auto received = socket_->receive();
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
    client->peer = peer_of(client->routing_id);
    auto request = decode_control_request(received->bytes);
    auto responder =
        std::make_shared<SocketResponder>(outgoing_, std::move(client), request.ok() ? request->id : 0, around_.wake);
    if (request.ok()) {
      handler_.handle(peer, std::move(*request), std::move(responder));
    } else {
      responder->respond({0, false, request.error(), schema::Value::record({})});
    }
  }
}

std::shared_ptr<ControlServer::OutgoingPeer> ControlServer::peer_of(const Bytes& routing_id) {
  constexpr size_t kSweepAbove = 64;
  std::lock_guard lock(outgoing_->mutex);
  auto& peers = outgoing_->peers;
  if (peers.size() > kSweepAbove) std::erase_if(peers, [](const auto& each) { return each.second.expired(); });
  auto& known = peers[routing_id];
  auto peer = known.lock();
  if (peer == nullptr) known = peer = std::make_shared<OutgoingPeer>();
  return peer;
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
  std::deque<Outgoing::Item> items;
  {
    std::lock_guard lock(outgoing_->mutex);
    items.swap(outgoing_->items);
  }
  std::deque<Outgoing::Item> blocked, done;
  std::set<const OutgoingClient*> waiting;
  for (auto& item : items) {
    if (waiting.contains(item.client.get())) {  // in order
      blocked.push_back(std::move(item));
      continue;
    }
    if (!may_hear(*item.client)) item.client->gone = true;
    const SendOutcome outcome =
        item.client->gone ? SendOutcome::kGone : socket_->send_to(item.client->routing_id, item.bytes);
    if (outcome == SendOutcome::kGone) item.client->gone = true;
    if (outcome == SendOutcome::kFull) {
      waiting.insert(item.client.get());
      blocked.push_back(std::move(item));
    } else {
      done.push_back(std::move(item));
    }
  }
  std::vector<std::function<void()>> drained;
  {
    std::lock_guard lock(outgoing_->mutex);
    for (const auto& item : done) {
      if (auto call = outgoing_->remove(item)) drained.push_back(std::move(call));
    }
    for (auto at = blocked.rbegin(); at != blocked.rend(); ++at) outgoing_->items.push_front(std::move(*at));
  }
  for (const auto& call : drained) call();
}

uint64_t ControlServer::wait_ns(const Now&) const {
  std::lock_guard lock(outgoing_->mutex);
  return outgoing_->items.empty() ? kIdleWaitNs : 10'000'000;
}

}  // namespace theater::bus
