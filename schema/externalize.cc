#include "schema/externalize.h"

#include "base/crypto.h"
#include "schema/codec.h"

namespace theater::schema {
namespace externalize_detail {
namespace {

using Kind = Value::Kind;
using BlobSink = std::function<void(const Hash&, Bytes)>;
using BlobSource = std::function<Result<Bytes>(const Hash&)>;

void replace_by_reference(Value& value, Kind of, Bytes bytes, const BlobSink& blob) {
  const Hash hash = sha256(bytes);
  const uint64_t length = bytes.size();
  value = Value::reference({hash, length, of});
  blob(hash, std::move(bytes));
}

// A payload is shared and immutable, so a changed one is a new one.
void externalize_payload(std::shared_ptr<const Value>& payload, const BlobSink& blob) {
  if (!payload || encoded_size(*payload) <= Value::kInlineMax) return;
  Value copy = *payload;
  externalize_large(copy, blob);
  payload = std::make_shared<const Value>(std::move(copy));
}

void externalize_items(std::vector<Value>& items, const BlobSink& blob) {
  for (Value& item : items) {
    if (encoded_size(item) > Value::kInlineMax) externalize_large(item, blob);
  }
}

// Puts the blobs of references in `value` in their place.
class Internalizer {
 public:
  explicit Internalizer(const BlobSource& fetch) : fetch_(fetch) {}

  Result<void> value(Value& value, size_t depth) {
    if (depth > Value::kDepthMax) {
      return Error{ErrorCode::kCorrupt, str_cat("a value whose blobs nest deeper than ", Value::kDepthMax, " levels")};
    }
    if (const auto* reference = value.get<Value::Reference>()) {
      TRY_ASSIGN(Value whole, resolve(*reference));
      value = std::move(whole);
      if (value.kind() == Kind::kReference) {
        return Error{ErrorCode::kCorrupt, "a blob that is nothing but another reference"};
      }
    }
    return children(value, depth + 1);
  }

 private:
  Result<Value> resolve(const Value::Reference& reference) {
    if (reference.length > kInternalizeMax - fetched_) {
      return Error{ErrorCode::kCorrupt, str_cat("blobs of more than ", kInternalizeMax, " bytes in one call")};
    }
    TRY_ASSIGN(Bytes bytes, fetch_(reference.hash));
    if (bytes.size() != reference.length || sha256(bytes) != reference.hash) {
      return Error{ErrorCode::kCorrupt, str_cat("blob ", reference.hash.short_hex(), ": its ", bytes.size(),
                                                " bytes aren't the ", reference.length, " that were recorded")};
    }
    fetched_ += bytes.size();
    if (reference.of == Kind::kBytes) return Value::bytes(std::move(bytes));
    if (reference.of != Kind::kString) return decode_value(bytes);
    if (!is_utf8(bytes)) {
      return Error{ErrorCode::kCorrupt, str_cat("blob ", reference.hash.short_hex(), ": a string that isn't UTF-8")};
    }
    return Value::string(std::string(as_text(bytes)));
  }

  Result<void> children(Value& value, size_t depth) {
    if (auto* list = value.get<Value::List>()) return items(list->items, depth);
    if (auto* tuple = value.get<Value::Tuple>()) return items(tuple->items, depth);
    if (auto* record = value.get<Value::Record>()) {
      for (Value::Field& field : record->fields) TRY(this->value(field.value, depth));
    }
    if (auto* variant = value.get<Value::Variant>()) return payload(variant->payload, depth);
    if (auto* option = value.get<Value::Option>()) return payload(option->payload, depth);
    if (auto* result = value.get<Value::ResultOf>()) return payload(result->payload, depth);
    return Ok{};
  }

  Result<void> items(std::vector<Value>& items, size_t depth) {
    for (Value& item : items) TRY(value(item, depth));
    return Ok{};
  }

  Result<void> payload(std::shared_ptr<const Value>& payload, size_t depth) {
    if (!payload) return Ok{};
    Value copy = *payload;
    TRY(value(copy, depth));
    payload = std::make_shared<const Value>(std::move(copy));
    return Ok{};
  }

  const BlobSource& fetch_;
  size_t fetched_ = 0;  // bytes
};

}  // namespace

void externalize_large(Value& value, const BlobSink& blob) {
  switch (value.kind()) {
    case Kind::kString: {
      Bytes content = to_bytes(*value.get<std::string>());
      return replace_by_reference(value, Kind::kString, std::move(content), blob);
    }
    case Kind::kBytes: {
      Bytes content = std::move(*value.get<Bytes>());
      return replace_by_reference(value, Kind::kBytes, std::move(content), blob);
    }
    case Kind::kList: externalize_items(value.get<Value::List>()->items, blob); break;
    case Kind::kTuple: externalize_items(value.get<Value::Tuple>()->items, blob); break;
    case Kind::kRecord:
      for (Value::Field& field : value.get<Value::Record>()->fields) {
        if (encoded_size(field.value) > Value::kInlineMax) externalize_large(field.value, blob);
      }
      break;
    case Kind::kVariant: externalize_payload(value.get<Value::Variant>()->payload, blob); break;
    case Kind::kOption: return externalize_payload(value.get<Value::Option>()->payload, blob);
    case Kind::kResult: return externalize_payload(value.get<Value::ResultOf>()->payload, blob);
    default: return;
  }
  if (encoded_size(value) > Value::kInlineMax) replace_by_reference(value, Kind::kRecord, encode_value(value), blob);
}

Result<void> internalize(std::vector<Value>& values, const BlobSource& fetch) {
  Internalizer internalizer(fetch);
  for (Value& value : values) TRY(internalizer.value(value, 1));
  return Ok{};
}

}  // namespace externalize_detail

void externalize_bytes(std::vector<Value>& values, const std::function<void(const Hash&, Bytes)>& blob) {
  for (Value& value : values) {
    const auto* bytes = value.get<Bytes>();
    if (bytes != nullptr && !bytes->empty()) externalize_detail::externalize_large(value, blob);
  }
}

}  // namespace theater::schema
