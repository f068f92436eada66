// An actor's family: the children that it supervises, and the supervisor whose child it is. What is decided stands in
// supervise/; here it is done.
#include "base/check.h"
#include "node/actor/actor.h"
#include "schema/codec.h"

namespace theater::node {

using schema::Value;

// Of an idle actor. False: it waits for its children, or has come to its end.
bool Actor::supervise() {
  const bool ends = stop_ || shutdown_asked_;
  switch (supervisor_->phase()) {
    case Supervisor::Phase::kNew:
      if (!ends) {
        supervisor_->start();
        return false;
      }
      [[fallthrough]];
    case Supervisor::Phase::kBooting:
    case Supervisor::Phase::kUp:
      if (ends) {
        supervisor_->stop(stop_ ? stop_->reason : "it shuts down");
        return false;
      }
      if (supervisor_->phase() == Supervisor::Phase::kBooting) return false;
      if (birth_) born();
      return true;
    case Supervisor::Phase::kStopping: return false;
    case Supervisor::Phase::kEnded: break;
  }
  const auto& ended = supervisor_->ended();
  if (ended.reason == EndReason::stopped) return true;
  if (ended.reason == EndReason::start_failed) {
    fail(schema::ErrorKind::kGuestError, ended.why, 0, false, {});
  } else {
    shut_down(ended.why, {}, {});
  }
  return false;
}

// Its init has returned, and all its children are up: whoever asked for it is told.
void Actor::born() {
  auto done = std::move(birth_->done);
  birth_.reset();
  publish();
  if (done) done(info());
}

// --- as the household of its supervisor ---

void Actor::state(std::string_view type, Value value, std::function<void()> then) {
  state_fact(type, std::move(value), std::move(then));
}

void Actor::start_child(LifeRequest life) {
  life.parent->supervisor = id();
  life.requested_by = newest_event();
  const ChildRef child = life.parent->child;
  const ActorId previous = life.parent->previous;
  context_->listener->spawn_life(
      std::move(life), [weak = weak_from_this(), context = context_, child, previous](const Result<ActorInfo>& born) {
        const auto self = std::static_pointer_cast<Actor>(weak.lock());
        bool taken = self != nullptr;
        // That a node which stops starts nothing is no failure of the child's.
        if (taken && context->directory.closed()) {
          self->post_always([](Actor& each) {
            each.stop({}, "node stop", kLongestWaitMs);
            if (each.supervisor_->phase() != Supervisor::Phase::kNew) each.supervisor_->stop("node stop");
          });
        }
        if (taken && !born.ok())
          taken = self->supervisor_->report_start_failed(child, event_text(born.error().message));
        if (taken && born.ok()) taken = self->supervisor_->report_started(child, born->id);
        if (self != nullptr) self->wake();
        if (taken) return;
        if (!born.ok()) return context->directory.forget_names(previous);
        if (const auto orphan = context->directory.find(born->id)) {
          orphan->post_always([](Actor& each) { each.kill({}, "its supervisor has ended"); });
        }
      });
}

void Actor::stop_child(const ActorId& life, bool at_once, const std::string& why) {
  const auto child = context_->directory.find(life);
  if (child == nullptr) return;  // it has ended, and that is reported
  child->post_always([origin = newest_event(), why, at_once](Actor& each) {
    if (at_once) return each.kill(origin, why);
    each.stop(origin, why, kLongestWaitMs);
  });
}

// What the supervisor itself did to a child is no news to it.
void Actor::tell_guest(const ChildInfo& child, const LifeEnd& end) {
  const auto* cause = std::get_if<schema::Cause>(&end.origin);
  if (cause != nullptr && cause->actor == id()) return;
  std::vector<Value> params = {Value::string(child.id), Value::string(end.actor.hex())};
  const wasm::ExportFunction* function = &wasm::handle_child_error_function();
  size_t bytes = 0;
  if (end.kind == Exit::Kind::normal) {
    function = &wasm::handle_child_exit_function();
    const size_t size = end.last_word ? end.last_word->size() : 0;
    const bool told = end.last_word && supervisor_->ends().has_room(child.child, size, limits().mailbox_bytes);
    params.push_back(told ? Value::some(Value::bytes(*end.last_word)) : Value::none());
    if (told) bytes = size;
  } else if (std::holds_alternative<schema::Operator>(end.origin)) {
    function = &wasm::handle_child_external_stop_function();
  } else {
    params.push_back(Value::string(end.reason));
  }
  if (exports(*function)) supervisor_->ends().push(child.child, {function, std::move(params), end.terminal, 0}, bytes);
}

// --- its end, seen by its family ---

void Actor::leave_family(bool unborn) {
  if (supervisor_ != nullptr) {
    for (const auto& life : supervisor_->abandon()) {
      const auto child = context_->directory.find(life);
      if (child == nullptr) continue;
      child->post_always([origin = newest_event(), why = str_cat("its supervisor '", name(), "' ended: ", ended_)](
                             Actor& each) { each.kill(origin, why); });
    }
  }
  if (end_ == nullptr || parent_ == nullptr || unborn) return;
  const auto supervisor = context_->directory.find(parent_->supervisor);
  if (supervisor != nullptr && supervisor->supervisor_->report_exit(parent_->child, *end_)) {
    supervisor->wake();
  } else {
    context_->directory.forget_names(id());
  }
}

// --- what its guest may do and look at ---

// A child gets at most what its parent has.
Result<void> Actor::may_spawn(const Manifest& child) const { return check_grants_no_more(child, *manifest_); }

bool Actor::is_descendant(const Actor& other) const {
  const Parentage* parent = other.parent();
  std::shared_ptr<Actor> next;
  for (size_t depth = 0; parent != nullptr && depth < kRecipeDepthMax * kRecipeDepthMax; ++depth) {
    if (parent->supervisor == id()) return true;
    next = context_->directory.find(parent->supervisor);
    parent = next == nullptr ? nullptr : next->parent();
  }
  return false;
}

Result<void> Actor::watch_child(const ActorId& child, bool watch) {
  if (!exports(wasm::handle_child_event_function())) {
    return Error{ErrorCode::kRefused, str_cat("this actor doesn't export ", wasm::handle_child_event_function().name,
                                              ", which would get the events")};
  }
  const auto actor = context_->directory.find(child);
  if (actor == nullptr) return Error{ErrorCode::kNotFound, str_cat("there is no living actor ", child.short_hex())};
  if (!is_descendant(*actor)) {
    return Error{ErrorCode::kRefused, str_cat(child.short_hex(), " is no child of this actor, nor of one of those")};
  }
  if (supervisor_->events() == nullptr) {
    supervisor_->set_events(std::make_shared<ChildEvents>(waker()));
  }
  const bool posted = actor->post([events = supervisor_->events(), watch](Actor& each) {
    if (watch) return each.chain().add(events);
    each.chain().remove(*events);
  });
  if (posted) return Ok{};
  return Error{ErrorCode::kUnavailable, "too many orders wait for that actor; try again"};
}

bool Actor::ask_for_state(const ActorId& actor) {
  const auto other = context_->directory.find(actor);
  if (other == nullptr) return false;
  talk_ = std::make_unique<Talk>();
  talk_->to = other;
  talk_->timeout_ms = limits().wait_timeout_ms;
  talk_->until_ns = after_ms(context_->clock->monotonic_ns(), talk_->timeout_ms);
  talk_->reply = expect_answer();
  other->post_always([reply = talk_->reply](Actor& each) {
    if (each.phase_ == Phase::kEnded || each.phase_ == Phase::kTerminal) {
      reply->answer(Error{ErrorCode::kUnavailable, str_cat("'", each.name(), "' has ended: ", each.ended_)});
      return;
    }
    const auto* some = each.state_.get<Value::Option>();
    const bool has_state = some != nullptr && some->payload != nullptr;
    reply->answer(has_state ? std::optional(*some->payload->get<Bytes>()) : std::nullopt);
  });
  return true;
}

bool Actor::has_news_of_children() const {
  if (supervisor_ == nullptr) return false;
  return !supervisor_->ends().empty() || (supervisor_->events() != nullptr && !supervisor_->events()->empty());
}

std::optional<ChildEvents::Event> Actor::next_child_event() {
  if (supervisor_ == nullptr || supervisor_->events() == nullptr) return std::nullopt;
  return supervisor_->events()->pop();
}

Signal Actor::signal_of(const ChildEvents::Event& event) {
  const auto decoded = schema::decode_event(event.bytes);
  CHECK(decoded.ok(), "an event of this node's own can't be read");
  return Signal{&wasm::handle_child_event_function(),
                {Value::string(event.actor.hex()), Value::u64(event.sequence),
                 Value::string(std::string(decoded->header.type)), Value::bytes(event.bytes), Value::u64(event.lost)},
                schema::Cause{event.actor, event.sequence, event.hash},
                0};
}

}  // namespace theater::node
