// Large values out of events and back: a value of more than Value::kInlineMax encoded bytes stands in its event as a
// reference, and its bytes travel and are stored once, as a blob.
//
// Included by schema/codec.h. Both are pure functions of their arguments and the sink or source they are given.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "schema/value.h"

namespace theater::schema {

size_t encoded_size(const Value& value);

// The bytes of all blobs that one internalize() may fetch: references nest, so that a few small blobs could otherwise
// stand for any amount of memory.
inline constexpr size_t kInternalizeMax = size_t{256} << 20;

namespace externalize_detail {
void externalize_large(Value& value, const std::function<void(const Hash&, Bytes)>& blob);
Result<void> internalize(std::vector<Value>& values, const std::function<Result<Bytes>(const Hash&)>& fetch);
}  // namespace externalize_detail

// Replaces every string, bytes, list, record, tuple or variant in `values` whose own encoding is larger than
// Value::kInlineMax by a reference (the outermost string or bytes first; containers only if they are still too large
// after that), and calls `blob(const Hash&, Bytes)` for each, in order: a blob comes after those that it refers to.
// Costs nothing but the size computation when nothing is large.
template <typename BlobSink>
void externalize(std::vector<Value>& values, BlobSink&& blob) {
  for (Value& value : values) {
    if (encoded_size(value) > Value::kInlineMax) externalize_detail::externalize_large(value, std::ref(blob));
  }
}

// Replaces every list<u8> that is one of `values` themselves and not empty, however small, for what is to be found by
// its hash.
void externalize_bytes(std::vector<Value>& values, const std::function<void(const Hash&, Bytes)>& blob);

// The reverse: `fetch(const Hash&)` returns the blob's bytes as a Result<Bytes>. Used before lowering recorded values
// into a guest. kCorrupt if a blob isn't what its reference says or doesn't decode, if the values become deeper than
// Value::kDepthMax, or if there are more bytes than kInternalizeMax; fetch's own error otherwise. After an error, some
// references may have been replaced.
template <typename BlobSource>
Result<void> internalize(std::vector<Value>& values, BlobSource&& fetch) {
  return externalize_detail::internalize(values, std::ref(fetch));
}

}  // namespace theater::schema
