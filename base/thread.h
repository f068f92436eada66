// A named thread that is joined by its owner. Every thread of Theater is one of these and listed in ARCHITECTURE.md.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace theater {

// Starts `body` on a thread whose name (at most 15 bytes) shows in ps, perf and gdb. Signals are blocked on it: only
// the main thread handles them.
std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace theater
