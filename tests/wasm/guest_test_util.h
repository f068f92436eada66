// What the tests of the real engine share: a host that records calls and answers from a script, guests from files or
// text, and calls run to their end.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "wasm/engine.h"

namespace theater::wasm {

// Answers each call by `on_call`; parks as often as `park_count` says before it answers.
class ScriptedHost : public Host {
 public:
  HostStatus call(HostCall& call) override {
    calls.push_back(call.function->name);
    args.push_back(call.args);
    parks_left_ = park_count;
    return resume(call);
  }
  HostStatus resume(HostCall& call) override {
    if (parks_left_ > 0) {
      --parks_left_;
      return HostStatus::kParked;
    }
    if (on_call) return on_call(call);
    CHECK(!call.function->type.result, "no answer for ", call.function->name);
    return HostStatus::kDone;
  }
  uint64_t wall_ns() override { return wall; }
  uint64_t monotonic_ns() override { return monotonic; }

  std::function<HostStatus(HostCall&)> on_call;
  int park_count = 0;
  uint64_t wall = 1'700'000'000'000'000'000;
  uint64_t monotonic = 5'000;
  std::vector<std::string> calls;
  std::vector<std::vector<schema::Value>> args;

 private:
  int parks_left_ = 0;
};

// Runs a call to its end; `steps` counts what run() answered on the way.
struct Steps {
  int yielded = 0;
  int parked = 0;
};
inline CallOutcome finish(Instance& instance, Steps* steps = nullptr) {
  for (;;) {
    const Instance::Progress progress = instance.run();
    if (progress == Instance::Progress::kDone) return instance.take_outcome();
    if (steps != nullptr) ++(progress == Instance::Progress::kParked ? steps->parked : steps->yielded);
  }
}
inline CallOutcome call(Instance& instance, const ExportFunction& function, std::vector<schema::Value> args,
                        Steps* steps = nullptr) {
  instance.start(function, std::move(args));
  return finish(instance, steps);
}

// (state: none, params: ("…")) and (state, ("operator", message)).
inline std::vector<schema::Value> init_args() {
  return {schema::Value::none(), schema::Value::tuple({schema::Value::string("actor")})};
}
inline std::vector<schema::Value> request_args(std::string_view message, schema::Value state = schema::Value::none()) {
  return {std::move(state),
          schema::Value::tuple({schema::Value::string("operator"), schema::Value::bytes(to_bytes(message))})};
}

// The reply of handle-request, if it answered ok with one.
inline std::optional<std::string> reply_of(const CallOutcome& outcome) {
  if (outcome.trap || outcome.results.size() != 1) return std::nullopt;
  const auto* result = outcome.results[0].get<schema::Value::ResultOf>();
  if (result == nullptr || !result->ok) return std::nullopt;
  const auto& reply = result->payload->get<schema::Value::Tuple>()->items[1].get<schema::Value::Tuple>()->items[0];
  const auto& payload = reply.get<schema::Value::Option>()->payload;
  if (!payload) return std::nullopt;
  return std::string(as_text(*payload->get<Bytes>()));
}

inline std::unique_ptr<Engine> make_engine(EngineOptions options = {}) {
  if (options.instances_max == EngineOptions{}.instances_max) options.instances_max = 100;
  auto engine = make_wasmtime_engine(options);
  CHECK(engine.ok(), engine.ok() ? "" : engine.error().message);
  return std::move(*engine);
}

inline Bytes example(const std::string& name) {
  auto bytes = read_file(std::string(THEATER_BUILD_DIR) + "/examples/" + name + "/" + name + ".wasm");
  CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
  return std::move(*bytes);
}

// What wit-bindgen puts into a guest: tests/guests/component_type/NAME.bin.
inline Bytes section_file(const std::string& name) {
  auto bytes = read_file(std::string(THEATER_SOURCE_DIR) + "/tests/guests/component_type/" + name + ".bin");
  CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
  return std::move(*bytes);
}

inline void append_size(Bytes& out, size_t size) {
  for (; size >= 0x80; size >>= 7) out.push_back(static_cast<uint8_t>(size | 0x80));
  out.push_back(static_cast<uint8_t>(size));
}

// The module with a custom section more.
inline Bytes with_section(Bytes module, std::string_view name, BytesView content) {
  Bytes body;
  append_size(body, name.size());
  body.insert(body.end(), name.begin(), name.end());
  body.insert(body.end(), content.begin(), content.end());
  module.push_back(0);
  append_size(module, body.size());
  module.insert(module.end(), body.begin(), body.end());
  return module;
}

}  // namespace theater::wasm
