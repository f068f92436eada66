#include "cli/guest_log.h"

#include "base/thread.h"
#include "cli/output.h"
#include "schema/codec.h"

namespace theater::cli {
namespace {

constexpr std::string_view kLog = "theater:simple/runtime@0.1.0/log";
constexpr std::string_view kWrite = "wasi_snapshot_preview1/fd_write";

std::optional<std::string> text_of(const schema::Value& value) {
  if (const auto* text = value.get<std::string>()) return escape(as_bytes(*text));
  if (const auto* bytes = value.get<Bytes>()) {
    const bool ends_line = !bytes->empty() && bytes->back() == '\n';
    return escape(BytesView(*bytes).first(bytes->size() - (ends_line ? 1 : 0)));
  }
  return schema::to_display(value);  // too long for an event: its hash and length
}

}  // namespace

std::optional<std::string> guest_log_text(const schema::EncodedEvent& event) {
  if (event.kind != schema::BodyKind::kHostCall) return std::nullopt;
  const auto decoded = schema::decode_event(event.bytes);
  if (!decoded.ok()) return std::nullopt;
  const auto& args = std::get<schema::HostCall>(decoded->body).args;
  if (decoded->header.type == kLog && args.size() == 1) return text_of(args[0]);
  if (decoded->header.type == kWrite && args.size() == 2) return text_of(args[1]);
  return std::nullopt;
}

GuestLog::GuestLog(std::string who)
    : who_(std::move(who)),
      events_(std::make_shared<node::QueueSubscriber>(kEventsMax, node::QueueSubscriber::Overflow::kStrict)) {
  thread_ = start_thread("guest-log", [this] { print_lines(); });
}

GuestLog::~GuestLog() { stop(); }

void GuestLog::stop() {
  events_->close();
  if (thread_.joinable()) thread_.join();
}

void GuestLog::flush() {
  while (!events_->try_reserve({}, 0)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  schema::EncodedEvent mark;
  std::unique_lock lock(mutex_);
  const uint64_t number = ++marks_;
  mark.sequence = number;
  events_->deliver(mark);
  passed_changed_.wait(lock, [&] { return marks_passed_ >= number; });
}

void GuestLog::print_lines() {
  while (true) {
    const auto event = events_->pop(std::chrono::milliseconds(100));
    if (!event) {
      if (events_->closed()) return;
    } else if (event->actor.is_zero()) {
      std::lock_guard lock(mutex_);
      marks_passed_ = event->sequence;
      passed_changed_.notify_all();
    } else if (const auto text = guest_log_text(*event)) {
      note(str_cat(who_, ": ", *text));
    }
  }
}

}  // namespace theater::cli
