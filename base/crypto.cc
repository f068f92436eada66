// SHA256_Init and its sisters: OpenSSL 3 would rather have EVP used, which allocates, wipes and frees a context for
// each message. That took a third of the time of an event's hash. The block function is the same.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

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

void update_digest(SHA256_CTX& context, BytesView bytes) {
  CHECK(SHA256_Update(&context, bytes.data(), bytes.size()) == 1);
}

Hash finish_digest(SHA256_CTX& context) {
  static_assert(Hash::kSize == SHA256_DIGEST_LENGTH);
  Hash hash;
  CHECK(SHA256_Final(hash.bytes.data(), &context) == 1);
  return hash;
}

}  // namespace

Hash sha256(BytesView bytes) {
  SHA256_CTX context;
  CHECK(SHA256_Init(&context) == 1);
  update_digest(context, bytes);
  return finish_digest(context);
}

struct Sha256::Impl {
  SHA256_CTX context;
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) { CHECK(SHA256_Init(&impl_->context) == 1); }
Sha256::~Sha256() = default;

void Sha256::update(BytesView bytes) { update_digest(impl_->context, bytes); }

Hash Sha256::finish() {
  const Hash hash = finish_digest(impl_->context);
  CHECK(SHA256_Init(&impl_->context) == 1);
  return hash;
}

Hash hmac_sha256(BytesView key, BytesView message) {
  Hash hash;
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), hash.bytes.data(),
             &size) != nullptr);
  CHECK(size == Hash::kSize);
  return hash;
}

bool equal_in_constant_time(const Hash& a, const Hash& b) {
  return CRYPTO_memcmp(a.bytes.data(), b.bytes.data(), Hash::kSize) == 0;
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
