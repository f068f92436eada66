// A guest for end-to-end tests: does what the request says, good or bad.
#include <theater.h>

static bool is(theater_view text, const char *word) {
  return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static uint64_t descend(uint64_t depth) {
  if (depth == UINT64_MAX) return 0;
  uint64_t below = descend(depth + 1);
  __asm__ volatile("" : "+r"(below));  // keeps the compiler from making a loop of it
  return below + depth;
}

static theater_answer act(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  if (is(message, "trap")) __builtin_trap();
  if (is(message, "recurse")) return theater_reply(state, theater_format_u64(descend(0)));
  if (is(message, "loop")) {
    for (volatile uint64_t i = 0;; i++) {
    }
  }
  if (is(message, "work")) {
    for (volatile uint64_t i = 0; i < 100000; i++) {
    }
    return theater_reply(state, theater_text("worked"));
  }
  if (is(message, "grow")) {  // by 100 MiB
    size_t before = __builtin_wasm_memory_grow(0, 1600);
    return theater_reply(state, theater_text(before == SIZE_MAX ? "refused" : "grown"));
  }
  if (is(message, "grow or die")) {
    if (__builtin_wasm_memory_grow(0, 1600) == SIZE_MAX) __builtin_trap();
  }
  if (is(message, "shutdown")) {
    theater_shutdown(theater_some(theater_text("goodbye")));
    return theater_reply(state, theater_text("going"));
  }
  if (is(message, "sleep")) {
    theater_log("sleeping");
    theater_sleep_ns(10ull * 1000 * 1000 * 1000);
    return theater_reply(state, theater_text("slept"));
  }
  if (is(message, "count")) {  // its calls in memory times 1000, and those that the state knows
    static uint64_t calls = 0;
    uint64_t known = 0;
    if (state.present && !theater_parse_u64(state.bytes, &known)) return theater_fail("moody: the state is damaged");
    known++;
    return theater_reply(theater_some(theater_format_u64(known)), theater_format_u64(1000 * ++calls + known));
  }
  if (is(message, "silent")) return theater_ok(state);
  if (is(message, "log a line break")) {
    theater_log("first\nsecond\033[31m");
    return theater_reply(state, theater_text("logged"));
  }
  return theater_fail("moody: I don't know that word");
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(act)
