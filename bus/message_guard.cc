#include "bus/message_guard.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"

namespace theater::bus {
namespace {

constexpr uint64_t kSlack = 64 << 10;              // what libzmq reads ahead, and what encryption adds
constexpr uint64_t kHeartbeatBytesASecond = 1024;  // at most, by far

std::optional<uint64_t> cookie_of(int descriptor) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

// Bytes of the connection that libzmq has taken.
std::optional<uint64_t> read_from(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  int unread = 0;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (ioctl(descriptor, FIONREAD, &unread) != 0) return std::nullopt;
  return info.tcpi_bytes_received - std::min<uint64_t>(info.tcpi_bytes_received, static_cast<uint64_t>(unread));
}

// Of a message's part on the wire: CURVE's share, and the length before it.
uint64_t on_wire(size_t size) {
  const uint64_t sealed = size + 33;
  return sealed + (sealed > 255 ? 9 : 2);
}

std::string peer_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  char host[INET6_ADDRSTRLEN] = "";
  if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "somebody";
  if (storage.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
    return str_cat("[", host, "]:", ntohs(six.sin6_port));
  }
  const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
  return str_cat(host, ":", ntohs(four.sin_port));
}

}  // namespace

void MessageGuard::opened(int descriptor) {
  if (const auto cookie = cookie_of(descriptor)) connections_[descriptor] = {.cookie = *cookie};
}

void MessageGuard::came(int descriptor) {
  ++taken_;
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) found->second.heard = true;
}

void MessageGuard::took(int descriptor, size_t bytes) {
  const auto found = connections_.find(descriptor);
  if (found != connections_.end()) found->second.taken += on_wire(bytes);
}

std::vector<std::string> MessageGuard::look(uint64_t now_ns) {
  std::vector<std::string> shut;
  if (now_ns - looked_ns_ < kLookNs) return shut;
  looked_ns_ = now_ns;
  // libzmq serves connections in turn: by then each that had a whole message at the last look has been heard.
  const bool all_heard = !receives_ || emptied_ || taken_ >= connections_.size();
  for (auto at = connections_.begin(); at != connections_.end();) {
    const int descriptor = at->first;
    Connection& connection = at->second;
    const bool there = cookie_of(descriptor) == connection.cookie;
    const auto read = there ? read_from(descriptor) : std::nullopt;
    bool too_much = false;
    if (read) {
      // Handshakes and heartbeats are read and never taken: what was emptied begins anew.
      if (emptied_ || connection.taken > *read) connection.taken = *read;
      too_much = receives_ && *read - connection.taken > waiting_max_ + kSlack;
      if (all_heard) too_much = is_endless(*read, connection, now_ns) || too_much;
    }
    if (too_much) {
      shut.push_back(peer_of(descriptor));
      shutdown(descriptor, SHUT_RDWR);  // libzmq sees a connection that broke, and drops what it gathered
    }
    at = there && !too_much ? std::next(at) : connections_.erase(at);
  }
  if (all_heard) {
    taken_ = 0;
    emptied_ = false;
  }
  return shut;
}

// What was too much at one look may have become whole messages by then; at the next one these have been heard.
bool MessageGuard::is_endless(uint64_t read, Connection& connection, uint64_t now_ns) const {
  if (std::exchange(connection.heard, false)) {
    connection.read_before = read;
    connection.before_ns = now_ns;
    connection.suspect = false;
    return false;
  }
  const uint64_t heartbeats = (now_ns - connection.before_ns) / 1'000'000 * kHeartbeatBytesASecond / 1'000;
  const bool too_much = read - connection.read_before > 2 * message_max_ + kSlack + heartbeats;
  return std::exchange(connection.suspect, too_much) && too_much;
}

}  // namespace theater::bus
