// CONTRACT. Events and Values to canonical bytes and back.
//
// Encoding writes canonical Cap'n Proto by hand (about 50 ns for a log of 64 bytes, where canonicalize() takes 600 to
// 900); a property test and a fuzzer hold it against Cap'n Proto's own canonicalize(). Decoding accepts only what
// encoding produces: canonical form, a known version and kinds, sizes in bounds, depth ≤ Value::kDepthMax, UTF-8 where
// text is. Anything else is refused with kCorrupt and a reason that names the field and, where there is one, the byte
// offset.
//
// All functions are pure and may run on any thread. Decoders never read outside `bytes` and take time linear in its
// size.
#pragma once

#include "base/result.h"
#include "schema/event.h"

namespace theater::schema {

// Replaces the content of `out`; no allocation where it has the capacity. CHECKs what the caller owes, since a decoder
// would refuse it: a type of 1 to kEventTypeMax bytes that belongs to the body (the four fixed ones to their kinds and
// to no other), genesis if and only if sequence is 0 and then without actor and parent, a nonce of 16 bytes, at most
// one result and one last word, no results in an intent, UTF-8 where text is, and Values as schema/value.h says. The
// result may be larger than kEventSizeMax: the caller decides what then.
void encode_event(const Header& header, const Body& body, Bytes& out);

// What verification and routing need, without materializing the body: one pass over the bytes.
struct EventView {
  Header header;  // header.type points into the bytes
  BodyKind kind;
};

// Checks everything that decode_event would refuse, and returns the header. About 100 ns for a log of 64 bytes; its
// hash takes three times as long.
Result<EventView> check_event(BytesView bytes);

struct Event {
  Header header;  // header.type points into the bytes given to decode_event
  Body body;
};
Result<Event> decode_event(BytesView bytes);

// A Value as a message of its own: the blob of a reference, and what control messages carry.
Bytes encode_value(const Value& value);
Result<Value> decode_value(BytesView bytes);

// The bytes that encode_value(value) would have, without encoding.
size_t encoded_size(const Value& value);

// Large values as blobs, and back: externalize() and internalize() of schema/externalize.h, included below.
// One event for people and for --json: see schema/display.h.

}  // namespace theater::schema

#include "schema/externalize.h"
