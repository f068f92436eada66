// Ids, results, checks, clocks, randomness, threads.
#include <gtest/gtest.h>
#include <pthread.h>

#include <memory>
#include <type_traits>
#include <unordered_set>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/thread.h"

namespace theater {
namespace {

TEST(Ids, AreTypesOfTheirOwn) {
  static_assert(!std::is_convertible_v<Hash, ActorId>);
  static_assert(!std::is_convertible_v<PublicKey, Hash>);
}

TEST(Ids, HexThereAndBack) {
  Hash hash;
  for (size_t i = 0; i < 32; ++i) hash.bytes[i] = static_cast<uint8_t>(i * 8);
  EXPECT_EQ(hash.hex().size(), 64u);
  EXPECT_EQ(hash.short_hex(), "000810182028");
  EXPECT_EQ(Hash::from_hex_text(hash.hex()), hash);
  EXPECT_EQ(Hash::from_hex_text(hash.hex().substr(1)), std::nullopt);
  EXPECT_EQ(Hash::from_hex_text(hash.hex().substr(2)), std::nullopt);
  EXPECT_EQ(Hash::from_view(Bytes(33)), std::nullopt);
  EXPECT_EQ(actor_id_of(hash).hex(), hash.hex());
}

TEST(Ids, CompareBytewiseAndHash) {
  const Hash zero, one{{1}};
  EXPECT_TRUE(zero.is_zero());
  EXPECT_FALSE(one.is_zero());
  EXPECT_LT(zero, one);
  EXPECT_GT((Hash{{0, 1}}), zero);
  EXPECT_GT(one, (Hash{{0, 255}}));
  const std::unordered_set<Hash> set = {zero, one, one};
  EXPECT_EQ(set.size(), 2u);
}

Result<int> half(int value) {
  if (value % 2 != 0) return Error{ErrorCode::kInvalid, str_cat(value, " is odd")};
  return value / 2;
}
Result<int> quarter(int value) {
  TRY_ASSIGN(const int halved, half(value));
  return half(halved);
}
Result<void> must_halve(int value) {
  TRY(half(value));
  return Ok{};
}

TEST(Result, ValueOrError) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "3 is odd");
  EXPECT_EQ(quarter(7).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(must_halve(2).ok());
  EXPECT_EQ(must_halve(1).error().message, "1 is odd");
}

TEST(Result, MovesWhatCantBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const std::unique_ptr<int> taken = std::move(make()).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, TheWrongQuestionIsABug) {
  EXPECT_DEATH((void)half(1).value(), "CHECK failed");
  EXPECT_DEATH((void)half(2).error(), "CHECK failed");
  EXPECT_DEATH((void)must_halve(2).error(), "CHECK failed");
}

TEST(Check, SaysWhereAndWhat) {
  const int left = 3;
  CHECK(left == 3, "never evaluated");
  EXPECT_DEATH(CHECK(left == 4, "left is ", left), "base_test\\.cc:[0-9]+: CHECK failed: left == 4: left is 3");
}

TEST(ManualClock, StandsStillUntilMoved) {
  ManualClock clock(100);
  EXPECT_EQ(clock.wall_ns(), 100u);
  EXPECT_EQ(clock.monotonic_ns(), 100u);
  clock.advance_ns(5);
  EXPECT_EQ(clock.wall_ns(), 105u);
}

TEST(SystemClock, MonotonicNeverGoesBack) {
  SystemClock clock;
  EXPECT_GT(clock.wall_ns(), uint64_t{1'600'000'000} * 1'000'000'000);
  uint64_t last = clock.monotonic_ns();
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t now = clock.monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SeededRandom, SameSeedSameBytes) {
  // SplitMix64's published first outputs for the seed 1234567.
  SeededRandom random(1234567);
  EXPECT_EQ(random.next_u64(), 6457827717110365317u);
  EXPECT_EQ(random.next_u64(), 3203168211198807973u);
  EXPECT_EQ(random.next_u64(), 9817491932198370423u);
  SeededRandom same(1234567), other(1234568);
  EXPECT_EQ(same.next_u64(), 6457827717110365317u);
  EXPECT_NE(other.next_u64(), 6457827717110365317u);
}

TEST(SeededRandom, FillsWhatIsNoMultipleOfEight) {
  SeededRandom random(1);
  std::array<uint8_t, 13> bytes{};
  random.fill(bytes);
  EXPECT_NE(bytes[12] | bytes[11] | bytes[10] | bytes[9], 0);
}

TEST(SystemRandom, DiffersAndFillsMoreThanOneCall) {
  SystemRandom random;
  std::array<uint8_t, 1000> a{}, b{};
  random.fill(a);
  random.fill(b);
  EXPECT_NE(a, b);
  EXPECT_TRUE(std::any_of(a.begin() + 900, a.end(), [](uint8_t byte) { return byte != 0; }));
}

TEST(Thread, HasItsNameAndNoSignals) {
  char name[16] = {};
  sigset_t blocked;
  sigemptyset(&blocked);
  std::thread thread = start_thread("worker-1", [&] {
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  });
  thread.join();
  EXPECT_STREQ(name, "worker-1");
  EXPECT_EQ(sigismember(&blocked, SIGTERM), 1);
  EXPECT_EQ(sigismember(&blocked, SIGINT), 1);
}

}  // namespace
}  // namespace theater
