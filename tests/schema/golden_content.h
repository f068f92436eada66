// The content of the files under tests/golden/: a chain with one event of each kind, and one value of each kind. They
// hold the format still: a change of these bytes is another format version. To write them anew: THEATER_WRITE_GOLDEN=1.
#pragma once

#include "schema/codec.h"

namespace theater::schema {

struct GoldenEvent {
  std::string name;  // of the file, without "event-" and ".bin"
  EncodedEvent event;
};
std::vector<GoldenEvent> golden_chain();

struct GoldenValue {
  std::string name;  // of the file, without "value-" and ".bin"
  Value value;
};
std::vector<GoldenValue> golden_values();

}  // namespace theater::schema
