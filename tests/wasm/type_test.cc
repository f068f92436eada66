// Sizes, alignments and flat types as the component model's canonical ABI has them.
#include "wasm/type.h"

#include <gtest/gtest.h>

#include "wasm/abi.h"
#include "wasm/functions.h"

namespace theater::wasm {
namespace {

constexpr CoreType i = CoreType::kI32;
constexpr CoreType l = CoreType::kI64;
constexpr CoreType d = CoreType::kF64;

std::vector<std::string> names(size_t count) {
  std::vector<std::string> all;
  for (size_t n = 0; n < count; ++n) all.push_back("n" + std::to_string(n));
  return all;
}

TEST(TypeTest, FlagsTakeAByteTwoBytesOrWords) {
  const auto expect = [](size_t count, uint32_t size, uint32_t alignment, size_t words) {
    const Type type = Type::flags(names(count));
    EXPECT_EQ(type.size(), size) << count;
    EXPECT_EQ(type.alignment(), alignment) << count;
    EXPECT_EQ(type.flat(), std::vector<CoreType>(words, i)) << count;
  };
  expect(1, 1, 1, 1);
  expect(8, 1, 1, 1);
  expect(9, 2, 2, 1);
  expect(17, 4, 4, 1);
  expect(33, 8, 4, 2);
  expect(65, 12, 4, 3);
}

TEST(TypeTest, RecordsPadAndVariantsJoin) {
  const Type record = Type::record({{"a", Type::u8()}, {"b", Type::u64()}, {"c", Type::u16()}});
  EXPECT_EQ(record.size(), 24u);
  EXPECT_EQ(record.alignment(), 8u);
  EXPECT_EQ(record.flat(), (std::vector<CoreType>{i, l, i}));

  const Type variant =
      Type::variant({{"a", Type::f32()}, {"b", Type::u64()}, {"c", Type::string()}, {"d", std::nullopt}});
  EXPECT_EQ(variant.size(), 16u);
  EXPECT_EQ(variant.payload_offset(), 8u);
  EXPECT_EQ(variant.flat(), (std::vector<CoreType>{i, l, i}));  // f32 with i64 and i32: i64

  EXPECT_EQ(Type::result(Type::f32(), Type::u32()).flat(), (std::vector<CoreType>{i, i}));  // f32 with i32: i32
  EXPECT_EQ(Type::result(Type::f64(), std::nullopt).flat(), (std::vector<CoreType>{i, d}));
  EXPECT_EQ(Type::enumeration(names(300)).size(), 2u);
  EXPECT_EQ(Type::option(Type::u8()).size(), 2u);
}

TEST(TypeTest, ManyParametersAndWideResultsGoThroughMemory) {
  FunctionType wide;
  for (int n = 0; n < 17; ++n) wide.params.emplace_back("p", Type::u8());
  wide.result = Type::string();
  const FunctionLayout layout = lay_out(wide);
  EXPECT_EQ(layout.import_signature, (CoreSignature{{i, i}, {}}));
  EXPECT_EQ(layout.export_signature, (CoreSignature{{i}, {i}}));
  ASSERT_TRUE(layout.params_area);
  EXPECT_EQ(layout.params_area->size(), 17u);

  const FunctionLayout request = lay_out(handle_request_function().type);
  EXPECT_EQ(request.export_signature, (CoreSignature{{i, i, i, i, i, i, i}, {i}}));
}

TEST(TypeTest, WitText) {
  EXPECT_EQ(init_function().type.wit(),
            "func(state: option<list<u8>>, params: tuple<string>) -> result<tuple<option<list<u8>>>, string>");
  EXPECT_EQ(Type::result(std::nullopt, Type::string()).wit(), "result<_, string>");
  EXPECT_EQ(Type::result(std::nullopt, std::nullopt).wit(), "result");
}

}  // namespace
}  // namespace theater::wasm
