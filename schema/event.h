// CONTRACT. The event: what one crossing of an actor's boundary leaves behind, and the unit of the chain.
//
// An event's bytes are one canonical Cap'n Proto message (schema/event.capnp; docs/formats/event.md) and its hash is
// the SHA-256 of exactly those bytes, which hold the parent's hash. The bytes that were hashed are the bytes that are
// sent, stored and verified: nothing ever re-serializes an event.
//
// These structs are the decoded form; schema/codec.h turns them into bytes and back.
//
// Three words, kept apart everywhere: a session is one connection of a node and an auditor; an incarnation is one run
// of a chain on one node (`Resumed` begins the next); a life is one chain (a restart begins a new one, with a new actor
// id).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "schema/value.h"

namespace theater::schema {

inline constexpr uint16_t kFormatVersion = 1;
inline constexpr size_t kEventSizeMax = 64 * 1024;  // bytes; more is a limit error at the node, refused by receivers
inline constexpr size_t kEventTypeMax = 256;        // bytes of an event's type

struct Header {
  uint32_t incarnation = 0;
  uint64_t sequence = 0;  // 0 for genesis, then +1 for each event, across incarnations
  uint64_t time_ns = 0;   // since 1970-01-01 UTC; never before the parent's
  ActorId actor;          // zero in genesis, whose hash becomes the actor id
  Hash parent;            // zero in genesis
  // "interface/function" for calls (theater:simple/runtime@0.1.0/log, wasi_snapshot_preview1/random_get), otherwise one
  // of the constants below. Borrowed: whoever encodes keeps it alive; in a decoded event it points into the event's
  // bytes.
  std::string_view type;
};

// Types of events that are no call.
inline constexpr std::string_view kTypeGenesis = "genesis";
inline constexpr std::string_view kTypeResumed = "resumed";
inline constexpr std::string_view kTypeError = "WasmError";    // terminal: a crash or a kill, with the reason
inline constexpr std::string_view kTypeShutdown = "shutdown";  // terminal: a normal exit
// The type of the recorded call of a module's start function and `_initialize`.
inline constexpr std::string_view kTypeInitialize = "_initialize";

// Another actor's event, as the cause of this one.
struct Cause {
  ActorId actor;
  uint64_t sequence = 0;
  Hash hash;
  bool operator==(const Cause&) const = default;
};

// Whoever asked from outside: the authenticated key (zero for the process's own command line) and the request's id.
struct Operator {
  PublicKey key;
  std::string request_id;
  bool operator==(const Operator&) const = default;
};

using Origin = std::variant<std::monostate, Operator, Cause>;  // monostate: the host itself

enum class AuditMode : uint8_t { kStrict, kQuorum, kBestEffort };

struct AuditPolicy {
  AuditMode mode = AuditMode::kStrict;
  uint16_t quorum = 0;    // k, for kQuorum
  uint16_t auditors = 0;  // n: the auditors configured when the chain began
  bool gated = false;     // effects wait until their intent is durable
  bool operator==(const AuditPolicy&) const = default;
};

struct Genesis {
  std::string name;
  Hash package;  // blob: the module's bytes; zero in a node's own chain
  uint64_t package_length = 0;
  Hash manifest;  // blob: the manifest's text
  uint64_t manifest_length = 0;
  PublicKey node;       // the identity that may extend this chain
  Hash engine_profile;  // wasm/engine.h
  AuditPolicy audit;
  Bytes nonce = Bytes(16);  // exactly 16 random bytes: two spawns of one package in one instant still differ
  Origin requested_by;
  Hash previous_life;  // head of the life that this one restarts; zero if none
  bool operator==(const Genesis&) const = default;
};

struct WasmCall {  // a call into the guest; the function is the event's type
  std::vector<Value> args;
  Origin origin;
  bool operator==(const WasmCall&) const = default;
};

struct WasmResult {
  std::vector<Value> results;  // none or one
  uint64_t fuel = 0;           // consumed by the call
  bool operator==(const WasmResult&) const = default;
};

enum class Effect : uint8_t { kNone, kOutside };

struct HostCall {  // a call out of the guest
  Effect effect = Effect::kNone;
  std::vector<Value> args;
  std::vector<Value> results;  // kNone: what it answered. kOutside: empty, this is the intent; HostReturn follows
  bool operator==(const HostCall&) const = default;
};

enum class Outcome : uint8_t { kDone, kUnknown };  // kUnknown: the node died between intent and outcome

struct HostReturn {
  Outcome outcome = Outcome::kDone;
  std::vector<Value> results;
  bool operator==(const HostReturn&) const = default;
};

enum class ErrorKind : uint8_t {
  kTrap,         // the guest trapped
  kKilled,       // an operator or a supervisor killed it
  kDeadline,     // a call took longer than its deadline
  kLimit,        // memory, fuel, event size, …
  kHostFailure,  // the host couldn't go on; not the guest's doing
  kGuestError,   // init or a handler answered err where that ends the actor
};

struct ErrorBody {
  ErrorKind kind = ErrorKind::kTrap;
  std::string message;
  uint64_t fuel = 0;     // consumed by the call that was cut off: replay stops at the same instruction
  bool in_call = false;  // false: the actor was idle
  Origin requested_by;   // kKilled
  bool operator==(const ErrorBody&) const = default;
};

struct Shutdown {
  std::string reason;       // "stop", "node stop", "guest"
  std::vector<Value> data;  // what the guest handed to runtime.shutdown: none or one
  Origin requested_by;
  bool operator==(const Shutdown&) const = default;
};

struct Resumed {  // begins the next incarnation
  PublicKey node;
  Hash engine_profile;
  bool call_interrupted = false;          // the call of the last WasmCall never returned and isn't run again
  std::vector<uint64_t> unknown_intents;  // sequences of HostCall intents without outcome
  std::vector<std::string> dropped;       // host state that isn't a fold over the chain: "timers", "links", …
  Bytes grant;                            // an operator's signature if the node is another
  bool operator==(const Resumed&) const = default;
};

// Something the host states about itself: boot, a spawn, a key added. The type names it; the value is a record.
struct Fact {
  Value value = Value::tuple({});
  bool operator==(const Fact&) const = default;
};

// The order is the wire's union order; new kinds are appended.
using Body = std::variant<Genesis, WasmCall, WasmResult, HostCall, HostReturn, ErrorBody, Shutdown, Resumed, Fact>;
enum class BodyKind : uint8_t {
  kGenesis,
  kWasmCall,
  kWasmResult,
  kHostCall,
  kHostReturn,
  kError,
  kShutdown,
  kResumed,
  kFact,
};
inline BodyKind kind_of(const Body& body) { return static_cast<BodyKind>(body.index()); }
const char* body_kind_name(BodyKind kind);
const char* audit_mode_name(AuditMode mode);
const char* error_kind_name(ErrorKind kind);

// True for the two kinds after which a chain holds nothing more (but `resumed` never follows them either).
inline bool is_terminal(BodyKind kind) { return kind == BodyKind::kError || kind == BodyKind::kShutdown; }

// A canonical event ready to travel: its bytes, their hash, and what routing needs. Immutable; shared by all
// subscribers.
struct EncodedEvent {
  ActorId actor;  // of the chain: for genesis, the hash itself
  uint64_t sequence = 0;
  BodyKind kind = BodyKind::kGenesis;
  Hash hash;
  Bytes bytes;
};

}  // namespace theater::schema
