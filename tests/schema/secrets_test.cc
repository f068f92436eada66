// Secrets out of values and back: what is found, what stands in its place, and that nothing else changes.
#include "schema/secrets.h"

#include <gtest/gtest.h>

#include "schema/codec.h"

namespace theater::schema {
namespace {

const ActorId kActor = actor_id_of(*Hash::from_hex_text(std::string(64, 'a')));
constexpr const char* kKey = "correct-horse";
constexpr const char* kLonger = "correct-horse-battery";

std::vector<Secrets::Secret> both() { return {{"KEY", kKey, {}}, {"LONGER", kLonger, {}}}; }

Value commitment(std::string_view value) { return Value::secret({secret_commitment(kActor, value)}); }
// A string that is nothing but the secret.
Value alone(std::string_view value) { return Value::tuple({Value::string(""), commitment(value), Value::string("")}); }

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() : secrets_(both()) { secrets_.bind(kActor); }

  // Hidden; what was hidden comes back, and its bytes hold nothing of the values.
  Value hidden(const Value& value) {
    std::vector<Value> values{value};
    secrets_.hide(values);
    EXPECT_EQ(as_text(encode_value(values[0])).find("correct-horse"), std::string::npos);
    std::vector<Value> again = values;
    const auto revealed = secrets_.reveal(again);
    EXPECT_TRUE(revealed.ok());
    EXPECT_EQ(again[0], value);
    return values[0];
  }

  Secrets secrets_;
};

TEST_F(SecretsTest, WhatStandsAroundItStays) {
  EXPECT_EQ(hidden(Value::string("Bearer correct-horse!")),
            Value::tuple({Value::string("Bearer "), commitment(kKey), Value::string("!")}));
  EXPECT_EQ(hidden(Value::bytes(to_bytes("correct-horsecorrect-horse"))),
            Value::tuple({Value::bytes({}), commitment(kKey), Value::bytes({}), commitment(kKey), Value::bytes({})}));
  EXPECT_EQ(hidden(Value::bytes(to_bytes(kKey))), Value::tuple({Value::bytes({}), commitment(kKey), Value::bytes({})}))
      << "bytes stay bytes";
  EXPECT_EQ(hidden(Value::string("né correct-horse né")),
            Value::tuple({Value::string("né "), commitment(kKey), Value::string(" né")}));
  EXPECT_EQ(hidden(Value::bytes(to_bytes("\xff"
                                         "correct-horse\xfe"))),
            Value::tuple({Value::bytes(to_bytes("\xff")), commitment(kKey), Value::bytes(to_bytes("\xfe"))}));
}

TEST_F(SecretsTest, OfTwoAtOnePlaceTheLongerOne) { EXPECT_EQ(hidden(Value::string(kLonger)), alone(kLonger)); }

TEST_F(SecretsTest, EveryKindOfValueIsLookedInto) {
  const Value text = Value::string(kKey), secret = alone(kKey);
  EXPECT_EQ(hidden(Value::some(text)), Value::some(secret));
  EXPECT_EQ(hidden(Value::err(text)), Value::err(secret));
  EXPECT_EQ(hidden(Value::list({Value::string("a"), text})), Value::list({Value::string("a"), secret}));
  EXPECT_EQ(hidden(Value::record({{"key", text}})), Value::record({{"key", secret}}));
  EXPECT_EQ(hidden(Value::variant("some", Value::tuple({text, Value::u8(1)}))),
            Value::variant("some", Value::tuple({secret, Value::u8(1)})));
  EXPECT_EQ(hidden(Value::tuple({Value::string("a"), text, Value::string("b")})),
            Value::tuple({Value::string("a"), secret, Value::string("b")}));
}

TEST_F(SecretsTest, WhatHoldsNoneStaysAsItIs) {
  for (const Value& value : {Value::string("correct-hors"), Value::bytes({}), Value::none(), Value::u64(7),
                             Value::tuple({Value::string("a"), Value::string("b")})}) {
    std::vector<Value> values{value};
    EXPECT_FALSE(secrets_.any_in(values));
    secrets_.hide(values);
    EXPECT_EQ(values[0], value);
  }
}

TEST_F(SecretsTest, ACommitmentIsOfOneLife) {
  EXPECT_NE(secret_commitment(kActor, kKey), secret_commitment(ActorId{}, kKey));
  Secrets other(both());
  other.bind(ActorId{});
  std::vector<Value> values{alone(kKey)};
  EXPECT_FALSE(other.reveal(values).ok());
}

TEST_F(SecretsTest, WhatNobodyHidPutsNothingBack) {
  std::vector<Value> forged{Value::tuple({commitment(kKey), Value::u8(1)})};
  EXPECT_FALSE(secrets_.reveal(forged).ok());
  std::vector<Value> nothing{commitment(kKey)};
  EXPECT_FALSE(secrets_.reveal(nothing).ok());
}

TEST_F(SecretsTest, Text) {
  EXPECT_EQ(secrets_.hidden("a correct-horse b correct-horse-battery"), "a <secret KEY> b <secret LONGER>");
  EXPECT_EQ(secrets_.hidden("nothing"), "nothing");
}

}  // namespace
}  // namespace theater::schema
