#include "bus/receiver.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace theater::bus {

namespace {

Bytes refusal(const StreamId& stream, const std::string& reason, bool final) {
  return encode_link({stream, Refuse{reason, final}});
}

// What speaks against taking up a stream where the store left it; empty if nothing does. A store that ends before the
// node's oldest frame is the node's to see, by WELCOME.
std::string contradiction(const Hello& hello, const StreamMark& mark) {
  if (mark.sequence == hello.oldest.sequence && mark.link_hash != hello.oldest.link_hash) {
    return str_cat("the node's link hash of frame ", mark.sequence, " is another than the stored one");
  }
  return {};
}

}  // namespace

Receiver::Receiver(Options options, MarkLookup lookup) : options_(std::move(options)), lookup_(std::move(lookup)) {
  CHECK(options_.window_bytes >= 2 * kFrameBodyMax);
  CHECK(options_.window_frames >= 1 && options_.window_frames < kFramesInFlight);
}

Bytes Receiver::ack(State& session, uint64_t now_ns) const {
  session.acked_ns = now_ns;
  return encode_link({session.stream, Ack{session.durable, session.durable.bytes + options_.window_bytes,
                                          session.durable.sequence + options_.window_frames}});
}

Bytes Receiver::receipt(State& session, uint64_t now_ns) const {
  if (options_.signer == nullptr || session.durable.sequence <= session.receipt_sequence) return {};
  session.receipt_ns = now_ns;
  session.receipt_sequence = session.durable.sequence;
  return encode_link({session.stream, sign_receipt(*options_.signer, session.node, session.stream, session.durable,
                                                   options_.wall_ns())});
}

Bytes Receiver::welcome(State& session, const Hello& hello, const StreamMark& previous, uint64_t now_ns) const {
  session.acked_ns = now_ns;
  return encode_link(
      {session.stream, Welcome{hello.oldest.sequence, session.durable, session.accepted.sequence + 1,
                               session.durable.bytes + options_.window_bytes,
                               session.durable.sequence + options_.window_frames, kFrameBodyMax, previous}});
}

Receiver::FrameVerdict Receiver::on_frame(const CurveKey& peer, BytesView bytes, uint64_t now_ns) {
  auto frame = parse_frame(bytes);
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(peer);
  FrameVerdict verdict;
  if (!frame.ok()) {
    verdict.reason = frame.error().message;
    if (found != sessions_.end() && !found->second.refused) {
      found->second.refused = true;
      verdict.reply = refusal(found->second.stream, verdict.reason, false);
    }
    return verdict;
  }
  if (found == sessions_.end() || found->second.stream != frame->header.stream) {
    verdict.reason = "a frame of a stream that wasn't announced by HELLO";
    verdict.reply = encode_link({frame->header.stream, Nack{0}});
    return verdict;
  }
  return on_known_frame(found->second, std::move(*frame), now_ns);
}

Receiver::FrameVerdict Receiver::on_known_frame(State& session, FrameView frame, uint64_t now_ns) {
  FrameVerdict verdict;
  session.traffic_ns = now_ns;
  if (session.refused) {
    verdict.reason = "the stream was refused";
    return verdict;
  }
  const FrameHeader& header = frame.header;
  if (header.sequence <= session.accepted.sequence) {
    ++session.duplicates;
    verdict.verdict = Verdict::kDuplicate;
    return verdict;
  }
  if (header.sequence != session.accepted.sequence + 1) {
    ++session.unordered;
    verdict.verdict = Verdict::kUnordered;
    if (session.nacked_ns == 0 || now_ns - session.nacked_ns >= options_.nack_pause_ns) {
      session.nacked_ns = now_ns;
      verdict.reply = encode_link({session.stream, Nack{session.accepted.sequence + 1}});
    }
    return verdict;
  }
  if (header.previous != session.accepted.link_hash) {
    session.refused = session.final = true;
    verdict.reason =
        str_cat("frame ", header.sequence, " doesn't continue the frame before it: its previous link hash is ",
                header.previous.short_hex(), ", expected ", session.accepted.link_hash.short_hex());
    verdict.reply = refusal(session.stream, verdict.reason, true);
    return verdict;
  }
  if (session.accepted.bytes + header.body_bytes > session.durable.bytes + options_.window_bytes ||
      header.sequence > session.durable.sequence + options_.window_frames) {
    verdict.reason = str_cat("frame ", header.sequence, " is beyond the credit");
    return verdict;
  }
  session.accepted = {header.sequence, frame.link_hash, session.accepted.bytes + header.body_bytes};
  verdict.verdict = Verdict::kAccept;
  verdict.node = session.node;
  verdict.mark = session.accepted;
  verdict.frame = std::move(frame);
  return verdict;
}

Receiver::ControlVerdict Receiver::on_control(const CurveKey& peer, const PublicKey& identity, BytesView bytes,
                                              uint64_t now_ns) {
  ControlVerdict verdict;
  const auto message = decode_link(bytes);
  if (!message.ok()) {
    verdict.note = str_cat("ignored from ", peer.short_hex(), ": ", message.error().message);
    return verdict;
  }
  if (const auto* hello = std::get_if<Hello>(&message->body)) {
    return on_hello(peer, identity, message->stream, *hello, now_ns);
  }
  std::lock_guard lock(mutex_);
  verdict.stream = message->stream;
  const auto found = sessions_.find(peer);
  const bool known = found != sessions_.end() && found->second.stream == message->stream;
  if (const auto* goodbye = std::get_if<Goodbye>(&message->body); goodbye != nullptr && known) {
    verdict.goodbye = true;
    verdict.reply = receipt(found->second, now_ns);
    verdict.note = str_cat("node ", found->second.name, " said goodbye after frame ", goodbye->last_sequence);
    sessions_.erase(found);
  } else if (const auto* refuse = std::get_if<Refuse>(&message->body); refuse != nullptr && known) {
    found->second.refused = true;
    verdict.note = str_cat("node ", found->second.name, " stopped its link: ", escape(as_bytes(refuse->reason)));
  }
  if (const auto* fetch = std::get_if<Fetch>(&message->body); fetch != nullptr && known) verdict.fetch = *fetch;
  return verdict;
}

Bytes Receiver::fetched(const StreamId& stream, Fetched answer) { return encode_link({stream, std::move(answer)}); }

Receiver::ControlVerdict Receiver::on_hello(const CurveKey& peer, const PublicKey& identity, const StreamId& stream,
                                            const Hello& hello, uint64_t now_ns) {
  ControlVerdict verdict;
  verdict.stream = stream;
  const std::string name = escape(as_bytes(hello.name));
  const auto refuse_it = [&](const std::string& reason, bool final) {
    verdict.reply = refusal(stream, reason, final);
    verdict.note = str_cat("refused node ", name, ": ", reason);
    return verdict;
  };
  if (hello.version != kLinkVersion) {
    return refuse_it(str_cat("link version ", hello.version, "; this auditor speaks ", kLinkVersion), true);
  }
  if (!identity.is_zero() && identity != hello.identity) {
    return refuse_it(str_cat("identity ", hello.identity.short_hex(), " isn't the one authorized for its key (",
                             identity.short_hex(), ")"),
                     true);
  }
  std::lock_guard lock(mutex_);
  StreamMark previous;
  if (hello.previous_stream) {
    const auto mark = lookup_(hello.identity, *hello.previous_stream);
    if (!mark.ok()) return refuse_it(mark.error().message, false);
    previous = *mark;
  }
  const auto found = sessions_.find(peer);
  if (found != sessions_.end() && found->second.stream == stream) {
    State& session = found->second;
    if (session.refused && session.final) {
      return refuse_it("this stream was refused for good; the auditor's log says why", true);
    }
    if (!session.refused) {  // asked again
      session.traffic_ns = now_ns;
      session.nacked_ns = 0;
      verdict.reply = welcome(session, hello, previous, now_ns);
      return verdict;
    }
  }
  const auto mark = lookup_(hello.identity, stream);
  if (!mark.ok()) return refuse_it(mark.error().message, false);
  const std::string reason = contradiction(hello, *mark);
  if (!reason.empty()) return refuse_it(reason, true);

  State session;
  session.peer = peer;
  session.node = hello.identity;
  session.name = name;
  session.stream = stream;
  session.accepted = session.durable = *mark;
  session.traffic_ns = now_ns;
  verdict.reply = welcome(session, hello, previous, now_ns);
  verdict.note = str_cat("node ", name, " (", hello.identity.short_hex(), ") connected, stream ",
                         to_hex(stream).substr(0, 12), " from frame ", mark->sequence + 1);
  verdict.hello = hello;
  sessions_.insert_or_assign(peer, std::move(session));
  return verdict;
}

Bytes Receiver::durable(const CurveKey& peer, const StreamId& stream, const StreamMark& mark, uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(peer);
  if (found == sessions_.end() || found->second.stream != stream) return {};
  State& session = found->second;
  if (mark.sequence > session.durable.sequence) session.durable = mark;
  // Only after a session began anew while older frames of the stream were still on their way to the disk.
  if (mark.sequence > session.accepted.sequence) session.accepted = mark;
  return ack(session, now_ns);
}

void Receiver::tick(uint64_t now_ns, const std::function<void(const CurveKey&, Bytes)>& send) {
  std::lock_guard lock(mutex_);
  for (auto& [peer, session] : sessions_) {
    // Traffic or an ACK since the last repetition: one more, then silence.
    const bool due = now_ns - session.acked_ns >= options_.ack_repeat_ns;
    const bool traffic = now_ns - session.traffic_ns < 10 * options_.ack_repeat_ns;
    if (due && traffic && !session.refused) send(peer, ack(session, now_ns));
    if (now_ns - session.receipt_ns < options_.receipt_ns) continue;
    if (Bytes signed_word = receipt(session, now_ns); !signed_word.empty()) send(peer, std::move(signed_word));
  }
}

Bytes Receiver::refuse(const CurveKey& peer, const StreamId& stream, const std::string& reason, bool final) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find(peer);
  if (found != sessions_.end() && found->second.stream == stream) {
    found->second.refused = true;
    found->second.final = final;
  }
  return refusal(stream, reason, final);
}

std::vector<Receiver::Session> Receiver::sessions() const {
  std::lock_guard lock(mutex_);
  std::vector<Session> result;
  result.reserve(sessions_.size());
  for (const auto& [peer, session] : sessions_) result.push_back(session);
  return result;
}

}  // namespace theater::bus
