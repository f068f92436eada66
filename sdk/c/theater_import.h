// What the sources of the SDK share: how a host function is imported, and how its answer lies in memory.
#ifndef THEATER_IMPORT_H
#define THEATER_IMPORT_H

#include "theater.h"

#define IMPORT(interface, name) __attribute__((import_module("theater:simple/" interface "@0.1.0"), import_name(name)))

// option<T> and result<T, string>, where T is a list, a string or nothing: a tag, then a pointer and a size.
typedef struct {
  uint32_t tag;
  theater_view content;
} tagged_view;

static inline theater_outcome outcome_of(const tagged_view *result, bool has_value) {
  const theater_view nothing = {NULL, 0};
  const bool failed = (result->tag & 0xff) != 0;  // the upper bytes of a tag are undefined
  theater_outcome outcome = {failed, failed ? result->content : nothing,
                             !failed && has_value ? result->content : nothing};
  return outcome;
}

// result<option<T>, string>
typedef struct {
  uint32_t tag;
  union {
    theater_view error;
    tagged_view option;
  } as;
} tagged_option;

static inline theater_option_outcome option_outcome_of(const tagged_option *result) {
  const bool failed = (result->tag & 0xff) != 0;
  theater_option_outcome outcome = {failed, {NULL, 0}, theater_none()};
  if (failed) {
    outcome.error = result->as.error;
  } else if ((result->as.option.tag & 0xff) != 0) {
    outcome.value = theater_some(result->as.option.content);
  }
  return outcome;
}

#endif
