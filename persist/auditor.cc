#include "persist/auditor.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "base/bounded_queue.h"
#include "base/thread.h"
#include "persist/auditor_on_store.h"
#include "persist/auditor_steps.h"
#include "persist/backfill.h"
#include "persist/rocks_store.h"
#include "persist/service.h"

namespace theater::persist {
namespace {

using std::chrono::milliseconds;

constexpr size_t kInboundMax = 8192;  // messages; and in bytes:
constexpr size_t kInboundBytesMax = 128u << 20;
// One peer that floods leaves room for what all others have in flight, which their credit bounds.
constexpr size_t kInboundOfOneMax = kInboundMax / 2;
constexpr size_t kAcceptedMax = 1024;   // frames between intake and verify; the nodes' credit is the closer bound
constexpr size_t kPreparedMax = 1;      // batches between verify and commit
constexpr size_t kAloneMax = 8u << 10;  // bytes of a frame that intake may carry to the disk by itself
constexpr milliseconds kTick{25};
constexpr milliseconds kBackoffFirst{50}, kBackoffMost{5000};
constexpr int kLastAttempts = 3;  // to write what is left, when stopping

struct Arrival {
  bus::Inbound message;
  std::shared_ptr<FillJob> fill;  // or this
};
struct Work {
  Accepted frame;
  std::shared_ptr<FillJob> fill;  // or this
};

class StoreAuditor final : public Auditor {
 public:
  StoreAuditor(std::shared_ptr<Store> store, std::unique_ptr<AuditorSteps> steps, AuditorOptions options)
      : options_(std::move(options)),
        store_(std::move(store)),
        steps_(std::move(steps)),
        service_({store_, options_.clock, [this] { return status(); }}),
        backfill_(std::make_unique<Backfill>(
            Backfill::Options{store_, options_.peers, options_.backfill_interval_ms, options_.clock, options_.log,
                              [this](Fill fill) { return submit(std::move(fill)); }})) {}
  ~StoreAuditor() override { stop(); }

  void start() {
    intake_ = start_thread("intake", [this] { intake(); });
    verify_ = start_thread("verify", [this] { verify(); });
    commit_ = start_thread("commit", [this] { commit(); });
    service_.start();
    backfill_->start();
  }

  bool offer(bus::Inbound message) override {
    const size_t size = message.bytes.size();
    const bus::CurveKey peer = message.peer;
    const bool fits = inbound_bytes_.fetch_add(size) + size <= kInboundBytesMax && count_in(peer);
    Arrival arrival{std::move(message), nullptr};
    if (fits && inbound_.try_push(arrival)) return true;
    inbound_bytes_.fetch_sub(size);
    if (fits) count_out(peer);
    std::lock_guard lock(mutex_);
    ++status_.dropped;
    return false;
  }

  AuditorStatus status() const override {
    AuditorStatus out;
    {
      std::lock_guard lock(mutex_);
      out = status_;
    }
    out.gaps = steps_->gaps();
    out.peers = backfill_->status();
    return out;
  }
  bus::ControlHandler& service() override { return service_; }
  void backfill_now() override { backfill_->now(); }

  void stop() override {
    std::lock_guard once(stop_mutex_);
    if (!intake_.joinable()) return;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    backfill_->stop();
    service_.stop();
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
  void say(const LogLine& line) const {
    if (options_.log) options_.log(line);
  }

  bool count_in(const bus::CurveKey& peer);
  void count_out(const bus::CurveKey& peer);
  void intake();
  void take_in(Arrival& arrival);
  void carry_alone(Accepted accepted);
  void verify();
  bool verify_work(const Work& work);
  FillOutcome submit(Fill fill);
  void commit();
  bool write(Commit& commit);
  bool try_write(Commit& commit);
  void note_error(const std::string& message);

  const AuditorOptions options_;
  const std::shared_ptr<Store> store_;
  const std::unique_ptr<AuditorSteps> steps_;
  std::mutex recording_;     // whoever verifies holds it
  bool unreadable_ = false;  // the store can't be read: nothing is taken any more; recording_

  BoundedQueue<Arrival> inbound_{kInboundMax};
  std::atomic<size_t> inbound_bytes_{0};
  std::mutex of_peers_mutex_;
  std::map<bus::CurveKey, size_t> of_peers_;  // messages in inbound_
  BoundedQueue<Work> accepted_{kAcceptedMax};
  BoundedQueue<Commit> prepared_{kPreparedMax};

  mutable std::mutex mutex_;
  std::condition_variable wake_;  // stopping_
  AuditorStatus status_;
  bool stopping_ = false;

  StoreService service_;
  std::unique_ptr<Backfill> backfill_;

  std::mutex stop_mutex_;
  std::thread intake_, verify_, commit_;
};

bool StoreAuditor::count_in(const bus::CurveKey& peer) {
  std::lock_guard lock(of_peers_mutex_);
  size_t& messages = of_peers_[peer];
  if (messages >= kInboundOfOneMax) return false;
  ++messages;
  return true;
}

void StoreAuditor::count_out(const bus::CurveKey& peer) {
  std::lock_guard lock(of_peers_mutex_);
  --of_peers_[peer];
}

void StoreAuditor::intake() {
  uint64_t ticked_ns = 0;
  while (true) {
    auto arrival = inbound_.pop_for(kTick);
    if (arrival) {
      inbound_bytes_.fetch_sub(arrival->message.bytes.size());
      if (!arrival->fill) count_out(arrival->message.peer);
      take_in(*arrival);
    } else if (inbound_.closed()) {
      return;
    }
    const uint64_t now_ns = options_.clock->monotonic_ns();
    if (now_ns - ticked_ns < static_cast<uint64_t>(std::chrono::nanoseconds(kTick).count())) continue;
    ticked_ns = now_ns;
    steps_->tick();
  }
}

void StoreAuditor::take_in(Arrival& arrival) {
  if (arrival.fill) {
    steps_->enter();
    accepted_.push({{}, std::move(arrival.fill)});
    return;
  }
  auto accepted = steps_->take_in(arrival.message);
  if (!accepted) return;
  const bool alone = steps_->under_way() == 1 && inbound_.size() == 0;
  if (alone && accepted->frame.bytes.size() <= kAloneMax) {
    carry_alone(std::move(*accepted));
  } else {
    accepted_.push({std::move(*accepted), nullptr});
  }
}

// One small frame and nothing else under way: to hand it from thread to thread would take longer than what is done
// with it. A write that fails is left to the commit thread, which tries again.
void StoreAuditor::carry_alone(Accepted accepted) {
  Commit alone;
  {
    std::lock_guard lock(recording_);
    if (!verify_work({std::move(accepted), nullptr}) || steps_->empty()) return;
    alone = steps_->take_prepared();
  }
  if (!try_write(alone)) prepared_.push(std::move(alone));
}

void StoreAuditor::verify() {
  bool empty_handed = true;
  while (true) {
    // With something in hand, it is handed over as soon as the commit thread is free; until then more is added.
    auto accepted = empty_handed ? accepted_.pop() : accepted_.try_pop();
    std::lock_guard lock(recording_);
    if (unreadable_ || (accepted && !verify_work(*accepted))) break;
    if (!accepted && accepted_.closed()) steps_->settle();  // nothing follows
    empty_handed = steps_->empty();
    if (empty_handed) {
      if (!accepted) break;  // closed and drained
      continue;
    }
    const bool full = steps_->pending_bytes() >= options_.batch_bytes;
    if (!full && accepted_.size() > 0) continue;
    if (!full && prepared_.size() >= kPreparedMax && !accepted_.closed()) {
      accepted = accepted_.pop_for(std::chrono::microseconds(200));
      if (accepted && !verify_work(*accepted)) break;
      continue;
    }
    empty_handed = true;
    if (!prepared_.push(steps_->take_prepared())) break;
  }
  while (accepted_.pop()) {
  }  // after an error: the intake must not wait for us
}

// False if the store can't be read: then nothing is taken any more.
bool StoreAuditor::verify_work(const Work& work) {
  if (unreadable_) return false;
  const auto verified = work.fill ? steps_->fill(work.fill) : steps_->verify(work.frame);
  if (verified.ok()) return true;
  note_error(str_cat("nothing is taken any more: ", verified.error().message));
  unreadable_ = true;
  return false;
}

// By the way that frames take, so that nothing overtakes: on the backfill thread, which waits until it is durable.
// Refused when stopping.
FillOutcome StoreAuditor::submit(Fill fill) {
  auto job = std::make_shared<FillJob>(std::move(fill));
  while (true) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return {};
    }
    Arrival arrival{{}, job};
    if (inbound_.try_push(arrival)) break;
    std::this_thread::sleep_for(kTick);  // frames come first
  }
  while (!job->wait_for(kTick)) {
    std::lock_guard lock(mutex_);
    if (stopping_) return {};
  }
  return job->outcome;
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
  const auto written = steps_->write(next);
  if (!written.ok()) {
    note_error(written.error().message);
    return false;
  }
  bool recovered = false;
  {
    std::lock_guard lock(mutex_);
    status_.frames += next.prepared.frames;
    status_.events += next.prepared.events;
    status_.bytes += next.prepared.bytes;
    status_.evidence += next.prepared.evidence;
    status_.backfilled += next.prepared.filled;
    for (size_t kind = 0; kind < kEvidenceKinds; ++kind) {
      status_.evidence_by_kind[kind] += next.prepared.evidence_by_kind[kind];
    }
    ++status_.commits;
    recovered = !status_.last_error.empty();
    status_.last_error.clear();
  }
  if (recovered) say("the store can be written again");
  if (options_.on_durable) options_.on_durable();
  steps_->acknowledge(next);
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
  const SigningKey* signer = options.keys == nullptr ? nullptr : &options.keys->identity();
  TRY_ASSIGN(auto steps, AuditorSteps::open(store, {options.window_bytes, options.clock, signer, options.log,
                                                    options.reply, options.limits}));
  auto auditor = std::make_unique<StoreAuditor>(std::move(store), std::move(steps), std::move(options));
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
