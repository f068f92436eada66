// The identifiers that travel through every folder. Each is its own type, so that a hash of a blob can't stand where an
// actor's id is meant. All are plain values, compare bytewise and print as lower-case hexadecimal.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <string>

#include "base/text.h"

namespace theater {

// A 32-byte value with a type of its own.
template <typename Tag>
struct Id32 {
  static constexpr size_t kSize = 32;
  std::array<uint8_t, kSize> bytes{};

  static std::optional<Id32> from_view(BytesView view) {
    if (view.size() != kSize) return std::nullopt;
    Id32 id;
    std::memcpy(id.bytes.data(), view.data(), kSize);
    return id;
  }
  static std::optional<Id32> from_hex_text(std::string_view digits) {
    const auto decoded = from_hex(digits);
    return decoded ? from_view(*decoded) : std::nullopt;
  }

  BytesView view() const { return bytes; }
  std::string hex() const { return to_hex(bytes); }
  // The first 12 digits: what people see and type. Any unique prefix is accepted wherever an id is.
  std::string short_hex() const { return hex().substr(0, 12); }
  bool is_zero() const { return *this == Id32{}; }

  auto operator<=>(const Id32&) const = default;
};

using Hash = Id32<struct HashTag>;            // SHA-256 of some bytes
using PublicKey = Id32<struct PublicKeyTag>;  // an Ed25519 public key: the identity of a node or an auditor

// An actor's id is the hash of its genesis event.
using ActorId = Id32<struct ActorIdTag>;
inline ActorId actor_id_of(const Hash& genesis_hash) { return ActorId{genesis_hash.bytes}; }

}  // namespace theater

template <typename Tag>
struct std::hash<theater::Id32<Tag>> {
  size_t operator()(const theater::Id32<Tag>& id) const noexcept {
    size_t value;  // the bytes are hashes or keys already: any eight of them are well distributed
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
};
