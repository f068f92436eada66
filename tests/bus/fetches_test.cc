// Blobs that a node asks back: piece by piece, again when a message is lost, and checked before anybody gets them.
#include "bus/fetches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crypto.h"

namespace theater::bus {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr uint64_t kMs = 1'000'000;

class FetchesTest : public testing::Test {
 protected:
  FetchesTest() {
    for (size_t i = 0; i < blob_.size(); ++i) blob_[i] = static_cast<uint8_t>(i * 7);
    hash_ = sha256(blob_);
  }
  void ask(const Hash& hash, uint64_t length_max = 1 << 20) {
    ASSERT_TRUE(fetches_.ask(hash, length_max, [this](Result<Bytes> got) { answers_.push_back(std::move(got)); }));
  }
  Fetched piece(uint64_t offset, size_t size = 100) const {
    const BytesView rest = BytesView(blob_).subspan(offset);
    return {hash_, offset, true, blob_.size(), Bytes(rest.begin(), rest.begin() + std::min(size, rest.size()))};
  }
  std::string said() const {
    if (answers_.size() != 1) return str_cat(answers_.size(), " answers");
    return answers_[0].ok() ? "the blob" : answers_[0].error().message;
  }

  Bytes blob_ = Bytes(250);
  Hash hash_;
  uint64_t now_ns_ = 1'000 * kMs;
  Fetches fetches_{"a", {.again_ns = 100 * kMs, .give_up_ns = 1'000 * kMs}};
  std::vector<Result<Bytes>> answers_;
};

TEST_F(FetchesTest, APieceIsAskedForWhenTheOneBeforeHasCome) {
  EXPECT_EQ(fetches_.wait_ns(now_ns_, true), UINT64_MAX);
  ask(hash_);
  EXPECT_EQ(fetches_.wait_ns(now_ns_, true), 0u);
  for (const uint64_t offset : {0, 100, 200}) {
    const auto due = fetches_.due(now_ns_, true);
    ASSERT_THAT(due, SizeIs(1));
    EXPECT_EQ(due[0].hash, hash_);
    EXPECT_EQ(due[0].offset, offset);
    EXPECT_THAT(fetches_.due(now_ns_, true), IsEmpty()) << "once";
    EXPECT_THAT(answers_, IsEmpty());
    fetches_.on_piece(piece(offset), now_ns_);
  }
  ASSERT_EQ(said(), "the blob");
  EXPECT_EQ(*answers_[0], blob_);
  fetches_.on_piece(piece(200), now_ns_);  // late, again
  EXPECT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(fetches_.wait_ns(now_ns_, true), UINT64_MAX);
}

TEST_F(FetchesTest, WhatIsLostIsAskedForAgain) {
  ask(hash_);
  EXPECT_THAT(fetches_.due(now_ns_, true), SizeIs(1));
  EXPECT_EQ(fetches_.wait_ns(now_ns_, true), 100 * kMs);
  now_ns_ += 100 * kMs;
  EXPECT_THAT(fetches_.due(now_ns_, true), SizeIs(1));
  fetches_.on_piece(piece(0), now_ns_);
  fetches_.on_piece(piece(0), now_ns_);  // the answer to the first one came after all: no harm
  EXPECT_EQ(fetches_.due(now_ns_, true).at(0).offset, 100u);
  fetches_.on_piece(piece(100, 1'000), now_ns_);
  EXPECT_EQ(said(), "the blob");
}

TEST_F(FetchesTest, AnAuditorThatIsAwayIsNotWaitedForLong) {
  ask(hash_);
  EXPECT_THAT(fetches_.due(now_ns_, false), IsEmpty());
  EXPECT_GT(fetches_.wait_ns(now_ns_, false), 0u) << "no spinning";
  now_ns_ += 999 * kMs;
  fetches_.due(now_ns_, false);
  EXPECT_THAT(answers_, IsEmpty());
  now_ns_ += kMs;
  fetches_.due(now_ns_, false);
  EXPECT_EQ(said(), "auditor a doesn't answer");
  EXPECT_EQ(answers_[0].error().code, ErrorCode::kUnavailable);
}

TEST_F(FetchesTest, ItIsNotThere) {
  ask(hash_);
  fetches_.due(now_ns_, true);
  fetches_.on_piece({hash_, 0, false, 0, {}}, now_ns_);
  EXPECT_THAT(said(), HasSubstr("auditor a doesn't hold sha256:"));
  EXPECT_EQ(answers_[0].error().code, ErrorCode::kNotFound);
}

TEST_F(FetchesTest, NobodyGetsWhatHasAnotherHash) {
  ask(hash_);
  fetches_.due(now_ns_, true);
  blob_[17] ^= 1;
  fetches_.on_piece(piece(0, 1'000), now_ns_);
  EXPECT_THAT(said(), HasSubstr("has another hash"));
}

TEST_F(FetchesTest, NonsenseEndsIt) {
  for (const Fetched& nonsense : {Fetched{hash_, 0, true, 10, Bytes(11)}, Fetched{hash_, 0, true, 10, {}}}) {
    answers_.clear();
    ask(hash_);
    fetches_.due(now_ns_, true);
    fetches_.on_piece(nonsense, now_ns_);
    EXPECT_THAT(said(), HasSubstr("nonsense"));
  }
}

TEST_F(FetchesTest, WhatIsTooLongIsRefusedAtItsFirstPiece) {
  ask(hash_, 249);
  fetches_.due(now_ns_, true);
  fetches_.on_piece(piece(0), now_ns_);
  EXPECT_THAT(said(), HasSubstr("has 250 bytes; at most 249 are taken"));
}

TEST_F(FetchesTest, TheEmptyBlob) {
  blob_.clear();
  hash_ = sha256(blob_);
  ask(hash_);
  fetches_.due(now_ns_, true);
  fetches_.on_piece(piece(0), now_ns_);
  EXPECT_EQ(said(), "the blob");
}

TEST_F(FetchesTest, SomeAtATimeAndABoundForTheRest) {
  for (size_t i = 0; i < Fetches::kWaitingMax; ++i) ask(hash_);
  EXPECT_FALSE(fetches_.ask(hash_, 1, [](Result<Bytes>) { FAIL() << "refused ones aren't called"; }));
  EXPECT_THAT(fetches_.due(now_ns_, true), SizeIs(Fetches::kActiveMax));
  ask(hash_);
  fetches_.end_all("stopping");
  EXPECT_THAT(answers_, SizeIs(Fetches::kWaitingMax + 1));
  EXPECT_EQ(answers_[0].error().message, "stopping");
  EXPECT_FALSE(fetches_.ask(hash_, 1, [](Result<Bytes>) {}));
}

}  // namespace
}  // namespace theater::bus
