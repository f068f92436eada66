#include "schema/secrets.h"

#include <string.h>

#include <algorithm>

#include "base/check.h"
#include "base/crypto.h"

namespace theater::schema {
namespace {

using Secret = Secrets::Secret;

struct Found {
  size_t at = std::string_view::npos;
  const Secret* secret = nullptr;
};

// The first one from `from` on; of several there, the longest.
Found find_secret(const std::vector<Secret>& secrets, std::string_view text, size_t from) {
  Found found;
  for (const Secret& each : secrets) {
    const size_t at = text.find(each.value, from);
    if (at == std::string_view::npos || at > found.at) continue;
    if (at == found.at && each.value.size() <= found.secret->value.size()) continue;
    found = {at, &each};
  }
  return found;
}

std::optional<std::string_view> text_of(const Value& value) {
  if (const auto* text = value.get<std::string>()) return *text;
  if (const auto* bytes = value.get<Bytes>()) return as_text(*bytes);
  return std::nullopt;
}

Value part_of(const Value& whole, std::string_view part) {
  return whole.get<std::string>() != nullptr ? Value::string(std::string(part)) : Value::bytes(to_bytes(part));
}

// The values within a value, whatever its kind; payloads are shared and immutable, so a changed one is a new one.
template <typename Function>
void for_each_child(Value& value, Function&& function) {
  const auto payload = [&](std::shared_ptr<const Value>& inner) {
    if (inner == nullptr) return;
    Value copy = *inner;
    function(copy);
    inner = std::make_shared<const Value>(std::move(copy));
  };
  if (auto* list = value.get<Value::List>()) std::for_each(list->items.begin(), list->items.end(), function);
  if (auto* tuple = value.get<Value::Tuple>()) std::for_each(tuple->items.begin(), tuple->items.end(), function);
  if (auto* record = value.get<Value::Record>()) {
    for (auto& field : record->fields) function(field.value);
  }
  if (auto* variant = value.get<Value::Variant>()) payload(variant->payload);
  if (auto* option = value.get<Value::Option>()) payload(option->payload);
  if (auto* result = value.get<Value::ResultOf>()) payload(result->payload);
}

// Whether some value without children is so.
template <typename Predicate>
bool any_leaf(const Value& value, const Predicate& predicate) {
  const auto within = [&](const Value& inner) { return any_leaf(inner, predicate); };
  const auto payload = [&](const std::shared_ptr<const Value>& inner) { return inner != nullptr && within(*inner); };
  const auto any = [&](const std::vector<Value>& items) { return std::any_of(items.begin(), items.end(), within); };
  if (const auto* list = value.get<Value::List>()) return any(list->items);
  if (const auto* tuple = value.get<Value::Tuple>()) return any(tuple->items);
  if (const auto* record = value.get<Value::Record>()) {
    return std::any_of(record->fields.begin(), record->fields.end(), [&](auto& field) { return within(field.value); });
  }
  if (const auto* variant = value.get<Value::Variant>()) return payload(variant->payload);
  if (const auto* option = value.get<Value::Option>()) return payload(option->payload);
  if (const auto* result = value.get<Value::ResultOf>()) return payload(result->payload);
  return predicate(value);
}

bool any_in_value(const std::vector<Secret>& secrets, const Value& value) {
  return any_leaf(value, [&](const Value& leaf) {
    const auto text = text_of(leaf);
    return text && find_secret(secrets, *text, 0).secret != nullptr;
  });
}

bool has_commitment(const Value& value) {
  return any_leaf(value, [](const Value& leaf) { return leaf.kind() == Value::Kind::kSecret; });
}

void hide_in_value(const std::vector<Secret>& secrets, Value& value) {
  const auto text = text_of(value);
  if (!text) return for_each_child(value, [&](Value& inner) { hide_in_value(secrets, inner); });
  std::vector<Value> parts;
  size_t from = 0;
  for (auto found = find_secret(secrets, *text, 0); found.secret != nullptr;
       found = find_secret(secrets, *text, from)) {
    parts.push_back(part_of(value, text->substr(from, found.at - from)));
    parts.push_back(Value::secret({found.secret->commitment}));
    from = found.at + found.secret->value.size();
  }
  if (parts.empty()) return;
  parts.push_back(part_of(value, text->substr(from)));
  value = Value::tuple(std::move(parts));
}

// Puts the values back.
class Revealer {
 public:
  explicit Revealer(const std::vector<Secret>& secrets) : secrets_(secrets) {}

  void value(Value& value) {
    if (value.kind() == Value::Kind::kSecret) {
      all_known_ = false;  // never alone
    } else if (const auto* tuple = value.get<Value::Tuple>(); tuple != nullptr && is_spliced(*tuple)) {
      value = joined(*tuple);
    } else {
      for_each_child(value, [this](Value& inner) { this->value(inner); });
    }
  }
  bool all_known() const { return all_known_; }

 private:
  static bool is_spliced(const Value::Tuple& tuple) {
    return std::any_of(tuple.items.begin(), tuple.items.end(),
                       [](const Value& item) { return item.kind() == Value::Kind::kSecret; });
  }
  std::string_view plain(const Value& secret) {
    const Hash& commitment = secret.get<Value::Secret>()->commitment;
    for (const Secret& each : secrets_) {
      if (each.commitment == commitment) return each.value;
    }
    all_known_ = false;
    return "";
  }
  Value joined(const Value::Tuple& tuple) {
    std::string all;
    for (const Value& item : tuple.items) {
      if (const auto text = text_of(item)) {
        all += *text;
      } else if (item.kind() == Value::Kind::kSecret) {
        all += plain(item);
      } else {
        all_known_ = false;  // nothing that hide() makes
      }
    }
    const bool is_text = tuple.items[0].kind() == Value::Kind::kString && is_utf8(as_bytes(all));
    return is_text ? Value::string(std::move(all)) : Value::bytes(to_bytes(all));
  }

  const std::vector<Secret>& secrets_;
  bool all_known_ = true;
};

}  // namespace

Hash secret_commitment(const ActorId& actor, std::string_view value) {
  Sha256 digest;
  digest.update(as_bytes("theater secret 1\n"));
  digest.update(actor.view());
  digest.update(as_bytes(value));
  return digest.finish();
}

Secrets::Secrets(std::vector<Secret> secrets) : secrets_(std::move(secrets)) {
  for (const Secret& each : secrets_) CHECK(each.value.size() >= kSecretMin, "the secret ", each.name, " is too short");
}

Secrets::~Secrets() {
  for (Secret& each : secrets_) explicit_bzero(each.value.data(), each.value.size());
}

void Secrets::bind(const ActorId& actor) {
  for (Secret& each : secrets_) each.commitment = secret_commitment(actor, each.value);
}

bool Secrets::any_in(const std::vector<Value>& values) const {
  return std::any_of(values.begin(), values.end(), [&](const Value& value) { return any_in_value(secrets_, value); });
}

void Secrets::hide(std::vector<Value>& values) const {
  for (Value& value : values) {
    if (any_in_value(secrets_, value)) hide_in_value(secrets_, value);
  }
}

std::string Secrets::hidden(std::string_view text) const {
  std::string out;
  size_t from = 0;
  for (auto found = find_secret(secrets_, text, 0); found.secret != nullptr;
       found = find_secret(secrets_, text, from)) {
    out += str_cat(text.substr(from, found.at - from), "<secret ", found.secret->name, ">");
    from = found.at + found.secret->value.size();
  }
  out += text.substr(from);
  return out;
}

Result<void> Secrets::reveal(std::vector<Value>& values) const {
  Revealer revealer(secrets_);
  for (Value& value : values) {
    if (has_commitment(value)) revealer.value(value);
  }
  if (revealer.all_known()) return Ok{};
  return Error{ErrorCode::kNotFound, "a secret stands there only as a commitment"};
}

}  // namespace theater::schema
