// A chain that a node recorded comes out the same, however it ended and wherever the record stops.
#include "replay/recorded_limits.h"
#include "tests/replay/replay_fixture.h"
#include "tests/wasm/starved_host.h"

namespace theater::replay {
namespace {

using schema::BodyKind;

TEST_F(ReplayTest, EverythingAGuestDoesComesOutTheSame) {
  const Recording recording = record({"log", "sleep", "random", "big", "log", "itself", "fail", "log"});
  const ReplayReport report = replay(recording);
  expect_same(report, recording.events.size());
  EXPECT_TRUE(report.same_profile);
  EXPECT_EQ(report.actor, recording.actor);
}

// Not "nothing differed because nothing ran": each recorded host call was made again.
TEST_F(ReplayTest, TheGuestMakesEachOfItsHostCallsAgain) {
  constexpr size_t kCalls = 5'000;  // many times what is read ahead
  Node node(guest("/examples/burst/burst.wasm"));
  node.ask(str_cat(kCalls));
  const Recording recording = node.recording();
  ASSERT_EQ(count(recording, BodyKind::kHostCall), kCalls);
  std::vector<std::string> lines;
  uint64_t told = 0;
  ReplayOptions options;
  options.on_guest_log = [&](const std::string& line) { lines.push_back(line); };
  options.on_progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, told);
    EXPECT_EQ(total, recording.events.size());
    told = done;
  };
  const ReplayReport report = replay(recording, options);
  expect_same(report, recording.events.size());
  EXPECT_EQ(report.host_calls, kCalls);
  EXPECT_EQ(lines.size(), kCalls);
}

// A node may give its actors more memory than most; a replay elsewhere finds out how much, because the profile of the
// engine says so.
TEST_F(ReplayTest, AnEngineIsMadeAsTheOneThatRecordedWas) {
  wasm::EngineOptions larger;
  larger.instances_max = 10;
  larger.memory_max_bytes = uint64_t{96} << 20;
  auto engine = wasm::make_wasmtime_engine(larger);
  ASSERT_TRUE(engine.ok()) << engine.error().message;
  std::swap(engine_, *engine);
  Recording recording;
  {
    Node node(actions(), str_cat(kManifest, "[limits]\nmemory = \"80 MiB\"\n"));
    node.ask("log");
    recording = node.recording();
  }
  std::swap(engine_, *engine);
  const Recording usual = record({"log"});

  EXPECT_FALSE(try_replay(recording).ok()) << "there isn't so much memory in the usual one";
  const auto made_for = [](const Recording& chain) {
    MemoryReader reader(chain);
    return recorded_engine(reader, chain.actor).memory_max_bytes;
  };
  EXPECT_EQ(made_for(recording), larger.memory_max_bytes);
  EXPECT_EQ(made_for(usual), wasm::EngineOptions().memory_max_bytes);
  // Of a node with other settings still, at least the memory is there.
  const auto foreign =
      forge(recording, [](auto& events) { std::get<schema::Genesis>(events[0].body).engine_profile.bytes[0] ^= 1; });
  EXPECT_EQ(made_for(foreign), uint64_t{80} << 20);
}

TEST_F(ReplayTest, AGuestThatShutsItselfDown) {
  const Recording recording = record({"quit"}, End::kByItself);
  ASSERT_EQ(count(recording, BodyKind::kShutdown), 1u);
  expect_same(replay(recording), recording.events.size());
}

TEST_F(ReplayTest, ATrapComesAtTheSamePoint) {
  const Recording recording = record({"log", "trap"}, End::kByItself);
  ASSERT_EQ(count(recording, BodyKind::kError), 1u);
  expect_same(replay(recording), recording.events.size());
}

TEST_F(ReplayTest, AStackOverflowComesAtTheSamePoint) {
  const Recording recording = record({"deep"}, End::kByItself);
  ASSERT_EQ(count(recording, BodyKind::kError), 1u);
  expect_same(replay(recording), recording.events.size());
}

// A guest in an endless loop is stopped after exactly the fuel that it had when it was killed.
// A host that couldn't give memory is no doing of the guest's: a replay that can give it isn't a difference.
TEST_F(ReplayTest, AMemoryThatTheRecordingHostCouldNotGrow) {
  Node node(actions());
  node.ask("l");
  {
    const wasm::StarvedHost starved;
    if (!starved.works()) GTEST_SKIP() << "RLIMIT_DATA doesn't hold here";
    node.ask("m");
  }
  ASSERT_TRUE(node::ended(*node.runtime, node.actor).ok());
  const Recording recording = node.recording();
  const auto last = schema::decode_event(recording.events.back());
  ASSERT_TRUE(last.ok());
  const auto* error = std::get_if<schema::ErrorBody>(&last->body);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->kind, schema::ErrorKind::kHostFailure);
  EXPECT_NE(error->message.find("couldn't grow the guest's memory"), std::string::npos) << error->message;
  const ReplayReport report = replay(recording);
  EXPECT_EQ(report.status, ReplayStatus::kSame) << report.reason;
  EXPECT_EQ(report.matched, recording.events.size());

  // But not if the guest was recorded as doing more before it.
  const Recording forged = forge(recording, [](std::vector<MutableEvent>& events) {
    std::get<schema::ErrorBody>(events.back().body).fuel += 1'000'000;
  });
  EXPECT_EQ(replay(forged).status, ReplayStatus::kDiverged);
}

TEST_F(ReplayTest, AKillWithinALoopComesAtTheSameInstruction) {
  Node node(actions());
  node.start("endless");
  node.wait_for_events(7);  // genesis, _initialize and init with their results, the call, its log line
  ASSERT_TRUE(node::kill(*node.runtime, node.actor).ok());
  ASSERT_TRUE(node::ended(*node.runtime, node.actor).ok());
  const Recording recording = node.recording();
  ASSERT_EQ(recording.events.size(), 8u);
  expect_same(replay(recording), 8);

  // Were it another instruction, that would be found: this guest was between two logs, not at its beginning.
  const Recording earlier =
      forge(recording, [](auto& events) { std::get<schema::ErrorBody>(events[7].body).fuel = 1; });
  const ReplayReport report = replay(earlier);
  EXPECT_EQ(report.status, ReplayStatus::kDiverged);
  ASSERT_TRUE(report.first_difference);
  EXPECT_EQ(report.first_difference->sequence, 6u);
}

TEST_F(ReplayTest, ADeadlineIsAKillLikeAnyOther) {
  Node node(actions(), std::string(kManifest) + "[limits]\ncall_timeout = \"50 ms\"\n");
  node.ask("endless");
  ASSERT_TRUE(node::ended(*node.runtime, node.actor).ok());
  const Recording recording = node.recording();
  ASSERT_EQ(count(recording, BodyKind::kError), 1u);
  expect_same(replay(recording), recording.events.size());
}

TEST_F(ReplayTest, AKillWithinAHostCallThatWaits) {
  Node node(actions());
  node.start("wait");
  ASSERT_TRUE(node::wait_for_state(*node.runtime, node.actor, "waiting", "timer"));
  ASSERT_TRUE(node::kill(*node.runtime, node.actor).ok());
  ASSERT_TRUE(node::ended(*node.runtime, node.actor).ok());
  const Recording recording = node.recording();
  ASSERT_EQ(count(recording, BodyKind::kError), 1u);
  expect_same(replay(recording), recording.events.size());
}

// A node may die at any event; what the auditor holds then is an open chain.
TEST_F(ReplayTest, ARecordThatStopsAnywhereIsReplayedUpToThere) {
  const Recording whole = record({"log", "sleep", "random", "big"});
  for (size_t length = 1; length <= whole.events.size(); ++length) {
    Recording recording = whole;
    recording.events.resize(length);
    SCOPED_TRACE(length);
    expect_same(replay(recording), length);

    ReplayOptions options;
    options.to = length - 1;
    expect_same(replay(whole, options), length);
  }
}

TEST_F(ReplayTest, AnIncarnationThatWasCutOffIsFollowedByTheNext) {
  const Recording whole = record({"log"}, End::kNone);
  const size_t second_line = find(whole, BodyKind::kHostCall, "/log", 1);
  const Recording recording = forge(whole, [&](std::vector<MutableEvent>& events) {
    std::vector<MutableEvent> again(events.begin() + 1, events.end());
    events.resize(second_line);
    schema::Resumed resumed;
    resumed.engine_profile = engine_->profile().hash;
    resumed.call_interrupted = true;
    MutableEvent event{events.back().header, std::string(schema::kTypeResumed), resumed};
    events.push_back(event);
    events.insert(events.end(), again.begin(), again.end());
    for (size_t i = second_line; i < events.size(); ++i) {
      events[i].header.incarnation = 1;
      events[i].header.time_ns = event.header.time_ns + i;
    }
  });
  expect_same(replay(recording), recording.events.size());
}

TEST_F(ReplayTest, MissingPayloadsAreNoDivergence) {
  const Recording whole = record({"big", "log"});
  Recording recording = whole;
  const auto genesis = schema::decode_event(whole.events[0]);
  const Hash package = std::get<schema::Genesis>(genesis->body).package;
  const Hash manifest = std::get<schema::Genesis>(genesis->body).manifest;
  std::erase_if(recording.blobs, [&](const auto& blob) { return blob.first != package && blob.first != manifest; });
  const ReplayReport report = replay(recording);
  EXPECT_EQ(report.status, ReplayStatus::kInconclusive);
  EXPECT_NE(report.reason.find("isn't in the store"), std::string::npos) << report.reason;

  recording.blobs.erase(package);
  const auto failed = try_replay(recording);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
}

TEST_F(ReplayTest, ARecordThatDoesNotVerifyIsNotReplayed) {
  Recording recording = record({"log"});
  const size_t sequence = find(recording, BodyKind::kHostCall, "/log", 1);
  recording.events[sequence].back() ^= 1;
  const auto failed = try_replay(recording);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(failed.error().message.find(str_cat("event ", sequence)), std::string::npos) << failed.error().message;
}

TEST_F(ReplayTest, APartialChainSaysNothing) {
  Recording recording = record({"log"});
  const ActorId actor = recording.actor;
  recording.events.erase(recording.events.begin(), recording.events.begin() + 3);
  MemoryReader reader(std::move(recording));
  reader.status = persist::ChainStatus::kPartial;
  const auto report = replay_chain(reader, actor, *engine_, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->status, ReplayStatus::kInconclusive);
  EXPECT_EQ(report->matched, 0u);
}

TEST_F(ReplayTest, ANodesOwnChainHasNoGuest) {
  const Recording actor = record({}, End::kNone);
  const Recording recording = forge(actor, [](std::vector<MutableEvent>& events) {
    events.resize(1);
    auto& genesis = std::get<schema::Genesis>(events[0].body);
    genesis.package = {};
    genesis.package_length = 0;
    genesis.manifest = {};
    genesis.manifest_length = 0;
    events.push_back({events[0].header, "node/boot", schema::Fact{schema::Value::string("up")}});
  });
  const ReplayReport report = replay(recording);
  expect_same(report, 2);
  EXPECT_EQ(report.host_calls, 0u);
  EXPECT_NE(report.reason.find("no guest"), std::string::npos);
}

}  // namespace
}  // namespace theater::replay
