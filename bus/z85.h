// CURVE key pairs as ZeroMQ wants them: text in Z85. Implemented in bus/zmq_socket.cc, because making them is libzmq's.
#pragma once

#include <array>
#include <string>

#include "base/text.h"

namespace theater::bus {

struct CurvePair {
  std::array<uint8_t, 32> secret;
  std::array<uint8_t, 32> public_half;
};

CurvePair new_curve_pair();
std::array<uint8_t, 32> curve_public_of(const std::array<uint8_t, 32>& secret);
std::string z85_text(const std::array<uint8_t, 32>& key);  // 40 characters

}  // namespace theater::bus
