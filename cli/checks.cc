#include "cli/checks.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "bus/endpoint.h"
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

Result<std::string> check_folder(const std::string& path) {
  auto there = std::filesystem::absolute(path).lexically_normal();
  std::error_code ignored;
  while (!std::filesystem::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  if (!std::filesystem::is_directory(there, ignored)) {
    return Error{ErrorCode::kInvalid, str_cat(there.string(), " is no folder")};
  }
  if (access(there.c_str(), W_OK | X_OK) != 0) {
    return Error{ErrorCode::kIo, str_cat(there.string(), " can't be written to: ", errno_text(errno))};
  }
  return path;
}

Result<std::string> check_unix_socket_is_free(const std::string& unix_endpoint) {
  const auto path = unix_endpoint.substr(std::strlen("unix:"));
  struct stat info{};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return Error{ErrorCode::kRefused, str_cat(path, " exists and is no socket")};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return Error{ErrorCode::kInvalid, str_cat(path, " is too long")};
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return Error{ErrorCode::kIo, str_cat("can't make a socket: ", errno_text(errno))};
    const bool answers =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    if (answers) {
      return Error{ErrorCode::kRefused, str_cat(unix_endpoint, " is in use: a node answers there already")};
    }
  }
  return str_cat(unix_endpoint, " is free");
}

Result<std::string> check_port_is_free(const std::string& tcp_endpoint) {
  TRY(bus::check_tcp_endpoint(tcp_endpoint));
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
  if (fd < 0) return Error{ErrorCode::kIo, str_cat("can't make a socket: ", errno_text(errno))};
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int bound = bind(fd, found->ai_addr, found->ai_addrlen);
  const int why = errno;
  close(fd);
  if (bound != 0) {
    return Error{why == EADDRINUSE ? ErrorCode::kRefused : ErrorCode::kIo,
                 str_cat(tcp_endpoint, " can't be listened on: ", errno_text(why),
                         why == EADDRINUSE ? " (is it running already?)" : "")};
  }
  return str_cat(tcp_endpoint, " is free");
}

}  // namespace theater::cli
