// The version, from the one place that has it: project() in the top CMakeLists.txt.
#pragma once

namespace theater::cli {

inline constexpr const char* kVersion = THEATER_VERSION;

}  // namespace theater::cli
