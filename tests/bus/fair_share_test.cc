// The window of a link is shared by actors: whoever holds little isn't kept waiting by who holds much.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kWindow = 1 << 20;
const size_t kEvent = Outbox::event_room(288);

class FairShareTest : public ::testing::Test {
 protected:
  FairShareTest() { window_.acknowledge(0, 0, kWindow); }

  bool emit(uint8_t actor) {
    if (!window_.try_reserve(test_actor(actor), kEvent)) return false;
    window_.append(test_event(actor, sequence_++));
    held_[actor] += kEvent;
    return true;
  }
  // Everything that was sent is durable, and the auditor grants as much again.
  void acknowledge_all() {
    uint64_t events = 0;
    while (auto body = window_.take_body(true)) events += body->events;
    const uint64_t appended = window_.status().appended_bytes;
    window_.acknowledge(appended, events, appended + kWindow);
    held_.clear();
  }

  int wakes_ = 0;
  Window window_{{"a", kWindow, 16, [this] { ++wakes_; }}};
  uint64_t sequence_ = 0;
  std::map<uint8_t, uint64_t> held_;
};

TEST_F(FairShareTest, a_noisy_actor_leaves_a_third_to_others) {
  while (emit(1)) {
  }
  EXPECT_NEAR(static_cast<double>(held_[1]), 2.0 / 3 * kWindow, 2 * static_cast<double>(kEvent));
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(emit(2)) << "the quiet one finds room at once";
  EXPECT_FALSE(emit(1)) << "and the noisy one none";
}

TEST_F(FairShareTest, four_noisy_actors_leave_a_ninth) {
  for (bool any = true; any;) {
    any = false;
    for (uint8_t actor = 1; actor <= 4; ++actor) any |= emit(actor);
  }
  for (uint8_t actor = 1; actor <= 4; ++actor) {
    EXPECT_NEAR(static_cast<double>(held_[actor]), 2.0 / 9 * kWindow, 2 * static_cast<double>(kEvent));
  }
  EXPECT_TRUE(emit(5));
}

TEST_F(FairShareTest, one_event_is_never_refused_while_there_is_room) {
  EXPECT_TRUE(window_.try_reserve(test_actor(1), kWindow - 64));
  EXPECT_TRUE(window_.try_reserve(test_actor(2), 64)) << "however little is free";
  EXPECT_FALSE(window_.try_reserve(test_actor(3), 8));
}

TEST_F(FairShareTest, what_is_durable_or_released_counts_no_more) {
  while (emit(1)) {
  }
  acknowledge_all();
  EXPECT_TRUE(emit(1));
  acknowledge_all();
  ASSERT_TRUE(window_.try_reserve(test_actor(1), kWindow / 8 * 5));
  EXPECT_FALSE(window_.try_reserve(test_actor(1), kWindow / 4));
  window_.release(test_actor(1), kWindow / 8 * 5);
  EXPECT_TRUE(window_.try_reserve(test_actor(1), kWindow / 8 * 7));
}

TEST_F(FairShareTest, who_holds_too_much_is_not_woken_in_vain) {
  while (emit(1)) {
  }
  bool noisy_woken = false, quiet_woken = false;
  window_.woken();
  wakes_ = 0;
  window_.when_room(test_actor(1), [&] { noisy_woken = true; });
  EXPECT_EQ(wakes_, 0) << "there is room, but not for this one";
  window_.when_room(test_actor(2), [&] { quiet_woken = true; });
  EXPECT_EQ(wakes_, 1);
  for (const auto& waker : window_.take_wakers()) waker();
  EXPECT_TRUE(quiet_woken) << "though the noisy one asked first";
  EXPECT_FALSE(noisy_woken);
  EXPECT_FALSE(window_.wakers_ready());
  acknowledge_all();
  EXPECT_TRUE(window_.wakers_ready());
  for (const auto& waker : window_.take_wakers()) waker();
  EXPECT_TRUE(noisy_woken);
}

// Whatever is reserved, released, appended and acknowledged: the books agree, and nobody starves.
TEST_F(FairShareTest, random_traffic_of_many_actors_always_gets_on) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    Window window({"a", kWindow, 16, [] {}});
    window.acknowledge(0, 0, kWindow);
    uint64_t sequence = 0, durable = 0, appended = 0;
    std::deque<std::pair<uint64_t, uint64_t>> bodies;  // end, events
    std::map<uint8_t, uint64_t> emitted;
    for (int i = 0; i < 20'000; ++i) {
      const auto actor = static_cast<uint8_t>(1 + random.below(40));
      const size_t size = 8 * (1 + random.below(random.below(50) == 0 ? 8000 : 100));
      const size_t room = Outbox::event_room(size);
      const bool got = window.try_reserve(test_actor(actor), room);
      if (got && random.below(5) == 0) {
        window.release(test_actor(actor), room);
      } else if (got) {
        window.append(test_event(actor, sequence++, size));
        appended += room;
        ++emitted[actor];
      }
      const auto status = window.status();
      ASSERT_EQ(status.appended_bytes, appended);
      ASSERT_LE(status.appended_bytes - status.durable_bytes, kWindow);
      if (random.below(100) != 0) continue;
      while (auto body = window.take_body(random.below(2) == 0)) {
        bodies.emplace_back((bodies.empty() ? durable : bodies.back().first) + body->builder.body_bytes(),
                            body->events);
      }
      for (uint64_t n = random.below(4); n > 0 && !bodies.empty(); --n) {
        durable = bodies.front().first;
        window.acknowledge(durable, bodies.front().second, durable + kWindow);
        bodies.pop_front();
      }
    }
    for (uint8_t actor = 1; actor <= 40; ++actor) EXPECT_GT(emitted[actor], 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace theater::bus
