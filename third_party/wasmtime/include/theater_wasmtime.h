// What third_party/wasmtime/src adds to Wasmtime's C API, in the same archive.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>

#ifdef __cplusplus
extern "C" {
#endif

// Growth of a store's memory and table. memory.grow and table.grow answer -1 beyond the smaller of the limit here and
// the type's own maximum, and only there; where the host can't give what the limit allows, the call ends with an error
// and `host_failed` becomes true. A store has one instance, one memory and one table. The largest size that was asked
// for and refused because of the limit stands in `…_refused` until somebody sets it to 0; of a memory beyond 4 GiB only
// that it was.
typedef struct theater_limits {
  size_t memory_bytes;
  size_t table_elements;
  uint64_t memory_refused;
  uint64_t table_refused;
  bool host_failed;
} theater_limits_t;

// Instead of wasmtime_store_limiter. `limits` must stay where it is until the store is deleted.
void theater_store_set_limits(wasmtime_store_t* store, theater_limits_t* limits);

// One function of the world that a guest was built for; `wit` as "func(msg: string) -> u32", type names resolved. The
// texts are UTF-8, not terminated, and valid during the call. Must not throw.
typedef void (*theater_world_visitor_t)(void* env, bool exported, const char* interface, size_t interface_size,
                                        const char* name, size_t name_size, const char* wit, size_t wit_size);

// Calls `visit` for each function of each interface that the world in a `component-type` section imports or exports.
// The bytes may be anything. An error (to be deleted) says what is wrong with them; some functions may have been
// visited before.
wasmtime_error_t* theater_world_functions(const uint8_t* section, size_t size, theater_world_visitor_t visit,
                                          void* env);

#ifdef __cplusplus
}
#endif
