// Both ends of channels and of calls, for the tests of real guests. A request is "open TARGET TEXT", "say CHANNEL
// TEXT", "close CHANNEL", "call TARGET FUNCTION ARGS" or "heard"; the answer to the last one is the state: what came,
// one line each.
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

static theater_answer fail(theater_view message) {
  theater_answer answer = theater_fail("");
  answer.error = message;
  return answer;
}

static theater_view joined(theater_view a, const char *between, theater_view b) {
  const size_t middle = strlen(between);
  char *all = theater_alloc(a.size + middle + b.size);
  if (a.size > 0) memcpy(all, a.data, a.size);
  memcpy(all + a.size, between, middle);
  if (b.size > 0) memcpy(all + a.size + middle, b.data, b.size);
  return theater_bytes(all, a.size + middle + b.size);
}

static theater_option heard(theater_option state, uint64_t channel, const char *what, theater_view text) {
  const theater_view line = joined(theater_format_u64(channel), what, text);
  return theater_some(joined(state.present ? state.bytes : theater_text(""), "\n", line));
}

static theater_answer obey(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  const theater_view word = next_word(&message);
  if (word.size == 5 && memcmp(word.data, "heard", 5) == 0) {
    return theater_reply(state, state.present ? state.bytes : theater_text(""));
  }
  const theater_view first = next_word(&message);
  uint64_t channel = 0;
  theater_parse_u64(first, &channel);
  switch (word.size > 0 ? word.data[0] : '?') {
    case 'o': {
      const theater_channel_outcome opened = theater_open_channel(first, message);
      if (opened.failed) return fail(opened.error);
      return theater_reply(state, joined(theater_format_u64(opened.channel), " ", opened.said.bytes));
    }
    case 's': {
      const theater_outcome sent = theater_send_on_channel(channel, message);
      return sent.failed ? fail(sent.error) : theater_reply(state, theater_text("sent"));
    }
    case 'c': {
      if (word.size == 5) {
        const theater_outcome closed = theater_close_channel(channel);
        return closed.failed ? fail(closed.error) : theater_reply(state, theater_text("closed"));
      }
      const theater_view function = next_word(&message);
      const theater_request_outcome called = theater_call(first, function, message);
      return called.failed ? fail(called.error) : theater_reply(state, called.answer.bytes);
    }
    default: return theater_fail("talker: what?");
  }
}

static theater_answer offered(theater_option state, theater_view opener, uint64_t channel, theater_view message) {
  (void)opener;
  if (message.size == 0) return theater_refuse(state, theater_some(theater_text("say something")));
  return theater_accept(heard(state, channel, " opened: ", message),
                        theater_some(joined(message, "", theater_text("!"))));
}

static theater_answer message_came(theater_option state, uint64_t channel, theater_view message) {
  return theater_ok(heard(state, channel, " says: ", message));
}

static theater_answer closed(theater_option state, uint64_t channel, theater_view reason) {
  return theater_ok(heard(state, channel, " closed: ", reason));
}

static theater_answer shout(theater_option state, theater_view args) {
  return theater_reply(heard(state, 0, " called: ", args), joined(args, "", theater_text("!")));
}

static theater_answer refuse(theater_option state, theater_view args) {
  (void)state;
  return fail(args);
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(obey)
THEATER_HANDLE_CHANNEL_OPEN(offered)
THEATER_HANDLE_CHANNEL_MESSAGE(message_came)
THEATER_HANDLE_CHANNEL_CLOSE(closed)
THEATER_CALLABLE("my:test/talker@1.0.0#shout", shout)
THEATER_CALLABLE("my:test/talker@1.0.0#refuse", refuse)

// Exports that look like one and are none: another signature, no interface, and a clean-up of another type.
__attribute__((export_name("my:test/talker@1.0.0#other-shape"))) int32_t other_shape(int32_t number) { return number; }
__attribute__((export_name("bare"))) void *bare(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e) {
  (void)a, (void)b, (void)c, (void)d, (void)e;
  return NULL;
}
__attribute__((export_name("my:test/talker@1.0.0#odd-post"))) void *odd(int32_t a, int32_t b, int32_t c, int32_t d,
                                                                        int32_t e) {
  return bare(a, b, c, d, e);
}
__attribute__((export_name("cabi_post_my:test/talker@1.0.0#odd-post"))) void odd_post(void) {}
