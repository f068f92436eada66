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

void LogStream::deliver(const schema::EncodedEvent& event) {
  auto line = log_line(event);
  if (!line) return;
  bus::ControlResponse response;
  response.id = request_;
  response.more = true;
  response.result = Value::record({{"text", Value::string(std::move(*line))}});
  responder_->respond(std::move(response));
}

void LogStream::end_of_chain(const ActorId&) {
  bus::ControlResponse last;
  last.id = request_;
  responder_->respond(std::move(last));
}

}  // namespace theater::node
