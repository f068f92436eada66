// CONTRACT. Who is who. Each node, auditor, operator and reader has one key pair of each kind: CURVE (X25519) encrypts
// and authenticates connections, Ed25519 is the identity that stands in chains and signs.
//
// A secret key file has mode 0600; any other mode is refused. A public key is one line of text that can be pasted:
// "tk1" and 128 hexadecimal digits (CURVE, then Ed25519). An authorized-keys file has one line a key: comma-separated
// roles, the public key, a name; '#' begins a comment.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"

namespace theater::bus {

using CurveKey = Id32<struct CurveKeyTag>;  // public half

struct PublicKeys {
  CurveKey curve;
  PublicKey identity;

  std::string text() const;  // "tk1…"
  static Result<PublicKeys> parse(std::string_view text);
  bool operator==(const PublicKeys&) const = default;
  // They can't be two parties' then, whatever the other half says.
  bool shares_a_key_with(const PublicKeys& other) const { return curve == other.curve || identity == other.identity; }
};

class SecretKeys {
 public:
  SecretKeys(SecretKeys&&) noexcept;
  SecretKeys& operator=(SecretKeys&&) noexcept;
  ~SecretKeys();  // wipes the CURVE secret

  static SecretKeys generate();
  static Result<SecretKeys> load(const std::string& path);  // kRefused if others may read it
  Result<void> save(const std::string& path) const;         // 0600; never overwrites

  PublicKeys public_keys() const;
  const SigningKey& identity() const;
  std::string curve_secret_z85() const;
  std::string curve_public_z85() const;

 private:
  SecretKeys(SigningKey identity, std::array<uint8_t, 32> curve_secret, CurveKey curve_public);
  SigningKey identity_;
  std::array<uint8_t, 32> curve_secret_;
  CurveKey curve_public_;
};

enum class Role : uint8_t { kNode, kAuditor, kOperator, kReader };
const char* role_name(Role role);

struct AuthorizedKey {
  PublicKeys keys;
  std::vector<Role> roles;
  std::string name;
  bool operator==(const AuthorizedKey&) const = default;
};

class AuthorizedKeys {
 public:
  static Result<AuthorizedKeys> parse(std::string_view text, const std::string& path);  // errors name path and line
  static Result<AuthorizedKeys> load(const std::string& path);
  const AuthorizedKey* find(const CurveKey& curve) const;
  bool has_role(const CurveKey& curve, Role role) const;
  size_t size() const { return by_curve_.size(); }
  const std::map<CurveKey, AuthorizedKey>& all() const { return by_curve_; }

 private:
  std::map<CurveKey, AuthorizedKey> by_curve_;
};

}  // namespace theater::bus
