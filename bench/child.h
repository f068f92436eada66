// Another process of this program. Some benchmarks need one: an auditor that isn't in the node's process, or a process
// whose memory nothing else has touched. A child is started by its hidden first argument, reads commands from stdin,
// answers on stdout, one line each, and ends at the end of stdin.
//
// Owned by one thread. The destructor closes the child's stdin and waits for it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace theater::bench {

class Child {
 public:
  static Result<Child> start(const std::vector<std::string>& args);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;  // only onto one that has finished
  ~Child();

  Result<void> send(const std::string& line);
  Result<std::string> receive();  // the next line, without its end
  Result<std::string> ask(const std::string& line);
  int finish();  // the exit status; idempotent
  pid_t pid() const { return pid_; }

 private:
  Child(pid_t pid, int to, int from) : pid_(pid), to_(to), from_(from) {}
  pid_t pid_;
  int to_, from_;
  int status_ = 0;
  std::string pending_;
};

}  // namespace theater::bench
