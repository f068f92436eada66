#include "persist/references.h"

#include "schema/wire.h"

namespace theater::persist {
namespace {

using schema::Value;

// The first word of a reference: its tag (the kind plus one) and the kind that it stands for (string, bytes or record,
// which differ in two bits), nothing else. docs/formats/value.md.
constexpr uint64_t word_of(Value::Kind of) {
  return (static_cast<uint64_t>(Value::Kind::kReference) + 1) | static_cast<uint64_t>(of) << 16;
}
constexpr uint64_t kMask = ~(uint64_t{3} << 16);
constexpr uint64_t kWanted = word_of(Value::Kind::kString) & kMask;
static_assert((word_of(Value::Kind::kBytes) & kMask) == kWanted && (word_of(Value::Kind::kRecord) & kMask) == kWanted);

bool may_refer(BytesView bytes) {
  bool found = false;
  for (size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    found |= (schema::wire::load_word(bytes.data() + at) & kMask) == kWanted;
  }
  return found;
}

void collect(const std::vector<Value>& values, std::vector<BlobNeed>& out);

void collect(const Value& value, std::vector<BlobNeed>& out) {
  const auto payload = [&](const std::shared_ptr<const Value>& inner) {
    if (inner != nullptr) collect(*inner, out);
  };
  if (const auto* reference = value.get<Value::Reference>()) out.push_back({reference->hash, reference->length});
  if (const auto* list = value.get<Value::List>()) collect(list->items, out);
  if (const auto* tuple = value.get<Value::Tuple>()) collect(tuple->items, out);
  if (const auto* record = value.get<Value::Record>()) {
    for (const Value::Field& field : record->fields) collect(field.value, out);
  }
  if (const auto* variant = value.get<Value::Variant>()) payload(variant->payload);
  if (const auto* option = value.get<Value::Option>()) payload(option->payload);
  if (const auto* result = value.get<Value::ResultOf>()) payload(result->payload);
}

void collect(const std::vector<Value>& values, std::vector<BlobNeed>& out) {
  for (const Value& value : values) collect(value, out);
}

struct OfBody {
  std::vector<BlobNeed>& out;
  void operator()(const schema::Genesis& body) const {
    if (!body.package.is_zero()) out.push_back({body.package, body.package_length});
    if (!body.manifest.is_zero()) out.push_back({body.manifest, body.manifest_length});
  }
  void operator()(const schema::WasmCall& body) const { collect(body.args, out); }
  void operator()(const schema::WasmResult& body) const { collect(body.results, out); }
  void operator()(const schema::HostCall& body) const {
    collect(body.args, out);
    collect(body.results, out);
  }
  void operator()(const schema::HostReturn& body) const { collect(body.results, out); }
  void operator()(const schema::ErrorBody&) const {}
  void operator()(const schema::Shutdown& body) const { collect(body.data, out); }
  void operator()(const schema::Resumed&) const {}
  void operator()(const schema::Fact& body) const { collect(body.value, out); }
};

}  // namespace

std::vector<BlobNeed> blobs_needed(BytesView bytes, schema::BodyKind kind) {
  std::vector<BlobNeed> out;
  if (kind != schema::BodyKind::kGenesis && !may_refer(bytes)) return out;
  const auto event = schema::decode_event(bytes);
  if (event.ok()) std::visit(OfBody{out}, event->body);
  return out;
}

}  // namespace theater::persist
