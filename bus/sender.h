// The node's end of a link: says HELLO, seals what the Window collected into numbered, hash-linked frames, keeps them
// until the auditor says they are durable, and sends them again when they got lost.
//
// A state machine with no socket, clock or thread: the bus thread (or a simulation) passes in time and messages and
// takes out what is to be sent. docs/formats/bus.md tells the protocol.
//
//   tick(now)              timers; then
//   next_control()/control_sent(), next_frame()/frame_sent(): until they return nothing, or the transport takes no more
//   on_control(bytes)      something came from the auditor
//   take_reopen()          true: close both sockets and connect anew
//   wait_ns(now)           how long nothing needs to be done if nothing comes
//
// Signing: with a signer, a frame at least every tip_bytes or tip_ns carries the node's signature under all frames
// before it. When nothing is left to send, a checkpoint carries the last one; another follows every checkpoint_ns, so
// that an auditor sees that nothing was cut off. The bytes of tips are the stream's and not the window's.
//
// Going back: frames are sent in order from a cursor. NACK and WELCOME set it to what the auditor expects; nothing is
// ever skipped. Between two times of going back nothing is sent again for go_back_pause_ns, however often it is asked
// for. A WELCOME that contradicts what this node sent (a store that lost data, or another's) stops the link: actors
// that are strict about it wait, status().last_error says what to do, and it asks again every 30 s.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/line_limit.h"
#include "bus/messages.h"
#include "bus/receipts.h"
#include "bus/window.h"

namespace theater::bus {

struct SentFrame {
  uint64_t sequence = 0;
  uint64_t end_bytes = 0;    // body bytes of the stream up to and with this frame
  uint64_t end_content = 0;  // the same without tips: the window's measure
  uint64_t events = 0;
  Hash link_hash;
  std::shared_ptr<const Bytes> bytes;
};

class Sender {
 public:
  struct Options {
    std::string auditor;  // its name and where it is, for messages
    std::string endpoint;
    PublicKey identity;
    const SigningKey* signer = nullptr;  // of that identity; none: nothing is signed
    PublicKey auditor_key;               // what receipts are checked with; zero: none are taken
    std::optional<KeptReceipt> kept;     // from an earlier process of this node
    std::string name;                    // the node's
    StreamId stream{};
    std::function<void(const std::string&)> log;
    uint64_t hello_again_ns = 500'000'000;  // while no WELCOME comes
    uint64_t stalled_ns = 250'000'000;      // frames in flight and no ACK
    uint64_t silent_ns = 2'000'000'000;     // nothing heard: ask
    uint64_t lost_ns = 6'000'000'000;       // nothing heard: connect anew
    uint64_t refused_ns = 2'000'000'000;    // refused: ask again
    uint64_t refused_final_ns = 30'000'000'000;
    uint64_t partial_ns = 1'000'000;         // a body that isn't full waits this long while others are in flight
    uint64_t go_back_pause_ns = 10'000'000;  // an auditor can't make a node send again and again without end
    uint64_t receipt_pause_ns = 5'000'000;   // nor check signatures without end
    uint64_t tip_bytes = 1u << 20;
    uint64_t tip_ns = 100'000'000;
    uint64_t checkpoint_ns = 30'000'000'000;
  };
  Sender(Options options, Window& window);

  void tick(uint64_t now_ns);
  void on_control(BytesView bytes, uint64_t now_ns);
  // The transport learned that the auditor (or we) refused the other's key.
  void on_handshake_failed(const std::string& why, uint64_t now_ns);
  void on_disconnected(uint64_t now_ns);

  const Bytes* next_control() const;
  void control_sent();
  const SentFrame* next_frame(uint64_t now_ns, uint64_t wall_ns);
  void frame_sent(uint64_t now_ns);

  bool take_reopen();
  uint64_t wait_ns(uint64_t now_ns) const;

  // Sends partial bodies at once from now on, and GOODBYE when everything is durable.
  void begin_stop();
  bool all_durable() const { return frames_.empty() && window_.empty(); }
  bool finished() const { return stopping_ && said_goodbye_ && control_.empty(); }

 private:
  enum class State : uint8_t { kGreeting, kOpen, kRefused };

  void say_hello(uint64_t now_ns);
  void push_control(LinkMessage message);
  void on_welcome(const Welcome& welcome, uint64_t now_ns);
  void on_ack(const StreamMark& durable, uint64_t credit_bytes, uint64_t credit_frames, uint64_t now_ns);
  void on_nack(uint64_t expected, uint64_t now_ns);
  void on_refuse(const Refuse& refuse, uint64_t now_ns);
  void go_back(uint64_t expected, uint64_t now_ns);
  void on_receipt(Receipt receipt, BytesView bytes);
  void check_receipt_if_due(uint64_t now_ns);
  // Whether it went back behind what it signed before this node was started; empty if not.
  std::string went_back(const Welcome& welcome) const;
  // What contradicts this node's stream in the auditor's mark; empty if nothing does.
  std::string contradiction(const StreamMark& mark) const;
  void stop_link(const std::string& reason, uint64_t now_ns);
  void lose(const std::string& why, uint64_t now_ns);
  void complain_if_waited_for(uint64_t now_ns);
  void say(const std::string& line, uint64_t now_ns);  // what the auditor may bring about
  bool may_seal() const { return cursor_ > sealed_.sequence && sealed_.sequence < credit_frames_; }
  bool seal_next(uint64_t now_ns, uint64_t wall_ns);
  bool has_unsigned() const { return options_.signer != nullptr && unsigned_bytes_ > 0; }
  // When a tip has to be sent even if there is nothing else to send; UINT64_MAX: there is nothing to sign.
  uint64_t tip_due_ns() const;
  SentFrame* frame_at(uint64_t sequence);

  const Options options_;
  Window& window_;
  State state_ = State::kGreeting;
  std::deque<Bytes> control_;                          // at most a handful: HELLO is queued once
  std::deque<SentFrame> frames_;                       // sealed and not durable; bounded by the window
  StreamMark durable_;                                 // what the auditor acknowledged
  StreamMark sealed_;                                  // the newest frame
  uint64_t durable_content_ = 0, sealed_content_ = 0;  // as SentFrame::end_content
  uint64_t unsigned_bytes_ = 0;                        // of sealed frames that no tip covers; checkpoints don't count
  uint64_t unsigned_since_ns_ = 0, tip_ns_ = 0;        // when the first of them was sealed, and the newest tip
  uint64_t cursor_ = 1;                                // the frame to send next
  uint64_t sent_max_ = 0;
  uint64_t went_back_ns_ = 0;  // may lie ahead: nothing is sent until then
  uint64_t credit_bytes_ = 0, credit_frames_ = 0;
  bool hello_queued_ = false, reopen_ = false, stopping_ = false, said_goodbye_ = false, was_open_ = false;
  bool reopen_when_due_ = false;
  uint64_t hello_due_ns_ = 0, heard_ns_ = 0, progress_ns_ = 0, partial_since_ns_ = 0, complained_ns_ = 0;
  struct Pending {
    Receipt receipt;
    Bytes message;
  };
  std::optional<Pending> receipt_;  // the newest; its signature isn't checked yet
  uint64_t receipt_checked_ns_ = 0;
  std::string refused_reason_;
  LineLimit line_limit_;
};

}  // namespace theater::bus
