#include "bus/sender.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace theater::bus {

namespace {
constexpr uint64_t kComplainEveryNs = 10'000'000'000;
constexpr size_t kControlMax = 8;
constexpr uint64_t kWaitMaxNs = 1'000'000'000;
}  // namespace

namespace {
// A receipt that was given to another node, or by another auditor, holds nothing against this one: its operator has
// given one of them a new key.
Sender::Options fitting(Sender::Options options) {
  if (options.kept &&
      (options.kept->receipt.node != options.identity || options.kept->receipt.auditor != options.auditor_key)) {
    options.kept.reset();
  }
  return options;
}
}  // namespace

Sender::Sender(Options options, Window& window) : options_(fitting(std::move(options))), window_(window) {}

void Sender::push_control(LinkMessage message) {
  if (control_.size() >= kControlMax) return;  // nobody takes them
  message.stream = options_.stream;
  control_.push_back(encode_link(message));
}

void Sender::say_hello(uint64_t now_ns) {
  if (!hello_queued_) {
    Hello hello;
    hello.identity = options_.identity;
    hello.name = options_.name;
    hello.next_sequence = sealed_.sequence + 1;
    hello.oldest = durable_;
    if (options_.kept) hello.previous_stream = options_.kept->stream;
    push_control({{}, std::move(hello)});
    hello_queued_ = true;
  }
  hello_due_ns_ = now_ns + (state_ == State::kOpen ? options_.stalled_ns : options_.hello_again_ns);
}

const Bytes* Sender::next_control() const { return control_.empty() ? nullptr : &control_.front(); }

void Sender::control_sent() {
  CHECK(!control_.empty());
  control_.pop_front();
  if (control_.empty()) hello_queued_ = false;
}

void Sender::tick(uint64_t now_ns) {
  check_receipt_if_due(now_ns);
  if (heard_ns_ == 0) heard_ns_ = now_ns;  // the first time: the clock starts
  switch (state_) {
    case State::kGreeting:
      if (now_ns >= hello_due_ns_) say_hello(now_ns);
      if (now_ns - heard_ns_ >= options_.lost_ns) lose("no answer", now_ns);
      break;
    case State::kRefused:
      if (now_ns >= hello_due_ns_) {
        state_ = State::kGreeting;
        heard_ns_ = now_ns;
        reopen_ = std::exchange(reopen_when_due_, false) || reopen_;
        say_hello(now_ns);
      }
      break;
    case State::kOpen: {
      const bool in_flight = durable_.sequence < sent_max_;
      const bool stalled = in_flight && now_ns - progress_ns_ >= options_.stalled_ns;
      const bool silent = now_ns - heard_ns_ >= options_.silent_ns;
      if ((stalled || silent) && now_ns >= hello_due_ns_) say_hello(now_ns);
      if (now_ns - heard_ns_ >= options_.lost_ns) lose("no answer any more", now_ns);
      break;
    }
  }
  if (stopping_ && !said_goodbye_ && state_ == State::kOpen && all_durable() && !has_unsigned()) {
    push_control({{}, Goodbye{durable_.sequence}});
    said_goodbye_ = true;
  }
  for (const Fetch& fetch : window_.fetches().due(now_ns, state_ == State::kOpen)) push_control({{}, fetch});
  complain_if_waited_for(now_ns);
}

// Closes the session; the transport connects anew.
void Sender::lose(const std::string& why, uint64_t now_ns) {
  if (state_ == State::kOpen) say(str_cat("auditor ", options_.auditor, ": ", why, "; connecting again"), now_ns);
  if (refused_reason_.empty()) {
    window_.set_error(
        str_cat(why, " from auditor ", options_.auditor, " at ", options_.endpoint,
                ": is it running and reachable, and does its authorized-keys file name this node's key?"));
  } else {
    window_.set_error(refused_reason_);
  }
  window_.set_connected(false);
  state_ = State::kGreeting;
  reopen_ = true;
  control_.clear();
  hello_queued_ = false;
  hello_due_ns_ = 0;
  heard_ns_ = now_ns;
}

void Sender::say(const std::string& line, uint64_t now_ns) {
  if (const auto passed = line_limit_.pass(line, now_ns)) options_.log(*passed);
}

void Sender::complain_if_waited_for(uint64_t now_ns) {
  if (state_ == State::kOpen || (complained_ns_ != 0 && now_ns - complained_ns_ < kComplainEveryNs)) return;
  const size_t waiting = window_.waiting();
  if (waiting == 0) return;
  complained_ns_ = now_ns;
  options_.log(str_cat(waiting, waiting == 1 ? " actor waits" : " actors wait", " for auditor ", options_.auditor, ": ",
                       window_.status().last_error));
}

void Sender::on_control(BytesView bytes, uint64_t now_ns) {
  const auto message = decode_link(bytes, kLinkFetchedMax);
  if (!message.ok()) {
    window_.set_error(str_cat("auditor ", options_.auditor, ": ", message.error().message));
    return;
  }
  if (message->stream != options_.stream) return;  // of an earlier session of this endpoint
  heard_ns_ = now_ns;
  if (const auto* welcome = std::get_if<Welcome>(&message->body)) {
    on_welcome(*welcome, now_ns);
  } else if (const auto* ack = std::get_if<Ack>(&message->body)) {
    if (state_ == State::kOpen) on_ack(ack->durable, ack->credit_bytes, ack->credit_frames, now_ns);
  } else if (const auto* nack = std::get_if<Nack>(&message->body)) {
    on_nack(nack->expected, now_ns);
  } else if (const auto* refuse = std::get_if<Refuse>(&message->body)) {
    on_refuse(*refuse, now_ns);
  } else if (const auto* fetched = std::get_if<Fetched>(&message->body)) {
    window_.fetches().on_piece(*fetched, now_ns);
  } else if (const auto* receipt = std::get_if<Receipt>(&message->body)) {
    if (state_ == State::kOpen) on_receipt(*receipt, bytes);
    check_receipt_if_due(now_ns);
  }
}

SentFrame* Sender::frame_at(uint64_t sequence) {
  if (sequence <= durable_.sequence || sequence > sealed_.sequence) return nullptr;
  return &frames_[sequence - durable_.sequence - 1];
}

std::string Sender::contradiction(const StreamMark& mark) const {
  CHECK(mark.sequence >= durable_.sequence);
  if (mark.sequence > sealed_.sequence) {
    return str_cat("it holds frame ", mark.sequence, " of a stream that has ", sealed_.sequence);
  }
  const bool oldest = mark.sequence == durable_.sequence;
  const SentFrame* frame = oldest ? nullptr : &frames_[mark.sequence - durable_.sequence - 1];
  const Hash& link_hash = oldest ? durable_.link_hash : frame->link_hash;
  const uint64_t end_bytes = oldest ? durable_.bytes : frame->end_bytes;
  if (mark.link_hash != link_hash || mark.bytes != end_bytes) {
    return str_cat("what it holds up to frame ", mark.sequence, " isn't what this node sent");
  }
  return {};
}

void Sender::stop_link(const std::string& reason, uint64_t now_ns) {
  const std::string text =
      str_cat("auditor ", options_.auditor, " at ", options_.endpoint, " contradicts this node's record: ", reason,
              ". Restore its store, or take it out of the node's configuration and restart the node");
  if (refused_reason_ != text) say(text, now_ns);
  refused_reason_ = text;
  window_.set_connected(false);
  window_.set_error(text);
  state_ = State::kRefused;
  hello_due_ns_ = now_ns + options_.refused_final_ns;
  push_control({{}, Refuse{reason, true}});
}

void Sender::on_welcome(const Welcome& welcome, uint64_t now_ns) {
  if (welcome.durable.sequence < welcome.oldest_sequence) {
    return stop_link(str_cat("it lost frames: it acknowledged ", welcome.oldest_sequence,
                             " of this stream and now holds ", welcome.durable.sequence),
                     now_ns);
  }
  if (const std::string back = went_back(welcome); !back.empty()) return stop_link(back, now_ns);
  if (welcome.durable.sequence < durable_.sequence) return;  // late: an ACK overtook it
  const std::string reason = contradiction(welcome.durable);
  if (!reason.empty()) return stop_link(reason, now_ns);
  if (welcome.expected > sealed_.sequence + 1) {
    return stop_link(str_cat("it expects frame ", welcome.expected, " of a stream that has ", sealed_.sequence),
                     now_ns);
  }
  if (state_ != State::kOpen) {
    say(str_cat(was_open_ ? "connected again to auditor " : "connected to auditor ", options_.auditor, " at ",
                options_.endpoint),
        now_ns);
    state_ = State::kOpen;
    was_open_ = true;
    refused_reason_.clear();
    window_.set_connected(true);
  }
  go_back(welcome.expected, now_ns);
  progress_ns_ = now_ns;
  on_ack(welcome.durable, welcome.credit_bytes, welcome.credit_frames, now_ns);
}

void Sender::on_ack(const StreamMark& mark, uint64_t credit_bytes, uint64_t credit_frames, uint64_t now_ns) {
  if (mark.sequence < durable_.sequence) return;  // late
  const std::string reason = contradiction(mark);
  if (!reason.empty()) return stop_link(reason, now_ns);
  uint64_t events = 0;
  while (!frames_.empty() && frames_.front().sequence <= mark.sequence) {
    events += frames_.front().events;
    durable_content_ = frames_.front().end_content;
    frames_.pop_front();
    progress_ns_ = now_ns;
  }
  durable_ = mark;
  cursor_ = std::max(cursor_, mark.sequence + 1);
  credit_bytes_ = credit_bytes;
  credit_frames_ = credit_frames;
  const uint64_t tip_bytes = sealed_.bytes - sealed_content_;
  window_.acknowledge(durable_content_, events, credit_bytes - std::min(credit_bytes, tip_bytes));
}

std::string Sender::went_back(const Welcome& welcome) const {
  if (!options_.kept) return {};
  const StreamMark& promised = options_.kept->receipt.durable;
  const bool same = welcome.previous.sequence != promised.sequence || welcome.previous == promised;
  if (welcome.previous.sequence >= promised.sequence && same) return {};
  return str_cat("it signed that it holds ", promised.sequence, " frames of this node's last stream, and now holds ",
                 same ? str_cat(welcome.previous.sequence) : std::string("others"), ". ", options_.kept->path,
                 " is the proof; move it away to go on without what was lost");
}

void Sender::on_receipt(Receipt receipt, BytesView bytes) {
  if (options_.auditor_key.is_zero()) return;
  receipt_ = Pending{std::move(receipt), Bytes(bytes.begin(), bytes.end())};
}

void Sender::check_receipt_if_due(uint64_t now_ns) {
  if (!receipt_ || now_ns - receipt_checked_ns_ < options_.receipt_pause_ns) return;
  receipt_checked_ns_ = now_ns;
  const Pending pending = *std::exchange(receipt_, std::nullopt);
  const Receipt& receipt = pending.receipt;
  if (receipt.auditor != options_.auditor_key || receipt.node != options_.identity ||
      !verify_receipt(options_.stream, receipt)) {
    window_.set_error(str_cat("auditor ", options_.auditor, " sent a receipt that isn't signed by its key"));
    return;
  }
  if (receipt.durable.sequence >= durable_.sequence) {
    const std::string reason = contradiction(receipt.durable);
    if (!reason.empty()) return stop_link(reason, now_ns);
  }
  window_.set_receipt(pending.message);
}

void Sender::go_back(uint64_t expected, uint64_t now_ns) {
  if (expected < cursor_ && now_ns >= went_back_ns_) {
    went_back_ns_ = std::max(now_ns, went_back_ns_ == 0 ? 0 : went_back_ns_ + options_.go_back_pause_ns);
  }
  cursor_ = expected;
}

void Sender::on_nack(uint64_t expected, uint64_t now_ns) {
  if (expected == 0) {
    if (state_ == State::kOpen) state_ = State::kGreeting;  // it restarted: no frames until it answers
    if (state_ == State::kGreeting) say_hello(now_ns);
    return;
  }
  if (state_ != State::kOpen || expected <= durable_.sequence || expected >= cursor_) return;
  if (went_back_ns_ != 0 && now_ns < went_back_ns_ + options_.go_back_pause_ns) return;
  go_back(expected, now_ns);
}

void Sender::on_refuse(const Refuse& refuse, uint64_t now_ns) {
  const std::string text =
      str_cat("auditor ", options_.auditor, " refused this node: ", escape(as_bytes(refuse.reason)));
  if (refused_reason_ != text) say(text, now_ns);
  refused_reason_ = text;
  window_.set_connected(false);
  window_.set_error(text);
  state_ = State::kRefused;
  hello_due_ns_ = now_ns + (refuse.final ? options_.refused_final_ns : options_.refused_ns);
}

void Sender::on_handshake_failed(const std::string& why, uint64_t now_ns) {
  const std::string text = str_cat("auditor ", options_.auditor, " at ", options_.endpoint, ": ", why);
  if (refused_reason_ != text) say(text, now_ns);
  refused_reason_ = text;
  window_.set_connected(false);
  window_.set_error(text);
  // Its socket is dead for good after a refusal: connect anew, later.
  if (state_ != State::kRefused) hello_due_ns_ = now_ns + options_.refused_ns;
  state_ = State::kRefused;
  reopen_when_due_ = true;
}

void Sender::on_disconnected(uint64_t now_ns) {
  if (state_ != State::kOpen) return;
  say(str_cat("auditor ", options_.auditor, ": the connection broke; connecting again"), now_ns);
  window_.set_connected(false);
  window_.set_error(str_cat("the connection to auditor ", options_.auditor, " at ", options_.endpoint, " broke"));
  state_ = State::kGreeting;
  heard_ns_ = now_ns;
  say_hello(now_ns);
}

uint64_t Sender::tip_due_ns() const {
  if (options_.signer == nullptr || sealed_.sequence == 0) return UINT64_MAX;
  if (unsigned_bytes_ == 0) return tip_ns_ + options_.checkpoint_ns;
  return stopping_ && window_.empty() ? unsigned_since_ns_ : unsigned_since_ns_ + options_.tip_ns;
}

bool Sender::seal_next(uint64_t now_ns, uint64_t wall_ns) {
  if (!may_seal()) return false;
  const bool tip_is_due = now_ns >= tip_due_ns();
  bool partial = frames_.empty() || stopping_ || tip_is_due;
  if (!partial && window_.has_partial()) {
    if (partial_since_ns_ == 0) partial_since_ns_ = now_ns;
    partial = now_ns - partial_since_ns_ >= options_.partial_ns;
  }
  auto body = window_.take_body(partial);
  if (!body && !tip_is_due) return false;
  if (!body) body.emplace();  // a checkpoint
  partial_since_ns_ = 0;
  if (frames_.empty()) progress_ns_ = now_ns;  // the time in flight begins
  const uint64_t content = body->builder.body_bytes();
  if (tip_is_due || (options_.signer != nullptr && unsigned_bytes_ >= options_.tip_bytes)) {
    body->builder.append_tip(
        {wall_ns, options_.signer->sign(tip_statement(options_.stream, sealed_.sequence, sealed_.link_hash, wall_ns))});
    unsigned_bytes_ = 0;
    tip_ns_ = now_ns;
  }
  if (unsigned_bytes_ == 0) unsigned_since_ns_ = now_ns;
  unsigned_bytes_ += content;
  sealed_content_ += content;
  const uint64_t bytes = body->builder.body_bytes();
  auto sealed = body->builder.seal(sealed_.sequence + 1, wall_ns, sealed_.link_hash, options_.stream);
  sealed_ = {sealed_.sequence + 1, sealed.link_hash, sealed_.bytes + bytes};
  frames_.push_back({sealed_.sequence, sealed_.bytes, sealed_content_, body->events, sealed_.link_hash,
                     std::make_shared<const Bytes>(std::move(sealed.bytes))});
  return true;
}

const SentFrame* Sender::next_frame(uint64_t now_ns, uint64_t wall_ns) {
  if (state_ != State::kOpen || now_ns < went_back_ns_) return nullptr;
  if (cursor_ > sealed_.sequence && !seal_next(now_ns, wall_ns)) return nullptr;
  const SentFrame* frame = frame_at(cursor_);
  CHECK(frame != nullptr, "the cursor left the window");
  if (frame->sequence > credit_frames_ || frame->end_bytes > credit_bytes_) return nullptr;
  return frame;
}

void Sender::frame_sent(uint64_t now_ns) {
  if (cursor_ <= sent_max_) {
    window_.count_resent(1);
  } else {
    if (durable_.sequence == sent_max_) progress_ns_ = now_ns;
    sent_max_ = cursor_;
  }
  ++cursor_;
}

bool Sender::take_reopen() { return std::exchange(reopen_, false); }

void Sender::begin_stop() { stopping_ = true; }

uint64_t Sender::wait_ns(uint64_t now_ns) const {
  const auto until = [&](uint64_t at_ns) { return at_ns > now_ns ? at_ns - now_ns : 0; };
  if (window_.wakers_ready()) return options_.partial_ns;
  uint64_t wait = std::min(kWaitMaxNs, window_.fetches().wait_ns(now_ns, state_ == State::kOpen));
  if (state_ != State::kOpen) return std::min(wait, until(hello_due_ns_));
  if (durable_.sequence < sent_max_)
    wait = std::min(wait, std::max(until(progress_ns_ + options_.stalled_ns), until(hello_due_ns_)));
  if (now_ns < went_back_ns_) wait = std::min(wait, until(went_back_ns_));
  if (receipt_) wait = std::min(wait, until(receipt_checked_ns_ + options_.receipt_pause_ns));
  // What may not be sealed waits for credit, or for what goes before it.
  if (partial_since_ns_ != 0 && may_seal() && window_.has_partial()) {
    wait = std::min(wait, until(partial_since_ns_ + options_.partial_ns));
  }
  const uint64_t tip_due = tip_due_ns();
  // One that is due and can't be sent waits for credit, which comes as a message.
  if (tip_due > now_ns && tip_due != UINT64_MAX) wait = std::min(wait, until(tip_due));
  return wait;
}

}  // namespace theater::bus
