#include "persist/auditor_steps.h"

#include <algorithm>
#include <utility>

#include "persist/blob_part.h"

namespace theater::persist {
namespace {

bus::Receiver::Options receiver_options(const AuditorSteps::Options& options) {
  bus::Receiver::Options out;
  out.window_bytes = std::max<uint64_t>(options.window_bytes, 2 * bus::kFrameBodyMax);
  out.signer = options.signer;
  out.wall_ns = [clock = options.clock] { return clock->wall_ns(); };
  return out;
}

}  // namespace

Result<std::unique_ptr<AuditorSteps>> AuditorSteps::open(std::shared_ptr<Store> store, Options options) {
  CHECK(options.clock != nullptr);
  TRY_ASSIGN(auto recorder, Recorder::open(*store, options.limits));
  return std::unique_ptr<AuditorSteps>(new AuditorSteps(std::move(store), std::move(recorder), std::move(options)));
}

AuditorSteps::AuditorSteps(std::shared_ptr<Store> store, std::unique_ptr<Recorder> recorder, Options options)
    : options_(std::move(options)),
      store_(std::move(store)),
      recorder_(std::move(recorder)),
      receiver_(receiver_options(options_),
                [this](const PublicKey& node, const bus::StreamId& stream) { return durable_mark(node, stream); }) {}

Result<bus::StreamMark> AuditorSteps::durable_mark(const PublicKey& node, const bus::StreamId& stream) const {
  TRY_ASSIGN(const auto mark, get_row<bus::StreamMark>(*store_, Table::kRows, mark_key(node, stream), "a stream"));
  TRY(store_->certain());
  return mark.value_or(bus::StreamMark{});
}

std::optional<Accepted> AuditorSteps::take_in(bus::Inbound& message) {
  const uint64_t now_ns = options_.clock->monotonic_ns();
  if (!message.is_frame) {
    auto verdict = receiver_.on_control(message.peer, message.identity, message.bytes, now_ns);
    reply(message.peer, std::move(verdict.reply));
    if (verdict.fetch) answer_fetch(message.peer, verdict.stream, *verdict.fetch);
    if (!verdict.note.empty()) say_of(message.peer, verdict.note);
    return std::nullopt;
  }
  auto verdict = receiver_.on_frame(message.peer, message.bytes, now_ns);
  reply(message.peer, std::move(verdict.reply));
  if (verdict.verdict == bus::Receiver::Verdict::kRefused) {
    say_of(message.peer, str_cat("a frame was refused: ", verdict.reason));
  }
  if (verdict.verdict != bus::Receiver::Verdict::kAccept) return std::nullopt;
  under_way_.fetch_add(1, std::memory_order_acq_rel);
  return Accepted{message.peer,
                  verdict.node,
                  verdict.mark,
                  options_.clock->wall_ns(),
                  std::move(message.owner),
                  std::move(*verdict.frame)};
}

// What isn't durable yet isn't here. A store that can't be read, or isn't certain, says so and leaves the node without
// an answer.
void AuditorSteps::answer_fetch(const bus::CurveKey& peer, const bus::StreamId& stream, const bus::Fetch& fetch) {
  auto part = read_blob_part(*store_, fetch.hash, fetch.offset, bus::kFetchedBytesMax);
  if (!part.ok()) return say_of(peer, part.error().message);
  if (const auto certain = store_->certain(); !certain.ok()) return say_of(peer, certain.error().message);
  bus::Fetched answer{fetch.hash, fetch.offset, part->has_value(), 0, {}};
  if (*part) {
    answer.length = (*part)->length;
    answer.bytes = std::move((*part)->bytes);
  }
  reply(peer, bus::Receiver::fetched(stream, std::move(answer)));
}

void AuditorSteps::say_of(const bus::CurveKey& peer, const std::string& line) {
  std::optional<std::string> passed;
  {
    std::lock_guard lock(limits_mutex_);
    passed = line_limits_[peer].pass(line, options_.clock->monotonic_ns());
  }
  if (passed) say(*passed);
}

void AuditorSteps::tick() {
  receiver_.tick(options_.clock->monotonic_ns(),
                 [this](const bus::CurveKey& peer, Bytes bytes) { reply(peer, std::move(bytes)); });
}

Result<void> AuditorSteps::verify(const Accepted& accepted) {
  TRY_ASSIGN(const Recorder::Outcome outcome, recorder_->add(accepted.node, accepted.received_ns, accepted.frame));
  for (const auto& alarm : outcome.alarms) say(alarm);
  const bus::StreamId& stream = accepted.frame.header.stream;
  if (!outcome.refused.empty()) {
    say_of(accepted.peer, str_cat("the stream of node ", accepted.node.short_hex(), " is refused: ", outcome.refused));
    reply(accepted.peer, receiver_.refuse(accepted.peer, stream, outcome.refused, outcome.for_good));
  } else {
    next_.acks[{accepted.peer, stream}] = accepted.mark;
  }
  ++next_.frames;
  if (empty()) under_way_.fetch_sub(std::exchange(next_.frames, 0), std::memory_order_acq_rel);
  return Ok{};
}

Result<void> AuditorSteps::fill(const std::shared_ptr<FillJob>& job) {
  TRY_ASSIGN(auto filled, recorder_->fill(job->fill, options_.clock->wall_ns()));
  for (const auto& alarm : filled.alarms) say(alarm);
  job->outcome = std::move(filled.outcome);
  ++next_.frames;
  if (empty()) {  // nothing came of it
    under_way_.fetch_sub(std::exchange(next_.frames, 0), std::memory_order_acq_rel);
    job->finish();
  } else {
    next_.fills.push_back(job);
  }
  return Ok{};
}

Commit AuditorSteps::take_prepared() {
  next_.prepared = recorder_->take();
  return std::exchange(next_, {});
}

Result<void> AuditorSteps::write(Commit& commit) {
  TRY(store_->commit(*commit.prepared.batch, commit.prepared.tip));
  recorder_->durable(commit.prepared.tip.commit);
  return Ok{};
}

void AuditorSteps::acknowledge(const Commit& commit) {
  const uint64_t now_ns = options_.clock->monotonic_ns();
  for (const auto& [link, mark] : commit.acks) {
    reply(link.first, receiver_.durable(link.first, link.second, mark, now_ns));
  }
  under_way_.fetch_sub(commit.frames, std::memory_order_acq_rel);
  for (const auto& job : commit.fills) job->finish();
}

}  // namespace theater::persist
