// One actor a conversation: a supervisor that starts a `counter` for each "open", and stops it for each "close ID". The
// children are restarted if they crash; what it decided stands on its chain. "list" tells who is there.
#include <theater.h>

static bool begins_with(theater_view text, const char *word) {
  return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

static theater_answer fail(theater_view why) {
  theater_answer answer = theater_fail("");
  answer.error = why;
  return answer;
}

static theater_answer list(theater_option state) {
  const theater_child *children = NULL;
  const size_t count = theater_children(&children);
  char *lines = theater_alloc(count * 65);
  size_t size = 0;
  for (size_t i = 0; i < count; i++) {
    if (!children[i].actor.present) continue;
    if (size > 0) lines[size++] = ' ';
    memcpy(lines + size, children[i].actor.bytes.data, children[i].actor.bytes.size);
    size += children[i].actor.bytes.size;
  }
  return theater_reply(state, theater_bytes(lines, size));
}

static theater_answer serve(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  if (begins_with(message, "open")) {
    const theater_outcome opened = theater_start_child(theater_none());
    return opened.failed ? fail(opened.error) : theater_reply(state, opened.value);
  }
  if (begins_with(message, "close ")) {
    const theater_outcome closed = theater_stop_child(theater_bytes(message.data + 6, message.size - 6));
    return closed.failed ? fail(closed.error) : theater_reply(state, theater_text("closed"));
  }
  if (begins_with(message, "list")) return list(state);
  return theater_fail("pool: a request is \"open\", \"close ID\" or \"list\"");
}

static theater_answer mourn(theater_option state, theater_view child, theater_view actor, theater_view why) {
  (void)child;
  theater_log_view(actor);
  theater_log_view(why);
  return theater_ok(state);
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(serve)
THEATER_HANDLE_CHILD_ERROR(mourn)
