#include "node/control/log_stream.h"

#include "schema/codec.h"
#include "schema/display.h"

namespace theater::node {

using schema::Value;

namespace {

constexpr std::string_view kLog = "theater:simple/runtime@0.1.0/log";
constexpr std::string_view kWrite = "wasi_snapshot_preview1/fd_write";

// The line that an event is for whoever follows the log; nothing for most events.
std::optional<std::string> log_line(const schema::EncodedEvent& event) {
  if (event.kind != schema::BodyKind::kHostCall) return std::nullopt;
  const auto decoded = schema::decode_event(event.bytes);
  if (!decoded.ok()) return std::nullopt;
  const auto& args = std::get<schema::HostCall>(decoded->body).args;
  const bool is_log = decoded->header.type == kLog && args.size() == 1;
  if (!is_log && !(decoded->header.type == kWrite && args.size() == 2)) return std::nullopt;
  const Value& value = args.back();
  if (const auto* text = value.get<std::string>()) return *text;
  if (const auto* bytes = value.get<Bytes>()) {
    std::string_view text = as_text(*bytes);
    if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    return is_utf8(as_bytes(text)) ? std::string(text) : escape(as_bytes(text));
  }
  return schema::to_display(value);  // too long for an event: its hash and length
}

}  // namespace

void LogStream::respond(Value what, bool more) {
  bus::ControlResponse response;
  response.id = request_;
  response.more = more;
  response.result = std::move(what);
  responder_->respond(std::move(response));
}

void LogStream::mark_missed() {
  if (missed_.lines == 0) return;
  const auto missed = std::exchange(missed_, {});
  respond(Value::record(
      {{"missed", Value::u64(missed.lines)}, {"from", Value::u64(missed.from)}, {"to", Value::u64(missed.to)}}));
}

bool LogStream::leave_out(uint64_t sequence) {
  const auto backlog = responder_->backlog();
  std::lock_guard lock(mutex_);
  if (missed_.lines == 0 && backlog.responses < kResponsesMax && backlog.bytes < kBytesMax) return false;
  if (missed_.lines == 0) missed_.from = sequence;
  missed_.to = sequence;
  ++missed_.lines;
  return true;
}

// Everything that waited has been sent.
void LogStream::caught_up() {
  std::lock_guard lock(mutex_);
  if (!over_) mark_missed();
}

void LogStream::ping() {
  std::lock_guard lock(mutex_);
  if (!over_ && missed_.lines == 0) respond(Value::record({{"missed", Value::u64(0)}}));
}

void LogStream::deliver(const schema::EncodedEvent& event) {
  auto line = log_line(event);
  if (!line) return;
  if (leave_out(event.sequence)) {
    // Asked each time: only the newest wish counts, and who has caught up already is told at once.
    responder_->when_drained([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->caught_up();
    });
    return;
  }
  std::lock_guard lock(mutex_);
  respond(Value::record({{"text", Value::string(std::move(*line))},
                         {"sequence", Value::u64(event.sequence)},
                         {"event", Value::string(event.hash.hex())}}));
}

void LogStream::end_of_chain(const ActorId&) {
  std::lock_guard lock(mutex_);
  if (std::exchange(over_, true)) return;
  mark_missed();
  respond(Value::record({}), false);
}

}  // namespace theater::node
