// Whatever a test of the runtime recorded, replays: the same engine, driven by the record, makes the same events.
#pragma once

#include "replay/replayer.h"
#include "tests/node/fake_node.h"
#include "tests/replay/memory_reader.h"

namespace theater::node {

inline Result<replay::ReplayReport> replay_of(FakeNode& node, RecordingSubscriber& record, const ActorId& actor,
                                              const replay::ReplayOptions& options = {}) {
  replay::Recording recording{actor, {}, record.blobs()};
  for (auto& event : record.chain(actor)) recording.events.push_back(std::move(event.bytes));
  replay::MemoryReader reader(std::move(recording));
  return replay::replay_chain(reader, actor, node.engine(), options);
}
inline Result<replay::ReplayReport> replay_of(FakeNode& node, const ActorId& actor,
                                              const replay::ReplayOptions& options = {}) {
  return replay_of(node, node.record(), actor, options);
}

inline void expect_replays(FakeNode& node, RecordingSubscriber& record, const ActorId& actor,
                           const replay::ReplayOptions& options = {}) {
  const size_t events = record.chain(actor).size();
  const auto report = replay_of(node, record, actor, options);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kSame) << actor.short_hex() << ": " << report->reason;
  EXPECT_EQ(report->matched, events) << actor.short_hex();
  if (report->first_difference) {
    ADD_FAILURE() << report->first_difference->sequence << "\n recorded " << report->first_difference->recorded
                  << "\n replayed " << report->first_difference->replayed;
  }
}
inline void expect_replays(FakeNode& node, const ActorId& actor, const replay::ReplayOptions& options = {}) {
  expect_replays(node, node.record(), actor, options);
}

// Stops the node, then replays every chain that its actors left.
inline void expect_all_replay(FakeNode& node) {
  node.stop(10'000);
  for (const ActorId& actor : node.record().actors()) expect_replays(node, node.record(), actor);
}

}  // namespace theater::node
