#include "tests/sim/sim_auditor.h"

#include <algorithm>
#include <utility>

namespace theater::sim {

namespace {
constexpr size_t kInboundMax = 512;
constexpr uint64_t kTickNs = 25 * kMs;
constexpr uint64_t kBackoffFirstNs = 5 * kMs, kBackoffMostNs = 200 * kMs;  // sooner than a real one, for short runs
constexpr int kLastAttempts = 3;
}  // namespace

SimAuditor::SimAuditor(Context& context, size_t number, Reply reply)
    : context_(context),
      number_(number),
      reply_(std::move(reply)),
      window_bytes_(2 * bus::kFrameBodyMax << context.random.below(4)),
      batch_bytes_(1024u << context.random.below(11)),
      key_(signing_key(context.random)) {
  disk_->on_commit = [this]() -> Result<void> {
    if (context_.now() < full_until_ns_) return Error{ErrorCode::kIo, "no space left on the device"};
    if (context_.chance(fail_permille_)) return Error{ErrorCode::kIo, "the sync failed"};
    return Ok{};
  };
}

void SimAuditor::end_faults() {
  full_until_ns_ = slow_until_ns_ = busy_until_ns_ = fail_permille_ = 0;
  up_ns_ = std::min(up_ns_, context_.now());
}

void SimAuditor::open() {
  persist::AuditorSteps::Options options;
  options.window_bytes = window_bytes_;
  options.clock = &context_.clock;
  options.signer = &key_;
  options.log = [this](const LogLine& line) {
    context_.say("auditor ", number_, ": ", line.text);
    if (line.text.find("beyond the credit") != std::string::npos) {
      context_.witness.break_invariant("auditor-bound", line.text);
    }
  };
  options.reply = [this](const bus::CurveKey& peer, Bytes message) {
    context_.witness.auditor_says(number_, *disk_, message);
    reply_(peer, std::move(message));
  };
  auto opened = persist::AuditorSteps::open(disk_, std::move(options));
  if (!opened.ok()) {
    context_.say("auditor ", number_, " can't start: ", opened.error().message);
    if (opened.error().code != ErrorCode::kIo) context_.witness.break_invariant("verifies", opened.error().message);
    up_ns_ = context_.now() + kBackoffMostNs;
    return;
  }
  context_.say("auditor ", number_, " is up");
  steps_ = std::move(*opened);
  tick_ns_ = context_.now();
}

void SimAuditor::offer(bus::Inbound message) {
  if (is_up() && inbound_.size() < kInboundMax) inbound_.push_back(std::move(message));
}

void SimAuditor::turn() {
  if (!is_up()) {
    if (context_.now() < up_ns_) return;
    open();
    if (!is_up()) return;
  }
  if (context_.now() >= busy_until_ns_) {
    take_in();
    verify();
  }
  commit();
  if (context_.now() < tick_ns_) return;
  tick_ns_ = context_.now() + kTickNs;
  steps_->tick();
}

void SimAuditor::take_in() {
  while (!inbound_.empty()) {
    auto accepted = steps_->take_in(inbound_.front());
    inbound_.pop_front();
    if (!accepted) continue;
    context_.witness.auditor_holds(number_, accepted->node, accepted->mark, *disk_, window_bytes_);
    accepted_.push_back(std::move(*accepted));
  }
}

void SimAuditor::verify() {
  while (!accepted_.empty() && (steps_->pending_bytes() < batch_bytes_ || !prepared_)) {
    const auto verified = steps_->verify(accepted_.front());
    if (!verified.ok()) return context_.witness.break_invariant("verifies", verified.error().message);
    accepted_.pop_front();
    // Commits of all sizes: what is in hand goes now and then, though more has come.
    if (!prepared_ && !steps_->empty() && (steps_->pending_bytes() >= batch_bytes_ || context_.chance(100))) break;
  }
  if (!prepared_ && !steps_->empty()) prepared_ = steps_->take_prepared();
}

void SimAuditor::commit() {
  if (writing_ && context_.now() >= written_ns_) {
    if (try_write(*writing_)) {
      writing_.reset();
    } else {
      written_ns_ = context_.now() + backoff_ns_;
      backoff_ns_ = std::min(2 * backoff_ns_, kBackoffMostNs);
    }
  }
  if (writing_ || !prepared_) return;
  writing_ = std::exchange(prepared_, std::nullopt);
  const bool slow = context_.now() < slow_until_ns_;
  written_ns_ = context_.now() + 50 * kUs + context_.some(slow ? kSecond : 4 * kMs);
  backoff_ns_ = kBackoffFirstNs;
}

bool SimAuditor::try_write(persist::Commit& commit) {
  const auto written = steps_->write(commit);
  context_.say("auditor ", number_, " commit ", commit.prepared.tip.commit, ": ",
               written.ok() ? "durable" : written.error().message);
  if (!written.ok()) ++failed_commits_;
  if (!written.ok()) return false;
  steps_->acknowledge(commit);
  return true;
}

void SimAuditor::crash(uint64_t down_ns) {
  if (!is_up()) return;
  ++crashes_;
  const bool kept = writing_ && context_.chance(500);
  context_.say("auditor ", number_, " dies", writing_ ? kept ? ", its commit survives" : ", its commit is lost" : "");
  if (kept) {
    const auto no_faults = std::exchange(disk_->on_commit, nullptr);
    CHECK(disk_->commit(*writing_->prepared.batch, writing_->prepared.tip).ok());
    disk_->on_commit = no_faults;
  }
  die(down_ns);
}

void SimAuditor::stop(uint64_t down_ns) {
  if (!is_up()) return;
  context_.say("auditor ", number_, " stops");
  const auto write = [this](std::optional<persist::Commit> commit) {
    for (int attempt = 0; commit && attempt < kLastAttempts; ++attempt) {
      if (try_write(*commit)) return true;
    }
    return !commit;
  };
  take_in();
  bool whole = write(std::exchange(writing_, std::nullopt)) && write(std::exchange(prepared_, std::nullopt));
  while (whole && !accepted_.empty()) {
    verify();
    whole = write(std::exchange(prepared_, std::nullopt));
  }
  steps_->settle();
  if (whole && !steps_->empty()) write(steps_->take_prepared());
  die(down_ns);
}

void SimAuditor::die(uint64_t down_ns) {
  prepared_.reset();
  writing_.reset();
  accepted_.clear();
  inbound_.clear();
  steps_.reset();
  busy_until_ns_ = 0;
  up_ns_ = context_.now() + down_ns;
  context_.witness.check_store(number_, disk_, context_.chance(250));
}

uint64_t SimAuditor::next_ns() const {
  if (!is_up()) return up_ns_;
  uint64_t next = tick_ns_;
  if (writing_) next = std::min(next, written_ns_);
  if ((!inbound_.empty() || !accepted_.empty()) && !prepared_) next = std::min(next, busy_until_ns_);
  return next;
}

}  // namespace theater::sim
