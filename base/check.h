// CHECK(condition): a bug in Theater, not in its input, stops the process, in every build. A runtime that goes on after
// a broken invariant would sign a record that isn't true.
//
//   CHECK(head.size() == 32);
//   CHECK(link != nullptr, "link ", id, " vanished");
#pragma once

#include <string>

#include "base/text.h"

namespace theater {

// Prints `file:line: CHECK failed: condition: message` to stderr and aborts. Any thread.
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace theater

#define CHECK(condition, ...)                                                                   \
  do {                                                                                          \
    if (__builtin_expect(!(condition), 0)) {                                                    \
      ::theater::check_failed(__FILE__, __LINE__, #condition, ::theater::str_cat(__VA_ARGS__)); \
    }                                                                                           \
  } while (false)
