// Keeps notes as files in a folder that its manifest grants: "add TITLE TEXT", "show TITLE", "list", "remove TITLE".
#include <theater_files.h>

// The words of a request; the last one is all that is left.
static theater_view take_word(theater_view *rest) {
  const char *space = memchr(rest->data, ' ', rest->size);
  const size_t size = space == NULL ? rest->size : (size_t)(space - rest->data);
  const theater_view word = theater_bytes(rest->data, size);
  const size_t skipped = space == NULL ? size : size + 1;
  *rest = theater_bytes(rest->data + skipped, rest->size - skipped);
  return word;
}

static bool is(theater_view word, const char *text) {
  return word.size == strlen(text) && memcmp(word.data, text, word.size) == 0;
}

static theater_view join(theater_view a, theater_view b) {
  char *both = theater_alloc(a.size + b.size);
  memcpy(both, a.data, a.size);
  memcpy(both + a.size, b.data, b.size);
  return theater_bytes(both, a.size + b.size);
}

// The host decides what a path may lead to; a title such as "../x" is its to refuse.
static theater_view path_of(theater_view title) { return join(theater_text("notes/"), title); }

static theater_answer answer(theater_option state, theater_outcome outcome, theater_view text) {
  return theater_reply(state, outcome.failed ? outcome.error : text);
}

static theater_answer list(theater_option state) {
  const theater_listing listing = theater_list_directory(theater_text("notes"));
  if (listing.failed) return theater_reply(state, listing.error);
  theater_view all = theater_text("");
  for (size_t i = 0; i < listing.count; i++) {
    if (i > 0) all = join(all, theater_text(", "));
    all = join(all, listing.entries[i].name);
  }
  return theater_reply(state, all);
}

static theater_answer on_request(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  const theater_view word = take_word(&message);
  if (is(word, "list")) return list(state);
  const theater_view title = take_word(&message);
  if (is(word, "add")) {
    const theater_view line = join(message, theater_text("\n"));
    return answer(state, theater_append_file(path_of(title), line), theater_text("noted"));
  }
  if (is(word, "show")) {
    const theater_outcome note = theater_read_file(path_of(title));
    return answer(state, note, note.value);
  }
  if (is(word, "remove")) return answer(state, theater_remove_file(path_of(title)), theater_text("removed"));
  return theater_fail("say: add TITLE TEXT, show TITLE, list, or remove TITLE");
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(on_request)
