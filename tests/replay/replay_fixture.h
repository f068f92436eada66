// What the tests of replay share: chains recorded by a real node from the guest actions.c, changed as a dishonest node
// might have done it, and replayed.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "replay/replayer.h"
#include "tests/node/node_test_util.h"
#include "tests/replay/forge.h"
#include "tests/replay/memory_reader.h"

namespace theater::replay {

inline constexpr const char* kManifest = R"(
name = "actions"
package = "actions.wasm"
[[handler]]
type = "runtime"
[[handler]]
type = "timing"
[[handler]]
type = "random"
[[handler]]
type = "message-server"
)";

class ReplayTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    wasm::EngineOptions options;
    options.instances_max = 40;
    auto engine = wasm::make_wasmtime_engine(options);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
  }
  static void TearDownTestSuite() { engine_.reset(); }

  static Bytes guest(const std::string& path) {
    auto bytes = read_file(std::string(THEATER_BUILD_DIR) + path);
    CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
    return std::move(bytes).value();
  }
  static Bytes actions() { return guest("/tests/guests/actions.wasm"); }

  // A node that records one actor. Requests are made by the tests.
  struct Node {
    explicit Node(const Bytes& package, const std::string& manifest = kManifest) {
      node::RuntimeOptions options;
      options.engine = engine_.get();
      options.clock = &clock;
      options.random = &random;
      options.workers = 1;
      auto started = node::start_runtime(options);
      CHECK(started.ok(), started.ok() ? "" : started.error().message);
      runtime = std::move(started).value();
      node::SpawnRequest request;
      request.manifest = manifest;
      request.package = package;
      request.subscribers = {subscriber};
      const auto info = node::spawn(*runtime, std::move(request));
      CHECK(info.ok(), info.ok() ? "" : info.error().message);
      actor = info->id;
    }
    void ask(std::string_view word) { (void)node::request(*runtime, actor, word).ok(); }
    // Without waiting for an answer.
    void start(std::string_view word) {
      runtime->request(actor, to_bytes(word), schema::Operator{}, 0, false, [](Result<std::optional<Bytes>>) {});
    }
    void wait_for_events(size_t count) {
      const auto until = std::chrono::steady_clock::now() + node::kLong;
      while (subscriber->chain(actor).size() < count && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    Recording recording() const {
      Recording recording{actor, {}, subscriber->blobs()};
      for (auto& event : subscriber->chain(actor)) recording.events.push_back(event.bytes);
      return recording;
    }

    SystemClock clock;
    SeededRandom random{7};
    std::shared_ptr<node::RecordingSubscriber> subscriber = std::make_shared<node::RecordingSubscriber>();
    std::unique_ptr<node::Runtime> runtime;
    ActorId actor;
  };

  enum class End { kStopped, kByItself, kNone };
  static Recording record(std::initializer_list<std::string_view> words, End end = End::kStopped) {
    Node node(actions());
    for (const auto word : words) node.ask(word);
    if (end == End::kStopped) (void)node::stop(*node.runtime, node.actor).ok();
    if (end != End::kNone) (void)node::ended(*node.runtime, node.actor).ok();
    return node.recording();
  }

  static Result<ReplayReport> try_replay(Recording recording, const ReplayOptions& options = {}) {
    const ActorId actor = recording.actor;
    MemoryReader reader(std::move(recording));
    return replay_chain(reader, actor, *engine_, options);
  }
  static ReplayReport replay(Recording recording, const ReplayOptions& options = {}) {
    auto report = try_replay(std::move(recording), options);
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
    return report.ok() ? std::move(report).value() : ReplayReport{};
  }

  // The sequence of the n-th event (from 0) of this kind whose type ends so.
  static size_t find(const Recording& recording, schema::BodyKind kind, std::string_view type_end, size_t nth = 0) {
    for (size_t i = 0; i < recording.events.size(); ++i) {
      const auto view = schema::check_event(recording.events[i]);
      CHECK(view.ok());
      if (view->kind == kind && view->header.type.ends_with(type_end) && nth-- == 0) return i;
    }
    CHECK(false, "no such event");
    return 0;
  }
  static size_t count(const Recording& recording, schema::BodyKind kind) {
    return static_cast<size_t>(std::ranges::count_if(
        recording.events, [&](const Bytes& bytes) { return schema::check_event(bytes)->kind == kind; }));
  }

  static std::unique_ptr<wasm::Engine> engine_;
};

inline std::unique_ptr<wasm::Engine> ReplayTest::engine_;

// Everything came out as recorded, up to the end.
inline void expect_same(const ReplayReport& report, size_t events) {
  EXPECT_EQ(report.status, ReplayStatus::kSame) << report.reason;
  EXPECT_EQ(report.events, events);
  EXPECT_EQ(report.matched, events);
  if (report.first_difference) {
    ADD_FAILURE() << report.first_difference->sequence << "\n recorded " << report.first_difference->recorded
                  << "\n replayed " << report.first_difference->replayed;
  }
}

}  // namespace theater::replay
