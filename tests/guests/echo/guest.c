// The echo guest: each export hands its argument to the import of the same name and returns what came back. echo.c and
// echo.h are wit-bindgen's output for echo.wit (wit-bindgen-cli 0.63.0: `wit-bindgen c echo.wit --world echo`),
// unchanged, so that Theater's ABI is held against somebody else's.
#include "echo.h"

// echo.c wants the object file with the component's type section, which a core module doesn't need.
void __component_type_object_force_link_echo(void) {}

#define ECHO(name, type, free_argument)                                                                              \
  void exports_test_echo_guest_echo_##name(exports_test_echo_guest_##type *v, exports_test_echo_guest_##type *ret) { \
    test_echo_host_echo_##name((test_echo_host_##type *)v, (test_echo_host_##type *)ret);                            \
    free_argument(v);                                                                                                \
  }
#define ECHO_PLAIN(name, type, free_argument)                                  \
  void exports_test_echo_guest_echo_##name(echo_##type *v, echo_##type *ret) { \
    test_echo_host_echo_##name(v, ret);                                        \
    free_argument(v);                                                          \
  }
#define ECHO_SCALAR(name, type)                                                                          \
  exports_test_echo_guest_##type exports_test_echo_guest_echo_##name(exports_test_echo_guest_##type v) { \
    return test_echo_host_echo_##name(v);                                                                \
  }
#define KEEP(v) (void)(v)

ECHO(scalars, scalars_t, KEEP)
ECHO_PLAIN(text, string_t, echo_string_free)
ECHO_PLAIN(bytes, list_u8_t, echo_list_u8_free)
ECHO(deep, list_list_deep_t, exports_test_echo_guest_list_list_deep_free)
ECHO(shapes, list_shape_t, exports_test_echo_guest_list_shape_free)
ECHO(shape, shape_t, exports_test_echo_guest_shape_free)
ECHO_SCALAR(color, color_t)
ECHO_SCALAR(one, one_t)
ECHO_SCALAR(many, many_t)
ECHO_SCALAR(nine, nine_t)
ECHO_PLAIN(tuples, list_tuple3_u8_tuple2_s16_f64_bool_t, echo_list_tuple3_u8_tuple2_s16_f64_bool_free)
ECHO_PLAIN(numbers, list_u64_t, echo_list_u64_free)

bool exports_test_echo_guest_echo_maybe(echo_option_u16_t *v, echo_option_u16_t *ret) {
  return test_echo_host_echo_maybe(v, ret);
}

bool exports_test_echo_guest_echo_outcome(exports_test_echo_guest_result_list_string_shape_t *v,
                                          echo_list_string_t *ret, exports_test_echo_guest_shape_t *err) {
  const bool ok =
      test_echo_host_echo_outcome((test_echo_host_result_list_string_shape_t *)v, ret, (test_echo_host_shape_t *)err);
  exports_test_echo_guest_result_list_string_shape_free(v);
  return ok;
}

bool exports_test_echo_guest_echo_nothing(exports_test_echo_guest_result_void_void_t *v) {
  return test_echo_host_echo_nothing((test_echo_host_result_void_void_t *)v);
}

bool exports_test_echo_guest_echo_mixed(exports_test_echo_guest_result_f32_u64_t *v, float *ret, uint64_t *err) {
  return test_echo_host_echo_mixed((test_echo_host_result_f32_u64_t *)v, ret, err);
}

void exports_test_echo_guest_echo_many_params(
    uint8_t a, int16_t b, uint32_t c, uint64_t d, float e, double f, echo_string_t *g, bool h, uint32_t i,
    exports_test_echo_guest_point_t *j, exports_test_echo_guest_shape_t *k, echo_list_u16_t *l,
    exports_test_echo_guest_tuple12_u8_s16_u32_u64_f32_f64_string_bool_char32_point_shape_list_u16_t *ret) {
  test_echo_host_echo_many_params(
      a, b, c, d, e, f, g, h, i, (test_echo_host_point_t *)j, (test_echo_host_shape_t *)k, l,
      (test_echo_host_tuple12_u8_s16_u32_u64_f32_f64_string_bool_char32_point_shape_list_u16_t *)ret);
  echo_string_free(g);
  exports_test_echo_guest_point_free(j);
  exports_test_echo_guest_shape_free(k);
  echo_list_u16_free(l);
}

// What every actor exports; by hand, since the echo world has no actor.
__attribute__((export_name("theater:simple/actor@0.1.0#init"))) const void *init(int some, const void *state,
                                                                                 int state_size, const void *id,
                                                                                 int id_size) {
  static const struct {
    char failed;
    int some;
  } ok_none;
  (void)some, (void)state, (void)state_size, (void)id, (void)id_size;
  return &ok_none;
}
