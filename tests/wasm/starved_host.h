// A machine that has no more memory to give, for tests of what becomes of guests then.
#pragma once

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace theater::wasm {

// While it lives, this process gets at most 8 MiB more of writable memory: mprotect() and mmap() beyond fail with
// ENOMEM, as they do on a machine that is full.
class StarvedHost {
 public:
  StarvedHost() {
    getrlimit(RLIMIT_DATA, &before_);
    rlimit now = before_;
    now.rlim_cur = data_bytes() + (8 << 20);
    setrlimit(RLIMIT_DATA, &now);
  }
  ~StarvedHost() { setrlimit(RLIMIT_DATA, &before_); }
  StarvedHost(const StarvedHost&) = delete;
  StarvedHost& operator=(const StarvedHost&) = delete;

  // Some kernels are told to ignore the limit.
  bool works() const {
    constexpr size_t kSize = 32 << 20;
    void* place = mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool refused = place != MAP_FAILED && mprotect(place, kSize, PROT_READ | PROT_WRITE) != 0;
    if (place != MAP_FAILED) munmap(place, kSize);
    return refused;
  }

 private:
  static uint64_t data_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmData:")) return std::stoull(line.substr(7)) * 1024;
    }
    return 0;
  }

  rlimit before_{};
};

}  // namespace theater::wasm
