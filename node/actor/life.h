// How a life begins, beside its recipe, and what is said of it when it is over. Plain values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/actor/recipe.h"
#include "node/chain/subscriber.h"
#include "schema/event.h"
#include "supervise/supervision.h"

namespace theater::node {

using supervise::ChildInfo;
using supervise::ChildRef;
using supervise::Exit;

// Whose child an actor is.
struct Parentage {
  ActorId supervisor;
  ChildRef child = 0;
  std::string child_id;
  uint64_t restarts = 0;  // lives before this one
  ActorId previous;       // the last of them, whose names this one takes over; zero: none
};

struct LifeRequest {
  std::shared_ptr<const Recipe> recipe;
  std::optional<Bytes> initial_state;  // instead of the manifest's
  schema::Origin requested_by;
  Hash previous_life;  // head of the life that this one restarts
  std::unique_ptr<Parentage> parent;
  std::vector<std::shared_ptr<Subscriber>> subscribers;  // beside the auditors
};

// For an event: UTF-8, and cut where it would be too long.
std::string event_text(std::string_view text);

struct LifeEnd {
  ActorId actor;
  Exit::Kind kind = Exit::Kind::normal;
  schema::Origin origin;  // whose doing it was, if it was somebody's
  std::string reason;     // for people
  std::optional<Bytes> last_word;
  schema::Cause terminal;  // the event that says so; zero: it was never born
  schema::Origin cause() const { return terminal.actor.is_zero() ? schema::Origin{} : schema::Origin{terminal}; }
};

}  // namespace theater::node
