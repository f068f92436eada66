// What a window tells of the events that it had no room for: as little as says it all.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kWindow = 1 << 20;

// An auditor that grants so much, and what it was told of each chain.
class GapsTest : public ::testing::Test {
 protected:
  struct Told {
    uint64_t events = 0, gaps = 0, missed = 0, next = 0;
    bool after_gap = false;
    uint64_t adjacent = 0;  // gaps that directly follow another
  };

  GapsTest() { window_.acknowledge(0, 0, kWindow); }

  // As an actor that drops what has no room.
  bool emit(uint8_t actor) {
    const auto event = test_event(actor, next_[actor]++, size_);
    const bool got = window_.try_reserve(event.actor, Outbox::event_room(size_));
    got ? window_.append(event) : window_.drop(event);
    return got;
  }
  // One body, if there is one, comes to the auditor and is durable.
  bool acknowledge_one() {
    const auto body = window_.take_body(true);
    if (!body) return false;
    auto builder = body->builder;
    durable_ += builder.body_bytes();
    const auto sealed = builder.seal(1, 1, Hash{}, StreamId{});
    const auto frame = parse_frame(sealed.bytes);
    EXPECT_TRUE(frame.ok());
    for (const auto& item : frame->items) hear(item);
    window_.acknowledge(durable_, body->events, durable_ + kWindow);
    return true;
  }
  void hear(const ItemView& item) {
    const bool is_gap = item.kind == ItemKind::kGap;
    const Gap gap = is_gap ? parse_gap(item.content).value() : Gap{};
    Told& told = told_[is_gap ? gap.actor.bytes[0] : item.content[8]];
    EXPECT_EQ(is_gap ? gap.first : test_event_number(item.content), told.next) << "in order, and nothing left out";
    told.next = is_gap ? gap.last + 1 : told.next + 1;
    if (is_gap) {
      EXPECT_EQ(gap.head, test_event(gap.actor.bytes[0], gap.last, size_).hash);
    }
    told.adjacent += is_gap && told.after_gap;
    told.after_gap = is_gap;
    is_gap ? ++told.gaps : ++told.events;
    if (is_gap) told.missed += gap.last + 1 - gap.first;
  }
  void acknowledge_all() {
    while (acknowledge_one()) {
    }
  }

  size_t size_ = 288;  // of each event
  int wakes_ = 0;
  Window window_{{"a", kWindow, 16, [this] { ++wakes_; }}};
  uint64_t durable_ = 0;
  std::map<uint8_t, uint64_t> next_;
  std::map<uint8_t, Told> told_;
};

TEST_F(GapsTest, what_is_dropped_one_after_the_other_is_one_gap) {
  while (emit(1)) {
  }
  const uint64_t fitted = next_[1] - 1;
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(emit(1)) << "its share is used up, though a third is free";
  acknowledge_all();
  EXPECT_EQ(told_[1].events, fitted);
  EXPECT_EQ(told_[1].gaps, 1u);
  EXPECT_EQ(told_[1].missed, 10'001u);
}

TEST_F(GapsTest, an_actor_that_drops_all_the_time_tells_a_gap_for_each_time_there_was_room) {
  uint64_t acknowledged = 0;
  for (int i = 0; i < 100'000; ++i) {
    emit(1);
    if (i % 1'000 == 0) acknowledged += acknowledge_one();
  }
  acknowledge_all();
  EXPECT_EQ(told_[1].next, 100'000u);
  EXPECT_GT(told_[1].gaps, 10u);
  EXPECT_LE(told_[1].gaps, acknowledged + 1);
  EXPECT_EQ(told_[1].adjacent, 0u);
}

TEST_F(GapsTest, one_that_drops_is_not_in_the_way_of_others) {
  while (emit(1)) {
  }
  while (emit(2)) {
  }
  EXPECT_TRUE(emit(3)) << "two gaps wait";
}

TEST_F(GapsTest, a_gap_that_is_told_before_an_event_wakes_the_bus) {
  window_.drop(test_event(1, next_[1]++));
  window_.woken();
  wakes_ = 0;
  EXPECT_TRUE(emit(1));
  EXPECT_EQ(wakes_, 1);
}

TEST_F(GapsTest, whoever_falls_silent_has_its_gap_told_once_there_is_room) {
  size_ = 32'000;
  for (const uint8_t actor : {1, 2}) {
    while (emit(actor)) {
    }
  }
  acknowledge_all();
  EXPECT_EQ(told_[1].next, next_[1]);
  EXPECT_EQ(told_[2].next, next_[2]);
  EXPECT_TRUE(window_.empty());
}

// Whatever is emitted, dropped and acknowledged: everything is told once and in order, and the window is never
// overdrawn.
TEST_F(GapsTest, random_traffic_is_told_in_order_with_few_gaps) {
  SeededRandom random(1);
  for (int i = 0; i < 200'000; ++i) {
    const auto actor = static_cast<uint8_t>(1 + random.below(random.below(4) == 0 ? 40 : 3));
    emit(actor);
    if (random.below(400) == 0) acknowledge_one();
    const auto status = window_.status();
    ASSERT_LE(status.appended_bytes - status.durable_bytes, kWindow);
  }
  acknowledge_all();
  EXPECT_TRUE(window_.empty());
  uint64_t gaps = 0, missed = 0;
  for (const auto& [actor, told] : told_) {
    EXPECT_EQ(told.next, next_[actor]);
    gaps += told.gaps;
    missed += told.missed;
  }
  EXPECT_EQ(missed, window_.status().dropped_events);
  EXPECT_GT(missed, 50'000u);
  EXPECT_LT(gaps, missed / 10);
}

}  // namespace
}  // namespace theater::bus
