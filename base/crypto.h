// SHA-256, HMAC of it, and Ed25519: the only cryptography Theater does itself (CURVE belongs to ZeroMQ). Everything of
// OpenSSL's stops in crypto.cc.
//
// Any thread; a Sha256 object belongs to one thread at a time.
#pragma once

#include <array>
#include <memory>

#include "base/ids.h"
#include "base/result.h"

namespace theater {

Hash sha256(BytesView bytes);

// Incremental: update() any number of times, then finish(), which also makes the object ready for the next message.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(BytesView bytes);
  Hash finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// HMAC-SHA256 (RFC 2104): whoever knows the key made it, for exactly this message.
Hash hmac_sha256(BytesView key, BytesView message);
// Whether both are equal, in a time that doesn't tell where they differ.
bool equal_in_constant_time(const Hash& a, const Hash& b);

using Signature = std::array<uint8_t, 64>;

// An Ed25519 key pair. The seed is the secret; it is wiped when the object ends.
class SigningKey {
 public:
  using Seed = std::array<uint8_t, 32>;

  static SigningKey from_seed(const Seed& seed);
  static SigningKey generate();
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  const PublicKey& public_key() const;
  const Seed& seed() const;
  Signature sign(BytesView message) const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

bool verify_signature(const PublicKey& key, BytesView message, const Signature& signature);

}  // namespace theater
