// Fills a chain: a request is a decimal number N, and the actor makes N log calls of exactly 64 bytes before it answers
// N. Made for benchmarks and for tests that count what arrived.
#include <theater.h>

#define LINE "burst: sixty-four bytes of log text, the same ones in every call"
_Static_assert(sizeof LINE - 1 == 64, "a line is 64 bytes");

static theater_answer burst(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  uint64_t count = 0;
  if (!theater_parse_u64(message, &count)) {
    return theater_fail("burst: a request is the number of log calls to make, for example 1000");
  }
  for (uint64_t i = 0; i < count; i++) theater_log_view(theater_bytes(LINE, sizeof LINE - 1));
  return theater_reply(state, theater_format_u64(count));
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(burst)
