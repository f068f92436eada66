// The handler `store`: content by hash, and labels for it (node/handlers/content.h). What is put goes to the auditors
// as a blob of the call's own event, however small it is.
#include "base/crypto.h"
#include "node/actor/manifest.h"
#include "node/handlers/call.h"
#include "node/handlers/content.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

Result<Hash> hash_arg(const HostCall& call, size_t i) {
  if (const auto hash = Hash::from_hex_text(text_arg(call, i))) return *hash;
  return Error{ErrorCode::kInvalid, str_cat(quote(text_arg(call, i)), " is no hash: 64 digits")};
}

Result<void> may_put(const Services& services, const HostCall& call) {
  const size_t size = bytes_arg(call, 0).size();
  if (size > kContentMax) {
    return Error{ErrorCode::kRefused,
                 str_cat(size, " bytes are more than the ", kContentMax, " that one content may have")};
  }
  if (services.holds_secret(call.args)) {
    return Error{ErrorCode::kRefused, "the content holds a secret, which the auditors would get in the clear"};
  }
  return Ok{};
}

HostStatus put(Services& services, HostCall& call) {
  if (const auto may = may_put(services, call); !may.ok()) return refuse(call, may.error());
  const auto& bytes = bytes_arg(call, 0);
  const Hash hash = sha256(bytes);
  services.content().put(hash, std::make_shared<const Bytes>(bytes));
  return answer_with(call, Value::ok(Value::string(hash.hex())));
}

// Turns what is there, or nothing, into the call's answer; from the cache, from an auditor, or after a while.
HostStatus look_up(Services& services, HostCall& call, Value (*answer)(const Content::Shared& bytes)) {
  const auto hash = hash_arg(call, 0);
  if (!hash.ok()) return refuse(call, hash.error());
  auto value = services.await_answer([&](std::function<void(Value)> done) {
    if (const auto bytes = services.content().find(*hash)) return done(answer(bytes));
    services.content().fetch(*hash, [answer, done = std::move(done)](Result<Content::Shared> found) {
      done(found.ok() ? answer(*found) : err(found.error()));
    });
  });
  return value ? answer_with(call, std::move(*value)) : HostStatus::kParked;
}

HostStatus get(Services& services, HostCall& call) {
  return look_up(services, call, [](const Content::Shared& bytes) {
    return Value::ok(bytes == nullptr ? Value::none() : Value::some(Value::bytes(*bytes)));
  });
}

HostStatus exists(Services& services, HostCall& call) {
  return look_up(services, call,
                 [](const Content::Shared& bytes) { return Value::ok(Value::boolean(bytes != nullptr)); });
}

HostStatus label_set(Services& services, HostCall& call) {
  const auto hash = hash_arg(call, 1);
  if (!hash.ok()) return refuse(call, hash.error());
  const auto& label = text_arg(call, 0);
  auto& labels = services.labels();
  const auto reserved = labels.reserve(label);
  if (reserved.ok()) {
    services.with_event([&labels, label, hash = *hash](bool emitted) {
      emitted ? labels.set_reserved(label, hash) : labels.give_back();
    });
  }
  return answer_with(call, reserved);
}

HostStatus label_get(Services& services, HostCall& call) {
  const auto hash = services.labels().get(text_arg(call, 0));
  return answer_with(call, hash ? Value::some(Value::string(hash->hex())) : Value::none());
}

// Whether it was there at the call; of two that delete it at once, both may be told so.
HostStatus label_delete(Services& services, HostCall& call) {
  const auto& label = text_arg(call, 0);
  auto& labels = services.labels();
  const bool was_there = labels.contains(label);
  services.with_event([&labels, label](bool emitted) {
    if (emitted) labels.remove(label);
  });
  return answer_with(call, Value::boolean(was_there));
}

HostStatus list_labels(Services& services, HostCall& call) {
  std::vector<Value> labels;
  for (const auto& [label, hash] : services.labels().all()) {
    labels.push_back(Value::tuple({Value::string(label), Value::string(hash.hex())}));
  }
  return answer_with(call, Value::list(std::move(labels)));
}

constexpr HandlerEntry kEntries[] = {
    {"put", put},
    {"get", get},
    {"exists", exists},
    {"label-set", label_set},
    {"label-get", label_get},
    {"label-delete", label_delete},
    {"list-labels", list_labels},
};

}  // namespace

std::span<const HandlerEntry> store_handler() { return kEntries; }

}  // namespace theater::node
