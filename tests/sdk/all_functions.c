// Uses everything that theater.h offers, so that its imports and exports can be compared with the generator's.
#include <theater.h>

static void check(theater_outcome outcome) {
  if (outcome.failed) theater_log_view(outcome.error);
}

static theater_answer on_send(theater_option state, theater_view sender, theater_view message) {
  theater_log_view(sender);
  theater_log_view(theater_self());
  theater_log_view(theater_chain_head().bytes);
  check(theater_shutdown(theater_none()));
  check(theater_send(sender, message));
  if (theater_request(sender, message).failed || theater_request_within(sender, message, 1).failed) theater_log("no");
  check(theater_register(message));
  check(theater_unregister(message));
  theater_log_view(theater_whereis(message).bytes);
  const theater_view *names = NULL;
  if (theater_variables(&names) > 0) theater_log_view(theater_variable(names[0]).value.bytes);
  return theater_ok(state);
}

static theater_answer on_request(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  (void)message;
  uint64_t number = 0;
  if (theater_current_request(&number)) check(theater_respond(number, message));
  const uint64_t *requests = NULL;
  for (size_t i = theater_outstanding_requests(&requests); i > 0; i--) check(theater_cancel_request(requests[i - 1]));
  check(theater_sleep_ns(1));
  check(theater_random_bytes(8));
  return theater_reply(state, theater_format_u64(theater_now_ns() + theater_random_u64()));
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_SEND(on_send)
THEATER_HANDLE_REQUEST(on_request)
