// Values that a record must not hold. Wherever a secret's value stands in a string or a list<u8>, the event keeps a
// salted commitment to it instead, and what stands around it; whoever has the value can put it back.
//
//   "Bearer 1234…"  ⇄  ("Bearer ", <secret …>, "")     a tuple: text, commitment, text, …, text
//   "1234…"         ⇄  ("", <secret …>, "")            never alone, so that it can't be taken for a tuple's item
//
// The commitment is SHA-256 over a title, the actor's id (the salt: no two lives share commitments) and the value. It
// hides a value that nobody can guess, and no other: hence kSecretMin. A value that a guest has changed (encoded, cut,
// reversed) is no longer found.
//
// The same on both sides: the node hides before an event is encoded, replay hides before it compares. Values are wiped
// when the object ends. Immutable once bound; one owner.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "schema/value.h"

namespace theater::schema {

inline constexpr size_t kSecretMin = 8;  // bytes of a value

Hash secret_commitment(const ActorId& actor, std::string_view value);

class Secrets {
 public:
  struct Secret {
    std::string name;
    std::string value;  // at least kSecretMin bytes of UTF-8
    Hash commitment;    // filled in here
  };

  explicit Secrets(std::vector<Secret> secrets);
  ~Secrets();
  Secrets(const Secrets&) = delete;
  Secrets& operator=(const Secrets&) = delete;

  void bind(const ActorId& actor);  // the salt
  bool empty() const { return secrets_.empty(); }

  bool any_in(const std::vector<Value>& values) const;
  void hide(std::vector<Value>& values) const;
  // For text that isn't a value: "<secret NAME>" in its place.
  std::string hidden(std::string_view text) const;
  // The reverse of hide(). kNotFound if some commitment is to none of these.
  Result<void> reveal(std::vector<Value>& values) const;

 private:
  std::vector<Secret> secrets_;
};

}  // namespace theater::schema
