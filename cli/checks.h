// `node check` and `auditor check`: tries one thing after the other, prints each, and remembers the first failure.
#pragma once

#include <string>
#include <string_view>

#include "cli/exit_code.h"

namespace theater::cli {

class Checks {
 public:
  explicit Checks(bool json) : json_(json) {}

  // `found` is what to print: a detail, or why it isn't well.
  void add(std::string_view what, const Result<std::string>& found);
  // kDone, or the code of the first failure.
  ExitCode exit_code() const { return exit_code_; }

 private:
  const bool json_;
  ExitCode exit_code_ = ExitCode::kDone;
};

Result<std::string> check_secret_keys(const std::string& path);
Result<std::string> check_authorized_keys(const std::string& path);
// That it can be written to, or made. Changes nothing.
Result<std::string> check_folder(const std::string& path);
// kRefused if something listens there already, or if the path is another kind of file. Changes nothing.
Result<std::string> check_unix_socket_is_free(const std::string& unix_endpoint);
// Binds the port and lets it go again. kRefused if another process has it.
Result<std::string> check_port_is_free(const std::string& tcp_endpoint);

}  // namespace theater::cli
