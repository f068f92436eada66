#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

#include "base/check.h"

namespace theater {

std::thread start_thread(const std::string& name, std::function<void()> body) {
  CHECK(name.size() <= 15, "thread name too long: ", name);
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([name, body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace theater
