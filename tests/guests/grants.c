// Uses the handlers that need grants, each host function by one word of its request: "WORD A B C".
#include <theater_files.h>

static theater_view word(theater_view *rest) {
  const char *space = memchr(rest->data, ' ', rest->size);
  const size_t size = space == NULL ? rest->size : (size_t)(space - rest->data);
  const theater_view first = theater_bytes(rest->data, size);
  const size_t skipped = space == NULL ? size : size + 1;
  *rest = theater_bytes(rest->data + skipped, rest->size - skipped);
  return first;
}

static bool is(theater_view view, const char *text) {
  return view.size == strlen(text) && memcmp(view.data, text, view.size) == 0;
}

static theater_view join(theater_view a, theater_view b) {
  char *both = theater_alloc(a.size + b.size);
  memcpy(both, a.data, a.size);
  memcpy(both + a.size, b.data, b.size);
  return theater_bytes(both, a.size + b.size);
}

static theater_view of_outcome(theater_outcome outcome) {
  if (outcome.failed) return join(theater_text("error: "), outcome.error);
  return outcome.value.size == 0 ? theater_text("ok") : outcome.value;
}

static theater_view of_option(theater_option_outcome outcome) {
  if (outcome.failed) return join(theater_text("error: "), outcome.error);
  return outcome.value.present ? outcome.value.bytes : theater_text("(none)");
}

static theater_view number_of(theater_view text, uint64_t *value) {
  if (!theater_parse_u64(text, value)) __builtin_trap();
  return text;
}

static theater_view obey(theater_view message) {
  const theater_view what = word(&message);
  const theater_view a = word(&message);
  if (is(what, "variable")) return of_option(theater_variable(a));
  if (is(what, "variables")) {
    const theater_view *names = NULL;
    theater_view all = theater_text("");
    for (size_t i = theater_variables(&names); i > 0; i--) all = join(join(names[i - 1], theater_text(";")), all);
    return all;
  }
  if (is(what, "read")) return of_outcome(theater_read_file(a));
  if (is(what, "write")) return of_outcome(theater_write_file(a, message));
  if (is(what, "append")) return of_outcome(theater_append_file(a, message));
  if (is(what, "mkdir")) return of_outcome(theater_create_directory(a));
  if (is(what, "remove")) return of_outcome(theater_remove_file(a));
  if (is(what, "rename")) return of_outcome(theater_rename_file(a, message));
  if (is(what, "range")) {
    uint64_t offset = 0, length = 0;
    number_of(word(&message), &offset);
    number_of(message, &length);
    return of_outcome(theater_read_file_range(a, offset, length));
  }
  if (is(what, "list")) {
    const theater_listing listing = theater_list_directory(a);
    if (listing.failed) return join(theater_text("error: "), listing.error);
    theater_view all = theater_format_u64(listing.left_out);
    for (size_t i = 0; i < listing.count; i++) {
      all = join(join(all, theater_text(listing.entries[i].is_directory ? " /" : " ")), listing.entries[i].name);
      all = join(join(all, theater_text(":")), theater_format_u64(listing.entries[i].size));
    }
    return all;
  }
  if (is(what, "stat")) {
    const theater_file_info info = theater_file_status(a);
    if (info.failed) return join(theater_text("error: "), info.error);
    if (!info.exists) return theater_text("(none)");
    return join(theater_text(info.is_directory ? "directory " : "file "), theater_format_u64(info.size));
  }
  if (is(what, "put")) return of_outcome(theater_store_put(a));
  if (is(what, "get")) return of_option(theater_store_get(a));
  if (is(what, "exists")) {
    const theater_existence existence = theater_store_exists(a);
    if (existence.failed) return join(theater_text("error: "), existence.error);
    return theater_text(existence.exists ? "yes" : "no");
  }
  if (is(what, "label")) return of_outcome(theater_label_set(a, message));
  if (is(what, "labelled")) {
    const theater_option hash = theater_label_get(a);
    return hash.present ? hash.bytes : theater_text("(none)");
  }
  if (is(what, "unlabel")) return theater_text(theater_label_delete(a) ? "yes" : "no");
  if (is(what, "labels")) {
    const theater_label *labels = NULL;
    theater_view all = theater_text("");
    for (size_t i = theater_labels(&labels); i > 0; i--) {
      all = join(join(join(labels[i - 1].label, theater_text("=")), labels[i - 1].hash), join(theater_text(";"), all));
    }
    return all;
  }
  return theater_text("what?");
}

static theater_answer on_request(theater_option state, theater_view sender, theater_view message) {
  (void)sender;
  return theater_reply(state, obey(message));
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(on_request)
