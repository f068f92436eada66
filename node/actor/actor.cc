#include "node/actor/actor.h"

#include <algorithm>

#include "base/check.h"

namespace theater::node {

using schema::ErrorKind;
using schema::Value;

// Ten thousand idle actors: what each of them costs beside its instance.
static_assert(sizeof(Actor) < 2'304);

namespace {

bool imports(const wasm::Module& module, std::string_view type_name) {
  const auto& all = module.imports();
  return std::any_of(all.begin(), all.end(), [&](const auto* import) { return import->type_name == type_name; });
}

// Of those that the manifest grants and the node has. Whoever has none pays nothing.
std::unique_ptr<schema::Secrets> secrets_of(const Manifest& manifest,
                                            const std::map<std::string, std::string>& environment) {
  std::vector<schema::Secrets::Secret> secrets;
  for (const auto& name : manifest.permissions.environment.secrets) {
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.size() < schema::kSecretMin) continue;
    if (is_utf8(as_bytes(found->second))) secrets.push_back({name, found->second, {}});
  }
  return secrets.empty() ? nullptr : std::make_unique<schema::Secrets>(std::move(secrets));
}

}  // namespace

// What both ways of making one have in common.
Actor::Actor(std::shared_ptr<ActorContext> context, std::shared_ptr<const Manifest> manifest,
             std::shared_ptr<wasm::Module> module, std::unique_ptr<const Parentage> parent,
             std::shared_ptr<AuditLinks> links)
    : Task(context->scheduler),
      context_(std::move(context)),
      manifest_(std::move(manifest)),
      module_(std::move(module)),
      parent_(std::move(parent)),
      answers_later_(module_ != nullptr &&
                     imports(*module_, "theater:simple/message-server-host@0.1.0/respond-to-request")),
      links_(links != nullptr ? std::move(links)
                              : std::make_shared<AuditLinks>(manifest_->audit_mode, manifest_->quorum)),
      chain_(*context_->clock, [this] { return waker(); }) {
  // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): the chain has it then
  links_->find_others_by([from = context_, called = manifest_->name](const ActorId& id) {
    return from->auditors.of(called, id, from->auditors.step());
  });
  chain_.keep_from_record(secrets_of(*manifest_, context_->environment));
  chain_.add(links_);
  if (manifest_->gated) gate_ = std::make_shared<Gate>();
  if (limits().events_per_second != kUnlimited) throttle_ = std::make_unique<Throttle>(limits().events_per_second);
}

Actor::Actor(std::shared_ptr<ActorContext> context, std::shared_ptr<wasm::Module> module, LifeRequest life,
             std::unique_ptr<Birth> birth)
    : Actor(std::move(context), life.recipe->manifest, std::move(module), std::move(life.parent)) {
  birth_ = std::move(birth);
  for (auto& subscriber : life.subscribers) chain_.add(std::move(subscriber));
  if (!manifest_->supervisor && !manifest_->grants("supervisor")) return;
  auto made = Supervisor::make(*this, std::move(life.recipe), *context_->random);
  CHECK(made.ok(), made.ok() ? "" : made.error().message);  // the manifest was checked
  supervisor_ = std::move(made).value();
}

Actor::Actor(std::shared_ptr<ActorContext> context, const ActorId& id, Resting resting)
    : Actor(std::move(context), std::move(resting.manifest), std::move(resting.module), std::move(resting.parent),
            std::move(resting.links)) {
  chain_.go_on(id, resting.tip);
  links_->go_on(resting.tip.length, resting.tip.head);
  auditors_step_ = resting.auditors_step;
  if (resting.gate != nullptr) gate_ = std::move(resting.gate);
  for (auto& outbox : context_->auditors.of(name(), id, auditors_step_)) links_->add(std::move(outbox));
  life_fuel_ = resting.fuel;
  if (throttle_ != nullptr) {
    throttle_ = std::make_unique<Throttle>(limits().events_per_second, resting.tip.length);
  }
  if (resting.subscribers != nullptr) {
    for (auto& subscriber : *resting.subscribers) chain_.add(std::move(subscriber));
  }
  relations_ = std::move(resting.relations);
  timers_ = std::move(resting.timers);
  if (resting.channels != nullptr)
    channels_ = std::make_unique<Channels>(Channels{std::move(*resting.channels), nullptr});
  labels_ = std::move(resting.labels);
  if (resting.state) state_ = Value::some(Value::bytes(std::move(*resting.state)));
  phase_ = Phase::kIdle;
  publish();
  published_.id = id;
}

Actor::~Actor() {
  context_->timers.cancel(timer_);
  context_->timers.cancel(rest_timer_);
  drop_instance();
}

bool Actor::post(Order order) {
  {
    std::unique_lock lock(mutex_);
    if (laid_down_) {
      lock.unlock();
      const auto again = context_->directory.find(id());
      return again != nullptr && again->post(std::move(order));
    }
    if (orders_.size() >= kOrdersMax) return false;
    orders_.push_back(std::move(order));
  }
  wake();
  return true;
}

void Actor::post_always(Order order) {
  {
    std::unique_lock lock(mutex_);
    if (laid_down_) {
      lock.unlock();
      if (const auto again = context_->directory.find(id())) again->post_always(std::move(order));
      return;
    }
    orders_.push_back(std::move(order));
  }
  wake();
}

Task::Next Actor::turn(Worker& worker) {
  worker_ = &worker;
  turn_ns_ = context_->clock->monotonic_ns();
  host_calls_ = 0;
  const uint64_t events_before = chain_.length();
  look_at_rest_timer();
  if (context_->auditors.step() != auditors_step_) catch_up_with_auditors();
  run_orders();
  if (supervisor_ != nullptr) supervisor_->turn();
  state_refused_messages();
  const Next next = advance();
  keep_favour(nullptr);
  count(Count::kEvents, chain_.length() - events_before);
  count(Count::kHostCalls, static_cast<uint64_t>(host_calls_));
  if (next == Next::kWait && lay_down()) return Next::kWait;
  decline_rest();
  arm_timer();
  arm_rest_timer();
  publish();
  worker_ = nullptr;
  return next;
}

void Actor::run_orders() {
  std::vector<Order> orders;
  {
    std::lock_guard lock(mutex_);
    if (orders_.empty()) return;
    orders.swap(orders_);
  }
  for (auto& order : orders) order(*this);
}

Task::Next Actor::advance() {
  int messages = 0;
  while (!cut_off_if_due()) {
    if (stating_ || begin_fact()) {
      if (!step_fact()) return Next::kWait;
      continue;
    }
    switch (phase_) {
      case Phase::kBirth:
        if (!be_born()) return Next::kWait;
        break;
      case Phase::kGenesis:
      case Phase::kCall:
      case Phase::kResult:
      case Phase::kTerminal:
        if (step()) break;
        if (phase_ == Phase::kTerminal && abandoned_) abandon();
        return Next::kWait;
      case Phase::kRunning:
        if (const Next next = run_guest(); phase_ == Phase::kRunning) {
          // What it asked for may have to be stated first.
          if (next == Next::kAgain || chain_.emitting() || !has_fact()) return next;
        }
        break;
      case Phase::kIdle:
        // Before each message, so that whoever has added an auditor and then sends something finds it there.
        if (context_->auditors.step() != auditors_step_) {
          catch_up_with_auditors();
          if (facts_ != nullptr) break;
        }
        if (supervisor_ != nullptr && !supervise()) {
          if (facts_ == nullptr && phase_ == Phase::kIdle) return Next::kWait;
        } else if (shutdown_asked_) {
          std::vector<Value> data;
          if (last_word_) data.push_back(std::move(*last_word_));
          last_word_.reset();
          shut_down("guest", std::move(data), {});
        } else if (stop_) {
          shut_down(stop_->reason, {}, stop_->origin);
        } else if (end_if_out_of_fuel()) {
          break;
        } else if (!may_begin_message()) {
          if (facts_ == nullptr) return Next::kWait;
        } else if (messages++ == kMessagesATurn) {
          return Next::kMore;
        } else if (!begin_message() && !begin_rest()) {
          return Next::kWait;
        }
        break;
      case Phase::kEnded: return Next::kWait;
    }
  }
  return Next::kAgain;
}

// False: it waits for room in the node's chain, or for an instance; while it waits it keeps neither.
bool Actor::be_born() {
  if (supervisor_ != nullptr) {
    if (auto checked = supervisor_->check_ids(); !checked.ok()) {
      vanish(std::move(checked).error());
      return true;
    }
  }
  birth_->allowed = context_->listener->may_be_born(*this);
  if (!birth_->allowed) {
    ask_again_ns_ = 0;
    return false;
  }
  if (module_ != nullptr) {
    const auto taken = take_instance();
    if (!taken.ok()) {
      vanish(taken.error());
      return true;
    }
    if (!*taken) {
      context_->listener->not_born(*this, std::exchange(birth_->allowed, false));
      return false;
    }
  }
  if (auto found = find_auditors(); !found.ok()) {
    vanish(std::move(found).error());
    return true;
  }
  chain_.begin(schema::kTypeGenesis, birth_->genesis, std::move(birth_->blobs));
  phase_ = Phase::kGenesis;
  {
    std::lock_guard lock(mutex_);
    published_.id = chain_.id();
  }
  const auto self = std::static_pointer_cast<Actor>(shared_from_this());
  const ActorId heir_of = parent_ == nullptr ? ActorId{} : parent_->previous;
  const auto added = context_->directory.add(self, chain_.id(), manifest_->registered_name, heir_of);
  if (!added.ok()) vanish(Error{added.error().code, str_cat("'register' of '", name(), "': ", added.error().message)});
  return true;
}

bool Actor::step() {
  switch (chain_.step(worker_->scratch)) {
    case Chain::Step::kParked: return false;
    case Chain::Step::kDone: emitted(); return true;
    case Chain::Step::kTooLarge: too_large(); return true;
  }
  return false;
}

void Actor::emitted() {
  switch (phase_) {
    case Phase::kGenesis:
      count(Count::kSpawned);
      if (parent_ != nullptr && parent_->restarts != 0) count(Count::kRestarts);
      context_->listener->on_born(*this, birth_->genesis.package);
      phase_ = Phase::kIdle;
      if (module_ == nullptr) return;
      return begin_call(wasm::initialize_function(), {}, {});
    case Phase::kCall:
      call_sequence_ = chain_.length() - 1;
      guest_time_ns_ = chain_.time_ns();
      deadline_ns_ = after_ms(context_->clock->monotonic_ns(), limits().call_timeout_ms);
      count(Count::kCalls);
      instance_->start(*function_, chain_.take_args());
      if (const uint64_t left = fuel_left(); left != kUnlimited) instance_->stop_at_fuel(left);
      phase_ = Phase::kRunning;
      return;
    case Phase::kResult: return result_emitted();
    case Phase::kTerminal: return end();
    default: CHECK(false, "an emission in phase ", static_cast<int>(phase_));
  }
}

// Arguments are references when they are large, so that this takes a strange package or name.
void Actor::too_large() {
  const std::string message =
      str_cat("an event of type ", function_ == nullptr ? schema::kTypeGenesis : std::string_view(function_->type_name),
              " would be larger than ", schema::kEventSizeMax, " bytes");
  CHECK(phase_ != Phase::kTerminal, "the terminal event of ", chain_.id().short_hex(), " is too large");
  if (phase_ == Phase::kGenesis) return vanish(Error{ErrorCode::kRefused, message});
  fail(ErrorKind::kLimit, message, call_fuel_, phase_ == Phase::kResult, {});
}

void Actor::begin_call(const wasm::ExportFunction& function, std::vector<Value> args, schema::Origin origin) {
  function_ = &function;
  call_fuel_ = 0;
  chain_.begin(function.type_name, schema::WasmCall{std::move(args), std::move(origin)});
  phase_ = Phase::kCall;
}

// Ends of others come first: they have a bound. What else there may be without end takes turns, so that nothing keeps
// the rest out.
bool Actor::begin_message() {
  if (instance_ == nullptr) return activate();
  for (;;) {
    std::optional<Signal> signal;
    std::optional<ChildEvents::Event> event;
    std::optional<Message> message;
    std::vector<Mailbox::Waker> wakers;
    {
      std::lock_guard lock(mutex_);
      if (!orders_.empty()) return false;  // they came first, and brought a wake-up
      signal = signals_.pop();
      if (!signal && supervisor_ != nullptr) signal = supervisor_->ends().pop();
      for (int i = 0; i < kTurns && !signal && !event && !message; ++i) {
        had_turn_ = static_cast<Turn>((static_cast<int>(had_turn_) + 1) % kTurns);
        if (had_turn_ == Turn::kChildEvent) event = next_child_event();
        if (had_turn_ == Turn::kTick) signal = due_tick();
        if (had_turn_ == Turn::kMessage) message = mailbox_.pop();
      }
      if (message) wakers = mailbox_.grant(limits());
    }
    if (event) signal = signal_of(*event);
    if (signal) {
      begin_export(*signal->function, std::move(signal->params), std::move(signal->origin));
      return true;
    }
    for (const auto& waker : wakers) waker();
    if (!message) return false;
    if (message->reply && message->reply->answered()) continue;  // timed out before its turn: it leaves no trace
    if (message->channel != nullptr && !take_up(*message)) continue;
    reply_ = std::move(message->reply);
    begin_export(*message->function, std::move(message->params), std::move(message->origin));
    return true;
  }
}

bool Actor::has_due_tick() const {
  return timers_ != nullptr && timers_->next_due_ns().value_or(UINT64_MAX) <= context_->clock->monotonic_ns();
}

std::optional<Signal> Actor::due_tick() {
  if (timers_ == nullptr) return std::nullopt;
  auto tick = timers_->take_due(context_->clock->monotonic_ns());
  if (!tick) return std::nullopt;
  Signal signal{&wasm::handle_tick_function(), {}, std::move(tick->origin)};
  signal.params.push_back(Value::u64(tick->timer));
  signal.params.push_back(Value::bytes(std::move(tick->data)));
  return signal;
}

void Actor::begin_export(const wasm::ExportFunction& function, std::vector<Value> params, schema::Origin origin) {
  std::vector<Value> args;
  args.reserve(2);
  args.push_back(state_);
  args.push_back(Value::tuple(std::move(params)));
  begin_call(function, std::move(args), std::move(origin));
}

void Actor::signal(Signal signal) {
  if (!exports(*signal.function)) return;
  {
    std::unique_lock lock(mutex_);
    if (laid_down_) {
      lock.unlock();
      if (const auto again = context_->directory.find(id())) again->signal(std::move(signal));
      return;
    }
    if (closed_) return;
    signals_.push(std::move(signal));
  }
  wake();
}

Task::Next Actor::run_guest() {
  if (wait_until_ns_ != 0 && context_->clock->monotonic_ns() < wait_until_ns_) return Next::kWait;
  if (is_throttled()) {
    wait_for_room();
    return Next::kWait;
  }
  switch (instance_->run()) {
    case wasm::Instance::Progress::kYielded: return Next::kAgain;
    case wasm::Instance::Progress::kParked: return std::exchange(turn_over_, false) ? Next::kAgain : Next::kWait;
    case wasm::Instance::Progress::kDone: break;
  }
  call_returned();
  return Next::kAgain;
}

void Actor::call_returned() {
  auto outcome = instance_->take_outcome();
  deadline_ns_ = 0;
  if (outcome.refused.any() && !outcome.trap) return state_refused_growth(std::move(outcome));
  call_over(std::move(outcome));
}

void Actor::call_over(wasm::CallOutcome outcome) {
  if (outcome.trap && outcome.trap->kind == ErrorKind::kKilled) return out_of_fuel(outcome);
  life_fuel_ += outcome.fuel;
  count(Count::kFuel, outcome.fuel);
  if (outcome.trap) return fail(outcome.trap->kind, std::move(outcome.trap->message), outcome.fuel, true, {});
  call_fuel_ = outcome.fuel;
  chain_.begin(function_->type_name, schema::WasmResult{std::move(outcome.results), outcome.fuel});
  phase_ = Phase::kResult;
}

void Actor::result_emitted() {
  auto results = chain_.take_results();
  const auto* function = std::exchange(function_, nullptr);
  phase_ = Phase::kIdle;
  if (function == &wasm::initialize_function()) {
    if (!birth_) return chain_.forget_values();
    std::vector<Value> args;
    args.push_back(birth_->initial_state ? Value::some(Value::bytes(std::move(*birth_->initial_state)))
                                         : Value::none());
    args.push_back(Value::tuple({Value::string(chain_.id().hex())}));
    return begin_call(wasm::init_function(), std::move(args), {});
  }

  CHECK(results.size() == 1 && results[0].get<Value::ResultOf>() != nullptr, function->type_name,
        " returned no result");
  const auto& result = *results[0].get<Value::ResultOf>();
  const auto reply = std::exchange(reply_, nullptr);
  if (!birth_) publish();  // whoever gets an answer and then looks sees what it did
  if (!result.ok) {
    const std::string text = *result.payload->get<std::string>();
    if (birth_) return fail(ErrorKind::kGuestError, str_cat("init: ", text), 0, false, {});
    if (has_offer()) refuse_offer();
    if (reply) {
      answer(reply, Error{ErrorCode::kActorFailed, text});
    } else {
      log(str_cat(function->type_name, " failed: ", chain_.hidden(text)));
    }
  } else {
    const auto& next = result.payload->get<Value::Tuple>()->items;
    state_ = next[0];
    if (has_offer()) {
      answer_offer(reply, next[1]);
    } else if (reply) {
      const auto& bytes = next[1].get<Value::Tuple>()->items[0].get<Value::Option>()->payload;
      if (bytes == nullptr && answers_later_ && function == &wasm::handle_request_function()) {
        keep_outstanding(reply);
      } else {
        answer(reply, bytes == nullptr ? std::nullopt : std::optional(*bytes->get<Bytes>()));
      }
    }
  }
  chain_.forget_values();
  if (birth_ && supervisor_ == nullptr) born();
}

void Actor::state_fact(std::string_view type, schema::Value value, std::function<void()> then) {
  if (phase_ == Phase::kTerminal || phase_ == Phase::kEnded) return;
  if (facts_ == nullptr) facts_ = std::make_unique<std::deque<Fact>>();
  facts_->push_back(Fact{type, std::move(value), std::move(then)});
}

bool Actor::has_fact() const {
  return facts_ != nullptr || (has_news_.load(std::memory_order_relaxed) && !is_throttled());
}

bool Actor::begin_fact() {
  if ((phase_ != Phase::kRunning && phase_ != Phase::kIdle) || chain_.emitting()) return false;
  if (facts_ == nullptr) state_news_of_links();
  if (facts_ == nullptr) return false;
  auto& fact = facts_->front();
  chain_.begin(fact.type, schema::Fact{std::move(fact.value)});
  stating_ = true;
  return true;
}

bool Actor::step_fact() {
  const auto step = chain_.step(worker_->scratch);
  if (step == Chain::Step::kParked) {
    wait_for_room();
    return false;
  }
  room_came();
  if (step == Chain::Step::kTooLarge) {
    cut_off(ErrorKind::kLimit,
            str_cat("a fact of type ", facts_->front().type, " would be larger than ", schema::kEventSizeMax, " bytes"),
            {});
    return true;
  }
  stating_ = false;
  const auto then = std::move(facts_->front().then);
  facts_->pop_front();
  if (facts_->empty()) facts_.reset();
  if (then) then();
  return true;
}

// Waiting for an auditor doesn't count as the guest's time.
void Actor::wait_for_room() {
  if (!no_room_) no_room_since_ns_ = context_->clock->monotonic_ns();
  no_room_ = true;
}

void Actor::room_came() {
  if (!std::exchange(no_room_, false) || deadline_ns_ == 0) return;
  deadline_ns_ += context_->clock->monotonic_ns() - no_room_since_ns_;
}

// At once, or when as many auditors as the audit mode asks for have everything that was emitted up to now.
void Actor::answer(std::shared_ptr<Reply> reply, Result<std::optional<Bytes>> result, bool claimed) {
  const bool gated = gate_ != nullptr && reply->from_outside;
  if (gated || (reply->durable && manifest_->audit_mode != schema::AuditMode::kBestEffort)) {
    return hold_answer(std::move(reply), std::move(result), claimed);
  }
  if (claimed || reply->claim()) reply->complete(std::move(result));
}

// What was due when the turn began has been looked at: if nothing came of it, what it waits for wakes the actor.
void Actor::arm_timer() {
  uint64_t earliest = 0;
  const auto consider = [&](uint64_t time_ns) {
    if (time_ns > turn_ns_ && (earliest == 0 || time_ns < earliest)) earliest = time_ns;
  };
  if (phase_ == Phase::kRunning && wait_until_ns_ != 0) {
    consider(wait_until_ns_);
    consider(deadline_ns_);
  } else if (phase_ == Phase::kRunning && talk_ != nullptr && !talk_->has_room && !chain_.emitting()) {
    consider(talk_->until_ns);
    consider(deadline_ns_);
  } else if (phase_ == Phase::kRunning && supervisor_ != nullptr && supervisor_->is_asked()) {
    consider(deadline_ns_);
  } else if (phase_ == Phase::kRunning && offload_ != nullptr) {
    consider(deadline_ns_);
  }
  if (phase_ != Phase::kTerminal && phase_ != Phase::kEnded) {
    consider(grace_until_ns_);
    if (supervisor_ != nullptr) consider(supervisor_->wake_at_ns());
    if (throttle_ != nullptr && !chain_.emitting()) consider(throttle_->ready_ns());
    consider(refused_next_ns_);
  }
  if (phase_ == Phase::kIdle && timers_ != nullptr && ask_again_ns_ == 0 && !is_throttled())
    consider(timers_->next_due_ns().value_or(0));
  if (phase_ == Phase::kIdle || phase_ == Phase::kBirth) consider(ask_again_ns_);
  // One that is set and comes too early costs a look then; moving it at each wait would cost more.
  if (earliest == 0) return;
  if (timer_.first != 0 && timer_.first <= earliest && timer_.first > context_->clock->monotonic_ns()) return;
  context_->timers.cancel(timer_);
  timer_ = context_->timers.set(earliest, waker());
}

}  // namespace theater::node
