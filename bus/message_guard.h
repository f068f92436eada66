// libzmq gathers all parts of a message before anybody sees the first of them, limits none but their size, and has a
// sender wait for nothing while it does. A peer that may come in could therefore fill this process's memory with one
// message that never ends. This shuts such a connection: the kernel knows how much was read from it, and if that is
// more than two messages may have since one came out of it, there is no other way to have read it.
//
// It also bounds what waits of whole messages. libzmq's own bound, a receive high-water mark, isn't used: a peer that
// fills its pipe up to there and then breaks the connection makes libzmq 4.3.4 abort the process
// (docs/formats/bus.md, "Sockets"). So whose messages wait beyond `waiting_max` bytes loses its connection.
//
// One socket's, on its thread. Costs a few system calls for each connection and look. Where the kernel doesn't say how
// much was read (what isn't TCP), nothing is shut.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace theater::bus {

class MessageGuard {
 public:
  static constexpr uint64_t kLookNs = 100'000'000;

  // `receives`: messages are taken out of the socket. Of one that only sends, none ever is.
  MessageGuard(size_t message_max, bool receives, uint64_t waiting_max)
      : message_max_(message_max), waiting_max_(waiting_max), receives_(receives) {}

  void opened(int descriptor);
  void came(int descriptor);                // a whole message
  void took(int descriptor, size_t bytes);  // a part of one
  void emptied() { emptied_ = true; }
  // At most every kLookNs. The addresses of the peers whose connections it shut, for the log.
  std::vector<std::string> look(uint64_t now_ns);

 private:
  struct Connection {
    uint64_t cookie = 0;  // the kernel's: a descriptor may be another connection's by now
    uint64_t read_before = 0, before_ns = 0;
    uint64_t taken = 0;  // of the bytes read from it, those that came out of the socket
    bool heard = true;   // since the last look, or new
    bool suspect = false;
  };
  bool is_endless(uint64_t read, Connection& connection, uint64_t now_ns) const;

  const size_t message_max_;
  const uint64_t waiting_max_;
  const bool receives_;
  std::unordered_map<int, Connection> connections_;  // by descriptor
  size_t taken_ = 0;                                 // messages since the last look
  bool emptied_ = false;
  uint64_t looked_ns_ = 0;
};

}  // namespace theater::bus
