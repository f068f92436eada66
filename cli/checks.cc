#include "cli/checks.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "bus/keys.h"
#include "cli/output.h"
#include "cli/paths.h"

namespace theater::cli {

void Checks::add(std::string_view what, const Result<std::string>& found) {
  const auto& text = found.ok() ? *found : found.error().message;
  if (!found.ok() && exit_code_ == ExitCode::kDone) exit_code_ = exit_code_of(found.error().code);
  if (json_) {
    print_line(JsonLine().text("check", what).boolean("ok", found.ok()).text("detail", text).str());
  } else {
    print_line(str_cat(styled(found.ok() ? Style::kGreen : Style::kRed, found.ok() ? "ok    " : "failed"), "  ", what,
                       ": ", text));
  }
}

Result<std::string> check_secret_keys(const std::string& path) {
  TRY_ASSIGN(const auto keys, bus::SecretKeys::load(path));
  return str_cat(path, ", public key ", keys.public_keys().text());
}

Result<std::string> check_authorized_keys(const std::string& path) {
  TRY_ASSIGN(const auto keys, bus::AuthorizedKeys::load(path));
  if (keys.size() == 0) return Error{ErrorCode::kInvalid, str_cat(path, " names nobody: no one could connect")};
  return str_cat(path, ", ", counted(keys.size(), "key"));
}

Result<std::string> check_port_is_free(const std::string& tcp_endpoint) {
  TRY(check_tcp_endpoint(tcp_endpoint));
  const auto address = tcp_endpoint.substr(std::strlen("tcp://"));
  const auto colon = address.rfind(':');
  auto host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = address.substr(colon + 1);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host == "*" ? nullptr : host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return Error{ErrorCode::kInvalid, str_cat(tcp_endpoint, ": the host can't be resolved: ", gai_strerror(failed))};
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, freeaddrinfo);
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int bound = bind(fd, found->ai_addr, found->ai_addrlen);
  const int why = errno;
  close(fd);
  if (bound != 0) {
    return Error{ErrorCode::kUnavailable, str_cat(tcp_endpoint, " can't be listened on: ", std::strerror(why),
                                                  why == EADDRINUSE ? " (is it running already?)" : "")};
  }
  return str_cat(tcp_endpoint, " is free");
}

}  // namespace theater::cli
