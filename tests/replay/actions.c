// A guest that does what it is asked to, so that a test can record a chain with everything in it. A request is one
// word.
#include <theater.h>

static char large[10000];

// Uses no memory of the guest's for its frames, so that it's the engine's stack that ends.
static volatile uint64_t deepest;
static __attribute__((noinline)) uint64_t dig(uint64_t depth) {
  if (depth == UINT64_MAX) return 0;
  deepest = depth;
  return dig(depth + 1) + deepest;
}

static theater_answer act(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  const char what = message.size > 0 ? message.data[0] : '?';
  switch (what) {
    case 'l':  // log
      theater_log("first line");
      theater_log("second line");
      theater_log("third line");
      break;
    case 't':  // trap
      theater_log("about to trap");
      __builtin_trap();
    case 'e':  // endless
      theater_log("about to loop");
      for (volatile uint64_t i = 0;; i++) {
      }
    case 's':  // sleep
      theater_sleep_ns(1000000);
      theater_log_view(theater_format_u64(theater_now_ns()));
      break;
    case 'w':  // wait for a long time
      theater_sleep_ns(3600000000000u);
      break;
    case 'r':  // random
      theater_log_view(theater_format_u64(theater_random_u64()));
      return theater_reply(state, theater_random_bytes(5000).value);
    case 'b':  // big
      memset(large, 'b', sizeof large);
      theater_log_view(theater_bytes(large, sizeof large));
      return theater_reply(theater_some(theater_bytes(large, sizeof large)), theater_bytes(large, sizeof large));
    case 'i':  // itself
      theater_log_view(theater_self());
      theater_log_view(theater_chain_head().bytes);
      break;
    case 'q':  // quit
      theater_shutdown(theater_some(theater_text("the last word")));
      break;
    case 'f':  // fail
      return theater_fail("asked to fail");
    case 'm':  // more memory: 32 MiB
      theater_log("about to grow");
      return theater_reply(state, theater_format_u64(__builtin_wasm_memory_grow(0, 512) != (size_t)-1));
    case 'd':  // deep: the engine's stack ends
      return theater_reply(state, theater_format_u64(dig(0)));
    default: break;
  }
  return theater_reply(state, message);
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(act)
