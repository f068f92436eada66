// Small events for tests of the bus, which doesn't look inside them: whole words, and the number where a test finds it.
#pragma once

#include <cstring>

#include "base/crypto.h"
#include "schema/event.h"

namespace theater::bus {

inline ActorId test_actor(uint8_t number) {
  ActorId actor;
  actor.bytes.fill(number);
  return actor;
}

inline schema::EncodedEvent test_event(uint8_t actor, uint64_t sequence, size_t size = 288) {
  schema::EncodedEvent event;
  event.actor = test_actor(actor);
  event.sequence = sequence;
  event.kind = schema::BodyKind::kHostCall;
  event.bytes.assign(size, actor);
  std::memcpy(event.bytes.data(), &sequence, sizeof sequence);
  event.hash = sha256(event.bytes);
  return event;
}

inline uint64_t test_event_number(BytesView content) {
  uint64_t number;
  std::memcpy(&number, content.data(), sizeof number);
  return number;
}

}  // namespace theater::bus
