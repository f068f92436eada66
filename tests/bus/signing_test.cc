// Who signs what: the node its stream, the auditor what it holds; and what each makes of the other's word.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "bus/receipts.h"
#include "bus/receiver.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kMs = 1'000'000;

SigningKey key(uint8_t number) {
  SigningKey::Seed seed{};
  seed.fill(number);
  return SigningKey::from_seed(seed);
}

class SigningTest : public ::testing::Test {
 protected:
  SigningTest() { begin(std::nullopt); }

  void begin(std::optional<KeptReceipt> kept) {
    Sender::Options options;
    options.auditor = "first";
    options.endpoint = "tcp://x:1";
    options.identity = node_.public_key();
    options.signer = &node_;
    options.auditor_key = auditor_.public_key();
    options.kept = std::move(kept);
    options.stream.fill(++stream_);
    options.log = [](const std::string&) {};
    stream_id_ = options.stream;
    window_ = std::make_unique<Window>(Window::Options{"first", 1 << 20, 16, [] {}});
    sender_ = std::make_unique<Sender>(options, *window_);
    restart_receiver(auditor_);
  }
  void restart_receiver(const SigningKey& signer) {
    Receiver::Options options;
    options.signer = &signer;
    options.wall_ns = [] { return uint64_t{77}; };
    receiver_ = std::make_unique<Receiver>(
        options, [this](const PublicKey&, const StreamId& stream) { return Result<StreamMark>(disk_[stream]); });
  }
  void append(uint64_t number, size_t bytes = 64) {
    const auto event = test_event(1, number, bytes);
    ASSERT_TRUE(window_->try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())));
    window_->append(event);
  }
  // Everything that can be said and sent now; frames become durable at once.
  void run() {
    sender_->tick(now_ns_);
    talk();
    while (const SentFrame* frame = sender_->next_frame(now_ns_, now_ns_)) {
      frames_.push_back(*frame);
      sender_->frame_sent(now_ns_);
      const auto verdict = receiver_->on_frame({}, *frames_.back().bytes, now_ns_);
      ASSERT_EQ(verdict.verdict, Receiver::Verdict::kAccept) << verdict.reason;
      disk_[stream_id_] = verdict.mark;
      sender_->on_control(receiver_->durable({}, stream_id_, verdict.mark, now_ns_), now_ns_);
    }
    receiver_->tick(now_ns_, [&](const CurveKey&, Bytes message) { sender_->on_control(message, now_ns_); });
    sender_->tick(now_ns_);
    talk();
  }
  void talk() {
    while (const Bytes* message = sender_->next_control()) {
      auto verdict = receiver_->on_control({}, {}, *message, now_ns_);
      said_goodbye_ |= verdict.goodbye;
      sender_->control_sent();
      if (!verdict.reply.empty()) sender_->on_control(verdict.reply, now_ns_);
    }
  }
  // The tips in the frames so far, by the sequence of the frame that carries each.
  std::map<uint64_t, Tip> tips() const {
    std::map<uint64_t, Tip> found;
    for (const auto& frame : frames_) {
      const auto view = parse_frame(*frame.bytes).value();
      for (const ItemView& item : view.items) {
        if (item.kind == ItemKind::kTip) found[frame.sequence] = parse_tip(item.content).value();
      }
    }
    return found;
  }
  bool is_checkpoint(const SentFrame& frame) const {
    const auto view = parse_frame(*frame.bytes);
    return view->items.size() == 1 && view->items[0].kind == ItemKind::kTip;
  }

  const SigningKey node_ = key(1), auditor_ = key(2);
  uint8_t stream_ = 0;
  StreamId stream_id_{};
  uint64_t now_ns_ = 1'000 * kMs;
  std::map<StreamId, StreamMark> disk_;
  std::unique_ptr<Window> window_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Receiver> receiver_;
  std::vector<SentFrame> frames_;
  bool said_goodbye_ = false;
};

TEST_F(SigningTest, when_nothing_follows_a_checkpoint_signs_what_was_sent) {
  run();
  append(0);
  run();
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_TRUE(tips().empty());
  now_ns_ += 99 * kMs;
  run();
  EXPECT_EQ(frames_.size(), 1u) << "not yet";
  EXPECT_LE(sender_->wait_ns(now_ns_), kMs);
  now_ns_ += kMs;
  run();
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_TRUE(is_checkpoint(frames_[1]));
  const auto view = parse_frame(*frames_[1].bytes);
  EXPECT_TRUE(verify_tip(node_.public_key(), view->header, tips().at(2)));
  EXPECT_EQ(view->header.previous, frames_[0].link_hash);
  now_ns_ += 10'000 * kMs;
  run();
  EXPECT_EQ(frames_.size(), 2u) << "a checkpoint needs none of its own";
}

TEST_F(SigningTest, checkpoints_go_on_while_nothing_happens) {
  run();
  append(0);
  run();
  for (int i = 0; i < 900; ++i) {  // a minute and a half
    now_ns_ += 100 * kMs;
    run();
  }
  ASSERT_EQ(frames_.size(), 4u) << "one after the event, and two more";
  for (size_t i = 1; i < frames_.size(); ++i) EXPECT_TRUE(is_checkpoint(frames_[i]));
}

TEST_F(SigningTest, a_stream_without_events_has_no_checkpoints) {
  for (int i = 0; i < 700; ++i, now_ns_ += 100 * kMs) run();
  EXPECT_TRUE(frames_.empty());
}

TEST_F(SigningTest, traffic_is_signed_every_100_ms_and_every_mebibyte) {
  run();
  for (int i = 0; i < 25; ++i, now_ns_ += 10 * kMs) {
    append(static_cast<uint64_t>(i));
    run();
  }
  EXPECT_EQ(tips().size(), 2u);
  const size_t before = frames_.size();
  for (int i = 0; i < 100; ++i) {  // 3 MiB at once
    append(static_cast<uint64_t>(i), 32 * 1024);
    run();
  }
  EXPECT_EQ(tips().size(), 5u);
  for (const auto& [sequence, tip] : tips()) {
    const auto view = parse_frame(*frames_[sequence - 1].bytes);
    EXPECT_TRUE(verify_tip(node_.public_key(), view->header, tip));
    FrameHeader other = view->header;
    other.previous.bytes[0] ^= 1;
    EXPECT_FALSE(verify_tip(node_.public_key(), other, tip)) << "another record";
    EXPECT_FALSE(verify_tip(auditor_.public_key(), view->header, tip)) << "another's key";
  }
  EXPECT_GT(frames_.size(), before);
}

TEST_F(SigningTest, tips_take_no_room_from_the_window_and_durability_is_that_of_events) {
  run();
  for (uint64_t i = 0; i < 40; ++i, now_ns_ += 100 * kMs) {
    append(i);
    bool durable = false;
    window_->when_durable([&durable](Durability) { durable = true; });
    for (const auto& waker : window_->take_wakers()) waker();
    EXPECT_FALSE(durable) << "event " << i << " was called durable before it was sent";
    run();
    for (const auto& waker : window_->take_wakers()) waker();
    EXPECT_TRUE(durable) << i;
  }
  const auto status = window_->status();
  EXPECT_EQ(status.appended_bytes, status.durable_bytes);
  EXPECT_EQ(status.appended_bytes, 40 * Outbox::event_room(64));
}

TEST_F(SigningTest, goodbye_comes_after_the_last_tip_and_brings_the_last_receipt) {
  run();
  append(0);
  run();
  sender_->begin_stop();
  run();
  run();
  EXPECT_TRUE(said_goodbye_);
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_TRUE(is_checkpoint(frames_[1]));
  now_ns_ += 5 * kMs;  // the loop stays a moment
  sender_->tick(now_ns_);
  const auto kept = check_receipt(window_->status().receipt);
  ASSERT_TRUE(kept.ok()) << kept.error().message;
  EXPECT_EQ(kept->receipt.durable.sequence, 2u);
}

TEST_F(SigningTest, a_receipt_can_be_checked_by_anybody) {
  run();
  append(0);
  run();
  now_ns_ += 100 * kMs;
  run();
  const Bytes message = window_->status().receipt;
  const auto kept = check_receipt(message);
  ASSERT_TRUE(kept.ok()) << kept.error().message;
  EXPECT_EQ(kept->receipt.auditor, auditor_.public_key());
  EXPECT_EQ(kept->receipt.node, node_.public_key());
  EXPECT_EQ(kept->receipt.time_ns, 77u);
  EXPECT_EQ(kept->stream, stream_id_);
  LinkMessage forged = decode_link(message).value();
  std::get<Receipt>(forged.body).durable.sequence += 1;
  EXPECT_FALSE(check_receipt(encode_link(forged)).ok());
}

TEST_F(SigningTest, a_folder_of_receipts_is_made_again_and_says_what_is_no_receipt) {
  const auto place = std::filesystem::temp_directory_path() / str_cat("theater-receipts-test-", getpid());
  std::filesystem::remove_all(place);
  auto folder = ReceiptFolder::open(place).value();
  ASSERT_TRUE(folder.keep("a", Bytes(8, 1)).ok());
  std::filesystem::remove_all(place);
  EXPECT_TRUE(folder.keep("a", Bytes(8, 2)).ok()) << "somebody tidied up";
  EXPECT_FALSE(folder.read("b")->has_value());
  const auto path = place / "a.receipt";
  const auto is_told = [&] {
    const auto read = folder.read("a");
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find(str_cat(path.string(), " isn't an auditor's receipt")), std::string::npos);
  };
  is_told();
  ASSERT_TRUE(write_file(path, Bytes(kLinkMessageMax + 1, 1)).ok());
  is_told();
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  is_told();
  std::filesystem::remove_all(place);
}

TEST_F(SigningTest, of_many_receipts_the_newest_is_checked_now_and_then) {
  run();
  append(0);
  run();
  const auto receive = [&](uint64_t time_ns) {
    sender_->on_control(
        encode_link({stream_id_, sign_receipt(auditor_, node_.public_key(), stream_id_, disk_[stream_id_], time_ns)}),
        now_ns_);
  };
  const auto taken = [&] { return check_receipt(window_->status().receipt)->receipt.time_ns; };
  now_ns_ += 100 * kMs;
  receive(1);
  EXPECT_EQ(taken(), 1u);
  now_ns_ += kMs;
  for (uint64_t time_ns = 2; time_ns <= 9; ++time_ns) receive(time_ns);
  EXPECT_EQ(taken(), 1u);
  EXPECT_LE(sender_->wait_ns(now_ns_), 10 * kMs);
  now_ns_ += 10 * kMs;
  sender_->tick(now_ns_);
  EXPECT_EQ(taken(), 9u);
}

TEST_F(SigningTest, a_receipt_of_another_key_is_not_taken) {
  const SigningKey stranger = key(9);
  restart_receiver(stranger);
  run();
  append(0);
  run();
  now_ns_ += 100 * kMs;
  run();
  EXPECT_TRUE(window_->status().receipt.empty());
  EXPECT_NE(window_->status().last_error.find("isn't signed by its key"), std::string::npos);
}

// The node was killed; what it knows of its auditor is a file.
TEST_F(SigningTest, an_auditor_that_went_back_is_noticed_by_a_node_that_was_killed) {
  run();
  append(0);
  run();
  now_ns_ += 100 * kMs;
  run();
  const std::string path = ::testing::TempDir() + "receipts-of-signing-test";
  std::filesystem::remove_all(path);
  auto folder = ReceiptFolder::open(path).value();
  ASSERT_TRUE(folder.keep("an/odd name", window_->status().receipt).ok());
  const auto kept = folder.read("an/odd name").value();
  ASSERT_TRUE(kept.has_value());
  EXPECT_FALSE(folder.read("another").value().has_value());
  const StreamId old = stream_id_;

  begin(kept);
  run();
  EXPECT_TRUE(window_->status().connected) << window_->status().last_error;

  const StreamMark held = disk_[old];
  disk_[old].sequence -= 1;
  begin(kept);
  run();
  EXPECT_FALSE(window_->status().connected);
  EXPECT_NE(window_->status().last_error.find("it signed that it holds"), std::string::npos)
      << window_->status().last_error;

  disk_[old] = held;
  disk_[old].link_hash.bytes[0] ^= 1;
  begin(kept);
  run();
  EXPECT_FALSE(window_->status().connected) << "as long, and another record";

  disk_[old] = held;
  disk_[old].sequence += 5;
  begin(kept);
  run();
  EXPECT_TRUE(window_->status().connected) << "more than it had signed is fine: " << window_->status().last_error;
}

TEST_F(SigningTest, a_receipt_of_another_pair_of_keys_is_held_against_nobody) {
  run();
  append(0);
  run();
  now_ns_ += 100 * kMs;
  run();
  KeptReceipt kept = check_receipt(window_->status().receipt).value();
  disk_[stream_id_] = {};
  begin(kept);
  run();
  EXPECT_FALSE(window_->status().connected);
  KeptReceipt of_old_node = kept, of_old_auditor = kept;
  of_old_node.receipt.node.bytes[0] ^= 1;
  of_old_auditor.receipt.auditor.bytes[0] ^= 1;
  for (const auto& other : {of_old_node, of_old_auditor}) {
    begin(other);
    run();
    EXPECT_TRUE(window_->status().connected) << window_->status().last_error;
  }
}

TEST_F(SigningTest, a_damaged_receipt_file_is_named) {
  const std::string path = ::testing::TempDir() + "damaged-receipts";
  auto folder = ReceiptFolder::open(path).value();
  ASSERT_TRUE(write_file(path + "/a.receipt", as_bytes("not one at all!!")).ok());
  const auto kept = folder.read("a");
  ASSERT_FALSE(kept.ok());
  EXPECT_NE(kept.error().message.find("a.receipt"), std::string::npos);
  EXPECT_NE(kept.error().message.find("Move it away"), std::string::npos);
}

}  // namespace
}  // namespace theater::bus
