// What C++ guests need beside theater.c. The C++ library gives up in two functions that print to stderr first, which
// would make every guest import files that it can't have. Defined here, both only trap; the library's own are then not
// linked.
#include <__verbose_abort>

void std::__libcpp_verbose_abort(const char *, ...) { __builtin_trap(); }

extern "C" [[noreturn]] void abort_message(const char *, ...) { __builtin_trap(); }
