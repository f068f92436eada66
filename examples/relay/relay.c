// Talks to other actors: a request is "request TARGET N MESSAGE" or "send TARGET N MESSAGE", and the actor makes N
// requests or sends to TARGET (an actor's id or a registered name), one after the other, before it answers with the
// last answer or with N.
#include <theater.h>

// Takes the next word off `rest`.
static theater_view next_word(theater_view *rest) {
  size_t size = 0;
  while (size < rest->size && rest->data[size] != ' ') size++;
  const theater_view word = theater_bytes(rest->data, size);
  const size_t used = size < rest->size ? size + 1 : size;
  *rest = theater_bytes(rest->data + used, rest->size - used);
  return word;
}

static bool equals(theater_view text, const char *word) {
  return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static theater_answer fail(theater_view message) {
  theater_answer answer = theater_fail("");
  answer.error = message;
  return answer;
}

static theater_answer relay(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  const theater_view verb = next_word(&message);
  const theater_view target = next_word(&message);
  uint64_t count = 0;
  if (!theater_parse_u64(next_word(&message), &count) || !(equals(verb, "request") || equals(verb, "send"))) {
    return theater_fail("relay: a request is \"request TARGET N MESSAGE\" or \"send TARGET N MESSAGE\"");
  }
  theater_view last = theater_format_u64(count);
  for (uint64_t i = 0; i < count; i++) {
    if (equals(verb, "send")) {
      const theater_outcome sent = theater_send(target, message);
      if (sent.failed) return fail(sent.error);
    } else {
      const theater_request_outcome asked = theater_request(target, message);
      if (asked.failed) return fail(asked.error);
      if (asked.answer.present) last = asked.answer.bytes;
    }
  }
  return theater_reply(state, last);
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(relay)
