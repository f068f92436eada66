// The few lines of Cap'n Proto that bus/messages.cc and bus/control.cc share. Included by those two only, so that the
// library's types stop there.
//
// read() is the one way in: it checks framing, copies into aligned words, limits depth and traversal to the message's
// own size, and turns whatever the library throws into a Result.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <string>

#include "base/result.h"
#include "base/text.h"

namespace theater::bus::wire {

inline BytesView view_of(capnp::Data::Reader data) { return {data.begin(), data.size()}; }

inline void set_data(capnp::Data::Builder out, BytesView bytes) {
  if (!bytes.empty()) std::memcpy(out.begin(), bytes.data(), bytes.size());
}

inline Bytes flatten(capnp::MessageBuilder& builder) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto bytes = words.asBytes();
  return Bytes(bytes.begin(), bytes.end());
}

template <typename T, typename Body>
Result<T> read(BytesView bytes, const char* what, Body&& body) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0) {
    return Error{ErrorCode::kCorrupt, str_cat(what, ": ", bytes.size(), " bytes aren't a whole number of words")};
  }
  const size_t words = bytes.size() / sizeof(capnp::word);
  const kj::Array<capnp::word> aligned = kj::heapArray<capnp::word>(words);
  std::memcpy(const_cast<capnp::word*>(aligned.begin()), bytes.data(), bytes.size());
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 2 * words + 64;
  options.nestingLimit = 8;
  try {
    capnp::FlatArrayMessageReader reader(aligned, options);
    return body(reader);
  } catch (const kj::Exception& error) {
    return Error{ErrorCode::kCorrupt, str_cat(what, ": ", error.getDescription().cStr())};
  } catch (const std::exception& error) {
    return Error{ErrorCode::kCorrupt, str_cat(what, ": ", error.what())};
  }
}

}  // namespace theater::bus::wire
