// The queue between threads: bounded, in order, closed for producers first.
#include "base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace theater {
namespace {

TEST(BoundedQueue, RefusesWhenFullAndLeavesTheItem) {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(queue.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(queue.try_push(third));
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(**queue.try_pop(), 1);
  EXPECT_TRUE(queue.try_push(third));
  EXPECT_EQ(**queue.pop(), 2);
  EXPECT_EQ(**queue.pop(), 3);
  EXPECT_FALSE(queue.try_pop().has_value());
}

TEST(BoundedQueue, ClosedMeansDrainThenNothing) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.push(1));
  queue.close();
  queue.close();
  EXPECT_TRUE(queue.closed());
  EXPECT_FALSE(queue.push(2));
  EXPECT_FALSE(queue.try_push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, PopForGivesUp) {
  BoundedQueue<int> queue(1);
  EXPECT_EQ(queue.pop_for(std::chrono::milliseconds(1)), std::nullopt);
  EXPECT_FALSE(queue.closed());
}

TEST(BoundedQueue, CloseWakesWhoeverWaits) {
  BoundedQueue<int> full(1), empty(1);
  ASSERT_TRUE(full.push(1));
  bool pushed = true;
  std::optional<int> popped = 1;
  std::thread producer([&] { pushed = full.push(2); });
  std::thread consumer([&] { popped = empty.pop(); });
  full.close();
  empty.close();
  producer.join();
  consumer.join();
  EXPECT_FALSE(pushed);
  EXPECT_EQ(popped, std::nullopt);
}

TEST(BoundedQueue, ManyProducersAndConsumersLoseNothing) {
  constexpr int kProducers = 3, kEach = 3'000;
  BoundedQueue<int> queue(7);
  std::vector<std::thread> producers, consumers;
  std::vector<std::vector<int>> taken(2);
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) ASSERT_TRUE(queue.push(p * kEach + i));
    });
  }
  for (auto& mine : taken) {
    consumers.emplace_back([&] {
      while (const auto item = queue.pop()) mine.push_back(*item);
    });
  }
  for (auto& thread : producers) thread.join();
  queue.close();
  for (auto& thread : consumers) thread.join();
  std::set<int> all;
  for (const auto& mine : taken) {
    std::vector<int> last(kProducers, -1);
    for (const int item : mine) {
      EXPECT_TRUE(all.insert(item).second);
      EXPECT_GT(item, last[item / kEach]);  // of one producer, in order
      last[item / kEach] = item;
    }
  }
  EXPECT_EQ(all.size(), size_t{kProducers * kEach});
}

}  // namespace
}  // namespace theater
