// The process's own environment variables, read once at the start: later changes of the process don't show in a record.
#pragma once

#include <map>
#include <string>

namespace theater {

std::map<std::string, std::string> process_environment();

}  // namespace theater
