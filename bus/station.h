// The bus thread's work, in pieces: a link that was dialed, an auditor's door, a control endpoint, the gatekeeper. Each
// owns its sockets; the loop (bus/loop.cc) polls all of them and then gives each a turn. Everything here runs on the
// bus thread and nothing in it blocks.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "bus/loop.h"
#include "bus/sender.h"
#include "bus/zmq_socket.h"

namespace theater::bus {

struct Now {
  uint64_t monotonic_ns = 0, wall_ns = 0;
};

class Station {
 public:
  virtual ~Station() = default;
  virtual void add_poll_items(std::vector<PollItem>& items) const = 0;
  virtual void turn(const Now& now) = 0;
  virtual uint64_t wait_ns(const Now&) const { return kIdleWaitNs; }

  static constexpr uint64_t kIdleWaitNs = MessageGuard::kLookNs;
};

// What all stations use. Lives as long as the loop.
struct Surroundings {
  ZmqContext& context;
  const LoopOptions& options;
  std::function<void()> wake;  // any thread: the loop takes another turn
  void log(const std::string& line) const {
    if (options.log) options.log(line);
  }
};

// Logs at most one line of a kind in a while, so that a stranger who tries keys all day doesn't fill the disk. What a
// kind is isn't the stranger's to say.
class SlowLog {
 public:
  bool due(const std::string& kind, uint64_t now_ns);

 private:
  std::map<std::string, uint64_t> last_ns_;  // bounded: forgotten when it grows
};

// Shuts connections that send a message without end (bus/message_guard.h), and says so.
void shut_endless(ZmqSocket& socket, const std::string& endpoint, const Surroundings& around, SlowLog& slow_log,
                  const Now& now);

// The keys that may come in by one door, read again when their file changes.
class KeyGate {
 public:
  static Result<KeyGate> open(const std::string& path, std::vector<Role> roles, KeyNews on_key = {});
  // Checks the file at most once a second. A file that can't be read any more keeps the keys as they were.
  void refresh(const Now& now, const Surroundings& around);
  // The key if it has one of the roles.
  const AuthorizedKey* admit(const CurveKey& curve) const;
  const std::string& path() const { return path_; }

 private:
  void tell(const AuthorizedKeys& before, const AuthorizedKeys& now) const;
  bool fits(const AuthorizedKey& key) const;

  // What changes when the file does, or another takes its place.
  struct FileState {
    int64_t modified_ns = 0, changed_ns = 0;
    uint64_t inode = 0, size = 0;
    bool operator==(const FileState&) const = default;
  };
  static FileState state_of(const std::string& path);

  std::string path_;
  std::vector<Role> roles_;
  KeyNews on_key_;
  AuthorizedKeys keys_;
  uint64_t checked_ns_ = 0;
  FileState read_at_;
};

// Decides for every CURVE server of the process (ZeroMQ's ZAP) who may come in: one gate for each domain; no gate,
// nobody.
class Gatekeeper final : public Station {
 public:
  static Result<std::unique_ptr<Gatekeeper>> make(const Surroundings& around);
  void add_gate(const std::string& domain, KeyGate* gate) { gates_[domain] = gate; }

  void add_poll_items(std::vector<PollItem>& items) const override { items.push_back({&socket_}); }
  void turn(const Now& now) override;

 private:
  Gatekeeper(const Surroundings& around, ZmqSocket socket) : around_(around), socket_(std::move(socket)) {}
  std::vector<Bytes> decide(const std::vector<Bytes>& request, const Now& now);

  const Surroundings& around_;
  ZmqSocket socket_;
  std::map<std::string, KeyGate*> gates_;
  SlowLog slow_log_;
};

// A node's end of one link: the sockets around a Sender.
class DialedLink final : public Station {
 public:
  ~DialedLink() override {
    window_->fetches().end_all("this node is stopping");
    window_->discard();  // whoever waits holds what holds the window
  }
  static Result<std::unique_ptr<DialedLink>> make(const Surroundings& around, const DialOptions& options);
  std::shared_ptr<Outbox> outbox() const { return window_; }
  void begin_stop() { sender_.begin_stop(); }
  void close() { window_->close(); }
  void discard() { window_->discard(); }
  bool finished() const { return sender_.finished(); }
  bool all_durable() const { return sender_.all_durable(); }

  void add_poll_items(std::vector<PollItem>& items) const override;
  void turn(const Now& now) override;
  uint64_t wait_ns(const Now& now) const override;

 private:
  struct Sockets {
    ZmqSocket talk_watch, data_watch, data, talk;  // the watchers are closed last
  };
  DialedLink(const Surroundings& around, DialOptions options, std::shared_ptr<Window> window, Sender::Options sender);
  static Result<std::unique_ptr<Sockets>> open(const Surroundings& around, const DialOptions& options);
  void listen_to_auditor(const Now& now);
  void speak();
  void push_frames(const Now& now);

  const Surroundings& around_;
  const DialOptions options_;
  const std::shared_ptr<Window> window_;
  Sender sender_;
  std::unique_ptr<Sockets> sockets_;
  bool data_blocked_ = false, talk_blocked_ = false;
  bool more_to_do_ = false;
  SlowLog slow_log_;
};

// An auditor's end: takes frames and control messages from all nodes.
class Door final : public Station {
 public:
  static Result<std::unique_ptr<Door>> make(const Surroundings& around, const ListenOptions& options, InboundSink sink,
                                            Gatekeeper& gatekeeper, size_t index);
  // True if the peer has talked to this door.
  bool reply(const CurveKey& peer, const Bytes& message);

  void add_poll_items(std::vector<PollItem>& items) const override;
  void turn(const Now& now) override;

 private:
  struct Sockets {
    ZmqSocket talk_watch, data_watch, data, talk;
  };
  Door(const Surroundings& around, ListenOptions options, InboundSink sink, size_t index)
      : around_(around), options_(std::move(options)), sink_(std::move(sink)) {
    own_process_.bytes[31] = static_cast<uint8_t>(index);
  }
  void listen(ZmqSocket& watch, ZmqSocket& socket, const std::string& endpoint, const Now& now);
  void take(ZmqSocket& socket, bool is_frame, int at_most, const Now& now);

  const Surroundings& around_;
  const ListenOptions options_;
  const InboundSink sink_;
  std::unique_ptr<KeyGate> gate_;  // null inside one process
  std::unique_ptr<Sockets> sockets_;
  CurveKey own_process_;  // stands for the peer where there are no keys
  std::map<CurveKey, Bytes> routes_;
  uint64_t dropped_ = 0;
  SlowLog slow_log_;
};

// A control endpoint.
class ControlServer final : public Station {
 public:
  static Result<std::unique_ptr<ControlServer>> make(const Surroundings& around, const ServeOptions& options,
                                                     ControlHandler& handler, Gatekeeper& gatekeeper, size_t index);
  ~ControlServer() override;

  void add_poll_items(std::vector<PollItem>& items) const override;
  void turn(const Now& now) override;

 private:
  struct Outgoing;
  struct Waiting;
  struct OutgoingClient;
  struct Item;
  class SocketResponder;
  ControlServer(const Surroundings& around, ServeOptions options, ControlHandler& handler);
  Result<void> open_unix(const std::string& path);
  void take_requests(const Now& now);
  void send_responses();
  bool may_hear(const OutgoingClient& client) const;
  void count_for(OutgoingClient& client, const CurveKey& key);

  const Surroundings& around_;
  const ServeOptions options_;
  ControlHandler& handler_;
  std::unique_ptr<KeyGate> gate_;
  std::unique_ptr<ZmqSocket> watch_, socket_;
  std::string unix_path_;
  const std::shared_ptr<Outgoing> outgoing_;
  SlowLog slow_log_;
};

}  // namespace theater::bus
