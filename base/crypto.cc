#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/random.h"

namespace theater {
namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;

Context new_sha256_context() {
  Context context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  CHECK(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1);
  return context;
}

void restart(EVP_MD_CTX* context) { CHECK(EVP_DigestInit_ex(context, nullptr, nullptr) == 1); }

Hash finish_digest(EVP_MD_CTX* context) {
  Hash hash;
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context, hash.bytes.data(), &size) == 1 && size == Hash::kSize);
  return hash;
}

}  // namespace

Hash sha256(BytesView bytes) {
  thread_local const Context context = new_sha256_context();
  restart(context.get());
  CHECK(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1);
  return finish_digest(context.get());
}

struct Sha256::Impl {
  Context context = new_sha256_context();
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {}
Sha256::~Sha256() = default;

void Sha256::update(BytesView bytes) { CHECK(EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size()) == 1); }

Hash Sha256::finish() {
  const Hash hash = finish_digest(impl_->context.get());
  restart(impl_->context.get());
  return hash;
}

struct SigningKey::Impl {
  Seed seed;
  PublicKey public_key;
  Pkey pkey;

  ~Impl() { OPENSSL_cleanse(seed.data(), seed.size()); }
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::from_seed(const Seed& seed) {
  auto impl = std::make_unique<Impl>();
  impl->seed = seed;
  impl->pkey.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  CHECK(impl->pkey != nullptr);
  size_t size = PublicKey::kSize;
  CHECK(EVP_PKEY_get_raw_public_key(impl->pkey.get(), impl->public_key.bytes.data(), &size) == 1);
  CHECK(size == PublicKey::kSize);
  return SigningKey(std::move(impl));
}

SigningKey SigningKey::generate() {
  Seed seed;
  SystemRandom().fill(seed);
  SigningKey key = from_seed(seed);
  OPENSSL_cleanse(seed.data(), seed.size());
  return key;
}

const PublicKey& SigningKey::public_key() const { return impl_->public_key; }
const SigningKey::Seed& SigningKey::seed() const { return impl_->seed; }

Signature SigningKey::sign(BytesView message) const {
  const Context context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, impl_->pkey.get()) == 1);
  Signature signature;
  size_t size = signature.size();
  CHECK(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) == 1);
  CHECK(size == signature.size());
  return signature;
}

bool verify_signature(const PublicKey& key, BytesView message, const Signature& signature) {
  const Pkey pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.bytes.data(), PublicKey::kSize));
  if (pkey == nullptr) return false;
  const Context context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

}  // namespace theater
