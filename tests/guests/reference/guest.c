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
  if (!talk(err)) return false;
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
