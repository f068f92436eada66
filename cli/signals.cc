#include "cli/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace theater::cli {

struct StopSignals::WakeFd {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ~WakeFd() { close(fd); }
};

namespace {

// From now on a signal ends the process at once, also while main waits for something else than signals.
void end_at_next_signal() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int number) { _exit(128 + number); });
    sigaddset(&set, signal);
  }
  CHECK(pthread_sigmask(SIG_UNBLOCK, &set, nullptr) == 0);
}

}  // namespace

StopSignals::StopSignals() : wake_fd_(std::make_shared<WakeFd>()) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(signal_fd_ >= 0 && wake_fd_->fd >= 0, "no file descriptors left at start");
  std::signal(SIGPIPE, SIG_IGN);  // a client or a reader of stdout that goes away must not end an actor
}

StopSignals::~StopSignals() { close(signal_fd_); }

std::function<void()> StopSignals::waker() const {
  return [wake = wake_fd_] {
    const uint64_t one = 1;
    // Fails only if the counter is full, and then the wait ends anyway.
    [[maybe_unused]] const auto written = write(wake->fd, &one, sizeof one);
  };
}

bool StopSignals::wait(int timeout_ms) {
  pollfd fds[] = {{signal_fd_, POLLIN, 0}, {wake_fd_->fd, POLLIN, 0}};
  const int ready = poll(fds, 2, timeout_ms);
  CHECK(ready >= 0 || errno == EINTR, "poll failed");
  uint64_t count = 0;
  [[maybe_unused]] const auto drained = read(wake_fd_->fd, &count, sizeof count);
  signalfd_siginfo info{};
  while (read(signal_fd_, &info, sizeof info) == sizeof info) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (received_) _exit(128 + signal);
    received_ = signal;
    end_at_next_signal();
  }
  return ready != 0;
}

}  // namespace theater::cli
