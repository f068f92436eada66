// The rules of a link, one by one: messages, the window, the node's Sender, the auditor's Receiver.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "base/file.h"
#include "base/random.h"
#include "bus/receiver.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kStart = 1'000'000'000;

LinkMessage sample(decltype(LinkMessage::body) body) {
  LinkMessage message;
  message.stream.fill(9);
  message.body = std::move(body);
  return message;
}

StreamMark sample_mark() { return {5, sha256(as_bytes("x")), 1000}; }

// One of each kind: what stands in tests/golden and in docs/formats/bus.md.
std::map<std::string, LinkMessage> samples();

LinkMessage sample_hello() {
  Hello hello;
  hello.identity.bytes.fill(1);
  hello.name = "node-1";
  hello.next_sequence = 8;
  hello.oldest = sample_mark();
  hello.previous_stream.emplace().fill(8);
  LinkMessage message;
  message.stream.fill(9);
  message.body = hello;
  return message;
}

TEST(LinkMessages, come_back_as_they_were) {
  const auto same = decode_link(encode_link(sample_hello())).value();
  EXPECT_EQ(same.stream[0], 9);
  const Hello& hello = std::get<Hello>(same.body);
  EXPECT_EQ(hello.name, "node-1");
  EXPECT_EQ(hello.next_sequence, 8u);
  EXPECT_EQ(hello.oldest, sample_mark());
  EXPECT_EQ(hello.previous_stream, std::get<Hello>(sample_hello().body).previous_stream);
  const StreamMark mark{3, sha256(as_bytes("y")), 77};
  const auto welcome =
      std::get<Welcome>(decode_link(encode_link({{}, Welcome{2, mark, 4, 5, 6, 7, sample_mark()}}))->body);
  EXPECT_EQ(welcome.previous, sample_mark());
  EXPECT_EQ(welcome.durable, mark);
  EXPECT_EQ(welcome.oldest_sequence, 2u);
  EXPECT_EQ(welcome.expected, 4u);
  const auto ack = std::get<Ack>(decode_link(encode_link({{}, Ack{mark, 5, 6}}))->body);
  EXPECT_EQ(ack.credit_bytes, 5u);
  EXPECT_EQ(std::get<Nack>(decode_link(encode_link({{}, Nack{0}}))->body).expected, 0u);
  const auto refuse = std::get<Refuse>(decode_link(encode_link({{}, Refuse{std::string(5000, 'r'), true}}))->body);
  EXPECT_EQ(refuse.reason.size(), kLinkTextMax);
  EXPECT_TRUE(refuse.final);
  EXPECT_EQ(std::get<Goodbye>(decode_link(encode_link({{}, Goodbye{12}}))->body).last_sequence, 12u);
}

LinkMessage sample_fetch() { return sample(Fetch{sha256(as_bytes("x")), 49'152}); }
LinkMessage sample_fetched() { return sample(Fetched{sha256(as_bytes("x")), 0, true, 1, to_bytes("x")}); }

LinkMessage sample_receipt() {
  SigningKey::Seed seed{};
  seed.fill(7);
  PublicKey node;
  node.bytes.fill(1);
  const LinkMessage message = sample({});
  return sample(
      sign_receipt(SigningKey::from_seed(seed), node, message.stream, sample_mark(), 1'700'000'000'000'000'000));
}

std::map<std::string, LinkMessage> samples() {
  Welcome welcome{5, sample_mark(), 8, 9'000, 2'052, kFrameBodyMax, {}};
  welcome.previous = {3, sha256(as_bytes("y")), 700};
  return {{"hello", sample_hello()},
          {"welcome", sample(welcome)},
          {"ack", sample(Ack{sample_mark(), 9'000, 2'052})},
          {"nack", sample(Nack{6})},
          {"refuse", sample(Refuse{"the stream was refused", true})},
          {"goodbye", sample(Goodbye{7})},
          {"fetch", sample_fetch()},
          {"fetched", sample_fetched()},
          {"receipt", sample_receipt()}};
}

TEST(LinkMessages, are_the_golden_ones) {
  ASSERT_EQ(samples().size(), std::variant_size_v<decltype(LinkMessage::body)>) << "one of each kind";
  for (const auto& [name, message] : samples()) {
    const std::string path = str_cat(THEATER_SOURCE_DIR, "/tests/golden/link-", name, ".bin");
    const Bytes bytes = encode_link(message);
    if (std::getenv("THEATER_WRITE_GOLDEN") != nullptr) {
      ASSERT_TRUE(write_file(path, bytes).ok());
    }
    const auto golden = read_file(path);
    ASSERT_TRUE(golden.ok()) << golden.error().message;
    EXPECT_EQ(*golden, bytes) << "the format changed";
  }
}

TEST(LinkMessages, only_a_node_takes_long_ones) {
  const Fetched most{sha256(as_bytes("x")), 1, true, 1 << 20, Bytes(kFetchedBytesMax, 'x')};
  const Bytes bytes = encode_link({{}, most});
  EXPECT_LE(bytes.size(), kLinkFetchedMax);
  EXPECT_FALSE(decode_link(bytes).ok());
  const auto decoded = decode_link(bytes, kLinkFetchedMax);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  const auto& fetched = std::get<Fetched>(decoded->body);
  EXPECT_EQ(fetched.bytes, most.bytes);
  EXPECT_EQ(fetched.offset, 1u);
  EXPECT_EQ(fetched.length, uint64_t{1} << 20);
  EXPECT_TRUE(fetched.here);
  EXPECT_FALSE(
      decode_link(encode_link({{}, Fetched{{}, 0, true, 1 << 20, Bytes(kFetchedBytesMax + 1)}}), kLinkFetchedMax).ok());
  const auto fetch = std::get<Fetch>(decode_link(encode_link(sample_fetch()))->body);
  EXPECT_EQ(fetch.offset, 49'152u);
  EXPECT_EQ(fetch.hash, sha256(as_bytes("x")));
}

TEST(LinkMessages, damage_is_refused_or_harmless) {
  for (const auto& [name, message] : samples()) {
    const Bytes good = encode_link(message);
    for (size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(decode_link(BytesView(good).first(size)).ok()) << name << ' ' << size;
    }
    for (size_t at = 0; at < good.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        Bytes bad = good;
        bad[at] = static_cast<uint8_t>(value);
        (void)decode_link(bad).ok();
      }
    }
  }
  EXPECT_FALSE(decode_link(Bytes(kLinkMessageMax + 8)).ok());
}

class WindowTest : public ::testing::Test {
 protected:
  Window window_{{"a", 1 << 20, 2, [this] { ++wakes_; }}};
  int wakes_ = 0;
};

TEST_F(WindowTest, room_is_the_smaller_of_credit_and_window) {
  EXPECT_FALSE(window_.try_reserve(test_actor(1), 8)) << "room without credit";
  window_.acknowledge(0, 0, 1000);
  EXPECT_TRUE(window_.try_reserve(test_actor(1), 992));
  EXPECT_FALSE(window_.try_reserve(test_actor(1), 16));
  window_.release(test_actor(1), 992);
  window_.acknowledge(0, 0, 100 << 20);
  EXPECT_TRUE(window_.try_reserve(test_actor(1), 1 << 20));
  EXPECT_FALSE(window_.try_reserve(test_actor(1), 8));
}

TEST_F(WindowTest, the_bus_thread_is_woken_once_until_it_looks) {
  window_.acknowledge(0, 0, 1 << 20);
  for (int i = 0; i < 5; ++i) {
    const auto event = test_event(1, i);
    ASSERT_TRUE(window_.try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())));
    window_.append(event);
  }
  EXPECT_EQ(wakes_, 1);
  window_.woken();
  EXPECT_EQ(window_.take_body(true)->events, 5u);
  const auto event = test_event(1, 5);
  ASSERT_TRUE(window_.try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())));
  window_.append(event);
  EXPECT_EQ(wakes_, 2);
}

TEST_F(WindowTest, wakers_run_in_order_and_no_more_than_the_room_suggests) {
  std::vector<int> order;
  for (int i = 0; i < 100; ++i)
    window_.when_room(test_actor(static_cast<uint8_t>(i)), [&order, i] { order.push_back(i); });
  window_.when_room(test_actor(0), [&order] { order.push_back(1000); });  // one an actor; it keeps its place
  window_.forget_waker(test_actor(1));
  EXPECT_TRUE(window_.take_wakers().empty());
  window_.acknowledge(0, 0, 80 * 1024);
  for (const Waker& waker : window_.take_wakers()) waker();
  ASSERT_EQ(order.size(), 20u);
  EXPECT_EQ(order[0], 1000);
  EXPECT_EQ(order[1], 2);
  for (const Waker& waker : window_.take_wakers()) waker();
  EXPECT_EQ(order.size(), 40u) << "room that nobody took wakes the next ones";
}

TEST_F(WindowTest, what_was_dropped_is_marked_before_the_next_event_of_that_chain) {
  window_.drop(test_event(1, 3));
  window_.drop(test_event(1, 4));
  window_.acknowledge(0, 0, 1 << 20);
  auto body = window_.take_body(true);
  ASSERT_TRUE(body.has_value());
  auto sealed = body->builder.seal(1, 0, {}, {});
  const auto frame = parse_frame(sealed.bytes).value();
  ASSERT_EQ(frame.items.size(), 1u);
  const Gap gap = parse_gap(frame.items[0].content).value();
  EXPECT_EQ(gap.first, 3u);
  EXPECT_EQ(gap.last, 4u);
  EXPECT_EQ(gap.head, test_event(1, 4).hash);
  EXPECT_EQ(window_.status().dropped_events, 2u);
}

TEST_F(WindowTest, offers_of_blobs_are_remembered_within_bounds) {
  window_.acknowledge(0, 0, 1 << 20);
  const Hash first = sha256(as_bytes("1"));
  for (const char* text : {"1", "2", "3"}) {
    const Hash hash = sha256(as_bytes(text));
    EXPECT_TRUE(window_.needs_blob(hash));
    ASSERT_TRUE(window_.try_reserve_blob(test_actor(1), hash, Outbox::blob_room(1)));
    window_.append_blob(test_actor(1), hash, 1, 0, as_bytes(text));
    EXPECT_FALSE(window_.needs_blob(hash));
  }
  EXPECT_TRUE(window_.needs_blob(first)) << "two are remembered";
}

// Found by the simulator: the auditor took the second actor's first piece for a new beginning, and the rest for a
// fault.
TEST_F(WindowTest, actors_that_send_the_same_blob_at_once_send_each_piece_once_and_in_order) {
  window_.acknowledge(0, 0, 1 << 20);
  const Bytes blob(3000, 7);
  const Hash hash = sha256(blob);
  const auto piece = [&](uint8_t actor, uint64_t offset) {
    ASSERT_TRUE(window_.try_reserve_blob(test_actor(actor), hash, Outbox::blob_room(1000)));
    window_.append_blob(test_actor(actor), hash, blob.size(), offset, BytesView(blob).subspan(offset, 1000));
  };
  piece(1, 0);
  piece(1, 1000);
  piece(2, 0);
  EXPECT_TRUE(window_.needs_blob(hash));
  piece(1, 2000);
  EXPECT_FALSE(window_.needs_blob(hash));
  piece(2, 1000);
  piece(2, 2000);
  const uint64_t appended = window_.status().appended_bytes;
  EXPECT_EQ(appended, 3 * Outbox::blob_room(1000));
  EXPECT_EQ(window_.status().room_bytes, (1 << 20) - appended) << "what wasn't sent gave its room back";
  auto body = window_.take_body(true);
  const auto sealed = body->builder.seal(1, 0, {}, {});
  const auto frame = parse_frame(sealed.bytes).value();
  ASSERT_EQ(frame.items.size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(parse_blob_piece(frame.items[i].content)->offset, 1000 * i);
}

TEST_F(WindowTest, when_durable_waits_for_what_was_appended_before) {
  window_.acknowledge(0, 0, 1 << 20);
  const auto event = test_event(1, 0);
  const size_t room = Outbox::event_room(event.bytes.size());
  ASSERT_TRUE(window_.try_reserve(test_actor(1), room));
  window_.append(event);
  window_.when_durable([](Durability) {});
  EXPECT_TRUE(window_.take_wakers().empty());
  window_.acknowledge(room, 1, 1 << 20);
  EXPECT_EQ(window_.take_wakers().size(), 1u);
  window_.when_durable([](Durability) {});
  EXPECT_EQ(window_.take_wakers().size(), 1u) << "at once if it already is";
}

// A Sender and a Receiver without any wire between them.
class LinkTest : public ::testing::Test {
 protected:
  LinkTest() { restart_receiver(); }

  static Sender::Options sender_options() {
    Sender::Options options;
    options.auditor = "first";
    options.endpoint = "tcp://x:1";
    options.name = "node";
    options.stream.fill(3);
    options.log = [](const std::string&) {};
    return options;
  }
  void restart_receiver() {
    receiver_ = std::make_unique<Receiver>(
        Receiver::Options{}, [this](const PublicKey&, const StreamId&) -> Result<StreamMark> { return disk_; });
  }
  void append(uint64_t number) {
    const auto event = test_event(1, number);
    ASSERT_TRUE(window_.try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())));
    window_.append(event);
  }
  void tell_auditor() {
    sender_.tick(now_ns_);
    while (const Bytes* message = sender_.next_control()) {
      auto verdict = receiver_->on_control({}, {}, *message, now_ns_);
      sender_.control_sent();
      if (!verdict.reply.empty()) sender_.on_control(verdict.reply, now_ns_);
    }
  }
  std::vector<SentFrame> take_frames() {
    std::vector<SentFrame> frames;
    while (const SentFrame* frame = sender_.next_frame(now_ns_, now_ns_)) {
      frames.push_back(*frame);
      sender_.frame_sent(now_ns_);
    }
    return frames;
  }
  Receiver::FrameVerdict give(const SentFrame& frame) { return receiver_->on_frame({}, *frame.bytes, now_ns_); }
  void make_durable(const StreamMark& mark) {
    disk_ = mark;
    sender_.on_control(receiver_->durable({}, sender_options().stream, mark, now_ns_), now_ns_);
  }

  uint64_t now_ns_ = kStart;
  StreamMark disk_;
  Window window_{{"first", 1 << 20, 16, [] {}}};
  Sender sender_{sender_options(), window_};
  std::unique_ptr<Receiver> receiver_;
};

TEST_F(LinkTest, one_event_on_an_idle_link_is_sent_at_once_and_more_are_gathered) {
  tell_auditor();
  append(0);
  EXPECT_EQ(take_frames().size(), 1u);
  append(1);
  append(2);
  EXPECT_TRUE(take_frames().empty()) << "a frame is in flight: gather";
  now_ns_ += 1'000'000;
  const auto frames = take_frames();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].events, 2u);
}

TEST_F(LinkTest, an_ack_frees_the_window_and_only_an_ack_does) {
  tell_auditor();
  append(0);
  const auto frame = take_frames().at(0);
  const auto verdict = give(frame);
  ASSERT_EQ(verdict.verdict, Receiver::Verdict::kAccept);
  EXPECT_EQ(window_.status().durable_events, 0u);
  EXPECT_EQ(give(frame).verdict, Receiver::Verdict::kDuplicate);
  make_durable(verdict.mark);
  EXPECT_EQ(window_.status().durable_events, 1u);
  EXPECT_TRUE(sender_.all_durable());
}

TEST_F(LinkTest, a_missing_frame_is_asked_for_once_in_a_while_and_sent_again) {
  tell_auditor();
  std::vector<SentFrame> frames;
  for (uint64_t i = 0; i < 3; ++i) {
    append(i);
    now_ns_ += 1'000'000;
    take_frames();
    now_ns_ += 1'000'000;
    for (auto& frame : take_frames()) frames.push_back(frame);
  }
  sender_.on_control(encode_link({sender_options().stream, Nack{1}}), now_ns_);
  frames = take_frames();
  ASSERT_EQ(frames.size(), 3u);
  auto verdict = give(frames[1]);
  EXPECT_EQ(verdict.verdict, Receiver::Verdict::kUnordered);
  EXPECT_EQ(std::get<Nack>(decode_link(verdict.reply)->body).expected, 1u);
  EXPECT_TRUE(give(frames[2]).reply.empty()) << "not for each frame";
  now_ns_ += 10'000'000;
  sender_.on_control(verdict.reply, now_ns_);
  const auto again = take_frames();
  ASSERT_EQ(again.size(), 3u);
  for (const auto& frame : again) EXPECT_EQ(give(frame).verdict, Receiver::Verdict::kAccept);
  EXPECT_GE(window_.status().resent_frames, 3u);
}

TEST_F(LinkTest, an_auditor_that_asks_without_end_gets_everything_again_only_now_and_then) {
  tell_auditor();
  append(0);
  ASSERT_EQ(take_frames().size(), 1u);
  const Bytes nack = encode_link({sender_options().stream, Nack{1}});
  size_t sent = 0;
  for (int ms = 0; ms < 100; ++ms) {
    now_ns_ += 1'000'000;
    for (int i = 0; i < 50; ++i) {
      sender_.on_control(nack, now_ns_);
      sent += take_frames().size();
    }
  }
  EXPECT_EQ(sent, 10u);
}

TEST_F(LinkTest, an_auditor_that_welcomes_without_end_gets_everything_again_only_now_and_then) {
  tell_auditor();
  append(0);
  ASSERT_EQ(take_frames().size(), 1u);
  const Bytes welcome = encode_link({sender_options().stream, Welcome{0, {}, 1, 1 << 20, 2'047, kFrameBodyMax, {}}});
  size_t sent = 0;
  for (int ms = 0; ms < 100; ++ms) {
    now_ns_ += 1'000'000;
    for (int i = 0; i < 50; ++i) {
      sender_.on_control(welcome, now_ns_);
      sent += take_frames().size();
    }
    EXPECT_GT(sender_.wait_ns(now_ns_), 0u);
  }
  EXPECT_EQ(sent, 10u);
}

TEST_F(LinkTest, what_may_not_be_sealed_keeps_nobody_awake) {
  tell_auditor();
  append(0);
  ASSERT_EQ(take_frames().size(), 1u);
  append(1);
  EXPECT_TRUE(take_frames().empty()) << "it waits for more";
  EXPECT_LE(sender_.wait_ns(now_ns_), sender_options().partial_ns);
  sender_.on_control(encode_link({sender_options().stream, Ack{{}, 1 << 20, 1}}), now_ns_);
  now_ns_ += 5'000'000;
  EXPECT_TRUE(take_frames().empty());
  EXPECT_GT(sender_.wait_ns(now_ns_), 1'000'000u);
  sender_.on_control(encode_link({sender_options().stream, Ack{{}, 1 << 20, 9}}), now_ns_);
  EXPECT_EQ(take_frames().size(), 1u);
}

TEST_F(LinkTest, an_auditor_that_always_has_another_reason_fills_no_log) {
  auto options = sender_options();
  size_t lines = 0;
  options.log = [&](const std::string&) { ++lines; };
  Sender sender(options, window_);
  sender.tick(now_ns_);
  for (int i = 0; i < 1'000; ++i) {
    now_ns_ += 1'000'000;
    sender.on_control(encode_link({options.stream, Refuse{str_cat("reason ", i % 2), false}}), now_ns_);
    sender.on_handshake_failed("another", now_ns_);
  }
  EXPECT_GE(lines, 2u);
  EXPECT_LE(lines, 10u);
}

TEST_F(LinkTest, absurd_credit_is_clamped_by_the_window_and_less_than_before_takes_nothing_back) {
  tell_auditor();
  const auto grant = [&](uint64_t bytes, uint64_t frames) {
    sender_.on_control(encode_link({sender_options().stream, Ack{{}, bytes, frames}}), now_ns_);
  };
  grant(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(window_.status().room_bytes, uint64_t{1} << 20);
  append(0);
  grant(0, 0);
  EXPECT_EQ(window_.status().room_bytes, 0u);
  EXPECT_TRUE(take_frames().empty());
  grant(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(take_frames().size(), 1u) << "what was appended is still there";
}

TEST_F(LinkTest, a_restarted_auditor_is_told_hello_and_goes_on_from_its_disk) {
  tell_auditor();
  append(0);
  const auto frame = take_frames().at(0);
  give(frame);
  restart_receiver();  // nothing was durable
  const auto verdict = give(frame);
  EXPECT_EQ(verdict.verdict, Receiver::Verdict::kRefused);
  sender_.on_control(verdict.reply, now_ns_);
  tell_auditor();
  const auto again = take_frames();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(give(again[0]).verdict, Receiver::Verdict::kAccept);
}

TEST_F(LinkTest, a_store_that_lost_frames_stops_the_link) {
  tell_auditor();
  append(0);
  make_durable(give(take_frames().at(0)).mark);
  disk_ = {};
  restart_receiver();
  sender_.on_disconnected(now_ns_);
  tell_auditor();
  EXPECT_FALSE(window_.status().connected);
  EXPECT_NE(window_.status().last_error.find("it lost frames"), std::string::npos) << window_.status().last_error;
  append(1);
  EXPECT_TRUE(take_frames().empty());
}

TEST_F(LinkTest, a_store_with_another_record_stops_the_link) {
  tell_auditor();
  append(0);
  const auto verdict = give(take_frames().at(0));
  disk_ = verdict.mark;
  disk_.link_hash = sha256(as_bytes("another"));
  restart_receiver();
  sender_.on_disconnected(now_ns_);
  tell_auditor();
  EXPECT_FALSE(window_.status().connected);
  EXPECT_NE(window_.status().last_error.find("isn't what this node sent"), std::string::npos)
      << window_.status().last_error;
}

TEST_F(LinkTest, a_late_welcome_is_no_fork) {
  sender_.tick(now_ns_);
  const Bytes hello = *sender_.next_control();
  const Bytes late = receiver_->on_control({}, {}, hello, now_ns_).reply;
  tell_auditor();
  append(0);
  make_durable(give(take_frames().at(0)).mark);
  sender_.on_control(late, now_ns_);
  EXPECT_TRUE(window_.status().connected);
  EXPECT_EQ(window_.status().durable_events, 1u);
}

TEST_F(LinkTest, a_frame_that_isnt_linked_to_the_one_before_is_refused_for_good) {
  tell_auditor();
  append(0);
  give(take_frames().at(0));
  FrameBuilder builder;
  const auto event = test_event(1, 1);
  builder.append_event(event.bytes, event.hash);
  const auto forged = builder.seal(2, 0, sha256(as_bytes("elsewhere")), sender_options().stream);
  const auto verdict = receiver_->on_frame({}, forged.bytes, now_ns_);
  EXPECT_EQ(verdict.verdict, Receiver::Verdict::kRefused);
  sender_.on_control(verdict.reply, now_ns_);
  EXPECT_FALSE(window_.status().connected);
  EXPECT_NE(window_.status().last_error.find("refused this node"), std::string::npos);
}

TEST_F(LinkTest, an_identity_that_isnt_the_authorized_one_is_refused) {
  sender_.tick(now_ns_);
  PublicKey other;
  other.bytes.fill(4);
  const auto verdict = receiver_->on_control({}, other, *sender_.next_control(), now_ns_);
  const auto refuse = std::get<Refuse>(decode_link(verdict.reply)->body);
  EXPECT_TRUE(refuse.final);
  EXPECT_NE(refuse.reason.find("authorized"), std::string::npos);
}

TEST_F(LinkTest, frames_beyond_the_credit_are_not_taken) {
  receiver_ =
      std::make_unique<Receiver>(Receiver::Options{2 * kFrameBodyMax, 2, 1, 1},
                                 [](const PublicKey&, const StreamId&) -> Result<StreamMark> { return StreamMark{}; });
  tell_auditor();
  int sent = 0;
  for (uint64_t i = 0; i < 5; ++i) {
    append(i);
    now_ns_ += 1'000'000;
    take_frames();
    now_ns_ += 1'000'000;
    sent += static_cast<int>(take_frames().size());
  }
  EXPECT_LE(sent, 2) << "the sender keeps to the frame credit";
  Hash previous;
  std::vector<Receiver::Verdict> verdicts;
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {  // a node that doesn't
    FrameBuilder builder;
    const auto event = test_event(1, sequence);
    builder.append_event(event.bytes, event.hash);
    const auto sealed = builder.seal(sequence, 0, previous, sender_options().stream);
    previous = sealed.link_hash;
    verdicts.push_back(receiver_->on_frame({}, sealed.bytes, now_ns_).verdict);
  }
  EXPECT_EQ(verdicts.back(), Receiver::Verdict::kRefused);
}

TEST_F(LinkTest, a_lost_ack_is_repeated_while_there_is_traffic) {
  tell_auditor();
  append(0);
  const auto verdict = give(take_frames().at(0));
  (void)receiver_->durable({}, sender_options().stream, verdict.mark, now_ns_);  // lost
  int repeated = 0;
  for (int i = 0; i < 300; ++i) {
    now_ns_ += 10'000'000;
    receiver_->tick(now_ns_, [&](const CurveKey&, Bytes message) {
      ++repeated;
      sender_.on_control(message, now_ns_);
    });
  }
  EXPECT_EQ(window_.status().durable_events, 1u);
  EXPECT_GE(repeated, 5);
  EXPECT_LE(repeated, 11) << "not for ever";
}

TEST_F(LinkTest, silence_is_answered_by_hello_and_then_by_a_new_connection) {
  tell_auditor();
  EXPECT_EQ(sender_.next_control(), nullptr);
  now_ns_ += 2'000'000'000;
  sender_.tick(now_ns_);
  ASSERT_NE(sender_.next_control(), nullptr);
  sender_.control_sent();
  EXPECT_FALSE(sender_.take_reopen());
  now_ns_ += 4'000'000'000;
  sender_.tick(now_ns_);
  EXPECT_TRUE(sender_.take_reopen());
  EXPECT_FALSE(window_.status().connected);
}

TEST_F(LinkTest, goodbye_comes_after_the_last_ack) {
  tell_auditor();
  append(0);
  sender_.begin_stop();
  const auto verdict = give(take_frames().at(0));
  sender_.tick(now_ns_);
  EXPECT_EQ(sender_.next_control(), nullptr);
  make_durable(verdict.mark);
  sender_.tick(now_ns_);
  ASSERT_NE(sender_.next_control(), nullptr);
  EXPECT_EQ(std::get<Goodbye>(decode_link(*sender_.next_control())->body).last_sequence, 1u);
  EXPECT_TRUE(receiver_->on_control({}, {}, *sender_.next_control(), now_ns_).goodbye);
}

}  // namespace
}  // namespace theater::bus
