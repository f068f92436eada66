// SHA-256, HMAC and Ed25519 against the vectors of FIPS 180-2, RFC 4231 and RFC 8032.
#include "base/crypto.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/random.h"

namespace theater {
namespace {

std::string sha256_hex(std::string_view text) { return sha256(as_bytes(text)).hex(); }

TEST(Sha256, KnownVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IncrementalEqualsWhole) {
  SeededRandom random(1);
  Bytes bytes(10'000);
  random.fill(bytes);
  Sha256 digest;
  for (int round = 0; round < 50; ++round) {  // the same object again: finish() makes it ready
    for (size_t done = 0; done < bytes.size();) {
      const size_t step = std::min<size_t>(bytes.size() - done, random.below(300));
      digest.update(BytesView(bytes).subspan(done, step));
      done += step;
    }
    ASSERT_EQ(digest.finish(), sha256(bytes));
  }
  EXPECT_EQ(digest.finish(), sha256({}));
}

TEST(Hmac, KnownVectors) {
  EXPECT_EQ(hmac_sha256(Bytes(20, 0x0b), as_bytes("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")).hex(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hmac, ComparesWholeHashes) {
  const Hash a = sha256(as_bytes("a"));
  for (const size_t at : {size_t{0}, size_t{15}, size_t{31}}) {
    Hash b = a;
    EXPECT_TRUE(equal_in_constant_time(a, b));
    b.bytes[at] ^= 1;
    EXPECT_FALSE(equal_in_constant_time(a, b));
  }
}

TEST(Sha256, ThreadsDontShareAContext) {
  const Hash expected = sha256(as_bytes("abc"));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2'000; ++round) ASSERT_EQ(sha256(as_bytes("abc")), expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

struct Vector {
  const char *seed, *public_key, *message, *signature;
};
const Vector kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55"
     "141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00"
     "d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "02"
     "7beceea1ec40a"},
};

TEST(Ed25519, KnownVectors) {
  for (const Vector& vector : kRfc8032) {
    SigningKey::Seed seed;
    const auto seed_bytes = from_hex(vector.seed);
    std::copy(seed_bytes->begin(), seed_bytes->end(), seed.begin());
    const SigningKey key = SigningKey::from_seed(seed);
    EXPECT_EQ(key.public_key().hex(), vector.public_key);
    EXPECT_EQ(key.seed(), seed);
    const Bytes message = *from_hex(vector.message);
    const Signature signature = key.sign(message);
    EXPECT_EQ(to_hex(signature), vector.signature);
    EXPECT_TRUE(verify_signature(key.public_key(), message, signature));
  }
}

TEST(Ed25519, RefusesWhatWasNotSigned) {
  const SigningKey key = SigningKey::generate();
  const SigningKey other = SigningKey::generate();
  ASSERT_NE(key.public_key(), other.public_key());
  const Signature signature = key.sign(as_bytes("message"));
  EXPECT_TRUE(verify_signature(key.public_key(), as_bytes("message"), signature));
  EXPECT_FALSE(verify_signature(key.public_key(), as_bytes("Message"), signature));
  EXPECT_FALSE(verify_signature(key.public_key(), as_bytes(""), signature));
  EXPECT_FALSE(verify_signature(other.public_key(), as_bytes("message"), signature));
  EXPECT_FALSE(verify_signature(PublicKey{}, as_bytes("message"), signature));
  for (size_t i = 0; i < signature.size(); ++i) {
    Signature flipped = signature;
    flipped[i] ^= 1;
    ASSERT_FALSE(verify_signature(key.public_key(), as_bytes("message"), flipped)) << i;
  }
}

TEST(Ed25519, AKeyMoves) {
  SigningKey key = SigningKey::generate();
  const PublicKey public_key = key.public_key();
  SigningKey moved = std::move(key);
  EXPECT_EQ(moved.public_key(), public_key);
  EXPECT_TRUE(verify_signature(public_key, as_bytes("x"), moved.sign(as_bytes("x"))));
}

}  // namespace
}  // namespace theater
