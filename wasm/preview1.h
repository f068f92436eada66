// The deterministic subset of wasi_snapshot_preview1 that guests may import, for the sake of libc and language
// runtimes: no files, no arguments, no environment; a clock that stands still within a call; random bytes and output
// that are recorded.
//
// Each function is one of two kinds. Most are answered here at once, the same way for every actor. Four are recorded as
// typed calls of the table (wasm/functions.h): prepare_preview1() makes the typed call of the raw arguments, the host
// answers it, and finish_preview1() puts the answer where the guest wants it. They write in place, so none of them
// needs cabi_realloc. Pointers are checked before the host is asked, so that a bad one leaves no event.
//
// Pure functions of their arguments, but for the host's two clocks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wasm/abi.h"
#include "wasm/engine.h"

namespace theater::wasm {

enum class Preview1 : uint8_t {
  kArgsGet,
  kArgsSizesGet,
  kClockResGet,
  kClockTimeGet,
  kEnvironGet,
  kEnvironSizesGet,
  kFdClose,
  kFdFdstatGet,
  kFdFdstatSetFlags,
  kFdPrestatDirName,
  kFdPrestatGet,
  kFdRead,
  kFdSeek,
  kFdWrite,
  kPollOneoff,
  kProcExit,
  kRandomGet,
  kSchedYield,
};

struct Preview1Function {
  Preview1 id;
  std::string_view name;
  CoreSignature signature;
};

const Preview1Function* find_preview1(std::string_view name);

inline constexpr uint32_t kPreview1WriteMax = 32 * 1024;   // bytes of one fd_write; the rest is a short write
inline constexpr uint32_t kPreview1RandomMax = 64 * 1024;  // bytes of one random_get; more is EINVAL
inline constexpr uint32_t kPreview1PollMax = 64;           // subscriptions of one poll_oneoff; more is EINVAL

// What became of a raw call: an answer for the guest, a typed call for the host, or a trap.
struct Preview1Step {
  enum class Kind : uint8_t { kAnswered, kAskHost, kTrap } kind = Kind::kAnswered;
  uint16_t error_number = 0;
  std::string trap;
};

Preview1Step prepare_preview1(Preview1 id, std::span<const uint64_t> args, std::span<uint8_t> memory, Host& host,
                              std::vector<schema::Value>& typed_args);
// After the host's answer, which fits the function's type. `waited_ns` is what poll_oneoff asked for.
Preview1Step finish_preview1(Preview1 id, std::span<const uint64_t> args, std::span<uint8_t> memory, Host& host,
                             const std::vector<schema::Value>& results, uint64_t waited_ns);

}  // namespace theater::wasm
