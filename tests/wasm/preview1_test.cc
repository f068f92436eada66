// The preview1 subset: what is answered without the host, what becomes a typed call, and that bad pointers are EFAULT
// and leave no event. Runs without an engine.
#include "wasm/preview1.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/wasm/guest_test_util.h"

namespace theater::wasm {
namespace {

using schema::Value;
using Kind = Preview1Step::Kind;

constexpr uint16_t kBadFile = 8;
constexpr uint16_t kFault = 21;
constexpr uint16_t kInvalid = 28;

class Preview1Test : public ::testing::Test {
 protected:
  Preview1Step prepare(Preview1 id, std::vector<uint64_t> args) {
    args_ = std::move(args);
    typed_.clear();
    return prepare_preview1(id, args_, memory_, host_, typed_);
  }
  uint16_t answer(Preview1 id, std::vector<uint64_t> args) {
    const Preview1Step step = prepare(id, std::move(args));
    EXPECT_EQ(step.kind, Kind::kAnswered);
    return step.error_number;
  }
  Preview1Step finish(Preview1 id, std::vector<Value> results, uint64_t waited_ns = 0) {
    return finish_preview1(id, args_, memory_, host_, results, waited_ns);
  }
  template <typename T>
  void put(size_t at, T value) {
    std::memcpy(memory_.data() + at, &value, sizeof value);
  }
  template <typename T>
  T get(size_t at) {
    T value;
    std::memcpy(&value, memory_.data() + at, sizeof value);
    return value;
  }

  Bytes memory_ = Bytes(65536);
  ScriptedHost host_;
  std::vector<uint64_t> args_;
  std::vector<Value> typed_;
};

TEST_F(Preview1Test, EveryNameInTheTableHasASignatureAndTheOtherWayRound) {
  int count = 0;
  for (const HostFunction& function : host_functions()) {
    if (function.handler != "wasi") continue;
    EXPECT_NE(find_preview1(function.name), nullptr) << function.name;
    ++count;
  }
  EXPECT_EQ(count, 18);
}

TEST_F(Preview1Test, ClocksAreTheHosts) {
  EXPECT_EQ(answer(Preview1::kClockTimeGet, {0, 0, 8}), 0);
  EXPECT_EQ(get<uint64_t>(8), host_.wall);
  EXPECT_EQ(answer(Preview1::kClockTimeGet, {1, 0, 8}), 0);
  EXPECT_EQ(get<uint64_t>(8), host_.monotonic);
  EXPECT_NE(answer(Preview1::kClockTimeGet, {2, 0, 8}), 0);
  EXPECT_EQ(answer(Preview1::kClockTimeGet, {0, 0, 65529}), kFault);
}

TEST_F(Preview1Test, ThereAreNoArgumentsNoEnvironmentAndNoFiles) {
  put<uint32_t>(0, 7);
  EXPECT_EQ(answer(Preview1::kArgsSizesGet, {0, 4}), 0);
  EXPECT_EQ(get<uint32_t>(0), 0u);
  EXPECT_EQ(answer(Preview1::kEnvironSizesGet, {0, 65534}), kFault);
  EXPECT_EQ(answer(Preview1::kFdPrestatGet, {3, 0}), kBadFile);
  EXPECT_EQ(answer(Preview1::kFdClose, {1}), kBadFile);
  EXPECT_EQ(answer(Preview1::kFdFdstatGet, {1, 0}), 0);
  EXPECT_EQ(memory_[0], 2);  // a character device
  EXPECT_EQ(answer(Preview1::kFdFdstatGet, {9, 0}), kBadFile);
}

TEST_F(Preview1Test, WritesAreGatheredAndCapped) {
  std::memcpy(memory_.data() + 100, "hello world", 11);
  put<uint32_t>(0, 100), put<uint32_t>(4, 6), put<uint32_t>(8, 106), put<uint32_t>(12, 5);
  ASSERT_EQ(prepare(Preview1::kFdWrite, {1, 0, 2, 64}).kind, Kind::kAskHost);
  EXPECT_EQ(typed_, (std::vector<Value>{Value::u32(1), Value::bytes(to_bytes("hello world"))}));
  EXPECT_EQ(finish(Preview1::kFdWrite, {Value::u16(0)}).error_number, 0);
  EXPECT_EQ(get<uint32_t>(64), 11u);
  EXPECT_EQ(finish(Preview1::kFdWrite, {Value::u16(5)}).error_number, 5);

  put<uint32_t>(0, 0), put<uint32_t>(4, 60'000);
  ASSERT_EQ(prepare(Preview1::kFdWrite, {2, 0, 1, 64}).kind, Kind::kAskHost);
  EXPECT_EQ(typed_[1].get<Bytes>()->size(), kPreview1WriteMax);
  EXPECT_EQ(finish(Preview1::kFdWrite, {Value::u16(0)}).error_number, 0);
  EXPECT_EQ(get<uint32_t>(64), kPreview1WriteMax);
}

TEST_F(Preview1Test, BadWritesNeverReachTheHost) {
  EXPECT_EQ(answer(Preview1::kFdWrite, {3, 0, 1, 64}), kBadFile);
  EXPECT_EQ(answer(Preview1::kFdWrite, {1, 0, 0xFFFFFFFF, 64}), kFault);
  EXPECT_EQ(answer(Preview1::kFdWrite, {1, 0, 1, 65534}), kFault);
  put<uint32_t>(0, 65'000), put<uint32_t>(4, 0xFFFFFFFF);
  EXPECT_EQ(answer(Preview1::kFdWrite, {1, 0, 1, 64}), kFault);
  EXPECT_TRUE(typed_.empty());
}

TEST_F(Preview1Test, RandomBytesAreTheHostsAndOfTheRightNumber) {
  ASSERT_EQ(prepare(Preview1::kRandomGet, {10, 4}).kind, Kind::kAskHost);
  EXPECT_EQ(typed_, std::vector<Value>{Value::u32(4)});
  EXPECT_EQ(finish(Preview1::kRandomGet, {Value::bytes({1, 2, 3, 4})}).error_number, 0);
  EXPECT_EQ(get<uint32_t>(10), 0x04030201u);
  EXPECT_EQ(finish(Preview1::kRandomGet, {Value::bytes({1})}).kind, Kind::kTrap);
  EXPECT_EQ(answer(Preview1::kRandomGet, {65535, 4}), kFault);
  EXPECT_EQ(answer(Preview1::kRandomGet, {0, 1 << 20}), kInvalid);
}

TEST_F(Preview1Test, PollWaitsForTheShortestAndReportsIt) {
  const auto subscribe = [this](size_t at, uint64_t user, uint32_t clock, uint64_t timeout, uint16_t flags) {
    put<uint64_t>(at, user), put<uint8_t>(at + 8, 0), put<uint32_t>(at + 16, clock), put<uint64_t>(at + 24, timeout);
    put<uint16_t>(at + 40, flags);
  };
  subscribe(0, 11, 1, 5'000, 0);
  subscribe(48, 22, 0, host_.wall + 1'000, 1);
  ASSERT_EQ(prepare(Preview1::kPollOneoff, {0, 512, 2, 1024}).kind, Kind::kAskHost);
  EXPECT_EQ(typed_, std::vector<Value>{Value::u64(1'000)});
  host_.wall += 1'000;
  EXPECT_EQ(finish(Preview1::kPollOneoff, {}, 1'000).error_number, 0);
  EXPECT_EQ(get<uint32_t>(1024), 1u);
  EXPECT_EQ(get<uint64_t>(512), 22u);

  put<uint8_t>(56, 1);  // the second one waits for a descriptor: told so at once
  EXPECT_EQ(answer(Preview1::kPollOneoff, {0, 512, 2, 1024}), 0);
  EXPECT_EQ(get<uint16_t>(520), kBadFile);
  EXPECT_EQ(answer(Preview1::kPollOneoff, {0, 512, 0, 1024}), kInvalid);
  EXPECT_EQ(answer(Preview1::kPollOneoff, {0, 512, 1000, 1024}), kInvalid);
  EXPECT_EQ(answer(Preview1::kPollOneoff, {65500, 512, 1, 1024}), kFault);
}

TEST_F(Preview1Test, ExitIsRecordedAndThenATrap) {
  ASSERT_EQ(prepare(Preview1::kProcExit, {3}).kind, Kind::kAskHost);
  const Preview1Step step = finish(Preview1::kProcExit, {});
  EXPECT_EQ(step.kind, Kind::kTrap);
  EXPECT_NE(step.trap.find("proc_exit(3)"), std::string::npos);
}

}  // namespace
}  // namespace theater::wasm
