// A number that only grows. The state is the number as decimal text; a request is a number to add, and the answer is
// the sum.
#include <theater.h>

static theater_answer init(theater_option state, theater_view self) {
  (void)self;
  uint64_t start = 0;
  if (state.present && !theater_parse_u64(state.bytes, &start)) {
    return theater_fail("counter: initial_state is not a decimal number below 2^64");
  }
  return theater_ok(theater_some(theater_format_u64(start)));
}

static theater_answer add(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  uint64_t count = 0;
  uint64_t increment = 0;
  if (!state.present || !theater_parse_u64(state.bytes, &count)) return theater_fail("counter: the state is damaged");
  if (!theater_parse_u64(message, &increment)) {
    return theater_fail("counter: a request is a decimal number below 2^64, for example 5");
  }
  if (__builtin_add_overflow(count, increment, &count)) return theater_fail("counter: the sum doesn't fit 64 bits");
  theater_log("added");
  const theater_view sum = theater_format_u64(count);
  return theater_reply(theater_some(sum), sum);
}

// A message without an answer adds as well.
static theater_answer add_silently(theater_option state, theater_view sender, theater_view message) {
  return add(state, sender, message);
}

THEATER_INIT(init)
THEATER_HANDLE_SEND(add_silently)
THEATER_HANDLE_REQUEST(add)
