// What node and auditor say to each other about a link, beside the frames: who I am, how far you are, how much you may
// send, what is durable. docs/formats/bus.md tells the protocol; schema/bus.capnp is the layout.
//
// Every message but HELLO's answer can be lost, doubled or late without harm: all numbers are absolute within a stream,
// and each message names its stream. Decoding refuses (kCorrupt) what is too long, malformed or out of bounds; it never
// throws. Pure functions; any thread.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/crypto.h"
#include "base/ids.h"
#include "base/result.h"
#include "bus/frame.h"

namespace theater::bus {

inline constexpr uint16_t kLinkVersion = 1;
inline constexpr size_t kLinkMessageMax = 4096;  // bytes, encoded; of a Fetched:
inline constexpr size_t kLinkFetchedMax = 64 * 1024;
inline constexpr size_t kFetchedBytesMax = 48 * 1024;  // of the blob, in one message
inline constexpr size_t kLinkTextMax = 1024;           // bytes of a name or a reason; longer ones are cut when encoding

// How far a stream has come: its newest frame, that frame's link hash, and the body bytes of all its frames so far.
// Zero throughout: nothing yet.
struct StreamMark {
  uint64_t sequence = 0;
  Hash link_hash;
  uint64_t bytes = 0;
  bool operator==(const StreamMark&) const = default;
};

struct Hello {  // node: begins a session, and asks again whenever nothing is heard
  uint16_t version = kLinkVersion;
  PublicKey identity;
  std::string name;
  uint64_t next_sequence = 1;               // the one after the newest sealed frame
  StreamMark oldest;                        // the newest frame that the node no longer holds
  std::optional<StreamId> previous_stream;  // of an earlier process of this node, which holds a receipt for it
};

// The two limits of a credit are positions in the stream: frame `credit_frames` may be sent, the one after it may not,
// and the body bytes of all frames sent may add up to `credit_bytes`.
struct Welcome {                 // auditor: the answer to each HELLO
  uint64_t oldest_sequence = 0;  // of the HELLO that it answers: a lower `durable` means that the auditor lost frames
  StreamMark durable;
  uint64_t expected =
      1;  // the next frame it wants: after `durable`, or further if it holds some that aren't durable yet
  uint64_t credit_bytes = 0, credit_frames = 0;
  uint32_t body_max = kFrameBodyMax;
  StreamMark previous;  // how far the HELLO's previous stream is durable
};

struct Ack {  // auditor: everything up to `durable` is on disk
  StreamMark durable;
  uint64_t credit_bytes = 0, credit_frames = 0;
};

struct Nack {             // auditor: a frame came that isn't the next one
  uint64_t expected = 0;  // 0: the auditor doesn't know this stream; say HELLO
};

struct Refuse {  // either: why this link stops
  std::string reason;
  bool final = false;  // true: trying again can't help, a person has to act
};

struct Goodbye {  // node: nothing follows the last sequence
  uint64_t last_sequence = 0;
};

struct Fetch {  // node: the bytes of a blob from `offset` on
  Hash hash;
  uint64_t offset = 0;
};

struct Fetched {  // auditor: as many of them as fit
  Hash hash;
  uint64_t offset = 0;
  bool here = false;    // false: the auditor doesn't hold the blob; what follows means nothing
  uint64_t length = 0;  // of the whole blob
  Bytes bytes;
};

// auditor: signed word that everything of the stream up to the mark is on its disk. It follows acknowledgements, a
// signature taking longer than they may wait. Whoever holds it can show it to others.
struct Receipt {
  PublicKey auditor, node;
  StreamMark durable;
  uint64_t time_ns = 0;
  Signature signature{};
};
Receipt sign_receipt(const SigningKey& auditor, const PublicKey& node, const StreamId& stream,
                     const StreamMark& durable, uint64_t time_ns);
bool verify_receipt(const StreamId& stream, const Receipt& receipt);

struct LinkMessage {
  StreamId stream{};
  std::variant<Hello, Welcome, Ack, Nack, Refuse, Goodbye, Fetch, Fetched, Receipt> body;
};

Bytes encode_link(const LinkMessage& message);
Result<LinkMessage> decode_link(BytesView bytes, size_t size_max = kLinkMessageMax);

}  // namespace theater::bus
