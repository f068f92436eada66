#include "bus/endpoint.h"

#include <charconv>

#include "base/text.h"

namespace theater::bus {

Result<void> check_tcp_endpoint(std::string_view endpoint) {
  constexpr std::string_view kScheme = "tcp://";
  const Error bad{ErrorCode::kInvalid, str_cat(quote(endpoint), " is no endpoint; tcp://host:port is expected")};
  if (!endpoint.starts_with(kScheme)) return bad;
  const auto rest = endpoint.substr(kScheme.size());
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad;
  const auto port_text = rest.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port == 0 || port > 65'535) return bad;
  return Ok{};
}

}  // namespace theater::bus
