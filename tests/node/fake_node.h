// A node on the fake engine, for the tests of runtime and control: guests are scripts, auditors are windows that a test
// opens and closes.
#pragma once

#include <list>

#include "tests/node/node_test_util.h"
#include "wasm/fake_engine.h"

namespace theater::node {

inline constexpr const char* kInit = "theater:simple/actor@0.1.0/init";
inline constexpr const char* kHandleRequest = "theater:simple/message-server-client@0.1.0/handle-request";
inline constexpr const char* kHandleSend = "theater:simple/message-server-client@0.1.0/handle-send";
inline constexpr const char* kLogCall = "theater:simple/runtime@0.1.0/log";
inline constexpr const char* kShutdownCall = "theater:simple/runtime@0.1.0/shutdown";
inline constexpr const char* kHeadCall = "theater:simple/runtime@0.1.0/get-chain-head";
inline constexpr const char* kSelfCall = "theater:simple/runtime@0.1.0/get-self";
inline constexpr const char* kSleepCall = "theater:simple/timing@0.1.0/sleep";

// An auditor's link whose room the test decides about.
class FakeOutbox final : public bus::Outbox {
 public:
  explicit FakeOutbox(std::string name, size_t room = SIZE_MAX) : name_(std::move(name)), room_(room) {}

  void give_room(size_t bytes) {
    std::vector<bus::Waker> wakers;
    {
      std::lock_guard lock(mutex_);
      room_ = bytes;
      for (auto& [actor, waker] : wakers_) wakers.push_back(std::move(waker));
      wakers_.clear();
    }
    for (auto& waker : wakers) waker();
  }
  // Hung up, as the bus does it.
  void close() {
    closed_ = true;
    wake_all();
  }
  void make_durable() {
    std::vector<bus::DurabilityWaker> wakers;
    {
      std::lock_guard lock(mutex_);
      wakers.swap(durable_wakers_);
    }
    for (auto& waker : wakers) waker(bus::Durability::kDurable);
  }
  // Whoever waits holds what holds this.
  void discard() {
    std::vector<bus::DurabilityWaker> in_vain;
    std::lock_guard lock(mutex_);
    in_vain.swap(durable_wakers_);
  }
  RecordingSubscriber& record() { return record_; }
  uint64_t dropped() const {
    std::lock_guard lock(mutex_);
    return dropped_;
  }
  size_t waiting_for_durable() const {
    std::lock_guard lock(mutex_);
    return durable_wakers_.size();
  }
  size_t reserved() const {
    std::lock_guard lock(mutex_);
    return reserved_;
  }

  bool try_reserve_blob(const ActorId& actor, const Hash&, size_t bytes) override { return try_reserve(actor, bytes); }
  void give_up_blob(const ActorId&) override {}
  bool try_reserve(const ActorId&, size_t bytes) override {
    std::lock_guard lock(mutex_);
    if (closed_ || bytes > room_) return false;
    room_ -= bytes;
    reserved_ += bytes;
    return true;
  }
  void release(const ActorId&, size_t bytes) override {
    std::lock_guard lock(mutex_);
    room_ += bytes;
    reserved_ -= bytes;
  }
  void when_room(const ActorId& actor, bus::Waker waker) override {
    if (demoted_ || closed_) return waker();
    std::lock_guard lock(mutex_);
    wakers_[actor] = std::move(waker);
  }
  void forget_waker(const ActorId& actor) override {
    std::lock_guard lock(mutex_);
    wakers_.erase(actor);
  }
  void append(const schema::EncodedEvent& event) override {
    {
      std::lock_guard lock(mutex_);
      reserved_ -= event_room(event.bytes.size());
    }
    if (closed_) return;
    record_.deliver(event);
  }
  void drop(const schema::EncodedEvent&) override {
    std::lock_guard lock(mutex_);
    ++dropped_;
  }
  bool needs_blob(const Hash& hash) override { return record_.needs_blob(hash); }
  void append_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override {
    {
      std::lock_guard lock(mutex_);
      reserved_ -= blob_room(piece.size());
    }
    record_.deliver_blob(actor, hash, length, offset, piece);
  }
  void demote(bool demoted) override {
    demoted_ = demoted;
    if (demoted) wake_all();
  }
  bool demoted() const override { return demoted_; }
  bool closed() const override { return closed_; }
  void when_durable(bus::DurabilityWaker waker) override {
    if (demoted_ || closed_) waker(bus::Durability::kNotWaitedFor);
    std::lock_guard lock(mutex_);
    durable_wakers_.push_back(std::move(waker));
  }
  void begin_late(const ActorId&, uint64_t, const Hash&) override {}
  void fetch_blob(const Hash& hash, uint64_t, bus::FetchDone done) override {
    const auto blobs = record_.blobs();
    const auto found = blobs.find(hash);
    if (found == blobs.end()) return done(Error{ErrorCode::kNotFound, "it was never sent"});
    done(found->second);
  }
  Status status() const override {
    Status status;
    status.auditor = name_;
    status.demoted = demoted_;
    return status;
  }

 private:
  void wake_all() {
    std::vector<bus::Waker> wakers;
    std::vector<bus::DurabilityWaker> durable_wakers;
    {
      std::lock_guard lock(mutex_);
      durable_wakers = durable_wakers_;
      for (auto& [actor, waker] : wakers_) wakers.push_back(std::move(waker));
      wakers_.clear();
    }
    for (auto& waker : durable_wakers) waker(bus::Durability::kNotWaitedFor);
    for (auto& waker : wakers) waker();
  }

  const std::string name_;
  std::atomic<bool> demoted_{false}, closed_{false};
  mutable std::mutex mutex_;
  size_t room_;
  size_t reserved_ = 0;
  uint64_t dropped_ = 0;
  std::map<ActorId, bus::Waker> wakers_;
  std::vector<bus::DurabilityWaker> durable_wakers_;
  RecordingSubscriber record_;
};

// handle-request's or init's results.
inline schema::Value ok_state(std::optional<std::string> state = std::nullopt) {
  using schema::Value;
  return Value::ok(Value::tuple({state ? Value::some(Value::bytes(to_bytes(*state))) : Value::none()}));
}
inline schema::Value ok_reply(std::optional<std::string> state, std::optional<std::string> reply) {
  using schema::Value;
  const auto option = [](const std::optional<std::string>& text) {
    return text ? Value::some(Value::bytes(to_bytes(*text))) : Value::none();
  };
  return Value::ok(Value::tuple({option(state), Value::tuple({option(reply)})}));
}
inline std::string message_of(const wasm::FakeCall& call) {
  return std::string(as_text(*call.args()[1].get<schema::Value::Tuple>()->items[1].get<Bytes>()));
}
inline std::string state_of(const wasm::FakeCall& call) {
  const auto& payload = call.args()[0].get<schema::Value::Option>()->payload;
  return payload == nullptr ? "" : std::string(as_text(*payload->get<Bytes>()));
}

// Whoever spins looks at the clock again and again.
class CountingClock final : public Clock {
 public:
  uint64_t wall_ns() override { return clock_.wall_ns(); }
  uint64_t monotonic_ns() override {
    reads_.fetch_add(1, std::memory_order_relaxed);
    return clock_.monotonic_ns();
  }
  uint64_t reads() const { return reads_; }

 private:
  SystemClock clock_;
  std::atomic<uint64_t> reads_{0};
};

class FakeNode {
 public:
  explicit FakeNode(size_t workers, uint32_t instances_max) : FakeNode(workers, with_instances(instances_max)) {}
  explicit FakeNode(size_t workers = 2, wasm::EngineOptions engine = {})
      : workers_(workers), engine_(std::move(engine)) {
    // What most tests need: commands by message.
    package("worker", {.imports = {kLogCall, kShutdownCall, kSleepCall, kHeadCall, kSelfCall},
                       .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("new")); }},
                                   {kHandleRequest, obey},
                                   {kHandleSend, [](wasm::FakeCall& call) { call.result(ok_state("sent")); }}}});
  }
  ~FakeNode() {
    stop(0);
    for (const auto& outbox : outboxes_) outbox->discard();
  }

  std::map<std::string, std::string> environment;  // the node's, set before its first use
  std::map<std::string, std::string> filters;      // likewise: whose chains an auditor takes, if not all

  // "log N", "sleep MS", "loop", "trap", "fail", "end", "state TEXT", "show"; anything else is echoed.
  static void obey(wasm::FakeCall& call) {
    using schema::Value;
    const std::string message = message_of(call), state = state_of(call);
    const auto number = [&](size_t at) { return std::stoull(message.substr(at)); };
    if (message.starts_with("log ")) {
      for (uint64_t i = 0; i < number(4); ++i) call.host(kLogCall, {Value::string(str_cat("line ", i))});
    } else if (message.starts_with("sleep ")) {
      call.host(kSleepCall, {Value::u64(number(6) * 1'000'000)});
    } else if (message == "loop") {
      call.loop_forever();
    } else if (message == "trap") {
      call.trap("the test said so");
    } else if (message == "fail") {
      return call.result(Value::err(Value::string("no, thank you")));
    } else if (message == "end") {
      call.host(kShutdownCall, {Value::some(Value::bytes(to_bytes("last word")))});
    } else if (message.starts_with("state ")) {
      return call.result(ok_reply(message.substr(6), "changed"));
    } else if (message == "show") {
      return call.result(ok_reply(state, state));
    }
    call.result(ok_reply(state, message));
  }

  void package(const std::string& name, wasm::FakeModuleSpec spec) { engine_.add(as_bytes(name), std::move(spec)); }

  Runtime& runtime() {
    if (runtime_ == nullptr) {
      RuntimeOptions options = options_;
      options.engine = &engine_;
      options.clock = &clock_;
      options.random = &random_;
      options.workers = workers_;
      options.environment = environment;
      for (const auto& outbox : outboxes_) {
        options.auditors.emplace_back(outbox);
        if (const auto found = filters.find(outbox->status().auditor); found != filters.end()) {
          options.auditors.back().actors = *ActorFilter::parse(found->second);
        }
      }
      options.log = [this](const LogLine& line) {
        std::lock_guard lock(mutex_);
        lines_.push_back(line);
      };
      auto runtime = start_runtime(std::move(options));
      CHECK(runtime.ok(), runtime.error().message);
      runtime_ = std::move(runtime).value();
    }
    return *runtime_;
  }
  FakeOutbox& auditor(const std::string& name, size_t room = SIZE_MAX) {
    CHECK(runtime_ == nullptr, "auditors come before the runtime");
    return *outboxes_.emplace_back(std::make_shared<FakeOutbox>(name, room));
  }
  std::vector<std::shared_ptr<FakeOutbox>>& outboxes() { return outboxes_; }
  uint64_t clock_reads() const { return clock_.reads(); }
  RuntimeOptions& options() { return options_; }  // before the runtime: what isn't set here by itself

  static std::string manifest(const std::string& name, const std::string& more = "") {
    std::string text = str_cat("name = \"", name, "\"\n");
    for (const char* handler : {"runtime", "timing", "random", "message-server"}) {
      text += str_cat("[[handler]]\ntype = \"", handler, "\"\n");
    }
    return text + more;
  }
  SpawnRequest asks(const std::string& package, const std::string& more = "") {
    SpawnRequest request;
    request.manifest = manifest("test", more);
    request.package = to_bytes(package);
    request.subscribers = {record_};
    return request;
  }
  ActorId spawn(const std::string& package = "worker", const std::string& more = "") {
    auto actor = node::spawn(runtime(), asks(package, more));
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  }
  bool stop(uint64_t grace_ms) { return runtime_ == nullptr || runtime_->stop(grace_ms); }
  RecordingSubscriber& record() { return *record_; }
  wasm::FakeEngine& engine() { return engine_; }
  std::vector<std::string> lines() {
    std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
  }
  std::vector<LogLine> log_lines() {
    std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  static wasm::EngineOptions with_instances(uint32_t most) {
    wasm::EngineOptions options;
    options.instances_max = most;
    return options;
  }

  const size_t workers_;
  RuntimeOptions options_;
  CountingClock clock_;
  SeededRandom random_{1};
  wasm::FakeEngine engine_;
  std::mutex mutex_;
  std::vector<LogLine> lines_;
  std::vector<std::shared_ptr<FakeOutbox>> outboxes_;
  std::shared_ptr<RecordingSubscriber> record_ = std::make_shared<RecordingSubscriber>();
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace theater::node
