// What isn't as it was is found, at exactly the event where it begins; and nobody is accused for what the engine
// decides.
#include "tests/replay/replay_fixture.h"

namespace theater::replay {
namespace {

using schema::BodyKind;
using schema::Value;

Bytes with_text_replaced(Bytes package, std::string_view from, std::string_view to) {
  const auto at = std::search(package.begin(), package.end(), from.begin(), from.end());
  CHECK(at != package.end(), "the package doesn't hold ", from);
  std::copy(to.begin(), to.end(), at);
  return package;
}

// Empty contents: a section that only tools read.
Bytes with_custom_section(Bytes package) {
  for (const uint8_t byte : {0x00, 0x05, 0x04, 0x6e, 0x6f, 0x74, 0x65}) package.push_back(byte);
  return package;
}

void expect_diverged_at(const ReplayReport& report, size_t sequence) {
  EXPECT_EQ(report.status, ReplayStatus::kDiverged) << report.reason;
  EXPECT_EQ(report.matched, sequence);
  ASSERT_TRUE(report.first_difference);
  EXPECT_EQ(report.first_difference->sequence, sequence);
}

using DifferenceTest = ReplayTest;

TEST_F(DifferenceTest, OneByteOfOneLogLineInAnotherPackage) {
  const Recording recording = record({"sleep", "log", "random"});
  ReplayOptions options;
  options.package = with_text_replaced(actions(), "second line", "secOnd line");
  const ReplayReport report = replay(recording, options);
  expect_diverged_at(report, find(recording, BodyKind::kHostCall, "/log", 2));
  EXPECT_NE(report.first_difference->recorded.find("second line"), std::string::npos);
  EXPECT_NE(report.first_difference->replayed.find("secOnd line"), std::string::npos);
}

TEST_F(DifferenceTest, AnotherPackageThatActsTheSameIsTheSame) {
  const Recording recording = record({"log", "sleep", "random", "big", "trap"}, End::kByItself);
  ReplayOptions options;
  options.package = with_custom_section(actions());
  expect_same(replay(recording, options), recording.events.size());
}

TEST_F(DifferenceTest, AQuiteDifferentPackage) {
  const Recording recording = record({"log"});
  ReplayOptions options;
  options.package = guest("/examples/burst/burst.wasm");
  const ReplayReport report = replay(recording, options);
  expect_diverged_at(report, find(recording, BodyKind::kHostCall, "/log"));
}

// A node that lies about what its guest said, in a chain that verifies.
TEST_F(DifferenceTest, ARecordedArgumentThatTheGuestNeverGave) {
  const Recording whole = record({"log", "log"});
  const size_t sequence = find(whole, BodyKind::kHostCall, "/log", 4);
  const Recording recording = forge(whole, [&](auto& events) {
    std::get<schema::HostCall>(events[sequence].body).args = {Value::string("never said")};
  });
  expect_diverged_at(replay(recording), sequence);
}

TEST_F(DifferenceTest, ACallLeftOutOfTheRecord) {
  const Recording whole = record({"log"});
  const size_t sequence = find(whole, BodyKind::kHostCall, "/log", 2);
  const Recording recording =
      forge(whole, [&](auto& events) { events.erase(events.begin() + static_cast<ptrdiff_t>(sequence)); });
  expect_diverged_at(replay(recording), sequence);
}

TEST_F(DifferenceTest, ACallAddedToTheRecord) {
  const Recording whole = record({"log"});
  const size_t sequence = find(whole, BodyKind::kHostCall, "/log", 2);
  const Recording recording = forge(
      whole, [&](auto& events) { events.insert(events.begin() + static_cast<ptrdiff_t>(sequence), events[sequence]); });
  expect_diverged_at(replay(recording), sequence + 1);
}

TEST_F(DifferenceTest, AResultOrItsFuelChanged) {
  const Recording whole = record({"log"});
  const size_t sequence = find(whole, BodyKind::kWasmResult, "handle-request");
  expect_diverged_at(
      replay(forge(whole,
                   [&](auto& events) {
                     std::get<schema::WasmResult>(events[sequence].body).results = {Value::err(Value::string("no"))};
                   })),
      sequence);
  expect_diverged_at(
      replay(forge(whole, [&](auto& events) { std::get<schema::WasmResult>(events[sequence].body).fuel += 1; })),
      sequence);
}

TEST_F(DifferenceTest, ATrapThatNeverHappened) {
  const Recording whole = record({"log"}, End::kNone);
  const size_t sequence = find(whole, BodyKind::kWasmResult, "handle-request");
  const Recording recording = forge(whole, [&](auto& events) {
    events.resize(sequence);
    schema::ErrorBody error{schema::ErrorKind::kTrap, "unreachable", 100, true, {}};
    events.push_back({events.back().header, std::string(schema::kTypeError), error});
  });
  expect_diverged_at(replay(recording), sequence);
}

// Records that no node writes must not stop the process either.
TEST_F(DifferenceTest, RecordsThatMakeNoSense) {
  const Recording whole = record({"random"}, End::kNone);
  const auto replay_with = [&](const std::function<void(std::vector<MutableEvent>&)>& edit) {
    const ReplayReport report = replay(forge(whole, edit));
    EXPECT_NE(report.status, ReplayStatus::kSame);
    EXPECT_TRUE(report.first_difference || !report.reason.empty());
  };
  const size_t call = find(whole, BodyKind::kWasmCall, "handle-request");
  const size_t answer = find(whole, BodyKind::kHostCall, "/u64");
  replay_with([&](auto& events) { std::get<schema::WasmCall>(events[call].body).args = {Value::u8(1)}; });
  replay_with([&](auto& events) { std::get<schema::WasmCall>(events[call].body).args = {}; });
  replay_with([&](auto& events) { events[call].type = "no/such/function"; });
  replay_with([&](auto& events) { events[call].type = std::string(schema::kTypeInitialize); });
  replay_with([&](auto& events) { std::get<schema::HostCall>(events[answer].body).results = {Value::string("9")}; });
  replay_with([&](auto& events) { std::get<schema::HostCall>(events[answer].body).results = {}; });
  replay_with(
      [&](auto& events) { std::get<schema::HostCall>(events[answer].body).results = {Value::secret({Hash{}})}; });
  replay_with([&](auto& events) { events.erase(events.begin() + static_cast<ptrdiff_t>(call)); });
  replay_with([&](auto& events) { events.erase(events.begin() + 1, events.begin() + 3); });  // without _initialize
}

TEST_F(DifferenceTest, APassivationLeftOutOrAddedOrWithinACall) {
  Node node(actions(), str_cat(kManifest, "[limits]\npassivate_after = \"1 ms\"\n"));
  node.ask("log");
  ASSERT_TRUE(node::wait_for_state(*node.runtime, node.actor, "passivated"));
  node.ask("log");
  const Recording whole = node.recording();
  expect_same(replay(whole), whole.events.size());
  const size_t rest = find(whole, BodyKind::kFact, "actor/passivated");
  const size_t call = find(whole, BodyKind::kWasmCall, "handle-request");
  const auto at = [](auto& events, size_t i) { return events.begin() + static_cast<ptrdiff_t>(i); };
  ASSERT_EQ(find(whole, BodyKind::kWasmCall, "_initialize", 1), rest + 1);

  const Recording without_fact = forge(whole, [&](auto& events) { events.erase(at(events, rest)); });
  expect_diverged_at(replay(without_fact), rest);
  const Recording without_initialize =
      forge(whole, [&](auto& events) { events.erase(at(events, rest + 1), at(events, rest + 3)); });
  expect_diverged_at(replay(without_initialize), rest + 1);
  const auto with_another_before = [&](size_t i) {
    return forge(whole, [&](auto& events) {
      auto fact = events[rest];
      fact.header.time_ns = events[i].header.time_ns;
      events.insert(at(events, i), std::move(fact));
    });
  };
  expect_diverged_at(replay(with_another_before(call)), call + 1);
  expect_diverged_at(replay(with_another_before(call + 1)), call + 1);  // before the first host call,
  expect_diverged_at(replay(with_another_before(call + 2)), call + 2);  // between two of them,
  expect_diverged_at(replay(with_another_before(call + 4)), call + 4);  // before the result
}

TEST_F(DifferenceTest, AnotherEngineProfileIsSaidAndIsNoDifference) {
  const Recording recording = forge(record({"log", "random"}), [](auto& events) {
    std::get<schema::Genesis>(events[0].body).engine_profile.bytes[0] ^= 1;
    for (auto& event : events) {
      if (auto* result = std::get_if<schema::WasmResult>(&event.body)) result->fuel += 17;
    }
  });
  // Its id is in init's arguments and has changed with genesis; nothing in this guest depends on it.
  const ReplayReport report = replay(recording);
  expect_same(report, recording.events.size());
  EXPECT_FALSE(report.same_profile);
}

TEST_F(DifferenceTest, AFirstDifferenceAtTheEndOfTheStackUnderAnotherProfileIsInconclusive) {
  const Recording whole = record({"deep"}, End::kByItself);
  const auto returns_instead = [&](bool other_profile) {
    return forge(whole, [&](auto& events) {
      if (other_profile) std::get<schema::Genesis>(events[0].body).engine_profile.bytes[0] ^= 1;
      MutableEvent& last = events.back();
      last.type = events[events.size() - 2].type;
      last.body = schema::WasmResult{{Value::err(Value::string("it went well there"))}, 1'000'000'000};
    });
  };
  EXPECT_EQ(replay(returns_instead(true)).status, ReplayStatus::kInconclusive);
  EXPECT_EQ(replay(returns_instead(false)).status, ReplayStatus::kDiverged);
}

}  // namespace
}  // namespace theater::replay
