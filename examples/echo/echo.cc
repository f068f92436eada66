// Answers every request with its own bytes, and logs whom it answered. C++ with the standard library; without
// exceptions, which guests can't throw.
#include <theater.h>

#include <string>

namespace {

theater_answer echo(theater_option state, theater_view sender, theater_view message) {
  const std::string line =
      "echo of " + std::to_string(message.size) + " bytes to " + std::string(sender.data, sender.size);
  theater_log_view(theater_bytes(line.data(), line.size()));
  return theater_reply(state, message);
}

}  // namespace

THEATER_INIT(theater_keep_state)
THEATER_HANDLE_REQUEST(echo)
