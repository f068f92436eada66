#include "cli/paths.h"

#include <sys/un.h>

#include <filesystem>

#include "base/file.h"
#include "bus/endpoint.h"

namespace theater::cli {

std::string beside(const std::string& file, const std::string& path) {
  if (path.empty()) return path;
  const std::filesystem::path given(path);
  if (given.is_absolute()) return path;
  return (std::filesystem::path(file).parent_path() / given).lexically_normal().string();
}

Result<std::string> unix_endpoint_beside(const std::string& file, std::string_view endpoint) {
  constexpr std::string_view kScheme = "unix:";
  if (!endpoint.starts_with(kScheme) || endpoint.size() == kScheme.size()) {
    return Error{ErrorCode::kInvalid, str_cat("'", endpoint, "' is no Unix socket; unix:/path is expected")};
  }
  const auto path = beside(file, std::string(endpoint.substr(kScheme.size())));
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error{ErrorCode::kInvalid,
                 str_cat("the path of a Unix socket has at most ", sizeof(sockaddr_un::sun_path) - 1,
                         " bytes, this has ", path.size(), ": ", path)};
  }
  return str_cat(kScheme, path);
}

Result<void> check_control_endpoint(const std::string& endpoint) {
  if (endpoint.starts_with("unix:")) {
    const auto made = unix_endpoint_beside("", endpoint);
    if (!made.ok()) return made.error();
    return Ok{};
  }
  if (endpoint.starts_with("tcp://")) return bus::check_tcp_endpoint(endpoint);
  return Error{ErrorCode::kInvalid,
               str_cat("'", endpoint, "' is no endpoint; unix:/path or tcp://host:port is expected")};
}

Result<void> check_public_key(const std::string& text_or_path) {
  if (text_or_path.empty())
    return Error{ErrorCode::kInvalid, "a public key, tk1…, or the path of a file that holds it"};
  if (!text_or_path.starts_with("tk1")) return Ok{};
  const auto parsed = bus::PublicKeys::parse(text_or_path);
  if (!parsed.ok()) return parsed.error();
  return Ok{};
}

Result<bus::PublicKeys> read_public_key(const std::string& text_or_path) {
  if (text_or_path.starts_with("tk1")) return bus::PublicKeys::parse(text_or_path);
  TRY_ASSIGN(const auto content, read_file(text_or_path, 4096));
  const auto parsed = bus::PublicKeys::parse(first_line(as_text(content)));
  if (!parsed.ok()) return Error{parsed.error().code, str_cat(text_or_path, ": ", parsed.error().message)};
  return *parsed;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  const auto last = text.find_last_not_of(" \t\r");
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

}  // namespace theater::cli
