// Whatever a test of the runtime recorded, replays: the same engine, driven by the record, makes the same events.
#pragma once

#include "replay/replayer.h"
#include "tests/node/fake_node.h"
#include "tests/replay/memory_reader.h"

namespace theater::node {

inline void expect_replays(FakeNode& node, const ActorId& actor) {
  replay::Recording recording{actor, {}, node.record().blobs()};
  for (auto& event : node.record().chain(actor)) recording.events.push_back(std::move(event.bytes));
  const size_t events = recording.events.size();
  replay::MemoryReader reader(std::move(recording));
  const auto report = replay::replay_chain(reader, actor, node.engine(), {});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kSame) << actor.short_hex() << ": " << report->reason;
  EXPECT_EQ(report->matched, events) << actor.short_hex();
  if (report->first_difference) {
    ADD_FAILURE() << report->first_difference->sequence << "\n recorded " << report->first_difference->recorded
                  << "\n replayed " << report->first_difference->replayed;
  }
}

// Stops the node, then replays every chain that its actors left.
inline void expect_all_replay(FakeNode& node) {
  node.stop(10'000);
  for (const ActorId& actor : node.record().actors()) expect_replays(node, actor);
}

}  // namespace theater::node
