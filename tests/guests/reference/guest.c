// Every function of the world `message-actor` called once, with wit-bindgen's own bindings: message_actor.c and .h are
// its output (wit-bindgen-cli 0.63.0: `wit-bindgen c sdk/wit/theater.wit --world message-actor`), unchanged. What this
// module imports and exports is the reference for names and signatures (tests/wasm/contract_test.cc).
#include <stdlib.h>
#include <string.h>

#include "message_actor.h"

// message_actor.c wants the object file with the component's type section, which a core module doesn't need.
void __component_type_object_force_link_message_actor(void) {}

static message_actor_string_t hello = {(uint8_t *)"hello", 5};

// Messages and names, with whatever comes of them.
static bool talk(message_actor_string_t *err) {
  message_actor_list_u8_t bytes = {(uint8_t *)"hello", 5};
  message_actor_option_list_u8_t answer;
  message_actor_list_u64_t requests;
  uint64_t number = 0;
  message_actor_string_t id;
  theater_simple_message_server_host_send(&hello, &bytes, err);
  theater_simple_message_server_host_request(&hello, &bytes, &number, &answer, err);
  if (theater_simple_message_server_host_current_request(&number)) return false;
  theater_simple_message_server_host_list_outstanding_requests(&requests);
  if (requests.len != 0) return false;
  theater_simple_message_server_host_respond_to_request(7, &bytes, err);
  theater_simple_message_server_host_cancel_request(7, err);
  if (!theater_simple_names_register(&hello, err)) return false;
  if (!theater_simple_names_whereis(&hello, &id)) return false;
  return theater_simple_names_unregister(&hello, err);
}

// Channels, calls, timers and variables, likewise.
static bool talk_more(message_actor_string_t *err) {
  message_actor_list_u8_t bytes = {(uint8_t *)"hello", 5};
  message_actor_tuple2_u64_option_list_u8_t opened;
  message_actor_option_list_u8_t answer;
  message_actor_option_string_t variable;
  message_actor_list_u64_t timers;
  message_actor_list_string_t names;
  uint64_t number = 0;
  if (!theater_simple_message_server_host_open_channel(&hello, &bytes, &number, &opened, err)) return false;
  if (opened.f0 != 7 || !opened.f1.is_some || opened.f1.val.len != 1) return false;
  if (!theater_simple_message_server_host_send_on_channel(7, &bytes, err)) return false;
  if (!theater_simple_message_server_host_close_channel(7, err)) return false;
  if (!theater_simple_rpc_call(&hello, &hello, &bytes, NULL, &answer, err) || !answer.is_some) return false;
  if (!theater_simple_timer_set_interval(1000000, &bytes, &number, err) || number != 8) return false;
  if (!theater_simple_timer_set_once(1, &bytes, &number, err) || number != 8) return false;
  if (!theater_simple_timer_cancel(8, err)) return false;
  theater_simple_timer_list(&timers);
  if (timers.len != 1 || timers.ptr[0] != 8) return false;
  if (!theater_simple_environment_get(&hello, &variable, err) || variable.is_some) return false;
  theater_simple_environment_list(&names);
  return names.len == 0;
}

// Children, links and monitors: imported, but only called without a state.
static void tend(message_actor_string_t *err) {
  theater_simple_supervisor_child_spec_t spec = {.manifest = hello};
  message_actor_list_u8_t bytes = {(uint8_t *)"hello", 5};
  message_actor_option_list_u8_t answer;
  theater_simple_supervisor_list_child_info_t children;
  message_actor_string_t id;
  uint64_t number = 0;
  theater_simple_supervisor_spawn(&spec, &id, err);
  theater_simple_supervisor_spawn_and_wait(&spec, NULL, &answer, err);
  theater_simple_supervisor_start_child(NULL, &id, err);
  theater_simple_supervisor_restart_child(&hello, &id, err);
  theater_simple_supervisor_resume(&hello, &bytes, &id, err);
  theater_simple_supervisor_stop_child(&hello, err);
  theater_simple_supervisor_delete_child(&hello, err);
  theater_simple_supervisor_list_children(&children);
  theater_simple_supervisor_get_child_state(&hello, &answer, err);
  theater_simple_supervisor_subscribe_to_child(&hello, err);
  theater_simple_supervisor_unsubscribe_from_child(&hello, err);
  theater_simple_links_link(&hello, err);
  theater_simple_links_unlink(&hello, err);
  theater_simple_links_monitor(&hello, &number, err);
  theater_simple_links_demonitor(number);
}

// Files and the store, likewise.
static void keep(message_actor_string_t *err) {
  message_actor_list_u8_t bytes = {(uint8_t *)"hello", 5};
  message_actor_option_list_u8_t maybe_bytes;
  message_actor_tuple2_list_tuple3_string_bool_u64_u32_t entries;
  message_actor_option_tuple3_bool_u64_u64_t status;
  message_actor_list_tuple2_string_string_t labels;
  message_actor_string_t hash;
  bool exists = false;
  theater_simple_filesystem_read(&hello, &bytes, err);
  theater_simple_filesystem_read_range(&hello, 0, 1, &bytes, err);
  theater_simple_filesystem_list(&hello, &entries, err);
  theater_simple_filesystem_stat(&hello, &status, err);
  theater_simple_filesystem_write(&hello, &bytes, err);
  theater_simple_filesystem_append(&hello, &bytes, err);
  theater_simple_filesystem_create_dir(&hello, err);
  theater_simple_filesystem_remove(&hello, err);
  theater_simple_filesystem_rename(&hello, &hello, err);
  theater_simple_store_put(&bytes, &hash, err);
  theater_simple_store_get(&hello, &maybe_bytes, err);
  theater_simple_store_exists(&hello, &exists, err);
  theater_simple_store_label_set(&hello, &hash, err);
  theater_simple_store_label_get(&hello, &hash);
  theater_simple_store_label_delete(&hello);
  theater_simple_store_list_labels(&labels);
}

bool exports_theater_simple_actor_init(message_actor_list_u8_t *maybe_state, message_actor_tuple1_string_t *params,
                                       message_actor_tuple1_option_list_u8_t *ret, message_actor_string_t *err) {
  message_actor_string_t text;
  message_actor_list_u8_t bytes;
  theater_simple_runtime_log(&hello);
  theater_simple_runtime_get_self(&text);
  theater_simple_runtime_log(&text);
  if (theater_simple_runtime_get_chain_head(&text)) theater_simple_runtime_log(&text);
  if (theater_simple_timing_now() == 0) theater_simple_runtime_log(&hello);
  if (!theater_simple_timing_sleep(1000, err)) return false;
  if (!theater_simple_random_bytes(8, &bytes, err)) return false;
  if (theater_simple_random_u64() == 0) theater_simple_runtime_log(&hello);
  if (!talk(err) || !talk_more(err)) return false;
  if (maybe_state == NULL) {
    tend(err);
    keep(err);
  }
  if (!theater_simple_runtime_shutdown(&bytes, err)) return false;
  ret->f0.is_some = maybe_state != NULL;
  if (maybe_state != NULL) ret->f0.val = *maybe_state;
  return true;
}

bool exports_theater_simple_message_server_client_handle_send(message_actor_list_u8_t *maybe_state,
                                                              message_actor_tuple2_string_list_u8_t *params,
                                                              message_actor_tuple1_option_list_u8_t *ret,
                                                              message_actor_string_t *err) {
  ret->f0.is_some = true;
  ret->f0.val = params->f1;
  return true;
}

bool exports_theater_simple_message_server_client_handle_request(
    message_actor_list_u8_t *maybe_state, message_actor_tuple2_string_list_u8_t *params,
    message_actor_tuple2_option_list_u8_tuple1_option_list_u8_t *ret, message_actor_string_t *err) {
  ret->f0.is_some = maybe_state != NULL;
  if (maybe_state != NULL) ret->f0.val = *maybe_state;
  ret->f1.f0.is_some = true;
  ret->f1.f0.val = params->f1;
  return true;
}

bool exports_theater_simple_message_server_client_handle_channel_open(
    message_actor_list_u8_t *maybe_state, message_actor_tuple3_string_u64_list_u8_t *params,
    message_actor_tuple2_option_list_u8_tuple2_bool_option_list_u8_t *ret, message_actor_string_t *err) {
  ret->f0.is_some = maybe_state != NULL;
  if (maybe_state != NULL) ret->f0.val = *maybe_state;
  ret->f1.f0 = params->f1 == 7;
  ret->f1.f1.is_some = true;
  ret->f1.f1.val = params->f2;
  return true;
}

bool exports_theater_simple_message_server_client_handle_channel_message(message_actor_list_u8_t *maybe_state,
                                                                         message_actor_tuple2_u64_list_u8_t *params,
                                                                         message_actor_tuple1_option_list_u8_t *ret,
                                                                         message_actor_string_t *err) {
  ret->f0.is_some = true;
  ret->f0.val = params->f1;
  return true;
}

bool exports_theater_simple_message_server_client_handle_channel_close(message_actor_list_u8_t *maybe_state,
                                                                       message_actor_tuple2_u64_string_t *params,
                                                                       message_actor_tuple1_option_list_u8_t *ret,
                                                                       message_actor_string_t *err) {
  ret->f0.is_some = true;
  ret->f0.val.ptr = params->f1.ptr;
  ret->f0.val.len = params->f1.len;
  return true;
}

bool exports_theater_simple_timer_client_handle_tick(message_actor_list_u8_t *maybe_state,
                                                     message_actor_tuple2_u64_list_u8_t *params,
                                                     message_actor_tuple1_option_list_u8_t *ret,
                                                     message_actor_string_t *err) {
  ret->f0.is_some = true;
  ret->f0.val = params->f1;
  return true;
}

bool exports_theater_simple_supervisor_client_handle_child_error(message_actor_list_u8_t *maybe_state,
                                                                 message_actor_tuple3_string_string_string_t *params,
                                                                 message_actor_tuple1_option_list_u8_t *ret,
                                                                 message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}

bool exports_theater_simple_supervisor_client_handle_child_exit(
    message_actor_list_u8_t *maybe_state, message_actor_tuple3_string_string_option_list_u8_t *params,
    message_actor_tuple1_option_list_u8_t *ret, message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}

bool exports_theater_simple_supervisor_client_handle_child_external_stop(message_actor_list_u8_t *maybe_state,
                                                                         message_actor_tuple2_string_string_t *params,
                                                                         message_actor_tuple1_option_list_u8_t *ret,
                                                                         message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}

bool exports_theater_simple_supervisor_client_handle_child_event(
    message_actor_list_u8_t *maybe_state, message_actor_tuple5_string_u64_string_list_u8_u64_t *params,
    message_actor_tuple1_option_list_u8_t *ret, message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}

bool exports_theater_simple_links_client_handle_exit(message_actor_list_u8_t *maybe_state,
                                                     message_actor_tuple2_string_string_t *params,
                                                     message_actor_tuple1_option_list_u8_t *ret,
                                                     message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}

bool exports_theater_simple_links_client_handle_down(message_actor_list_u8_t *maybe_state,
                                                     message_actor_tuple3_u64_string_string_t *params,
                                                     message_actor_tuple1_option_list_u8_t *ret,
                                                     message_actor_string_t *err) {
  ret->f0.is_some = false;
  return true;
}
