#include "bus/station.h"

namespace theater::bus {

namespace {
constexpr int kFramesATurn = 128;
constexpr int kMessagesATurn = 256;
}  // namespace

Result<std::unique_ptr<Door>> Door::make(const Surroundings& around, const ListenOptions& options, InboundSink sink,
                                         Gatekeeper& gatekeeper, size_t index) {
  std::unique_ptr<Door> door(new Door(around, options, std::move(sink), index));
  const bool local = options.data_endpoint.starts_with("inproc://");
  if (local != options.control_endpoint.starts_with("inproc://")) {
    return Error{ErrorCode::kInvalid, "one endpoint of the auditor is inside the process and the other isn't"};
  }
  SocketSecurity security;
  if (!local) {
    if (around.options.keys == nullptr) {
      return Error{ErrorCode::kInvalid,
                   str_cat("listening on ", options.data_endpoint, " needs a key file (`theater keys new`)")};
    }
    TRY_ASSIGN(KeyGate gate, KeyGate::open(options.authorized_keys_file, {Role::kNode}));
    door->gate_ = std::make_unique<KeyGate>(std::move(gate));
    security.keys = around.options.keys;
    security.domain = str_cat("door-", index);
  }
  TRY_ASSIGN(ZmqSocket data,
             ZmqSocket::make(around.context, SocketRole::kDataIn, security, kFrameHeaderSize + kFrameBodyMax));
  TRY_ASSIGN(ZmqSocket talk, ZmqSocket::make(around.context, SocketRole::kAnswer, security, kLinkMessageMax));
  TRY_ASSIGN(ZmqSocket talk_watch, talk.watch(around.context));
  TRY_ASSIGN(ZmqSocket data_watch, data.watch(around.context));
  TRY(data.bind(options.data_endpoint));
  TRY(talk.bind(options.control_endpoint));
  if (!local) gatekeeper.add_gate(security.domain, door->gate_.get());
  door->sockets_.reset(new Sockets{std::move(talk_watch), std::move(data_watch), std::move(data), std::move(talk)});
  return door;
}

void Door::add_poll_items(std::vector<PollItem>& items) const {
  items.push_back({&sockets_->talk_watch});
  items.push_back({&sockets_->data_watch});
  items.push_back({&sockets_->talk});
  items.push_back({&sockets_->data});
}

void Door::turn(const Now& now) {
  if (gate_ != nullptr) gate_->refresh(now, around_);
  listen(sockets_->talk_watch, sockets_->talk, options_.control_endpoint, now);
  listen(sockets_->data_watch, sockets_->data, options_.data_endpoint, now);
  // Frames first: a HELLO that came after them must find them taken.
  take(sockets_->data, true, kFramesATurn, now);
  take(sockets_->talk, false, kMessagesATurn, now);
}

void Door::listen(ZmqSocket& watch, ZmqSocket& socket, const std::string& endpoint, const Now& now) {
  for (int i = 0; i < kMessagesATurn; ++i) {
    const auto watched = watch.next_watched();
    if (!watched) break;
    if (watched->event == WatchEvent::kHandshakeFailed && slow_log_.due("handshake", now.monotonic_ns)) {
      around_.log(str_cat("a handshake failed at ", endpoint,
                          ": somebody connects who has another public key for this auditor, or isn't a node"));
    }
  }
  shut_endless(socket, endpoint, around_, slow_log_, now);
}

void Door::take(ZmqSocket& socket, bool is_frame, int at_most, const Now& now) {
  while (auto received = socket.receive(at_most)) {
    Inbound inbound;
    inbound.peer = own_process_;
    if (gate_ != nullptr) {
      // Asked for each message: a key that was taken out of the file stops at once, not at its next connection.
      const AuthorizedKey* key = received->user ? gate_->admit(*received->user) : nullptr;
      if (key == nullptr) {
        if (slow_log_.due("revoked", now.monotonic_ns)) {
          around_.log(str_cat("dropped messages from a key that is no longer in ", options_.authorized_keys_file));
        }
        continue;
      }
      inbound.peer = *received->user;
      inbound.identity = key->keys.identity;
    }
    if (!is_frame) routes_[inbound.peer] = received->routing_id;
    inbound.is_frame = is_frame;
    inbound.bytes = received->bytes;
    inbound.owner = std::move(received->owner);
    if (!sink_(std::move(inbound))) {
      ++dropped_;
      if (slow_log_.due("full", now.monotonic_ns)) {
        around_.log(str_cat("the intake is full: ", dropped_, " messages were dropped so far; they come again"));
      }
    }
  }
}

bool Door::reply(const CurveKey& peer, const Bytes& message) {
  const auto route = routes_.find(peer);
  if (route == routes_.end()) return false;
  if (sockets_->talk.send_to(route->second, message) == SendOutcome::kGone) routes_.erase(route);
  return true;
}

}  // namespace theater::bus
