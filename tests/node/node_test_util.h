// What the tests of node share: calling a runtime and waiting for its answer, and checking a chain as an auditor would.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/crypto.h"
#include "base/file.h"
#include "node/chain/queue_subscriber.h"
#include "node/runtime/runtime.h"
#include "schema/codec.h"
#include "schema/display.h"

namespace theater::node {

inline constexpr auto kLong = std::chrono::seconds(60);  // no test waits this long unless it fails

// Calls `start` with a callback and waits for what it gets.
template <typename T>
Result<T> await(const std::function<void(Callback<T>)>& start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  start([promise](Result<T> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(kLong) != std::future_status::ready) {
    return Error{ErrorCode::kDeadline, "the test waited too long"};
  }
  return future.get();
}

inline Result<ActorInfo> spawn(Runtime& runtime, SpawnRequest request) {
  return await<ActorInfo>([&](Callback<ActorInfo> done) { runtime.spawn(std::move(request), std::move(done)); });
}
inline Result<std::optional<Bytes>> request(Runtime& runtime, const ActorId& actor, std::string_view message,
                                            uint64_t timeout_ms = 0) {
  return await<std::optional<Bytes>>([&](Callback<std::optional<Bytes>> done) {
    runtime.request(actor, to_bytes(message), schema::Operator{{}, "test"}, timeout_ms, false, std::move(done));
  });
}
inline Result<Ok> send(Runtime& runtime, const ActorId& actor, std::string_view message) {
  return await<Ok>(
      [&](Callback<Ok> done) { runtime.send(actor, to_bytes(message), schema::Operator{}, std::move(done)); });
}
inline Result<Ok> stop(Runtime& runtime, const ActorId& actor, uint64_t grace_ms = 30'000) {
  return await<Ok>([&](Callback<Ok> done) { runtime.stop_actor(actor, {}, grace_ms, std::move(done)); });
}
inline Result<Ok> kill(Runtime& runtime, const ActorId& actor, const std::string& reason = "test") {
  return await<Ok>([&](Callback<Ok> done) { runtime.kill(actor, schema::Operator{}, reason, std::move(done)); });
}
inline Result<ActorInfo> ended(Runtime& runtime, const ActorId& actor) {
  return await<ActorInfo>([&](Callback<ActorInfo> done) { runtime.when_ended(actor, std::move(done)); });
}
inline Result<ActorInfo> show(Runtime& runtime, const ActorId& actor) {
  return await<ActorInfo>([&](Callback<ActorInfo> done) { runtime.show(actor, std::move(done)); });
}
inline Result<std::vector<ActorInfo>> list(Runtime& runtime) {
  return await<std::vector<ActorInfo>>([&](Callback<std::vector<ActorInfo>> done) { runtime.list(std::move(done)); });
}

// Waits until show() says `state` (and waits for something that begins with `waits_for`).
inline bool wait_for_state(Runtime& runtime, const ActorId& actor, std::string_view state,
                           std::string_view waits_for = "") {
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (std::chrono::steady_clock::now() < until) {
    const auto info = show(runtime, actor);
    if (info.ok() && info->state == state && info->waits_for.starts_with(waits_for)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Keeps whole chains, and checks each event as it comes: hash, parent, sequence, time, actor, nothing after the end.
class RecordingSubscriber final : public Subscriber {
 public:
  std::atomic<bool> gaps_expected{false};  // best-effort: some events were dropped before they came here

  bool closed() const override { return false; }
  bool try_reserve(const ActorId&, size_t) override { return true; }
  void release(const ActorId&, size_t) override {}
  bool when_room(const ActorId&, std::function<void()>) override { return false; }
  void forget_waker(const ActorId&) override {}
  void deliver(const schema::EncodedEvent& event) override {
    std::lock_guard lock(mutex_);
    auto& events = chains_[event.actor];
    check(events, event, gaps_expected);
    events.push_back(event);
  }
  void end_of_chain(const ActorId& actor) override {
    std::lock_guard lock(mutex_);
    ended_[actor] += 1;
  }
  bool needs_blob(const Hash& hash) override {
    std::lock_guard lock(mutex_);
    return !blobs_.contains(hash);
  }
  void deliver_blob(const ActorId&, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override {
    std::lock_guard lock(mutex_);
    auto& blob = blobs_[hash];
    EXPECT_EQ(blob.size(), offset);
    blob.insert(blob.end(), piece.begin(), piece.end());
    if (blob.size() == length) {
      EXPECT_EQ(sha256(blob), hash);
    }
  }

  std::vector<schema::EncodedEvent> chain(const ActorId& actor) const {
    std::lock_guard lock(mutex_);
    const auto found = chains_.find(actor);
    return found == chains_.end() ? std::vector<schema::EncodedEvent>() : found->second;
  }
  // "type kind" of each event.
  std::vector<std::string> types(const ActorId& actor) const {
    std::vector<std::string> types;
    for (const auto& event : chain(actor)) {
      const auto decoded = schema::decode_event(event.bytes);
      std::string type(decoded->header.type);
      type = type.substr(type.rfind('/') == std::string::npos ? 0 : type.rfind('/') + 1);
      types.push_back(str_cat(type, " ", schema::body_kind_name(event.kind)));
    }
    return types;
  }
  template <typename BodyType>
  BodyType last_body(const ActorId& actor) const {
    const auto events = chain(actor);
    CHECK(!events.empty());
    auto decoded = schema::decode_event(events.back().bytes);
    CHECK(decoded.ok() && std::holds_alternative<BodyType>(decoded->body), "another kind of event");
    return std::get<BodyType>(std::move(decoded->body));
  }
  std::vector<ActorId> actors() const {
    std::lock_guard lock(mutex_);
    std::vector<ActorId> actors;
    for (const auto& [actor, events] : chains_) actors.push_back(actor);
    return actors;
  }
  int ends(const ActorId& actor) const {
    std::lock_guard lock(mutex_);
    const auto found = ended_.find(actor);
    return found == ended_.end() ? 0 : found->second;
  }
  std::map<Hash, Bytes> blobs() const {
    std::lock_guard lock(mutex_);
    return blobs_;
  }
  size_t chains() const {
    std::lock_guard lock(mutex_);
    return chains_.size();
  }

 private:
  static void check(const std::vector<schema::EncodedEvent>& before, const schema::EncodedEvent& event, bool gaps) {
    EXPECT_EQ(sha256(event.bytes), event.hash);
    const auto view = schema::check_event(event.bytes);
    ASSERT_TRUE(view.ok()) << view.error().message;
    EXPECT_EQ(view->header.sequence, event.sequence);
    EXPECT_EQ(view->kind, event.kind);
    if (event.sequence == 0) {
      EXPECT_EQ(event.actor, actor_id_of(event.hash));
    } else {
      EXPECT_EQ(view->header.actor, event.actor);
    }
    if (before.empty() || (gaps && event.sequence > before.back().sequence + 1)) return;
    const auto parent = schema::check_event(before.back().bytes);
    EXPECT_EQ(event.sequence, before.back().sequence + 1);
    EXPECT_EQ(view->header.parent, before.back().hash);
    EXPECT_GE(view->header.time_ns, parent->header.time_ns);
    EXPECT_FALSE(schema::is_terminal(before.back().kind)) << "an event after the terminal one";
  }

  mutable std::mutex mutex_;
  std::map<ActorId, std::vector<schema::EncodedEvent>> chains_;
  std::map<ActorId, int> ended_;
  std::map<Hash, Bytes> blobs_;
};

}  // namespace theater::node
