// Endpoints as people write them.
#pragma once

#include <string_view>

#include "base/result.h"

namespace theater::bus {

// "tcp://host:port" with a port of 1 to 65535; host may be a name, an address or [an IPv6 address]. Otherwise kInvalid.
Result<void> check_tcp_endpoint(std::string_view endpoint);

}  // namespace theater::bus
