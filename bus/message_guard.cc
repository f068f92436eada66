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

std::vector<std::string> MessageGuard::look(uint64_t now_ns) {
  std::vector<std::string> shut;
  if (now_ns - looked_ns_ < kLookNs) return shut;
  // libzmq serves connections in turn: by now each that had a whole message at the last look has been heard.
  if (receives_ && !emptied_ && taken_ < connections_.size()) return shut;
  looked_ns_ = now_ns;
  taken_ = 0;
  emptied_ = false;
  for (auto at = connections_.begin(); at != connections_.end();) {
    const int descriptor = at->first;
    const bool there = cookie_of(descriptor) == at->second.cookie;
    const bool endless = there && is_endless(descriptor, at->second, now_ns);
    if (endless) {
      shut.push_back(peer_of(descriptor));
      shutdown(descriptor, SHUT_RDWR);  // libzmq sees a connection that broke, and drops what it gathered
    }
    at = there && !endless ? std::next(at) : connections_.erase(at);
  }
  return shut;
}

// What was too much at one look may have become whole messages by then; at the next one these have been heard.
bool MessageGuard::is_endless(int descriptor, Connection& connection, uint64_t now_ns) const {
  const auto read = read_from(descriptor);
  if (!read) return false;
  if (std::exchange(connection.heard, false)) {
    connection.read_before = *read;
    connection.before_ns = now_ns;
    connection.suspect = false;
    return false;
  }
  const uint64_t heartbeats = (now_ns - connection.before_ns) / 1'000'000 * kHeartbeatBytesASecond / 1'000;
  const bool too_much = *read - connection.read_before > 2 * message_max_ + kSlack + heartbeats;
  return std::exchange(connection.suspect, too_much) && too_much;
}

}  // namespace theater::bus
