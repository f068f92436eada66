// Uses everything that theater.h offers, so that its imports and exports can be compared with the generator's.
#include <theater.h>
#include <theater_files.h>

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
  check(theater_create_directory(message));
  check(theater_write_file(message, sender));
  check(theater_append_file(message, sender));
  check(theater_read_file(message));
  check(theater_read_file_range(message, 0, theater_file_status(message).size));
  check(theater_rename_file(message, sender));
  for (size_t i = theater_list_directory(message).count; i > 0; i--) check(theater_remove_file(message));
  const theater_outcome hash = theater_store_put(message);
  check(theater_label_set(message, hash.value));
  if (theater_store_exists(hash.value).exists) theater_log_view(theater_store_get(hash.value).value.bytes);
  theater_log_view(theater_label_get(message).bytes);
  const theater_label *labels = NULL;
  for (size_t i = theater_labels(&labels); i > 0; i--) theater_label_delete(labels[i - 1].label);
  return theater_ok(state);
}

static theater_answer on_call(theater_option state, theater_view args) {
  const theater_request_outcome called = theater_call(args, args, args);
  if (called.failed || theater_call_within(args, args, args, 1).failed) check(theater_send(args, called.error));
  return theater_reply(state, called.answer.bytes);
}

static theater_answer on_request(theater_option state, theater_view sender, theater_view message) {
  if (sender.size == 0) return on_call(state, message);
  (void)message;
  uint64_t number = 0;
  if (theater_current_request(&number)) check(theater_respond(number, message));
  const uint64_t *requests = NULL;
  for (size_t i = theater_outstanding_requests(&requests); i > 0; i--) check(theater_cancel_request(requests[i - 1]));
  check(theater_sleep_ns(1));
  check(theater_random_bytes(8));
  return theater_reply(state, theater_format_u64(theater_now_ns() + theater_random_u64()));
}

static theater_answer on_child_error(theater_option state, theater_view child, theater_view actor, theater_view why) {
  theater_log_view(actor);
  theater_log_view(why);
  check(theater_restart_child(child));
  check(theater_resume_child(child, why));
  check(theater_stop_child(child));
  check(theater_delete_child(child));
  check(theater_subscribe_to_child(child));
  check(theater_unsubscribe_from_child(child));
  if (theater_child_state_of(child).failed) theater_log("no state");
  return theater_ok(state);
}

static theater_answer on_child_exit(theater_option state, theater_view child, theater_view actor,
                                    theater_option last_word) {
  const theater_child_spec spec = {child, actor, last_word, last_word, THEATER_TRANSIENT, THEATER_TIMEOUT, 10};
  check(theater_spawn(&spec));
  if (theater_spawn_and_wait(&spec).failed || theater_spawn_and_wait_within(&spec, 1).failed) theater_log("no");
  check(theater_start_child(last_word));
  const theater_child *children = NULL;
  for (size_t i = theater_children(&children); i > 0; i--) theater_log_view(children[i - 1].id);
  return theater_ok(state);
}

static theater_answer on_child_stop(theater_option state, theater_view child, theater_view actor) {
  check(theater_link(child));
  check(theater_unlink(actor));
  const theater_number_outcome monitor = theater_monitor(actor);
  if (!theater_demonitor(monitor.number)) theater_log_view(monitor.error);
  return theater_ok(state);
}

static theater_answer on_child_event(theater_option state, theater_view actor, uint64_t sequence, theater_view type,
                                     theater_view event, uint64_t lost) {
  theater_log_view(actor);
  theater_log_view(type);
  theater_log_view(theater_format_u64(sequence + event.size + lost));
  return theater_ok(state);
}

static theater_answer on_exit_of(theater_option state, theater_view actor, theater_view why) {
  theater_log_view(actor);
  theater_log_view(why);
  return theater_ok(state);
}

static theater_answer on_down(theater_option state, uint64_t monitor, theater_view actor, theater_view why) {
  theater_log_view(theater_format_u64(monitor));
  return on_exit_of(state, actor, why);
}

static theater_answer on_tick(theater_option state, uint64_t timer, theater_view data) {
  if (theater_set_interval_ns(1000000, data).failed || theater_set_once_ns(timer, data).failed) theater_log("no");
  const uint64_t *timers = NULL;
  for (size_t i = theater_timers(&timers); i > 0; i--) check(theater_cancel_timer(timers[i - 1]));
  return theater_ok(state);
}

static theater_answer on_channel(theater_option state, theater_view opener, uint64_t channel, theater_view message) {
  const theater_channel_outcome opened = theater_open_channel(opener, message);
  if (opened.failed || theater_open_channel_within(opener, message, channel).failed)
    return theater_refuse(state, theater_some(opened.error));
  return theater_accept(state, opened.said);
}

static theater_answer on_channel_message(theater_option state, uint64_t channel, theater_view message) {
  check(theater_send_on_channel(channel, message));
  check(theater_close_channel(channel));
  return theater_ok(state);
}

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_CHILD_ERROR(on_child_error)
THEATER_HANDLE_CHILD_EXIT(on_child_exit)
THEATER_HANDLE_CHILD_EXTERNAL_STOP(on_child_stop)
THEATER_HANDLE_CHILD_EVENT(on_child_event)
THEATER_HANDLE_EXIT(on_exit_of)
THEATER_HANDLE_DOWN(on_down)
THEATER_HANDLE_SEND(on_send)
THEATER_HANDLE_REQUEST(on_request)
THEATER_HANDLE_TICK(on_tick)
THEATER_HANDLE_CHANNEL_OPEN(on_channel)
THEATER_HANDLE_CHANNEL_MESSAGE(on_channel_message)
THEATER_HANDLE_CHANNEL_CLOSE(on_channel_message)
