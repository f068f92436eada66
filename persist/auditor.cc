#include "persist/auditor.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/bounded_queue.h"
#include "base/thread.h"
#include "bus/receiver.h"
#include "persist/auditor_on_store.h"
#include "persist/blob_part.h"
#include "persist/recorder.h"
#include "persist/rocks_store.h"

namespace theater::persist {
namespace {

using std::chrono::milliseconds;

constexpr size_t kInboundMax = 8192;  // messages; and in bytes:
constexpr size_t kInboundBytesMax = 128u << 20;
constexpr size_t kAcceptedMax = 1024;   // frames between intake and verify; the nodes' credit is the closer bound
constexpr size_t kPreparedMax = 1;      // batches between verify and commit
constexpr size_t kAloneMax = 8u << 10;  // bytes of a frame that intake may carry to the disk by itself
constexpr milliseconds kTick{25};
constexpr milliseconds kBackoffFirst{50}, kBackoffMost{5000};
constexpr int kLastAttempts = 3;  // to write what is left, when stopping

struct Accepted {  // a frame whose turn it is
  bus::CurveKey peer;
  PublicKey node;
  bus::StreamMark mark;
  uint64_t received_ns = 0;
  std::shared_ptr<const void> owner;
  bus::FrameView frame;
};

struct Commit {
  Prepared prepared;
  std::map<std::pair<bus::CurveKey, bus::StreamId>, bus::StreamMark> acks;
  size_t frames = 0;  // of under_way_, whatever became of them
};

class StoreAuditor final : public Auditor {
 public:
  StoreAuditor(std::shared_ptr<Store> store, std::unique_ptr<Recorder> recorder, AuditorOptions options)
      : options_(std::move(options)),
        store_(std::move(store)),
        recorder_(std::move(recorder)),
        receiver_(receiver_options(options_),
                  [this](const PublicKey& node, const bus::StreamId& stream) { return durable_mark(node, stream); }) {}
  ~StoreAuditor() override { stop(); }

  void start() {
    intake_ = start_thread("intake", [this] { intake(); });
    verify_ = start_thread("verify", [this] { verify(); });
    commit_ = start_thread("commit", [this] { commit(); });
  }

  bool offer(bus::Inbound message) override {
    const size_t size = message.bytes.size();
    const bool fits = inbound_bytes_.fetch_add(size) + size <= kInboundBytesMax;
    if (fits && inbound_.try_push(message)) return true;
    inbound_bytes_.fetch_sub(size);
    std::lock_guard lock(mutex_);
    ++status_.dropped;
    return false;
  }

  AuditorStatus status() const override {
    std::lock_guard lock(mutex_);
    return status_;
  }

  void stop() override {
    std::lock_guard once(stop_mutex_);
    if (!intake_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    inbound_.close();
    intake_.join();
    accepted_.close();
    verify_.join();
    prepared_.close();
    commit_.join();
    const auto closed = store_->close();
    if (!closed.ok()) say(closed.error().message);
  }

 private:
  static bus::Receiver::Options receiver_options(const AuditorOptions& options) {
    bus::Receiver::Options out;
    out.window_bytes = std::max<uint64_t>(options.window_bytes, 2 * bus::kFrameBodyMax);
    if (options.keys != nullptr) out.signer = &options.keys->identity();
    out.wall_ns = [clock = options.clock] { return clock->wall_ns(); };
    return out;
  }

  void say(const LogLine& line) const {
    if (options_.log) options_.log(line);
  }
  void reply(const bus::CurveKey& peer, Bytes message) const {
    if (!message.empty() && options_.reply) options_.reply(peer, std::move(message));
  }

  Result<bus::StreamMark> durable_mark(const PublicKey& node, const bus::StreamId& stream) const {
    TRY_ASSIGN(const auto mark, get_row<bus::StreamMark>(*store_, Table::kRows, mark_key(node, stream), "a stream"));
    return mark.value_or(bus::StreamMark{});
  }

  void intake();
  void take_in(bus::Inbound& message);
  void answer_fetch(const bus::CurveKey& peer, const bus::StreamId& stream, const bus::Fetch& fetch);
  void carry_alone(Accepted& accepted);
  void verify();
  bool verify_frame(Accepted& accepted);
  Commit take_prepared();
  void commit();
  bool write(Commit& commit);
  bool try_write(Commit& commit);
  void note_error(const std::string& message);

  const AuditorOptions options_;
  const std::shared_ptr<Store> store_;
  std::mutex recording_;  // the next three; whoever verifies holds it
  const std::unique_ptr<Recorder> recorder_;
  Commit next_;              // goes with what is in the recorder
  bool unreadable_ = false;  // the store can't be read: nothing is taken any more
  bus::Receiver receiver_;

  BoundedQueue<bus::Inbound> inbound_{kInboundMax};
  std::atomic<size_t> inbound_bytes_{0};
  BoundedQueue<Accepted> accepted_{kAcceptedMax};
  BoundedQueue<Commit> prepared_{kPreparedMax};
  std::atomic<size_t> under_way_{0};  // frames handed to verify and neither durable nor given up

  mutable std::mutex mutex_;
  std::condition_variable wake_;  // stopping_
  AuditorStatus status_;
  bool stopping_ = false;

  std::mutex stop_mutex_;
  std::thread intake_, verify_, commit_;
};

void StoreAuditor::intake() {
  uint64_t ticked_ns = 0;
  while (true) {
    auto message = inbound_.pop_for(kTick);
    if (message) {
      inbound_bytes_.fetch_sub(message->bytes.size());
      take_in(*message);
    } else if (inbound_.closed()) {
      return;
    }
    const uint64_t now_ns = options_.clock->monotonic_ns();
    if (now_ns - ticked_ns < static_cast<uint64_t>(std::chrono::nanoseconds(kTick).count())) continue;
    ticked_ns = now_ns;
    receiver_.tick(now_ns, [this](const bus::CurveKey& peer, Bytes bytes) { reply(peer, std::move(bytes)); });
  }
}

void StoreAuditor::take_in(bus::Inbound& message) {
  const uint64_t now_ns = options_.clock->monotonic_ns();
  if (!message.is_frame) {
    auto verdict = receiver_.on_control(message.peer, message.identity, message.bytes, now_ns);
    reply(message.peer, std::move(verdict.reply));
    if (verdict.fetch) answer_fetch(message.peer, verdict.stream, *verdict.fetch);
    if (!verdict.note.empty()) say(verdict.note);
    return;
  }
  auto verdict = receiver_.on_frame(message.peer, message.bytes, now_ns);
  reply(message.peer, std::move(verdict.reply));
  if (verdict.verdict == bus::Receiver::Verdict::kAccept) {
    Accepted accepted{message.peer,
                      verdict.node,
                      verdict.mark,
                      options_.clock->wall_ns(),
                      std::move(message.owner),
                      std::move(*verdict.frame)};
    const bool idle = under_way_.fetch_add(1, std::memory_order_acq_rel) == 0 && inbound_.size() == 0;
    if (idle && accepted.frame.bytes.size() <= kAloneMax) {
      carry_alone(accepted);
    } else {
      accepted_.push(std::move(accepted));
    }
  } else if (verdict.verdict == bus::Receiver::Verdict::kRefused) {
    say(str_cat("a frame was refused: ", verdict.reason));
  }
}

// What isn't durable yet isn't here. A store that can't be read says so, and leaves the node without an answer.
void StoreAuditor::answer_fetch(const bus::CurveKey& peer, const bus::StreamId& stream, const bus::Fetch& fetch) {
  auto part = read_blob_part(*store_, fetch.hash, fetch.offset, bus::kFetchedBytesMax);
  if (!part.ok()) return say(part.error().message);
  bus::Fetched answer{fetch.hash, fetch.offset, part->has_value(), 0, {}};
  if (*part) {
    answer.length = (*part)->length;
    answer.bytes = std::move((*part)->bytes);
  }
  reply(peer, bus::Receiver::fetched(stream, std::move(answer)));
}

// One small frame and nothing else under way: to hand it from thread to thread would take longer than what is done
// with it. A write that fails is left to the commit thread, which tries again.
void StoreAuditor::carry_alone(Accepted& accepted) {
  Commit alone;
  {
    std::lock_guard lock(recording_);
    if (!verify_frame(accepted) || recorder_->empty()) return;
    alone = take_prepared();
  }
  if (!try_write(alone)) prepared_.push(std::move(alone));
}

void StoreAuditor::verify() {
  bool empty_handed = true;
  while (true) {
    // With something in hand, it is handed over as soon as the commit thread is free; until then more is added.
    auto accepted = empty_handed ? accepted_.pop() : accepted_.try_pop();
    std::lock_guard lock(recording_);
    if (unreadable_ || (accepted && !verify_frame(*accepted))) break;
    if (!accepted && accepted_.closed()) recorder_->settle();  // nothing follows
    empty_handed = recorder_->empty();
    if (empty_handed) {
      if (!accepted) break;  // closed and drained
      continue;
    }
    const bool full = recorder_->pending_bytes() >= options_.batch_bytes;
    if (!full && accepted_.size() > 0) continue;
    if (!full && prepared_.size() >= kPreparedMax && !accepted_.closed()) {
      accepted = accepted_.pop_for(std::chrono::microseconds(200));
      if (accepted && !verify_frame(*accepted)) break;
      continue;
    }
    empty_handed = true;
    if (!prepared_.push(take_prepared())) break;
  }
  while (accepted_.pop()) {
  }  // after an error: the intake must not wait for us
}

Commit StoreAuditor::take_prepared() {
  next_.prepared = recorder_->take();
  return std::exchange(next_, {});
}

// False if the store can't be read: then nothing is taken any more.
bool StoreAuditor::verify_frame(Accepted& accepted) {
  if (unreadable_) return false;
  auto outcome = recorder_->add(accepted.node, accepted.received_ns, accepted.frame);
  if (!outcome.ok()) {
    note_error(str_cat("nothing is taken any more: ", outcome.error().message));
    unreadable_ = true;
    return false;
  }
  for (const auto& alarm : outcome->alarms) say(alarm);
  const bus::StreamId& stream = accepted.frame.header.stream;
  if (!outcome->refused.empty()) {
    say(str_cat("the stream of node ", accepted.node.short_hex(), " is refused: ", outcome->refused));
    reply(accepted.peer, receiver_.refuse(accepted.peer, stream, outcome->refused, true));
  } else {
    next_.acks[{accepted.peer, stream}] = accepted.mark;
  }
  ++next_.frames;
  if (recorder_->empty()) under_way_.fetch_sub(std::exchange(next_.frames, 0), std::memory_order_acq_rel);
  return true;
}

void StoreAuditor::commit() {
  while (auto next = prepared_.pop()) {
    if (write(*next)) continue;
    while (prepared_.pop()) {
    }  // given up, only when stopping: nothing of it was acknowledged
    return;
  }
}

bool StoreAuditor::write(Commit& next) {
  milliseconds backoff = kBackoffFirst;
  int attempts_left = kLastAttempts;
  while (!try_write(next)) {
    std::unique_lock lock(mutex_);
    if (stopping_ && --attempts_left == 0) return false;
    if (stopping_) backoff = kBackoffFirst;
    wake_.wait_for(lock, backoff, [&, was = stopping_] { return stopping_ != was; });
    backoff = std::min(2 * backoff, kBackoffMost);
  }
  return true;
}

// One synced write and, if it succeeds, the acknowledgements.
bool StoreAuditor::try_write(Commit& next) {
  const auto written = store_->commit(*next.prepared.batch, next.prepared.tip);
  if (!written.ok()) {
    note_error(written.error().message);
    return false;
  }
  recorder_->durable(next.prepared.tip.commit);
  bool recovered = false;
  {
    std::lock_guard lock(mutex_);
    status_.frames += next.prepared.frames;
    status_.events += next.prepared.events;
    status_.bytes += next.prepared.bytes;
    status_.evidence += next.prepared.evidence;
    ++status_.commits;
    recovered = !status_.last_error.empty();
    status_.last_error.clear();
  }
  if (recovered) say("the store can be written again");
  if (options_.on_durable) options_.on_durable();
  const uint64_t now_ns = options_.clock->monotonic_ns();
  for (const auto& [link, mark] : next.acks) {
    reply(link.first, receiver_.durable(link.first, link.second, mark, now_ns));
  }
  under_way_.fetch_sub(next.frames, std::memory_order_acq_rel);
  return true;
}

void StoreAuditor::note_error(const std::string& message) {
  {
    std::lock_guard lock(mutex_);
    if (status_.last_error == message) return;
    status_.last_error = message;
  }
  say(str_cat("nothing is acknowledged: ", message));
}

}  // namespace

Result<std::unique_ptr<Auditor>> start_auditor_on(std::shared_ptr<Store> store, AuditorOptions options) {
  CHECK(options.clock != nullptr);
  TRY_ASSIGN(auto recorder, Recorder::open(*store));
  auto auditor = std::make_unique<StoreAuditor>(std::move(store), std::move(recorder), std::move(options));
  auditor->start();
  return std::unique_ptr<Auditor>(std::move(auditor));
}

Result<std::unique_ptr<Auditor>> start_auditor(AuditorOptions options) {
  TRY_ASSIGN(std::unique_ptr<Store> store, open_rocks_store(options.store_path, {options.sync}));
  const std::string path = options.store_path;
  auto auditor = start_auditor_on(std::move(store), std::move(options));
  if (!auditor.ok()) return Error{auditor.error().code, str_cat("the store ", path, ": ", auditor.error().message)};
  return auditor;
}

}  // namespace theater::persist
