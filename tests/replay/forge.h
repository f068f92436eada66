// Chains changed as a dishonest node might have done it: other events, and links that hold all the same.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/crypto.h"
#include "schema/codec.h"
#include "tests/replay/memory_reader.h"

namespace theater::replay {

// The owner of an event whose body is to be changed; its header's type must stay valid.
struct MutableEvent {
  schema::Header header;
  std::string type;
  schema::Body body;
};

// Runs `edit` over the list of events and makes a chain that verifies of what is left: sequences, parents, ids.
inline Recording forge(const Recording& recording, const std::function<void(std::vector<MutableEvent>&)>& edit) {
  std::vector<MutableEvent> events;
  for (const Bytes& bytes : recording.events) {
    auto event = schema::decode_event(bytes);
    CHECK(event.ok(), event.ok() ? "" : event.error().message);
    events.push_back({event->header, std::string(event->header.type), std::move(event->body)});
  }
  edit(events);
  Recording forged{{}, {}, recording.blobs};
  Hash parent;
  for (size_t i = 0; i < events.size(); ++i) {
    schema::Header header = events[i].header;
    header.type = events[i].type;
    header.sequence = i;
    header.parent = parent;
    header.actor = forged.actor;
    Bytes bytes;
    schema::encode_event(header, events[i].body, bytes);
    parent = sha256(bytes);
    if (i == 0) forged.actor = actor_id_of(parent);
    forged.events.push_back(std::move(bytes));
  }
  return forged;
}

}  // namespace theater::replay
