// The handler `wasi`: those calls of preview1 that leave an event. The rest of the subset is answered by the engine,
// the same for every actor (wasm/preview1.h).
#include "node/handlers/call.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

constexpr uint16_t kSuccess = 0;
constexpr uint16_t kBadDescriptor = 8;

HostStatus random_get(Services& services, HostCall& call) {
  const uint64_t length = u64_arg(call, 0);
  if (length > kRandomBytesMax) {
    call.error =
        str_cat("wasi_snapshot_preview1 random_get: ", length, " bytes at once are more than ", kRandomBytesMax);
    call.trap_kind = schema::ErrorKind::kLimit;
    return HostStatus::kTrap;
  }
  Bytes out(length);
  services.random_bytes(out);
  return answer_with(call, Value::bytes(std::move(out)));
}

// Standard output and error are the actor's log; nothing else is open.
HostStatus fd_write(Services& services, HostCall& call) {
  const uint64_t descriptor = u64_arg(call, 0);
  const bool is_open = descriptor == 1 || descriptor == 2;
  if (is_open) {
    std::string_view text = as_text(bytes_arg(call, 1));
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (!text.empty()) services.log_line(text);
  }
  return answer_with(call, Value::u16(is_open ? kSuccess : kBadDescriptor));
}

// The engine traps the guest when this has been recorded.
HostStatus proc_exit(Services&, HostCall&) { return HostStatus::kDone; }

HostStatus poll_oneoff(Services& services, HostCall& call) {
  return services.wait_ns(u64_arg(call, 0)) ? HostStatus::kDone : HostStatus::kParked;
}

constexpr HandlerEntry kEntries[] = {
    {"random_get", random_get}, {"fd_write", fd_write}, {"proc_exit", proc_exit}, {"poll_oneoff", poll_oneoff}};

}  // namespace

std::span<const HandlerEntry> wasi_handler() { return kEntries; }

}  // namespace theater::node
