// Blobs on their way through a window: how many at once, in whose turn, and what becomes of those that nobody finishes.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kWindow = 1 << 20;
constexpr size_t kPiece = 1'000;
constexpr size_t kTurns = 2;

class BlobsTest : public ::testing::Test {
 protected:
  BlobsTest() { window_.acknowledge(0, 0, kWindow); }

  static Bytes blob(uint64_t number, size_t pieces) {
    Bytes bytes(pieces * kPiece, 7);
    std::memcpy(bytes.data(), &number, sizeof number);
    return bytes;
  }
  bool send(uint8_t actor, const Bytes& blob, uint64_t offset) {
    const Hash hash = sha256(blob);
    if (!window_.try_reserve_blob(test_actor(actor), hash, Outbox::blob_room(kPiece))) return false;
    window_.append_blob(test_actor(actor), hash, blob.size(), offset, BytesView(blob).subspan(offset, kPiece));
    return true;
  }
  // What comes to the auditor: never more unfinished blobs than may be, no piece without the one before it.
  void arrive() {
    uint64_t events = 0;
    while (auto body = window_.take_body(true)) {
      events += body->events;
      const auto sealed = body->builder.seal(1, 1, Hash{}, StreamId{});
      const auto frame = parse_frame(sealed.bytes);
      ASSERT_TRUE(frame.ok()) << frame.error().message;
      for (const auto& item : frame->items) {
        if (item.kind == ItemKind::kBlob) hear(parse_blob_piece(item.content).value());
      }
    }
    const uint64_t appended = window_.status().appended_bytes;
    window_.acknowledge(appended, events, appended + kWindow);
  }
  void hear(const BlobPiece& piece) {
    if (piece.gives_up()) {
      EXPECT_EQ(unfinished_.erase(piece.hash), 1u) << "given up, though nothing of it came";
      return;
    }
    Bytes& has = unfinished_[piece.hash];
    EXPECT_EQ(piece.offset, has.size());
    has.insert(has.end(), piece.bytes.begin(), piece.bytes.end());
    EXPECT_LE(unfinished_.size(), kTurns);
    if (has.size() < piece.length) return;
    EXPECT_EQ(sha256(has), piece.hash);
    whole_.insert(piece.hash);
    unfinished_.erase(piece.hash);
  }
  void wake() {
    for (const auto& waker : window_.take_wakers()) waker();
  }

  int wakes_ = 0;
  Window window_{{"a", kWindow, 1024, [this] { ++wakes_; }, kTurns}};
  std::map<Hash, Bytes> unfinished_;
  std::set<Hash> whole_;
};

// Seen on a node with 200 actors: each began a large payload, the auditor kept 128 of them, and the other chains were
// stopped for what the node had done right.
TEST_F(BlobsTest, who_would_begin_one_too_many_waits_for_the_end_of_another) {
  ASSERT_TRUE(send(1, blob(1, 2), 0));
  ASSERT_TRUE(send(2, blob(2, 2), 0));
  EXPECT_FALSE(send(3, blob(3, 1), 0));
  bool woken = false;
  window_.when_room(test_actor(3), [&] { woken = true; });
  wake();
  EXPECT_FALSE(woken) << "there is room, but no turn";
  EXPECT_FALSE(window_.wakers_ready());
  window_.woken();
  wakes_ = 0;
  ASSERT_TRUE(send(1, blob(1, 2), kPiece));
  EXPECT_GT(wakes_, 0);
  wake();
  EXPECT_TRUE(woken);
  EXPECT_TRUE(send(3, blob(3, 1), 0));
  ASSERT_TRUE(send(2, blob(2, 2), kPiece));
  arrive();
  EXPECT_EQ(whole_.size(), 3u);
}

TEST_F(BlobsTest, events_and_blobs_that_are_there_need_no_turn) {
  ASSERT_TRUE(send(9, blob(9, 1), 0));
  ASSERT_TRUE(send(1, blob(1, 2), 0));
  ASSERT_TRUE(send(2, blob(2, 2), 0));
  EXPECT_TRUE(send(3, blob(9, 1), 0));
  EXPECT_TRUE(send(3, blob(1, 2), 0)) << "together with the one who began it";
  EXPECT_TRUE(window_.try_reserve(test_actor(4), Outbox::event_room(288)));
}

TEST_F(BlobsTest, what_nobody_sends_any_more_is_given_up_and_begun_anew) {
  ASSERT_TRUE(send(1, blob(1, 3), 0));
  ASSERT_TRUE(send(2, blob(2, 3), 0));
  EXPECT_FALSE(send(3, blob(3, 3), 0));
  window_.give_up_blob(test_actor(1));
  EXPECT_TRUE(window_.needs_blob(sha256(blob(1, 3))));
  for (uint64_t offset = 0; offset < 3 * kPiece; offset += kPiece) ASSERT_TRUE(send(3, blob(3, 3), offset));
  for (uint64_t offset = 0; offset < 3 * kPiece; offset += kPiece) ASSERT_TRUE(send(4, blob(1, 3), offset));
  arrive();
  EXPECT_EQ(whole_, (std::set<Hash>{sha256(blob(3, 3)), sha256(blob(1, 3))}));
}

TEST_F(BlobsTest, of_two_who_send_it_together_one_may_stop) {
  ASSERT_TRUE(send(1, blob(1, 3), 0));
  ASSERT_TRUE(send(2, blob(1, 3), 0));
  ASSERT_TRUE(send(1, blob(1, 3), kPiece));
  window_.give_up_blob(test_actor(1));
  ASSERT_TRUE(send(2, blob(1, 3), kPiece));
  ASSERT_TRUE(send(2, blob(1, 3), 2 * kPiece));
  arrive();
  EXPECT_EQ(whole_.size(), 1u);
}

TEST_F(BlobsTest, a_turn_that_was_not_used_is_given_back_with_the_room) {
  const size_t room = Outbox::blob_room(kPiece);
  ASSERT_TRUE(window_.try_reserve_blob(test_actor(1), sha256(blob(1, 2)), room));
  ASSERT_TRUE(window_.try_reserve_blob(test_actor(2), sha256(blob(2, 2)), room));
  EXPECT_FALSE(send(3, blob(3, 1), 0));
  window_.release(test_actor(1), room);
  EXPECT_TRUE(send(3, blob(3, 1), 0));
  arrive();
  EXPECT_TRUE(unfinished_.empty());
}

TEST_F(BlobsTest, without_room_giving_up_is_told_later) {
  ASSERT_TRUE(send(1, blob(1, 2), 0));
  const uint64_t all = window_.status().room_bytes;
  ASSERT_TRUE(window_.try_reserve(test_actor(2), all));
  window_.give_up_blob(test_actor(1));
  EXPECT_FALSE(window_.empty());
  window_.release(test_actor(2), all);
  wake();
  arrive();
  EXPECT_TRUE(window_.empty());
  EXPECT_TRUE(unfinished_.empty());
}

// Actors that send, share, wait, give up and are acknowledged in any order: all get on, and the auditor always
// understands.
TEST_F(BlobsTest, random_senders_all_get_on) {
  struct Actor {
    Bytes blob;
    uint64_t offset = 0;
    bool waits = false;
    uint64_t finished = 0;
    void start_over() {
      blob.clear();
      offset = 0;
      waits = false;
    }
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    std::map<uint8_t, Actor> actors;
    const auto number = [&] { return seed * 1'000'000 + random.below(5'000); };
    for (int step = 0; step < 30'000; ++step) {
      const auto id = static_cast<uint8_t>(1 + random.below(10));
      Actor& actor = actors[id];
      if (random.below(200) == 0) arrive();
      if (random.below(10) == 0) wake();
      if (random.below(100) == 0) {  // killed
        window_.forget_waker(test_actor(id));
        window_.give_up_blob(test_actor(id));
        actor.start_over();
      }
      if (actor.waits) continue;
      if (actor.blob.empty()) actor.blob = blob(number(), 1 + random.below(5));
      if (actor.offset == 0 && !window_.needs_blob(sha256(actor.blob))) {
        actor.blob.clear();
      } else if (send(id, actor.blob, actor.offset)) {
        actor.offset += kPiece;
        if (actor.offset < actor.blob.size()) continue;
        ++actor.finished;
        actor.start_over();
      } else {
        actor.waits = true;
        window_.when_room(test_actor(id), [&actor] { actor.waits = false; });
      }
    }
    for (auto& [id, actor] : actors) {
      EXPECT_GT(actor.finished, 100u) << "seed " << seed << " actor " << int{id};
      window_.forget_waker(test_actor(id));
      window_.give_up_blob(test_actor(id));
    }
    wake();
    arrive();
    EXPECT_TRUE(unfinished_.empty());
    EXPECT_TRUE(window_.empty());
  }
}

}  // namespace
}  // namespace theater::bus
