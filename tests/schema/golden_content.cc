#include "tests/schema/golden_content.h"

#include "base/crypto.h"

namespace theater::schema {
namespace {

constexpr uint64_t kBegin = 1'795'500'000'000'000'000;  // 2026-11-24

template <typename Id>
Id numbered(uint8_t first) {  // first, first + 1, …
  Id id;
  for (uint8_t& byte : id.bytes) byte = first++;
  return id;
}

Genesis genesis() {
  Genesis out;
  out.name = "counter";
  out.package = sha256(as_bytes("package"));
  out.package_length = 7;
  out.manifest = sha256(as_bytes("manifest"));
  out.manifest_length = 8;
  out.node = numbered<PublicKey>(0x20);
  out.engine_profile = numbered<Hash>(0x40);
  out.audit = {AuditMode::kQuorum, 2, 3, true};
  for (uint8_t i = 0; i < 16; ++i) out.nonce[i] = static_cast<uint8_t>(0xF0 + i);
  out.requested_by = Operator{numbered<PublicKey>(0x60), "req-1"};
  out.previous_life = numbered<Hash>(0x80);
  return out;
}

// Adds events to a chain the way a node does.
class Chain {
 public:
  void add(std::string name, std::string_view type, Body body) {
    Header header;
    header.incarnation = incarnation;
    header.sequence = events.size();
    header.time_ns = kBegin + 1'000 * events.size();
    header.type = type;
    if (!events.empty()) {
      header.actor = events.front().event.actor;
      header.parent = events.back().event.hash;
    }
    EncodedEvent event;
    encode_event(header, body, event.bytes);
    event.hash = sha256(event.bytes);
    event.actor = events.empty() ? actor_id_of(event.hash) : header.actor;
    event.sequence = header.sequence;
    event.kind = kind_of(body);
    events.push_back({std::move(name), std::move(event)});
  }

  uint32_t incarnation = 0;
  std::vector<GoldenEvent> events;
};

Value state(std::string_view text) { return Value::some(Value::bytes(to_bytes(text))); }

}  // namespace

std::vector<GoldenEvent> golden_chain() {
  constexpr std::string_view kRequest = "theater:simple/message-server-client@0.1.0/handle-request";
  constexpr std::string_view kPost = "example:web/client@0.1.0/post";
  Chain chain;
  chain.add("genesis", kTypeGenesis, genesis());
  chain.add("wasm-call", kRequest,
            WasmCall{{state("41"), Value::tuple({Value::string("operator"), Value::bytes(to_bytes("add 1"))})},
                     Cause{numbered<ActorId>(0xA0), 17, numbered<Hash>(0xC0)}});
  chain.add("log", "theater:simple/runtime@0.1.0/log", HostCall{Effect::kNone, {Value::string("hello")}, {}});
  chain.add("host-call", "theater:simple/random@0.1.0/u64",
            HostCall{Effect::kNone, {}, {Value::u64(0x0123456789ABCDEF)}});
  chain.add("intent", kPost,
            HostCall{Effect::kOutside, {Value::string("https://example.org"), Value::bytes({1, 2, 3})}, {}});
  chain.add("host-return", kPost, HostReturn{Outcome::kDone, {Value::ok(Value::u16(204))}});
  chain.add("wasm-result", kRequest,
            WasmResult{{Value::ok(Value::tuple({state("42"), Value::tuple({state("42")})}))}, 1'234});
  chain.incarnation = 1;
  chain.add("resumed", kTypeResumed,
            Resumed{numbered<PublicKey>(0x21), numbered<Hash>(0x41), true, {4}, {"timers"}, Bytes(64, 0x55)});
  chain.add("fact", "subscription-added",
            Fact{Value::record({{"auditor", Value::string("a")}, {"strict", Value::boolean(true)}})});
  chain.add("shutdown", kTypeShutdown, Shutdown{"stop", {Value::none()}, Operator{}});

  // Another end of the same chain: an event of each kind, so that no file is missing.
  chain.events.pop_back();
  Chain crashed = chain;
  chain.add("shutdown", kTypeShutdown, Shutdown{"stop", {Value::none()}, Operator{}});
  crashed.add("error", kTypeError, ErrorBody{ErrorKind::kTrap, "unreachable", 77, true, {}});
  chain.events.push_back(std::move(crashed.events.back()));
  return std::move(chain.events);
}

std::vector<GoldenValue> golden_values() {
  return {
      {"bool", Value::boolean(true)},
      {"s8", Value::s8(-1)},
      {"u8", Value::u8(255)},
      {"s16", Value::s16(-2)},
      {"u16", Value::u16(65'535)},
      {"s32", Value::s32(-3)},
      {"u32", Value::u32(4'000'000'000)},
      {"s64", Value::s64(-4)},
      {"u64", Value::u64(18'000'000'000'000'000'000u)},
      {"f32", Value::f32(1.5f)},
      {"f64", Value::f64(-0.0)},
      {"char", Value::character(U'🎭')},
      {"string", Value::string("curtain")},
      {"bytes", Value::bytes({0, 1, 2, 255})},
      {"list", Value::list({Value::u16(1), Value::u16(2), Value::u16(3)})},
      {"record", Value::record({{"name", Value::string("x")}, {"size", Value::u64(3)}})},
      {"tuple", Value::tuple({Value::boolean(false), Value::string("")})},
      {"variant", Value::variant("circle", Value::f64(2))},
      {"enum", Value::enumeration("red")},
      {"option", Value::some(Value::none())},
      {"result", Value::err(Value::string("no"))},
      {"flags", Value::flags({"read", "write"})},
      {"reference", Value::reference({numbered<Hash>(1), 5'000, Value::Kind::kString})},
      {"secret", Value::secret({numbered<Hash>(2)})},
  };
}

}  // namespace theater::schema
