#include "node/control/auditor_values.h"

#include "base/text.h"
#include "bus/control.h"
#include "bus/endpoint.h"

namespace theater::node {

using schema::Value;

namespace {

constexpr uint64_t kWindowBytes = uint64_t{8} << 20;

// An auditor in the node's own process is nobody's to name.
Result<std::string> endpoint_field(const Value& args, std::string_view name) {
  TRY_ASSIGN(auto endpoint, bus::text_field(args, name));
  const auto checked = bus::check_tcp_endpoint(endpoint);
  if (!checked.ok()) return Error{ErrorCode::kInvalid, str_cat("'", name, "': ", checked.error().message)};
  return endpoint;
}

}  // namespace

Result<Auditor> read_auditor(const Value& args) {
  Auditor auditor;
  TRY_ASSIGN(auditor.link.name, bus::text_field(args, "name"));
  TRY_ASSIGN(auditor.link.data_endpoint, endpoint_field(args, "data"));
  TRY_ASSIGN(auditor.link.control_endpoint, endpoint_field(args, "control"));
  TRY_ASSIGN(const auto key, bus::text_field(args, "key"));
  TRY_ASSIGN(auditor.link.server, bus::PublicKeys::parse(key));
  auditor.link.window_bytes = kWindowBytes;
  if (bus::find_field(args, "window") != nullptr) {
    TRY_ASSIGN(auditor.link.window_bytes, bus::number_field(args, "window"));
    if (auditor.link.window_bytes > bus::Outbox::kWindowMax) {
      return Error{ErrorCode::kInvalid, str_cat("'window' may be at most ", bus::Outbox::kWindowMax, " bytes")};
    }
  }
  return auditor;
}

Value record_of(const AuditorInfo& info) {
  const auto& status = info.status;
  return Value::record({{"name", Value::string(status.auditor)},
                        {"actors", Value::string(info.actors)},
                        {"source", Value::string(info.configured ? "configuration" : "run time")},
                        {"key", Value::string(info.key)},
                        {"data", Value::string(info.data)},
                        {"control", Value::string(info.control)},
                        {"window-bytes", Value::u64(info.window_bytes)},
                        {"demoted", Value::boolean(status.demoted)},
                        {"connected", Value::boolean(status.connected)},
                        {"last-error", Value::string(status.last_error)},
                        {"appended-events", Value::u64(status.appended_events)},
                        {"appended-bytes", Value::u64(status.appended_bytes)},
                        {"durable-events", Value::u64(status.durable_events)},
                        {"durable-bytes", Value::u64(status.durable_bytes)},
                        {"dropped-events", Value::u64(status.dropped_events)},
                        {"resent-frames", Value::u64(status.resent_frames)},
                        {"reconnects", Value::u64(status.reconnects)}});
}

}  // namespace theater::node
