// A mailbox alone: who gets room, and in which order.
#include "node/actor/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"

namespace theater::node {
namespace {

using testing::ElementsAre;

ActorId sender(uint8_t number) {
  ActorId id;
  id.bytes[0] = number;
  return id;
}

class MailboxTest : public testing::Test {
 protected:
  using Room = Mailbox::Room;

  MailboxTest() {
    limits.mailbox_messages = 32;  // four at once
    limits.mailbox_bytes = 1'000;
  }
  Room ask(uint8_t number, size_t bytes, bool again = false) {
    auto room = mailbox.reserve(sender(number), bytes, again, limits,
                                [this, number] { return [this, number] { woken.push_back(number); }; });
    CHECK(room.ok(), room.error().message);
    return *room;
  }
  void push(size_t bytes) { mailbox.push_reserved(make_message("x", Bytes(bytes), {}, nullptr)); }
  void fill() {
    while (ask(100, 10) == Room::kTaken) push(10);
    call(mailbox.forget(sender(100), limits));
  }
  void pop(int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(mailbox.pop());
      call(mailbox.grant(limits));
    }
  }
  static void call(const std::vector<Mailbox::Waker>& wakers) {
    for (const auto& waker : wakers) waker();
  }

  ManifestLimits limits;
  Mailbox mailbox;
  std::vector<uint8_t> woken;
};

TEST_F(MailboxTest, WhoWaitedGetsRoomForAFewInTheOrderOfAskingAndNobodyOvertakes) {
  fill();
  EXPECT_EQ(mailbox.size(), 32u);
  EXPECT_EQ(ask(1, 10), Room::kWait);
  EXPECT_EQ(ask(2, 10), Room::kWait);
  pop(3);
  EXPECT_TRUE(woken.empty());
  EXPECT_EQ(ask(3, 10), Room::kWait) << "there is room, but others wait";
  pop(1);
  EXPECT_THAT(woken, ElementsAre(1));
  EXPECT_EQ(ask(2, 10, true), Room::kWait);
  EXPECT_EQ(ask(1, 10, true), Room::kTakenOfMore);
  push(10);
  EXPECT_EQ(ask(1, 10), Room::kTakenOfMore);
  EXPECT_EQ(ask(1, 10), Room::kTakenOfMore);
  EXPECT_EQ(ask(1, 10), Room::kTaken) << "the last of four";
  EXPECT_EQ(ask(1, 10), Room::kWait) << "behind 2 and 3";
  push(10), push(10), push(10);
  pop(4);
  EXPECT_THAT(woken, ElementsAre(1, 2));
}

TEST_F(MailboxTest, WhatIsntUsedIsGivenBackAndGoesToTheNext) {
  fill();
  EXPECT_EQ(ask(1, 10), Room::kWait);
  EXPECT_EQ(ask(2, 10), Room::kWait);
  pop(4);
  EXPECT_EQ(ask(1, 10, true), Room::kTakenOfMore);
  push(10);
  pop(1);
  EXPECT_THAT(woken, ElementsAre(1));
  call(mailbox.forget(sender(1), limits));  // the end of its turn
  EXPECT_THAT(woken, ElementsAre(1, 2));
}

TEST_F(MailboxTest, AMessageThatIsLargerThanWhatIsSetAsideWaitsLikeAnother) {
  fill();
  EXPECT_EQ(ask(1, 10), Room::kWait);
  pop(4);
  EXPECT_EQ(ask(1, 10, true), Room::kTakenOfMore);
  push(10);
  EXPECT_EQ(ask(1, 900), Room::kWait) << "more than limits.mailbox_bytes leaves";
  pop(29);
  EXPECT_EQ(mailbox.size(), 0u);
  EXPECT_THAT(woken, ElementsAre(1, 1));
  EXPECT_EQ(ask(1, 900, true), Room::kTaken);
  push(900);
  pop(1);
  EXPECT_TRUE(mailbox.is_unused());
}

TEST_F(MailboxTest, ASmallOneStillGivesRoomToOneAtATime) {
  limits.mailbox_messages = 1;
  fill();
  EXPECT_EQ(ask(1, 2'000), Room::kWait);
  EXPECT_EQ(ask(2, 10), Room::kWait);
  pop(1);
  EXPECT_THAT(woken, ElementsAre(1));
  EXPECT_EQ(ask(1, 2'000, true), Room::kTaken) << "one always fits an empty mailbox";
  push(2'000);
  pop(1);
  EXPECT_THAT(woken, ElementsAre(1, 2));
  call(mailbox.close());
  EXPECT_EQ(ask(2, 10, true), Room::kWait);
}

// Room for a few small ones was room for one that was larger than the receiver takes.
TEST_F(MailboxTest, WhatIsSetAsideLetsNoMessagePastTheLimitOfOne) {
  limits.message_bytes = 10;
  fill();
  EXPECT_EQ(ask(1, 10), Room::kWait);
  pop(4);
  EXPECT_EQ(ask(1, 10, true), Room::kTakenOfMore);
  push(10);
  const auto refused = mailbox.reserve(sender(1), 30, false, limits, [] { return [] {}; });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_EQ(ask(1, 10), Room::kTakenOfMore) << "what is set aside stays";
  push(10);
}

}  // namespace
}  // namespace theater::node
