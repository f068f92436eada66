// The auditor's end of its links: which frame is the next one, which is old, which is missing, and what to answer. It
// sees to it that frames are taken exactly once and in order per stream; it doesn't look at events (the verifier does)
// and keeps nothing on disk (the owner does).
//
// No socket, no clock, no thread of its own: the owner (the auditor's intake) passes in what arrived and the time, and
// sends the replies by Loop::reply(). The flow:
//
//   on_control(...)  HELLO: asks `lookup` for the durable mark of (node, stream), answers WELCOME.
//   on_frame(...)    kAccept: the owner verifies and stores it, later calls durable() with the verdict's `mark`.
//   durable(...)     after the synced write: returns the ACK to send.
//   tick(...)        every 20 to 50 ms: repeats ACKs while there is traffic, so that a lost one does no harm, and signs
//                    receipts for what became durable.
//   refuse(...)      the owner found something wrong with a frame's content: returns the REFUSE and takes no more.
//
// After a restart of the auditor, accepted frames that weren't durable are gone from here too, and come again: what
// counts is only `lookup`. It may be asked while earlier frames of the same stream are still on their way to the disk
// (the node reconnected): the receiver then goes on from what it accepted, if the stream is the same.
//
// Threads: any; one mutex. `lookup` is called with the mutex held and must not call back.
// Bounds: one session a peer key; per session at most `window_bytes` of frame bodies and `window_frames` frames
// accepted and not yet durable; a frame beyond is not accepted and comes again.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bus/keys.h"
#include "bus/messages.h"

namespace theater::bus {

// Frames in flight stay below this, so that the node's PUSH socket always has room for them, and the auditor knows what
// may wait in its PULL socket.
inline constexpr int kFramesInFlight = 2048;

class Receiver {
 public:
  struct Options {
    uint64_t window_bytes = 8u << 20;  // a node's accepted and not yet durable frame bodies
    uint64_t window_frames = kFramesInFlight - 1;
    uint64_t ack_repeat_ns = 100'000'000;
    uint64_t nack_pause_ns = 20'000'000;          // at most one NACK of a session in this time
    const SigningKey* signer = nullptr;           // the auditor's; none: no receipts
    std::function<uint64_t()> wall_ns = nullptr;  // the time that stands in receipts
    uint64_t receipt_ns = 100'000'000;            // at most one receipt of a session in this time, and one at its end
  };
  // The durable mark of a stream as the store has it; a zero mark if the stream is new. An error refuses the HELLO.
  using MarkLookup = std::function<Result<StreamMark>(const PublicKey& node, const StreamId& stream)>;

  Receiver(Options options, MarkLookup lookup);

  enum class Verdict : uint8_t {
    kAccept,     // the next frame of its stream
    kDuplicate,  // accepted before
    kUnordered,  // an earlier one is missing; it comes again
    kRefused,    // malformed, not linked to the one before, from nobody who said HELLO, or beyond the credit
  };
  struct FrameVerdict {
    Verdict verdict = Verdict::kRefused;
    std::optional<FrameView> frame;  // kAccept; borrows the bytes given
    PublicKey node;                  // kAccept: whose stream it is
    StreamMark mark;                 // kAccept: what to pass to durable() once this frame is on disk
    Bytes reply;                     // to the peer; may be empty
    std::string reason;              // kRefused: for the log
  };
  FrameVerdict on_frame(const CurveKey& peer, BytesView bytes, uint64_t now_ns);

  struct ControlVerdict {
    Bytes reply;                 // to the peer; may be empty
    std::string note;            // one line for the log, if something began, ended or was refused
    std::optional<Hello> hello;  // a session began (not: was asked for again)
    bool goodbye = false;        // the node said that its stream ends
    StreamId stream{};
    std::optional<Fetch> fetch;  // a blob is asked for: answer by fetched()
  };
  // `identity` is the peer's from the authorized keys, zero inside one process (then HELLO's word counts).
  ControlVerdict on_control(const CurveKey& peer, const PublicKey& identity, BytesView bytes, uint64_t now_ns);

  // Everything of this stream up to `mark` is on disk. The ACK to send; empty if the peer has moved on to another
  // stream.
  Bytes durable(const CurveKey& peer, const StreamId& stream, const StreamMark& mark, uint64_t now_ns);

  static Bytes fetched(const StreamId& stream, Fetched answer);

  // Calls `send` for each ACK that is due again and each receipt.
  void tick(uint64_t now_ns, const std::function<void(const CurveKey& peer, Bytes message)>& send);

  // The REFUSE to send; nothing of this stream is accepted any more until the peer says HELLO with another one or, if
  // not `final`, again.
  Bytes refuse(const CurveKey& peer, const StreamId& stream, const std::string& reason, bool final);

  struct Session {  // for people
    CurveKey peer;
    PublicKey node;
    std::string name;
    StreamId stream{};
    StreamMark accepted, durable;
    uint64_t duplicates = 0, unordered = 0;
    bool refused = false;
  };
  std::vector<Session> sessions() const;

 private:
  struct State : Session {
    uint64_t acked_ns = 0;    // when the last ACK or WELCOME went out
    uint64_t traffic_ns = 0;  // when something arrived last
    uint64_t nacked_ns = 0;
    uint64_t receipt_ns = 0;        // when the last receipt went out,
    uint64_t receipt_sequence = 0;  // and for what
    bool final = false;
  };

  Bytes ack(State& session, uint64_t now_ns) const;
  Bytes receipt(State& session, uint64_t now_ns) const;  // empty if there is nothing to sign
  Bytes welcome(State& session, const Hello& hello, const StreamMark& previous, uint64_t now_ns) const;
  ControlVerdict on_hello(const CurveKey& peer, const PublicKey& identity, const StreamId& stream, const Hello& hello,
                          uint64_t now_ns);
  FrameVerdict on_known_frame(State& session, FrameView frame, uint64_t now_ns);

  const Options options_;
  const MarkLookup lookup_;
  mutable std::mutex mutex_;
  std::map<CurveKey, State> sessions_;
};

}  // namespace theater::bus
