// The actor as the host of its guest: runs what was called and makes it events. Everything here runs on the guest's
// stack.
#include "base/check.h"
#include "node/actor/actor.h"
#include "schema/codec.h"

namespace theater::node {

using schema::Effect;
using wasm::HostStatus;

namespace {

constexpr size_t kSpareMax = 1024;  // bytes that an idle actor may keep for its next call

// The commonest argument is one short string: its memory is used again, so that a log line costs no allocation.
void keep_as_spare(std::vector<schema::Value> args, wasm::HostCall& call) {
  const auto* text = args.size() == 1 ? args[0].get<std::string>() : nullptr;
  if (text != nullptr && text->capacity() <= kSpareMax) call.args = std::move(args);
}

}  // namespace

// No effect outside: the call is run, then one event tells arguments and answer. Outside: the intent is an event before
// anything happens, and the outcome another; of a gated actor, nothing happens before the intent is durable.
HostStatus Actor::call(wasm::HostCall& call) {
  host_step_ = HostStep::kBegin;
  if (++host_calls_ > kHostCallsATurn) {
    turn_over_ = true;
    return HostStatus::kParked;
  }
  return resume(call);
}

HostStatus Actor::resume(wasm::HostCall& call) {
  room_came();
  if (host_step_ == HostStep::kBegin) {
    if (!may_emit()) {
      wait_for_room();
      return HostStatus::kParked;
    }
    host_step_ = call.function->effect == Effect::kOutside ? HostStep::kPrepare : HostStep::kRun;
  }
  if (host_step_ == HostStep::kPrepare) {
    const auto* handler = handler_of(*call.function);
    if (handler != nullptr && handler->prepare != nullptr && handler->prepare(*this, call) == HostStatus::kParked) {
      return HostStatus::kParked;
    }
    chain_.begin(call.function->type_name, schema::HostCall{Effect::kOutside, call.args, {}});
    host_step_ = HostStep::kIntent;
  }
  if (host_step_ == HostStep::kIntent) {
    if (const auto status = emit_on_guest_stack(call); status != HostStatus::kDone) return status;
    // A message to another actor was handed over with its intent, and stays within the node.
    const bool holds = gate_ != nullptr && talk_ == nullptr;
    if (holds) close_gate();
    host_step_ = holds ? HostStep::kGate : HostStep::kRun;
  }
  if (host_step_ == HostStep::kGate) {
    if (const auto status = pass_gate(); status != HostStatus::kDone) return status;
    host_step_ = HostStep::kRun;
  }
  if (host_step_ == HostStep::kRun) {
    if (const auto status = run_function(call); status != HostStatus::kDone) return status;
    host_step_ = HostStep::kOutcome;
  }
  if (const auto status = emit_on_guest_stack(call); status != HostStatus::kDone) return status;
  if (said_) log(std::move(*std::exchange(said_, nullptr)));
  call.results = chain_.take_results();
  keep_as_spare(chain_.take_args(), call);
  if (call.function->waits) guest_time_ns_ = chain_.time_ns();
  return HostStatus::kDone;
}

const HandlerEntry* Actor::handler_of(const wasm::HostFunction& function) const {
  const auto& table = wasm::host_functions();
  const auto index = static_cast<size_t>(&function - table.data());
  return index < table.size() ? context_->handlers[index] : nullptr;
}

HostStatus Actor::run_function(wasm::HostCall& call) {
  const auto* handler = handler_of(*call.function);
  if (handler == nullptr) {
    call.error = str_cat("this node doesn't implement ", call.function->type_name);
    call.trap_kind = schema::ErrorKind::kHostFailure;
    return HostStatus::kTrap;
  }
  if (const auto status = handler->implementation(*this, call); status != HostStatus::kDone) return status;
  if (call.function->effect == Effect::kOutside) {
    chain_.begin(call.function->type_name, schema::HostReturn{schema::Outcome::kDone, std::move(call.results)});
  } else {
    std::vector<Blob> blobs;
    if (call.function->by_reference && !chain_.holds_secret(call.args)) {
      schema::externalize_bytes(call.args, [&](const Hash& hash, Bytes bytes) {
        blobs.push_back({hash, std::make_shared<const Bytes>(std::move(bytes))});
      });
    }
    chain_.begin(call.function->type_name,
                 schema::HostCall{Effect::kNone, std::move(call.args), std::move(call.results)}, std::move(blobs));
  }
  return HostStatus::kDone;
}

HostStatus Actor::emit_on_guest_stack(wasm::HostCall& call) {
  switch (chain_.step(worker_->scratch)) {
    case Chain::Step::kDone: hand_over(); return HostStatus::kDone;
    case Chain::Step::kParked: wait_for_room(); return HostStatus::kParked;
    case Chain::Step::kTooLarge: break;
  }
  call.error =
      str_cat("the event of ", call.function->type_name, " would be larger than ", schema::kEventSizeMax, " bytes");
  call.trap_kind = schema::ErrorKind::kLimit;
  return HostStatus::kTrap;
}

void Actor::log_line(std::string_view text) {
  if (context_->log) said_ = std::make_unique<std::string>(chain_.hidden(text));
}

void Actor::log(std::string text) const {
  if (!context_->log) return;
  LogLine line(std::move(text));
  line.actor_name = name();
  line.actor = id();
  line.event = chain_.head();
  context_->log(line);
}

std::optional<schema::Value> Actor::offload(const std::function<IoJob()>& make_job) {
  if (offload_ == nullptr) {
    offload_ = std::make_shared<Offload>();
    offload_->job = make_job();
  }
  if (!offload_->queued) {
    const auto wake = waker();
    IoThreads::Job job = [offload = offload_, wake] {
      {
        std::lock_guard lock(offload->mutex);
        if (offload->dropped) return;
      }
      auto answer = offload->job();
      {
        std::lock_guard lock(offload->mutex);
        offload->answer = std::move(answer);
      }
      wake();
    };
    offload_->queued = context_->io.try_push(job);
    if (!offload_->queued) {
      offload_->refused = true;
      context_->io.when_room(this, wake);
    } else if (offload_->refused) {
      context_->io.forget(this);
    }
    return std::nullopt;
  }
  return take_offloaded();
}

std::optional<schema::Value> Actor::await_answer(const std::function<void(std::function<void(schema::Value)>)>& start) {
  if (offload_ == nullptr) {
    offload_ = std::make_shared<Offload>();
    offload_->queued = true;
    offload_->waits_for = "content from an auditor";
    start([offload = offload_, wake = waker()](schema::Value answer) {
      {
        std::lock_guard lock(offload->mutex);
        offload->answer = std::move(answer);
      }
      wake();
    });
  }
  return take_offloaded();
}

std::optional<schema::Value> Actor::take_offloaded() {
  std::optional<schema::Value> answer;
  {
    std::lock_guard lock(offload_->mutex);
    answer = std::move(offload_->answer);
  }
  if (answer) offload_.reset();
  return answer;
}

Labels& Actor::labels() {
  if (manifest_->permissions.store.node_labels) return context_->labels;
  if (labels_ == nullptr) labels_ = std::make_unique<Labels>(kLabelsMax);
  return *labels_;
}

// What hasn't begun doesn't happen any more.
void Actor::drop_offload() {
  if (offload_ == nullptr) return;
  {
    std::lock_guard lock(offload_->mutex);
    offload_->dropped = true;
  }
  if (!offload_->queued) context_->io.forget(this);
  offload_.reset();
}

const std::string* Actor::variable(const std::string& name) const {
  const auto found = context_->environment.find(name);
  return found == context_->environment.end() ? nullptr : &found->second;
}

void Actor::random_bytes(std::span<uint8_t> out) { context_->random->fill(out); }

bool Actor::wait_ns(uint64_t duration_ns) {
  const uint64_t now_ns = context_->clock->monotonic_ns();
  if (wait_until_ns_ == 0) {
    wait_until_ns_ = duration_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + duration_ns;
    if (wait_until_ns_ == 0) wait_until_ns_ = 1;
  }
  if (now_ns < wait_until_ns_) return false;
  wait_until_ns_ = 0;
  return true;
}

Result<uint64_t> Actor::set_timer(uint64_t delay_ns, bool repeats, BytesView data) {
  if (timers_ == nullptr) timers_ = std::make_unique<ActorTimers>();
  return timers_->set(context_->clock->monotonic_ns(), delay_ns, repeats, data, limits());
}

Result<void> Actor::cancel_timer(uint64_t timer) {
  return timers_ == nullptr ? ActorTimers().cancel(timer) : timers_->cancel(timer);
}

std::vector<uint64_t> Actor::timers() const {
  return timers_ == nullptr ? std::vector<uint64_t>{} : timers_->numbers();
}

void Actor::end_after_call(std::optional<Bytes> data) {
  shutdown_asked_ = true;
  last_word_.reset();
  if (data) last_word_ = schema::Value::bytes(std::move(*data));
}

}  // namespace theater::node
