// Lets so many lines of a log through in a while: for what somebody else can bring about as often as he likes. The last
// one says that others may be left out.
//
// One thread, or the owner's mutex.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace theater {

class LineLimit {
 public:
  static constexpr int kLinesMax = 10;
  static constexpr uint64_t kWhileNs = 10'000'000'000;

  // What is to be logged; nothing: this line isn't.
  std::optional<std::string> pass(std::string line, uint64_t now_ns) {
    if (lines_ == 0 || now_ns - since_ns_ >= kWhileNs) {
      since_ns_ = now_ns;
      lines_ = 0;
    }
    if (lines_ == kLinesMax) return std::nullopt;
    if (++lines_ == kLinesMax) line += " (there may be more of this: 10 lines in 10 s are logged)";
    return line;
  }

 private:
  int lines_ = 0;
  uint64_t since_ns_ = 0;
};

}  // namespace theater
