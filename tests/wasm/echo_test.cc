// All types, there and back, through a guest that wit-bindgen made: the host lowers a random value into the guest's
// export, the guest hands it to the host's import, the host answers with it, the guest returns it. Four conversions by
// Theater, four by wit-bindgen; what comes back must be equal.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/wasm/guest_test_util.h"

namespace theater::wasm {
namespace {

using schema::Value;

std::vector<std::string> numbered(const std::string& prefix, size_t count) {
  std::vector<std::string> all;
  for (size_t n = 0; n < count; ++n) all.push_back(prefix + std::to_string(n));
  return all;
}

// The types of tests/guests/echo/echo.wit.
FunctionType echo(Type type) { return FunctionType{{{"v", type}}, type}; }

std::map<std::string, FunctionType> echo_functions() {
  const Type point = Type::record({{"x", Type::s32()}, {"y", Type::f64()}, {"label", Type::string()}});
  const Type deep = Type::record({{"points", Type::list(point)},
                                  {"best", Type::option(point)},
                                  {"tags", Type::list(Type::option(Type::string()))}});
  const Type bytes = Type::list(Type::u8());
  const Type shape = Type::variant({{"empty", std::nullopt},
                                    {"circle", Type::f32()},
                                    {"square", Type::s64()},
                                    {"named", Type::string()},
                                    {"at", point},
                                    {"raw", bytes},
                                    {"wide", Type::f64()},
                                    {"letter", Type::character()}});
  const Type scalars = Type::record({{"yes", Type::boolean()},
                                     {"a", Type::s8()},
                                     {"b", Type::u8()},
                                     {"c", Type::s16()},
                                     {"d", Type::u16()},
                                     {"e", Type::s32()},
                                     {"f", Type::u32()},
                                     {"g", Type::s64()},
                                     {"h", Type::u64()},
                                     {"i", Type::f32()},
                                     {"j", Type::f64()},
                                     {"k", Type::character()}});
  std::map<std::string, FunctionType> all = {
      {"echo-scalars", echo(scalars)},
      {"echo-text", echo(Type::string())},
      {"echo-bytes", echo(bytes)},
      {"echo-deep", echo(Type::list(Type::list(deep)))},
      {"echo-shapes", echo(Type::list(shape))},
      {"echo-shape", echo(shape)},
      {"echo-color", echo(Type::enumeration({"red", "green", "blue"}))},
      {"echo-one", echo(Type::flags({"a"}))},
      {"echo-many", echo(Type::flags(numbered("m", 32)))},
      {"echo-nine", echo(Type::flags(numbered("n", 9)))},
      {"echo-maybe", echo(Type::option(Type::option(Type::u16())))},
      {"echo-outcome", echo(Type::result(Type::list(Type::string()), shape))},
      {"echo-nothing", echo(Type::result(std::nullopt, std::nullopt))},
      {"echo-mixed", echo(Type::result(Type::f32(), Type::u64()))},
      {"echo-tuples",
       echo(Type::list(Type::tuple({Type::u8(), Type::tuple({Type::s16(), Type::f64()}), Type::boolean()})))},
      {"echo-numbers", echo(Type::list(Type::u64()))},
      {"echo-flags33", echo(Type::flags(numbered("f", 33)))},
      {"echo-flags65", echo(Type::flags(numbered("f", 65)))},
  };
  FunctionType many;
  const std::vector<Type> types = {Type::u8(),        Type::s16(), Type::u32(),    Type::u64(),
                                   Type::f32(),       Type::f64(), Type::string(), Type::boolean(),
                                   Type::character(), point,       shape,          Type::list(Type::u16())};
  for (const Type& type : types)
    many.params.emplace_back(std::string(1, static_cast<char>('a' + many.params.size())), type);
  many.result = Type::tuple(types);
  all.emplace("echo-many-params", many);
  return all;
}

// Random values of a type, with the edges of each range more often than chance would have them.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  uint64_t bits() { return engine_(); }
  uint64_t below(uint64_t bound) { return bits() % bound; }

  uint64_t number() {
    switch (below(4)) {
      case 0: return below(3);
      case 1: return ~below(3);
      case 2: return uint64_t{1} << below(64);
      default: return bits();
    }
  }

  std::string text() {
    static const std::vector<std::string> pieces = {"a", "Zürich", "€", "𝄞", "\n", std::string(1, '\0'), "actor"};
    std::string out;
    for (uint64_t n = below(6); n > 0; --n) out += pieces[below(pieces.size())];
    return out;
  }

  char32_t character() {
    static constexpr char32_t kEdges[] = {0, 'a', 0xD7FF, 0xE000, 0x10FFFF, 0x20AC};
    return kEdges[below(6)];
  }

  Value value(const Type& type) {
    const auto& cases = type.cases();
    switch (type.kind()) {
      case TypeKind::kBool: return Value::boolean(below(2) == 1);
      case TypeKind::kS8: return Value::s8(static_cast<int8_t>(number()));
      case TypeKind::kU8: return Value::u8(static_cast<uint8_t>(number()));
      case TypeKind::kS16: return Value::s16(static_cast<int16_t>(number()));
      case TypeKind::kU16: return Value::u16(static_cast<uint16_t>(number()));
      case TypeKind::kS32: return Value::s32(static_cast<int32_t>(number()));
      case TypeKind::kU32: return Value::u32(static_cast<uint32_t>(number()));
      case TypeKind::kS64: return Value::s64(static_cast<int64_t>(number()));
      case TypeKind::kU64: return Value::u64(number());
      case TypeKind::kF32: return Value::f32(std::bit_cast<float>(static_cast<uint32_t>(bits())));
      case TypeKind::kF64: return Value::f64(std::bit_cast<double>(bits()));
      case TypeKind::kChar: return Value::character(character());
      case TypeKind::kString: return Value::string(text());
      case TypeKind::kList: return list(type);
      case TypeKind::kOption: return below(2) == 0 ? Value::none() : Value::some(value(*cases[0].type));
      case TypeKind::kEnum: return Value::enumeration(cases[below(cases.size())].name);
      case TypeKind::kFlags: return flags(type);
      case TypeKind::kResult: {
        const bool ok = below(2) == 0;
        const auto& payload = cases[ok ? 0 : 1].type;
        if (!payload) return ok ? Value::ok() : Value::err();
        return ok ? Value::ok(value(*payload)) : Value::err(value(*payload));
      }
      case TypeKind::kVariant: {
        const Type::Case& one = cases[below(cases.size())];
        return one.type ? Value::variant(one.name, value(*one.type)) : Value::variant(one.name);
      }
      case TypeKind::kTuple: {
        std::vector<Value> items;
        for (const Type::Case& one : cases) items.push_back(value(*one.type));
        return Value::tuple(std::move(items));
      }
      case TypeKind::kRecord: {
        std::vector<Value::Field> fields;
        for (const Type::Case& one : cases) fields.push_back({one.name, value(*one.type)});
        return Value::record(std::move(fields));
      }
    }
    return Value::none();
  }

 private:
  Value list(const Type& type) {
    if (type.is_bytes()) {
      Bytes bytes(below(20));
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(bits());
      return Value::bytes(std::move(bytes));
    }
    std::vector<Value> items;
    for (uint64_t n = below(4); n > 0; --n) items.push_back(value(*type.cases()[0].type));
    return Value::list(std::move(items));
  }

  Value flags(const Type& type) {
    std::vector<std::string> names;
    for (const Type::Case& one : type.cases()) {
      if (below(2) == 1) names.push_back(one.name);
    }
    return Value::flags(std::move(names));
  }

  std::mt19937_64 engine_;
};

class EchoTest : public ::testing::Test {
 protected:
  EchoTest() {
    for (auto& [name, type] : echo_functions()) {
      exports_.emplace(name, ExportFunction{"test:echo/guest@0.1.0#" + name, "test:echo/guest@0.1.0/" + name, type});
      options_.more_functions.push_back(HostFunction{"test:echo/host@0.1.0", name, "test:echo/host@0.1.0/" + name, type,
                                                     schema::Effect::kNone, true, false, "test"});
    }
    engine_ = make_engine(options_);
    host_.on_call = [this](HostCall& call) {
      host_saw_ = call.args;
      call.results.push_back(call.args.size() == 1 ? call.args[0] : Value::tuple(call.args));
      return HostStatus::kDone;
    };
  }

  std::unique_ptr<Instance> spawn(const std::string& guest) {
    auto bytes = read_file(std::string(THEATER_BUILD_DIR) + "/tests/guests/" + guest + ".wasm");
    CHECK(bytes.ok());
    auto module = engine_->compile(*bytes);
    CHECK(module.ok(), module.ok() ? "" : module.error().message);
    auto instance = (*module)->instantiate(host_, {});
    CHECK(instance.ok());
    CHECK(!call(**instance, initialize_function(), {}).trap);
    return std::move(*instance);
  }

  void roundtrip(Instance& guest, const ExportFunction& function, Random& random) {
    std::vector<Value> args;
    for (const auto& [name, type] : function.type.params) args.push_back(random.value(type));
    const CallOutcome outcome = call(guest, function, args);
    ASSERT_FALSE(outcome.trap) << function.name << ": " << outcome.trap->message;
    ASSERT_EQ(outcome.results.size(), 1u);
    ASSERT_EQ(host_saw_, args) << function.name;
    ASSERT_EQ(outcome.results[0], args.size() == 1 ? args[0] : Value::tuple(args)) << function.name;
  }

  EngineOptions options_;
  std::map<std::string, ExportFunction> exports_;
  std::unique_ptr<Engine> engine_;
  ScriptedHost host_;
  std::vector<Value> host_saw_;
};

TEST_F(EchoTest, TenThousandRandomValuesOfAllTypesComeBackEqual) {
  auto generated = spawn("echo_types");
  auto flags = spawn("flags");
  Random random(20'261'123);
  int count = 0;
  while (count < 10'000) {
    for (const auto& [name, function] : exports_) {
      Instance& guest = name.starts_with("echo-flags") ? *flags : *generated;
      ASSERT_NO_FATAL_FAILURE(roundtrip(guest, function, random)) << "value " << count;
      ++count;
      host_.calls.clear();
      host_.args.clear();
    }
  }
}

// wit-bindgen's own description of this guest says what the table says, type by type; with any one of them another in
// the table, the guest is refused.
TEST_F(EchoTest, ItsComponentTypeIsTheTables) {
  auto plain = read_file(std::string(THEATER_BUILD_DIR) + "/tests/guests/echo_types.wasm");
  ASSERT_TRUE(plain.ok());
  const Bytes package = with_section(*plain, "component-type:echo", section_file("echo"));
  const auto module = engine_->compile(package);
  ASSERT_TRUE(module.ok()) << module.error().message;
  for (size_t i = 0; i < options_.more_functions.size(); ++i) {
    if (options_.more_functions[i].name.starts_with("echo-flags")) continue;
    EngineOptions options = options_;
    HostFunction& function = options.more_functions[i];
    function.type.result = Type::result(function.type.result, std::nullopt);
    const auto refused = make_engine(options)->compile(package);
    ASSERT_FALSE(refused.ok()) << function.name;
    EXPECT_EQ(refused.error().message.find("imports test:echo/host@0.1.0 " + function.name + " as func("), 0u)
        << refused.error().message;
  }
}

TEST_F(EchoTest, EveryNaNIsTheSameNaN) {
  auto guest = spawn("echo_types");
  const float strange = std::bit_cast<float>(uint32_t{0xFFC12345});
  const CallOutcome outcome = call(*guest, exports_.at("echo-mixed"), {Value::ok(Value::f32(strange))});
  ASSERT_FALSE(outcome.trap);
  EXPECT_EQ(outcome.results[0], Value::ok(Value::f32(std::bit_cast<float>(uint32_t{0x7FC00000}))));
}

TEST_F(EchoTest, LargeValuesComeBackEqual) {
  auto guest = spawn("echo_types");
  const Value bytes = Value::bytes(Bytes(4 << 20, 0xAB));
  const CallOutcome outcome = call(*guest, exports_.at("echo-bytes"), {bytes});
  ASSERT_FALSE(outcome.trap) << outcome.trap->message;
  EXPECT_EQ(outcome.results[0], bytes);
  const Value numbers = Value::list(std::vector<Value>(100'000, Value::u64(7)));
  const CallOutcome more = call(*guest, exports_.at("echo-numbers"), {numbers});
  ASSERT_FALSE(more.trap) << more.trap->message;
  EXPECT_EQ(more.results[0], numbers);
}

TEST_F(EchoTest, ParkingInBetweenChangesNothing) {
  auto guest = spawn("echo_types");
  host_.park_count = 3;
  Random random(7);
  for (const auto& [name, function] : exports_) {
    if (name.starts_with("echo-flags")) continue;
    ASSERT_NO_FATAL_FAILURE(roundtrip(*guest, function, random));
  }
}

}  // namespace
}  // namespace theater::wasm
