// Counts ticks. A request is "every MS", "once MS" (the answer is the timer's number), "cancel NUMBER", or "count" (the
// answer is how many ticks came). The state is that count.
#include <theater.h>

static theater_answer fail(theater_view message) {
  theater_answer answer = theater_fail("");
  answer.error = message;
  return answer;
}

static theater_answer obey(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  if (message.size == 5 && memcmp(message.data, "count", 5) == 0) {
    return theater_reply(state, state.present ? state.bytes : theater_text("0"));
  }
  const char *space = memchr(message.data, ' ', message.size);
  const size_t word = space == NULL ? message.size : (size_t)(space - message.data);
  uint64_t number = 0;
  if (space == NULL || !theater_parse_u64(theater_bytes(space + 1, message.size - word - 1), &number) ||
      number > UINT64_MAX / 1000000) {
    return theater_fail("ticker: a request is \"every MS\", \"once MS\", \"cancel NUMBER\" or \"count\"");
  }
  if (word == 6 && memcmp(message.data, "cancel", 6) == 0) {
    const theater_outcome cancelled = theater_cancel_timer(number);
    return cancelled.failed ? fail(cancelled.error) : theater_reply(state, theater_text("cancelled"));
  }
  const bool repeats = word == 5 && memcmp(message.data, "every", 5) == 0;
  const theater_view data = theater_bytes(message.data, message.size);
  const theater_number_outcome timer =
      repeats ? theater_set_interval_ns(number * 1000000, data) : theater_set_once_ns(number * 1000000, data);
  return timer.failed ? fail(timer.error) : theater_reply(state, theater_format_u64(timer.number));
}

static theater_answer tick(theater_option state, uint64_t timer, theater_view data) {
  uint64_t count = 0;
  if (state.present) theater_parse_u64(state.bytes, &count);
  (void)timer;
  theater_log_view(data);
  return theater_ok(theater_some(theater_format_u64(count + 1)));
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(obey)
THEATER_HANDLE_TICK(tick)
