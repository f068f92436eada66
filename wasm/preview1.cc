#include "wasm/preview1.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace theater::wasm {
namespace {

using schema::Value;
using Kind = Preview1Step::Kind;

// Error numbers of preview1.
constexpr uint16_t kSuccess = 0;
constexpr uint16_t kBadFile = 8;
constexpr uint16_t kFault = 21;
constexpr uint16_t kInvalid = 28;
constexpr uint16_t kNotSupported = 58;
constexpr uint16_t kNotSeekable = 70;

Preview1Step answer(uint16_t error_number) { return {Kind::kAnswered, error_number, {}}; }
Preview1Step ask_host() { return {Kind::kAskHost, 0, {}}; }
Preview1Step trap(std::string message) { return {Kind::kTrap, 0, std::move(message)}; }

// Guest memory by address, checked.
class View {
 public:
  explicit View(std::span<uint8_t> memory) : memory_(memory) {}

  uint8_t* at(uint64_t address, uint64_t size) const {
    if (address > memory_.size() || size > memory_.size() - address) return nullptr;
    return memory_.data() + address;
  }
  template <typename T>
  bool write(uint64_t address, T value) const {
    uint8_t* place = at(address, sizeof value);
    if (place != nullptr) std::memcpy(place, &value, sizeof value);
    return place != nullptr;
  }
  template <typename T>
  static T read(const uint8_t* place) {
    T value;
    std::memcpy(&value, place, sizeof value);
    return value;
  }

 private:
  std::span<uint8_t> memory_;
};

bool is_standard(uint32_t fd) { return fd <= 2; }

template <typename T>
Preview1Step write_answer(const View& view, uint64_t address, T value) {
  return answer(view.write<T>(address, value) ? kSuccess : kFault);
}

Preview1Step two_zeros(const View& view, uint64_t first, uint64_t second) {
  return answer(view.write<uint32_t>(first, 0) && view.write<uint32_t>(second, 0) ? kSuccess : kFault);
}

Preview1Step clock_time(const View& view, uint32_t clock, uint64_t address, Host& host) {
  if (clock > 1) return answer(kNotSupported);  // processor time: there is none that replays
  return write_answer<uint64_t>(view, address, clock == 0 ? host.wall_ns() : host.monotonic_ns());
}

// fd_fdstat_get of the three standard descriptors: character devices, so that libc flushes at each line.
Preview1Step fdstat(const View& view, uint32_t fd, uint64_t address) {
  if (!is_standard(fd)) return answer(kBadFile);
  uint8_t* place = view.at(address, 24);
  if (place == nullptr) return answer(kFault);
  std::memset(place, 0, 24);
  place[0] = 2;
  const uint64_t rights = fd == 0 ? 1u << 1 : 1u << 6;  // fd_read, fd_write
  std::memcpy(place + 8, &rights, sizeof rights);
  return answer(kSuccess);
}

Preview1Step prepare_write(const View& view, std::span<const uint64_t> args, std::vector<Value>& typed) {
  const auto fd = static_cast<uint32_t>(args[0]);
  const auto count = static_cast<uint32_t>(args[2]);
  if (fd != 1 && fd != 2) return answer(kBadFile);
  const uint8_t* vectors = view.at(static_cast<uint32_t>(args[1]), uint64_t{count} * 8);
  if (vectors == nullptr || view.at(static_cast<uint32_t>(args[3]), 4) == nullptr) return answer(kFault);
  Bytes data;
  for (uint32_t i = 0; i < count && data.size() < kPreview1WriteMax; ++i) {
    const auto address = View::read<uint32_t>(vectors + uint64_t{i} * 8);
    const auto length = View::read<uint32_t>(vectors + uint64_t{i} * 8 + 4);
    const uint8_t* part = view.at(address, length);
    if (part == nullptr) return answer(kFault);
    data.insert(data.end(), part, part + std::min<size_t>(length, kPreview1WriteMax - data.size()));
  }
  typed.push_back(Value::u32(fd));
  typed.push_back(Value::bytes(std::move(data)));
  return ask_host();
}

// A subscription is 48 bytes: user data, tag, and for a clock its id, timeout, precision and flags. An event is 32.
constexpr uint64_t kSubscriptionSize = 48;
constexpr uint64_t kEventSize = 32;

struct Subscription {
  uint64_t user_data;
  uint8_t tag;  // 0: clock; 1, 2: a descriptor, of which there is none to wait for
  uint32_t clock;
  uint64_t timeout;
  bool absolute;
};

Subscription read_subscription(const uint8_t* place) {
  return {View::read<uint64_t>(place), place[8], View::read<uint32_t>(place + 16), View::read<uint64_t>(place + 24),
          (View::read<uint16_t>(place + 40) & 1) != 0};
}

void write_event(uint8_t* place, const Subscription& of, uint16_t error_number) {
  std::memset(place, 0, kEventSize);
  std::memcpy(place, &of.user_data, 8);
  std::memcpy(place + 8, &error_number, 2);
  place[10] = of.tag;
}

std::vector<Subscription> read_subscriptions(const View& view, std::span<const uint64_t> args) {
  std::vector<Subscription> all;
  const auto count = static_cast<uint32_t>(args[2]);
  const uint8_t* place = view.at(static_cast<uint32_t>(args[0]), count * kSubscriptionSize);
  for (uint32_t i = 0; i < count; ++i) all.push_back(read_subscription(place + i * kSubscriptionSize));
  return all;
}

// How long a clock subscription waits from now on; nothing if its clock isn't known.
std::optional<uint64_t> wait_ns(const Subscription& one, Host& host) {
  if (one.tag != 0 || one.clock > 1) return std::nullopt;
  if (!one.absolute) return one.timeout;
  const uint64_t now = one.clock == 0 ? host.wall_ns() : host.monotonic_ns();
  return one.timeout > now ? one.timeout - now : 0;
}

Preview1Step prepare_poll(const View& view, std::span<const uint64_t> args, Host& host, std::vector<Value>& typed) {
  const auto count = static_cast<uint32_t>(args[2]);
  if (count == 0 || count > kPreview1PollMax) return answer(kInvalid);
  uint8_t* events = view.at(static_cast<uint32_t>(args[1]), count * kEventSize);
  if (view.at(static_cast<uint32_t>(args[0]), count * kSubscriptionSize) == nullptr || events == nullptr ||
      view.at(static_cast<uint32_t>(args[3]), 4) == nullptr) {
    return answer(kFault);
  }
  std::optional<uint64_t> shortest;
  uint32_t refused = 0;
  for (const Subscription& one : read_subscriptions(view, args)) {
    const auto wait = wait_ns(one, host);
    if (!wait) write_event(events + kEventSize * refused++, one, one.tag == 0 ? kNotSupported : kBadFile);
    if (wait && (!shortest || *wait < *shortest)) shortest = wait;
  }
  if (refused > 0) return write_answer<uint32_t>(view, static_cast<uint32_t>(args[3]), refused);
  typed.push_back(Value::u64(*shortest));
  return ask_host();
}

// After the shortest wait. At least one event is reported, whatever the clocks say.
Preview1Step finish_poll(const View& view, std::span<const uint64_t> args, Host& host, uint64_t waited_ns) {
  uint8_t* events = view.at(static_cast<uint32_t>(args[1]), static_cast<uint32_t>(args[2]) * kEventSize);
  const std::vector<Subscription> all = read_subscriptions(view, args);
  uint32_t over = 0;
  for (const Subscription& one : all) {
    const bool is_over = one.absolute ? wait_ns(one, host) == 0 : one.timeout <= waited_ns;
    if (is_over) write_event(events + kEventSize * over++, one, kSuccess);
  }
  if (over == 0) write_event(events + kEventSize * over++, all[0], kSuccess);
  return write_answer<uint32_t>(view, static_cast<uint32_t>(args[3]), over);
}

}  // namespace

const Preview1Function* find_preview1(std::string_view name) {
  constexpr CoreType i = CoreType::kI32;
  constexpr CoreType l = CoreType::kI64;
  static const std::vector<Preview1Function> table = {
      {Preview1::kArgsGet, "args_get", {{i, i}, {i}}},
      {Preview1::kArgsSizesGet, "args_sizes_get", {{i, i}, {i}}},
      {Preview1::kClockResGet, "clock_res_get", {{i, i}, {i}}},
      {Preview1::kClockTimeGet, "clock_time_get", {{i, l, i}, {i}}},
      {Preview1::kEnvironGet, "environ_get", {{i, i}, {i}}},
      {Preview1::kEnvironSizesGet, "environ_sizes_get", {{i, i}, {i}}},
      {Preview1::kFdClose, "fd_close", {{i}, {i}}},
      {Preview1::kFdFdstatGet, "fd_fdstat_get", {{i, i}, {i}}},
      {Preview1::kFdFdstatSetFlags, "fd_fdstat_set_flags", {{i, i}, {i}}},
      {Preview1::kFdPrestatDirName, "fd_prestat_dir_name", {{i, i, i}, {i}}},
      {Preview1::kFdPrestatGet, "fd_prestat_get", {{i, i}, {i}}},
      {Preview1::kFdRead, "fd_read", {{i, i, i, i}, {i}}},
      {Preview1::kFdSeek, "fd_seek", {{i, l, i, i}, {i}}},
      {Preview1::kFdWrite, "fd_write", {{i, i, i, i}, {i}}},
      {Preview1::kPollOneoff, "poll_oneoff", {{i, i, i, i}, {i}}},
      {Preview1::kProcExit, "proc_exit", {{i}, {}}},
      {Preview1::kRandomGet, "random_get", {{i, i}, {i}}},
      {Preview1::kSchedYield, "sched_yield", {{}, {i}}},
  };
  for (const Preview1Function& function : table) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

Preview1Step prepare_preview1(Preview1 id, std::span<const uint64_t> args, std::span<uint8_t> memory, Host& host,
                              std::vector<Value>& typed) {
  const View view(memory);
  const auto arg = [&args](size_t i) { return static_cast<uint32_t>(args[i]); };
  switch (id) {
    case Preview1::kArgsGet:
    case Preview1::kEnvironGet:
    case Preview1::kSchedYield: return answer(kSuccess);
    case Preview1::kArgsSizesGet:
    case Preview1::kEnvironSizesGet: return two_zeros(view, arg(0), arg(1));
    case Preview1::kClockResGet: return arg(0) > 1 ? answer(kNotSupported) : write_answer<uint64_t>(view, arg(1), 1);
    case Preview1::kClockTimeGet: return clock_time(view, arg(0), arg(2), host);
    case Preview1::kFdClose:
    case Preview1::kFdPrestatDirName:
    case Preview1::kFdPrestatGet: return answer(kBadFile);
    case Preview1::kFdFdstatGet: return fdstat(view, arg(0), arg(1));
    case Preview1::kFdFdstatSetFlags: return answer(is_standard(arg(0)) ? kSuccess : kBadFile);
    case Preview1::kFdRead: return arg(0) == 0 ? write_answer<uint32_t>(view, arg(3), 0) : answer(kBadFile);
    case Preview1::kFdSeek: return answer(is_standard(arg(0)) ? kNotSeekable : kBadFile);
    case Preview1::kFdWrite: return prepare_write(view, args, typed);
    case Preview1::kPollOneoff: return prepare_poll(view, args, host, typed);
    case Preview1::kProcExit: typed.push_back(Value::u32(arg(0))); return ask_host();
    case Preview1::kRandomGet:
      if (arg(1) > kPreview1RandomMax) return answer(kInvalid);
      if (view.at(arg(0), arg(1)) == nullptr) return answer(kFault);
      typed.push_back(Value::u32(arg(1)));
      return ask_host();
  }
  return answer(kNotSupported);
}

Preview1Step finish_preview1(Preview1 id, std::span<const uint64_t> args, std::span<uint8_t> memory, Host& host,
                             const std::vector<Value>& results, uint64_t waited_ns) {
  const View view(memory);
  const auto arg = [&args](size_t i) { return static_cast<uint32_t>(args[i]); };
  switch (id) {
    case Preview1::kFdWrite: {
      const auto error_number = static_cast<uint16_t>(*results[0].get<uint64_t>());
      if (error_number != kSuccess) return answer(error_number);
      const uint8_t* vectors = view.at(arg(1), uint64_t{arg(2)} * 8);
      uint64_t written = 0;
      for (uint32_t i = 0; i < arg(2) && written < kPreview1WriteMax; ++i)
        written += View::read<uint32_t>(vectors + i * 8 + 4);
      return write_answer<uint32_t>(view, arg(3),
                                    static_cast<uint32_t>(std::min<uint64_t>(written, kPreview1WriteMax)));
    }
    case Preview1::kRandomGet: {
      const Bytes& bytes = *results[0].get<Bytes>();
      if (bytes.size() != arg(1)) return trap(str_cat("the host answered ", bytes.size(), " bytes for ", arg(1)));
      std::copy(bytes.begin(), bytes.end(), view.at(arg(0), arg(1)));
      return answer(kSuccess);
    }
    case Preview1::kPollOneoff: return finish_poll(view, args, host, waited_ns);
    case Preview1::kProcExit: return trap(str_cat("the guest ended itself with proc_exit(", arg(0), ")"));
    default: return answer(kNotSupported);
  }
}

}  // namespace theater::wasm
