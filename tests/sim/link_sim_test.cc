// A node's Sender and an auditor's Receiver over wires that drop, double, delay and break, with the auditor restarting
// from what it had made durable: nothing is lost, nothing is taken twice, and the window bounds what isn't durable.
//
// THEATER_SIM_SEED=N runs one seed (a failure prints it); THEATER_SIM_SEEDS=N runs that many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>

#include "bus/memory_transport.h"
#include "bus/receiver.h"
#include "bus/sender.h"
#include "tests/bus/events.h"

namespace theater::bus {
namespace {

constexpr uint64_t kStepNs = 20'000;
constexpr uint64_t kWindowBytes = 1 << 20;
constexpr uint64_t kEvents = 4000;

// The auditor: takes frames, makes them durable some time later, and may be killed in between.
class SimAuditor {
 public:
  explicit SimAuditor(Random& random) : random_(random) { restart(); }

  void restart() {
    pending_.clear();
    receiver_ =
        std::make_unique<Receiver>(Receiver::Options{512 * 1024, 200, 100'000'000, 20'000'000},
                                   [this](const PublicKey&, const StreamId&) -> Result<StreamMark> { return mark_; });
  }

  void on_frame(const std::shared_ptr<const Bytes>& bytes, MemoryWire& back, uint64_t now_ns) {
    auto verdict = receiver_->on_frame({}, *bytes, now_ns);
    if (!verdict.reply.empty()) back.send(std::move(verdict.reply), now_ns);
    if (verdict.verdict != Receiver::Verdict::kAccept) return;
    std::vector<Hash> digests;
    for (const ItemView& item : verdict.frame->items) digests.push_back(item_digest(item));
    EXPECT_TRUE(verify_frame_digest(*verdict.frame, digests));
    pending_.push_back({bytes, verdict.frame->header.stream, verdict.mark, now_ns + random_.below(3'000'000)});
  }
  void on_control(const Bytes& bytes, MemoryWire& back, uint64_t now_ns) {
    auto verdict = receiver_->on_control({}, {}, bytes, now_ns);
    if (!verdict.reply.empty()) back.send(std::move(verdict.reply), now_ns);
  }
  void tick(MemoryWire& back, uint64_t now_ns) {
    StreamId stream{};
    bool any = false;
    while (!pending_.empty() && pending_.front().durable_at_ns <= now_ns) {
      store(pending_.front());
      stream = pending_.front().stream;
      pending_.pop_front();
      any = true;
    }
    if (any) {
      Bytes ack = receiver_->durable({}, stream, mark_, now_ns);
      if (!ack.empty()) back.send(std::move(ack), now_ns);
    }
    receiver_->tick(now_ns, [&](const CurveKey&, Bytes message) { back.send(std::move(message), now_ns); });
  }

  const std::vector<uint64_t>& stored() const { return stored_; }
  std::vector<Receiver::Session> sessions() const { return receiver_->sessions(); }

 private:
  struct Pending {
    std::shared_ptr<const Bytes> bytes;
    StreamId stream;
    StreamMark mark;
    uint64_t durable_at_ns;
  };
  void store(const Pending& pending) {
    const auto frame = parse_frame(*pending.bytes);
    ASSERT_TRUE(frame.ok());
    ASSERT_EQ(frame->header.sequence, mark_.sequence + 1) << "a frame was stored out of order or twice";
    ASSERT_EQ(frame->header.previous, mark_.link_hash);
    for (const ItemView& item : frame->items) stored_.push_back(test_event_number(item.content));
    mark_ = pending.mark;
  }

  Random& random_;
  std::unique_ptr<Receiver> receiver_;
  std::deque<Pending> pending_;
  StreamMark mark_;  // what is on disk
  std::vector<uint64_t> stored_;
};

class LinkSim {
 public:
  explicit LinkSim(uint64_t seed) : random_(seed), auditor_(random_) {
    Sender::Options options;
    options.auditor = "sim";
    options.log = [](const std::string&) {};
    random_.fill(options.stream);
    window_ = std::make_unique<Window>(Window::Options{"sim", kWindowBytes, 64, [] {}});
    sender_ = std::make_unique<Sender>(options, *window_);
    faults_.drop_permille = static_cast<uint32_t>(random_.below(60));
    faults_.double_permille = static_cast<uint32_t>(random_.below(60));
    faults_.delay_permille = static_cast<uint32_t>(random_.below(200));
    for (MemoryWire* wire : {&frames_, &to_auditor_, &to_node_}) wire->set_faults(faults_);
    restart_every_ = 200 + random_.below(2000);
  }

  // One step of everything; `broken` steps may cut the connection or kill the auditor.
  void step(bool broken) {
    now_ns_ += kStepNs;
    if (broken && random_.below(restart_every_) == 0) {
      for (MemoryWire* wire : {&frames_, &to_auditor_, &to_node_}) wire->cut();
      if (random_.below(2) == 0) auditor_.restart();
      if (random_.below(2) == 0) sender_->on_disconnected(now_ns_);  // else it has to find out
      mend_at_ns_ = now_ns_ + random_.below(30'000'000);
    }
    if (now_ns_ >= mend_at_ns_) {
      for (MemoryWire* wire : {&frames_, &to_auditor_, &to_node_}) wire->mend();
    }
    produce();
    node();
    while (auto bytes = frames_.receive(now_ns_)) auditor_.on_frame(bytes, to_node_, now_ns_);
    while (auto bytes = to_auditor_.receive(now_ns_)) auditor_.on_control(*bytes, to_node_, now_ns_);
    auditor_.tick(to_node_, now_ns_);
  }

  void produce() {
    for (uint64_t n = random_.below(6); n > 0 && produced_ < kEvents; --n) {
      const auto event = test_event(1, produced_, 8 * (1 + random_.below(random_.below(20) == 0 ? 4096 : 64)));
      if (!window_->try_reserve(test_actor(1), Outbox::event_room(event.bytes.size()))) return;
      window_->append(event);
      ++produced_;
      const auto status = window_->status();
      ASSERT_LE(status.appended_bytes - status.durable_bytes, kWindowBytes);
    }
  }

  void node() {
    window_->woken();
    while (auto bytes = to_node_.receive(now_ns_)) sender_->on_control(*bytes, now_ns_);
    sender_->tick(now_ns_);
    sender_->take_reopen();  // wires need no reopening
    while (const Bytes* message = sender_->next_control()) {
      if (!to_auditor_.send(*message, now_ns_)) break;
      sender_->control_sent();
    }
    while (const SentFrame* frame = sender_->next_frame(now_ns_, now_ns_)) {
      if (!frames_.send(frame->bytes, now_ns_)) break;
      sender_->frame_sent(now_ns_);
    }
  }

  bool done() const { return produced_ == kEvents && window_->status().durable_events == kEvents; }
  void check() const {
    EXPECT_TRUE(done()) << "produced " << produced_ << ", durable " << window_->status().durable_events << ": "
                        << window_->status().last_error;
    ASSERT_EQ(auditor_.stored().size(), kEvents);
    for (uint64_t i = 0; i < kEvents; ++i) ASSERT_EQ(auditor_.stored()[i], i);
  }
  Outbox::Status status() const { return window_->status(); }

 private:
  SeededRandom random_;
  SimAuditor auditor_;
  MemoryWire::Faults faults_;
  MemoryWire frames_{random_, {}}, to_auditor_{random_, {}}, to_node_{random_, {}};
  std::unique_ptr<Window> window_;
  std::unique_ptr<Sender> sender_;
  uint64_t now_ns_ = 1'000'000'000, mend_at_ns_ = 0, produced_ = 0, restart_every_ = 0;
};

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(LinkSim, nothing_is_lost_or_taken_twice_whatever_the_wires_do) {
  const uint64_t only = number_from("THEATER_SIM_SEED", 0);
  const uint64_t first = only == 0 ? 1 : only;
  const uint64_t last = only == 0 ? number_from("THEATER_SIM_SEEDS", 200) : only;
  uint64_t resent = 0, reconnects = 0;
  for (uint64_t seed = first; seed <= last && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(str_cat("THEATER_SIM_SEED=", seed));
    LinkSim sim(seed);
    // Faults for up to two seconds of simulated time, then ten more to catch up over wires that still lose messages.
    for (int i = 0; i < 100'000 && !sim.done(); ++i) sim.step(true);
    for (int i = 0; i < 500'000 && !sim.done(); ++i) sim.step(false);
    sim.check();
    resent += sim.status().resent_frames;
    reconnects += sim.status().reconnects;
    if (HasNonfatalFailure()) break;
  }
  if (only == 0) {
    EXPECT_GT(resent, 0u) << "the faults did nothing";
    EXPECT_GT(reconnects, 0u);
  }
}

}  // namespace
}  // namespace theater::bus
