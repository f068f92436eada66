#include "bench/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/check.h"

extern char** environ;

namespace theater::bench {
namespace {

Error system_error(const std::string& what) { return {ErrorCode::kIo, str_cat(what, ": ", errno_text(errno))}; }

}  // namespace

Result<Child> Child::start(const std::vector<std::string>& args) {
  int to[2], from[2];
  if (pipe2(to, O_CLOEXEC) != 0) return system_error("pipe");
  if (pipe2(from, O_CLOEXEC) != 0) return system_error("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  std::vector<char*> argv;
  std::string self = "theater-bench";
  argv.push_back(self.data());
  std::vector<std::string> copies = args;
  for (std::string& arg : copies) argv.push_back(arg.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  if (failed != 0) {
    close(to[1]);
    close(from[0]);
    errno = failed;
    return system_error("starting another theater-bench");
  }
  return Child(pid, to[1], from[0]);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)),
      status_(other.status_),
      pending_(std::move(other.pending_)) {}

Child& Child::operator=(Child&& other) noexcept {
  CHECK(pid_ == 0 && to_ < 0 && from_ < 0);
  pid_ = std::exchange(other.pid_, 0);
  to_ = std::exchange(other.to_, -1);
  from_ = std::exchange(other.from_, -1);
  status_ = other.status_;
  pending_ = std::move(other.pending_);
  return *this;
}

Child::~Child() { finish(); }

int Child::finish() {
  if (to_ >= 0) close(std::exchange(to_, -1));
  if (pid_ != 0) waitpid(std::exchange(pid_, 0), &status_, 0);
  if (from_ >= 0) close(std::exchange(from_, -1));
  return status_;
}

Result<void> Child::send(const std::string& line) {
  const std::string text = line + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(to_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("writing to another theater-bench");
    done += static_cast<size_t>(n);
  }
  return Ok{};
}

Result<std::string> Child::receive() {
  for (;;) {
    if (const size_t end = pending_.find('\n'); end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    char buffer[4096];
    const ssize_t n = read(from_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("reading from another theater-bench");
    if (n == 0) {
      return Error{ErrorCode::kIo,
                   str_cat("another theater-bench ended with status ", finish(), "; its messages stand above")};
    }
    pending_.append(buffer, static_cast<size_t>(n));
  }
}

Result<std::string> Child::ask(const std::string& line) {
  TRY(send(line));
  return receive();
}

}  // namespace theater::bench
