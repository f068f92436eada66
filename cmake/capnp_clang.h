// Cap'n Proto 0.9.2 leaves these two comparisons to C++20, which was to find them by swapping the sides. Since then the
// standard says that it doesn't where there is an operator!= (P2468R2), and clang follows: without them no header of
// Cap'n Proto compiles. Included before everything else by cmake/capnp.cmake, for clang only.
#pragma once

#include <kj/string.h>

#if __cpp_impl_three_way_comparison  // as Cap'n Proto asks: before C++20 it has them
namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return StringPtr(a).operator==(b); }
inline bool operator!=(const char* a, const StringPtr& b) { return StringPtr(a).operator!=(b); }
}  // namespace kj
#endif
