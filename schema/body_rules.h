// What holds for an event beyond its encoding. The encoder CHECKs it and the decoder refuses what breaks it: one list
// for both. Internal to schema/.
#pragma once

#include "schema/event.h"
#include "schema/wire.h"

namespace theater::schema {

namespace wire {
inline constexpr uint64_t kOriginClient = 1;
inline constexpr uint64_t kOriginCause = 2;
inline constexpr size_t kOriginDataWords = 10;
inline constexpr size_t kGenesisDataWords = 25;
inline constexpr size_t kResumedDataWords = 9;
}  // namespace wire

// The type that events of this kind must have, or nothing: any other than these.
inline std::string_view fixed_type(BodyKind kind) {
  switch (kind) {
    case BodyKind::kGenesis: return kTypeGenesis;
    case BodyKind::kError: return kTypeError;
    case BodyKind::kShutdown: return kTypeShutdown;
    case BodyKind::kResumed: return kTypeResumed;
    default: return {};
  }
}

inline bool is_fixed_type(std::string_view type) {
  return type == kTypeGenesis || type == kTypeError || type == kTypeShutdown || type == kTypeResumed;
}

// What is wrong, or nullptr.
inline const char* header_rule_broken(const Header& header, BodyKind kind) {
  if (header.type.empty()) return "the type is empty";
  if (header.type.size() > kEventTypeMax) return "the type is longer than 256 bytes";
  if ((kind == BodyKind::kGenesis) != (header.sequence == 0)) return "genesis, and only genesis, has sequence 0";
  const std::string_view fixed = fixed_type(kind);
  if (fixed.empty() ? is_fixed_type(header.type) : header.type != fixed) return "the type doesn't belong to the body";
  if (kind == BodyKind::kGenesis) {
    if (!header.actor.is_zero()) return "genesis names an actor, whose id is its own hash";
    if (!header.parent.is_zero()) return "genesis names a parent";
  }
  return nullptr;
}

inline const char* body_rule_broken(const Body& body) {
  if (const auto* genesis = std::get_if<Genesis>(&body)) {
    if (genesis->nonce.size() != wire::kNonceSize) return "the nonce isn't 16 bytes";
  } else if (const auto* call = std::get_if<HostCall>(&body)) {
    if (call->effect == Effect::kOutside && !call->results.empty()) return "an intent has results";
  } else if (const auto* result = std::get_if<WasmResult>(&body)) {
    if (result->results.size() > 1) return "more than one result";
  } else if (const auto* shutdown = std::get_if<Shutdown>(&body)) {
    if (shutdown->data.size() > 1) return "more than one last word";
  }
  return nullptr;
}

}  // namespace theater::schema
