#include <algorithm>

#include "bus/station.h"

namespace theater::bus {

namespace {
constexpr int kFramesATurn = 32;
constexpr int kMessagesATurn = 64;
constexpr uint64_t kBlockedWaitNs = 50'000'000;

bool is_local(const std::string& endpoint) { return endpoint.starts_with("inproc://"); }

Result<void> check(const DialOptions& options, const LoopOptions& loop) {
  const auto bad = [&](const std::string& what) {
    return Error{ErrorCode::kInvalid, str_cat("auditor ", options.name, ": ", what)};
  };
  const bool local = is_local(options.data_endpoint);
  for (const std::string& endpoint : {options.data_endpoint, options.control_endpoint}) {
    if (!endpoint.starts_with("inproc://") && !endpoint.starts_with("tcp://")) {
      return bad(str_cat("`", endpoint, "` isn't tcp://HOST:PORT"));
    }
    if (is_local(endpoint) != local) return bad("one endpoint is inside the process and the other isn't");
  }
  if (!local && !options.server) return bad("its public key is missing (`theater keys show` on the auditor prints it)");
  if (!local && loop.keys == nullptr) return bad("this node has no key file, and tcp needs one (`theater keys new`)");
  if (options.window_bytes < Outbox::kWindowMin)
    return bad(str_cat("the window is less than ", Outbox::kWindowMin, " bytes"));
  return Ok{};
}

}  // namespace

DialedLink::DialedLink(const Surroundings& around, DialOptions options, std::shared_ptr<Window> window,
                       Sender::Options sender)
    : around_(around), options_(std::move(options)), window_(std::move(window)), sender_(std::move(sender), *window_) {}

Result<std::unique_ptr<DialedLink>> DialedLink::make(const Surroundings& around, const DialOptions& options) {
  TRY(check(options, around.options));
  auto window = std::make_shared<Window>(Window::Options{options.name, options.window_bytes, 64 * 1024, around.wake});
  Sender::Options sender;
  sender.auditor = options.name;
  sender.endpoint = options.control_endpoint;
  sender.identity = around.options.identity;
  sender.signer = around.options.signer;
  if (options.server) sender.auditor_key = options.server->identity;
  sender.kept = options.kept_receipt;
  sender.name = around.options.name;
  sender.log = [&around](const std::string& line) { around.log(line); };
  around.options.random->fill(sender.stream);
  std::unique_ptr<DialedLink> link(new DialedLink(around, options, std::move(window), std::move(sender)));
  TRY_ASSIGN(link->sockets_, open(around, options));
  return link;
}

Result<std::unique_ptr<DialedLink::Sockets>> DialedLink::open(const Surroundings& around, const DialOptions& options) {
  SocketSecurity security;
  if (!is_local(options.data_endpoint)) {
    security.keys = around.options.keys;
    security.server = options.server->curve;
  }
  TRY_ASSIGN(ZmqSocket data, ZmqSocket::make(around.context, SocketRole::kDataOut, security, kLinkMessageMax));
  TRY_ASSIGN(ZmqSocket talk, ZmqSocket::make(around.context, SocketRole::kTalk, security, kLinkFetchedMax));
  TRY_ASSIGN(ZmqSocket talk_watch, talk.watch(around.context));
  TRY_ASSIGN(ZmqSocket data_watch, data.watch(around.context));
  TRY(data.connect(options.data_endpoint));
  TRY(talk.connect(options.control_endpoint));
  return std::unique_ptr<Sockets>(
      new Sockets{std::move(talk_watch), std::move(data_watch), std::move(data), std::move(talk)});
}

void DialedLink::add_poll_items(std::vector<PollItem>& items) const {
  if (sockets_ == nullptr) return;
  items.push_back({&sockets_->talk_watch});
  items.push_back({&sockets_->talk, -1, talk_blocked_});
  if (data_blocked_) items.push_back({&sockets_->data, -1, true});
}

void DialedLink::turn(const Now& now) {
  window_->woken();
  if (sockets_ != nullptr) listen_to_auditor(now);
  sender_.tick(now.monotonic_ns);
  if (sender_.take_reopen() || sockets_ == nullptr) {
    sockets_.reset();
    auto reopened = open(around_, options_);
    if (!reopened.ok()) {
      window_->set_error(reopened.error().message);
      return;
    }
    sockets_ = std::move(*reopened);
  }
  speak();
  push_frames(now);
  for (const Waker& waker : window_->take_wakers()) waker();
}

void DialedLink::listen_to_auditor(const Now& now) {
  for (int i = 0; i < kMessagesATurn; ++i) {
    const auto watched = sockets_->talk_watch.next_watched();
    if (!watched) break;
    switch (watched->event) {
      case WatchEvent::kDisconnected: sender_.on_disconnected(now.monotonic_ns); break;
      case WatchEvent::kRefusedKey:
        sender_.on_handshake_failed(
            "it refused this node's key: its authorized-keys file must name it with the role node", now.monotonic_ns);
        break;
      case WatchEvent::kHandshakeFailed:
        sender_.on_handshake_failed(
            "the handshake failed: it is stopped or very busy, or the public key configured for it is not its own",
            now.monotonic_ns);
        break;
      case WatchEvent::kConnected:
      case WatchEvent::kAttemptFailed: break;  // not asked for: the sender notices by the answers to its HELLO
    }
  }
  int left = kMessagesATurn;
  while (const auto received = sockets_->talk.receive(left)) {
    sender_.on_control(received->bytes, now.monotonic_ns);
  }
  while (sockets_->data_watch.next_watched()) {
  }
  shut_endless(sockets_->talk, options_.control_endpoint, around_, slow_log_, now);
  shut_endless(sockets_->data, options_.data_endpoint, around_, slow_log_, now);
}

void DialedLink::speak() {
  talk_blocked_ = false;
  while (const Bytes* message = sender_.next_control()) {
    if (sockets_->talk.send(*message) != SendOutcome::kSent) {
      talk_blocked_ = true;
      return;
    }
    sender_.control_sent();
  }
}

void DialedLink::push_frames(const Now& now) {
  data_blocked_ = false;
  more_to_do_ = false;
  for (int i = 0; i < kFramesATurn; ++i) {
    const SentFrame* frame = sender_.next_frame(now.monotonic_ns, now.wall_ns);
    if (frame == nullptr) return;
    if (sockets_->data.send_shared(frame->bytes) != SendOutcome::kSent) {
      data_blocked_ = true;
      return;
    }
    sender_.frame_sent(now.monotonic_ns);
  }
  more_to_do_ = true;
}

uint64_t DialedLink::wait_ns(const Now& now) const {
  if (more_to_do_) return 0;
  const uint64_t wait = sender_.wait_ns(now.monotonic_ns);
  return talk_blocked_ || data_blocked_ ? std::min(wait, kBlockedWaitNs) : wait;
}

}  // namespace theater::bus
