// The handler `store`: content by hash, and labels for it (node/handlers/content.h). What is put goes to the auditors
// as a blob of the call's own event, however small it is.
#include "base/crypto.h"
#include "node/actor/manifest.h"
#include "node/handlers/content.h"
#include "node/handlers/handlers.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

const std::string& text_arg(const HostCall& call, size_t i) { return *call.args[i].get<std::string>(); }

HostStatus answer_with(HostCall& call, Value value) {
  call.results.push_back(std::move(value));
  return HostStatus::kDone;
}
HostStatus refuse(HostCall& call, std::string why) {
  return answer_with(call, Value::err(Value::string(std::move(why))));
}

std::optional<Hash> hash_arg(HostCall& call, size_t i) {
  const auto hash = Hash::from_hex_text(text_arg(call, i));
  if (!hash) refuse(call, str_cat("'", escape(as_bytes(text_arg(call, i).substr(0, 80))), "' is no hash: 64 digits"));
  return hash;
}

HostStatus put(Services& services, HostCall& call) {
  const auto& bytes = *call.args[0].get<Bytes>();
  if (bytes.size() > kContentMax) {
    return refuse(call, str_cat(bytes.size(), " bytes are more than the ", kContentMax, " that one content may have"));
  }
  if (services.holds_secret(call.args)) {
    return refuse(call, "the content holds a secret, which the auditors would get in the clear");
  }
  const Hash hash = sha256(bytes);
  services.content().put(hash, std::make_shared<const Bytes>(bytes));
  return answer_with(call, Value::ok(Value::string(hash.hex())));
}

// Turns what is there, or nothing, into the call's answer; from the cache, from an auditor, or after a while.
HostStatus look_up(Services& services, HostCall& call, Value (*answer)(const Content::Shared& bytes)) {
  const auto hash = hash_arg(call, 0);
  if (!hash) return HostStatus::kDone;
  auto value = services.await_answer([&](std::function<void(Value)> done) {
    if (const auto bytes = services.content().find(*hash)) return done(answer(bytes));
    services.content().fetch(*hash, [answer, done = std::move(done)](Result<Content::Shared> found) {
      done(found.ok() ? answer(*found) : Value::err(Value::string(found.error().message)));
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
  if (!hash) return HostStatus::kDone;
  const auto set = services.labels().set(text_arg(call, 0), *hash);
  return set.ok() ? answer_with(call, Value::ok()) : refuse(call, set.error().message);
}

HostStatus label_get(Services& services, HostCall& call) {
  const auto hash = services.labels().get(text_arg(call, 0));
  return answer_with(call, hash ? Value::some(Value::string(hash->hex())) : Value::none());
}

HostStatus label_delete(Services& services, HostCall& call) {
  return answer_with(call, Value::boolean(services.labels().remove(text_arg(call, 0))));
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
