// Guests that mean harm, or are broken. Each must end in a trap or a refusal that names what and where; the host lives
// on. The guests stand here as text: imports, then a body; what every guest needs is added where the body doesn't have
// it.
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "tests/wasm/guest_test_util.h"
#include "tests/wasm/starved_host.h"
#include "wasm/lift.h"
#include "wasm/wat.h"

namespace theater::wasm {
namespace {

using schema::ErrorKind;
using schema::Value;
using ::testing::Test;

constexpr const char* kInit = "theater:simple/actor@0.1.0#init";

const char* const kImportLog = R"((import "theater:simple/runtime@0.1.0" "log" (func $log (param i32 i32))))";
const char* const kImportSelf = R"((import "theater:simple/runtime@0.1.0" "get-self" (func $self (param i32))))";
const char* const kImportShutdown =
    R"((import "theater:simple/runtime@0.1.0" "shutdown" (func $shutdown (param i32 i32 i32 i32))))";
const char* const kImportSleep = R"((import "theater:simple/timing@0.1.0" "sleep" (func $sleep (param i64 i32))))";

// init, which runs `code` and answers ok(none).
std::string init(const std::string& code) {
  return std::string("(func (export \"") + kInit + "\") (param i32 i32 i32 i32 i32) (result i32) " + code +
         " i32.const 64)";
}
const char* const kRealloc = R"((global $heap (mut i32) (i32.const 4096))
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap) (local.get $size)))))";

std::string guest(const std::string& imports, const std::string& body) {
  std::string text = "(module " + imports;
  if ((imports + body).find("(memory ") == std::string::npos) text += "(memory (export \"memory\") 1)";
  if (body.find("cabi_realloc\"") == std::string::npos) text += kRealloc;
  if (body.find(std::string("(export \"") + kInit) == std::string::npos) text += init("");
  return text + body + ")";
}

class HostileTest : public Test {
 protected:
  HostileTest() {
    EngineOptions options;
    options.memory_max_bytes = 4 << 20;
    options.slice_fuel = 100'000;
    const auto more = [&options](const std::string& name, FunctionType type) {
      options.more_functions.push_back(HostFunction{"test:hostile/host", name, "test:hostile/host/" + name,
                                                    std::move(type), schema::Effect::kNone, true, false, "test"});
    };
    more("bools", {{{"flags", Type::list(Type::boolean())}}, std::nullopt});
    more("option", {{{"which", Type::option(Type::u8())}}, std::nullopt});
    more("letter", {{{"letter", Type::character()}}, std::nullopt});
    more("numbers", {{{"numbers", Type::list(Type::u32())}}, std::nullopt});
    more("names", {{}, Type::list(Type::string())});
    engine_ = make_engine(options);
    host_.on_call = [](HostCall& call) {
      const std::string& name = call.function->name;
      if (name == "get-self") call.results = {Value::string("0123456789")};
      if (name == "sleep" || name == "shutdown") call.results = {Value::ok()};
      if (name == "names") call.results = {Value::list({Value::string("one"), Value::string("two")})};
      return HostStatus::kDone;
    };
  }

  Result<std::shared_ptr<Module>> compile(const std::string& text) {
    auto bytes = wat_to_wasm(text);
    CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
    return engine_->compile(*bytes);
  }
  std::string refusal(const std::string& text) {
    auto module = compile(text);
    return module.ok() ? "accepted" : module.error().message;
  }

  std::unique_ptr<Instance> instance(const std::string& text, Limits limits = Limits{.memory_bytes = 4 << 20}) {
    auto module = compile(text);
    CHECK(module.ok(), module.ok() ? "" : module.error().message);
    auto made = (*module)->instantiate(host_, limits);
    CHECK(made.ok(), made.ok() ? "" : made.error().message);
    return std::move(*made);
  }

  // What init ends with, after an _initialize that must go well.
  CallOutcome run_init(const std::string& text, Steps* steps = nullptr) {
    instance_ = instance(text);
    const CallOutcome first = call(*instance_, initialize_function(), {});
    CHECK(!first.trap, first.trap ? first.trap->message : "");
    return call(*instance_, init_function(), init_args(), steps);
  }
  std::string trap_of(const std::string& imports, const std::string& body) {
    const CallOutcome outcome = run_init(guest(imports, body));
    if (!outcome.trap) return "no trap";
    EXPECT_EQ(outcome.results.size(), 0u);
    return outcome.trap->message;
  }

  ScriptedHost host_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Instance> instance_;
};

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << "says: " << (text)

// --- Refused at load ---

TEST_F(HostileTest, WhatIsNotAModuleIsRefused) {
  EXPECT_SAYS(engine_->compile(as_bytes("hello, world")).error().message, "not a WebAssembly module");
  EXPECT_SAYS(engine_->compile({}).error().message, "not a WebAssembly module");
  const Bytes component = {0, 'a', 's', 'm', 0x0d, 0, 1, 0};
  EXPECT_SAYS(engine_->compile(component).error().message, "component");
  const Bytes future = {0, 'a', 's', 'm', 2, 0, 0, 0};
  EXPECT_SAYS(engine_->compile(future).error().message, "unknown version");
  const Bytes cut = {0, 'a', 's', 'm', 1, 0, 0, 0, 1, 200, 1};
  EXPECT_SAYS(engine_->compile(cut).error().message, "refused by the engine");
}

TEST_F(HostileTest, UnknownImportsAreRefusedByName) {
  const std::string no_interface = refusal(guest(R"((import "theater:simple/printer@0.1.0" "print" (func)))", ""));
  EXPECT_SAYS(no_interface, "theater:simple/printer@0.1.0 print");
  EXPECT_SAYS(no_interface, "theater:simple/runtime@0.1.0");
  const std::string no_name = refusal(guest(R"((import "theater:simple/runtime@0.1.0" "print" (func)))", ""));
  EXPECT_SAYS(no_name, "this interface has: log, get-self, get-chain-head, shutdown");
  EXPECT_SAYS(refusal(guest(R"((import "wasi_snapshot_preview1" "path_open" (func)))", "")), "path_open");
  EXPECT_SAYS(refusal(guest(R"((import "env" "memory" (memory 1)))", "(export \"memory\" (memory 0))")),
              "isn't a function");
}

TEST_F(HostileTest, WrongSignaturesAreRefusedWithBoth) {
  const std::string import = refusal(guest(R"((import "theater:simple/runtime@0.1.0" "log" (func (param i32))))", ""));
  EXPECT_SAYS(import, "(i32) -> ()");
  EXPECT_SAYS(import, "(i32, i32) -> ()");
  const std::string vector = refusal(guest(R"((import "theater:simple/runtime@0.1.0" "log" (func (param v128))))", ""));
  EXPECT_SAYS(vector, "vectors or references");
  const std::string exported =
      refusal(guest("", std::string("(func (export \"") + kInit + "\") (param i32) (result i32) i32.const 64)"));
  EXPECT_SAYS(exported, kInit);
  EXPECT_SAYS(exported, "(i32, i32, i32, i32, i32) -> (i32)");
  EXPECT_SAYS(refusal(guest("", R"((func (export "cabi_realloc") (param i32) (result i32) unreachable))")),
              "cabi_realloc");
  EXPECT_SAYS(refusal(guest("", R"((func (export "cabi_post_theater:simple/actor@0.1.0#init")))")), "cabi_post_");
}

TEST_F(HostileTest, MissingExportsAreRefusedByName) {
  EXPECT_SAYS(refusal("(module)"), "memory");
  EXPECT_SAYS(refusal(R"((module (memory (export "memory") 1)))"), "cabi_realloc");
  EXPECT_SAYS(refusal(std::string(R"((module (memory (export "memory") 1) )") + kRealloc + ")"), kInit);
}

TEST_F(HostileTest, ProposalsThatDoNotReplayAreRefused) {
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"threads", "(memory 1 1 shared)"},
      {"memory64", "(memory i64 1)"},
      {"multi-memory", "(memory $other 1)"},
      {"gc", "(type $s (struct (field i32)))"},
      {"exceptions", "(tag $t)"},
      {"stack switching", "(type $f (func)) (type $c (cont $f))"},
      {"custom page sizes", "(memory 1 (pagesize 1))"},
  };
  for (const auto& [name, text] : refused) {
    std::string module = "(module ";
    if (name == "multi-memory" || text.find("(memory") == std::string::npos) module += "(memory (export \"memory\") 1)";
    module += text + kRealloc + init("") + ")";
    EXPECT_SAYS(refusal(module), "refused") << name;
  }
}

TEST_F(HostileTest, MemoryBeyondTheLimitIsRefusedOrNotGiven) {
  EXPECT_SAYS(refusal(guest("", "(memory (export \"memory\") 100)")),
              "minimum byte size of 6553600 which exceeds the limit");
  auto module = compile(guest("", "(memory (export \"memory\") 4)"));
  ASSERT_TRUE(module.ok());
  const auto made = (*module)->instantiate(host_, Limits{.memory_bytes = 65536});
  EXPECT_EQ(made.error().code, ErrorCode::kRefused);
  EXPECT_SAYS(made.error().message, "limits.memory is 65536");

  // memory.grow answers -1 at the manifest's limit, the same way every time; up to there it works.
  auto actor = instance(guest("", init("(if (i32.ne (memory.grow (i32.const 3)) (i32.const 1)) (then unreachable))"
                                       "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))")),
                        Limits{.memory_bytes = 4 * 65536});
  ASSERT_FALSE(call(*actor, initialize_function(), {}).trap);
  EXPECT_FALSE(call(*actor, init_function(), init_args()).trap);
  EXPECT_EQ(actor->memory_bytes(), 4u * 65536);
}

// A size that no 32-bit memory has, before and after a growth that goes well: -1, not the host's failure.
TEST_F(HostileTest, GrowthBeyondAnyMemoryIsNotGiven) {
  const std::string too_much = "(if (i32.ne (memory.grow (i32.const 65536)) (i32.const -1)) (then unreachable))";
  const std::string one = "(if (i32.ne (memory.grow (i32.const 1)) (i32.const 1)) (then unreachable))";
  for (const std::string memory : {"", "(memory (export \"memory\") 1 3)"}) {
    EXPECT_EQ(trap_of("", memory + init(too_much + one + too_much)), "no trap");
  }
  EXPECT_EQ(trap_of("", "(memory (export \"memory\") 1 2)" + init(one + "(if (i32.ne (memory.grow (i32.const 1)) "
                                                                        "(i32.const -1)) (then unreachable))")),
            "no trap");
}

TEST_F(HostileTest, TablesGrowToTheLimitOrTheirOwn) {
  const auto grow = [](int by, int want) {
    return str_cat("(if (i32.ne (table.grow (ref.null func) (i32.const ", by, ")) (i32.const ", want,
                   ")) (then unreachable))");
  };
  EXPECT_EQ(trap_of("", "(table 1 4 funcref)" + init(grow(3, 1) + grow(1, -1))), "no trap");
  EXPECT_EQ(trap_of("", "(table 1 funcref)" + init(grow(99'999, 1) + grow(1, -1) + grow(-1, -1))), "no trap");
  EXPECT_EQ(trap_of("", "(table 1 funcref)" + init(grow(100'000, -1) + grow(99'999, 1))), "no trap");
}

// What the limit allows and the host can't give: never a -1, which would depend on the machine.
TEST_F(HostileTest, AHostThatCanNotGrowAMemoryEndsTheCall) {
  EngineOptions options;
  options.memory_max_bytes = 64 << 20;
  engine_ = make_engine(options);
  const std::string grow = "(drop (memory.grow (i32.const 512)))";
  const std::map<std::string, std::string> guests = {
      {"init", guest("", init(grow))},
      {"start", guest("", "(func $s " + grow + ") (start $s)")},
      {"cabi_realloc for the arguments",
       guest("", "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) " + grow + "(i32.const 4096))" +
                     init(""))},
  };
  for (const auto& [where, text] : guests) {
    auto actor = instance(text, Limits{.memory_bytes = 64 << 20});
    std::optional<CallOutcome> outcome;
    {
      const StarvedHost starved;
      if (!starved.works()) GTEST_SKIP() << "RLIMIT_DATA doesn't hold here";
      outcome = call(*actor, initialize_function(), {});
      if (!outcome->trap) outcome = call(*actor, init_function(), init_args());
    }
    ASSERT_TRUE(outcome->trap) << where;
    EXPECT_EQ(outcome->trap->kind, ErrorKind::kHostFailure) << where;
    EXPECT_SAYS(outcome->trap->message, "the host couldn't grow the guest's memory") << where;
    // And where it can, it does.
    actor = instance(text, Limits{.memory_bytes = 64 << 20});
    ASSERT_FALSE(call(*actor, initialize_function(), {}).trap) << where;
    ASSERT_FALSE(call(*actor, init_function(), init_args()).trap) << where;
    EXPECT_GE(actor->memory_bytes(), uint64_t{513} << 16) << where;
  }
}

TEST_F(HostileTest, ATableBeyondTheLimitIsNotGiven) {
  auto actor = instance(guest("", "(table 1000 funcref)"), Limits{.memory_bytes = 1 << 20, .table_elements = 10});
  const CallOutcome outcome = call(*actor, initialize_function(), {});
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, ErrorKind::kLimit);
  EXPECT_SAYS(outcome.trap->message, "table");
}

// --- Traps of its own making ---

TEST_F(HostileTest, TrapsNameTheCauseAndTheFunction) {
  EXPECT_SAYS(trap_of("", init("unreachable")), "unreachable code");
  EXPECT_SAYS(trap_of("", init("(drop (i32.load (i32.const -8)))")), "outside its memory");
  EXPECT_SAYS(trap_of("", init("(drop (i32.div_u (i32.const 1) (i32.const 0)))")), "division by zero");
  EXPECT_SAYS(trap_of("", "(func $oops unreachable)" + init("call $oops")), "oops < ");
}

TEST_F(HostileTest, EndlessRecursionIsATrap) {
  const CallOutcome outcome =
      run_init(guest("", "(func $f (param i64) (call $f (local.get 0)))" + init("(call $f (i64.const 1))")));
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, ErrorKind::kLimit);
  EXPECT_SAYS(outcome.trap->message, "stack overflow");
}

TEST_F(HostileTest, AnEndlessLoopYieldsAndCanBeKilled) {
  for (const std::string where : {"init", "realloc", "initialize", "start"}) {
    const std::string loop = "(loop $l (br $l))";
    std::string body = where == "init" ? init(loop) : "";
    if (where == "realloc") {
      body = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) " + loop + " i32.const 0)";
    }
    if (where == "initialize") body = "(func (export \"_initialize\") " + loop + ")";
    if (where == "start") body = "(func $s " + loop + ") (start $s)";
    auto actor = instance(guest("", body));
    actor->start(initialize_function(), {});
    Instance::Progress progress = actor->run();
    if (progress == Instance::Progress::kDone) {
      (void)actor->take_outcome();
      actor->start(init_function(), init_args());
      progress = actor->run();
    }
    for (int i = 0; i < 5; ++i) {
      ASSERT_EQ(progress, Instance::Progress::kYielded) << where;
      progress = actor->run();
    }
    EXPECT_GE(actor->fuel_used(), 500'000u);
  }
}

// --- Pointers and lengths ---

TEST_F(HostileTest, StringsOutsideMemoryAreTraps) {
  EXPECT_SAYS(trap_of(kImportLog, init("(call $log (i32.const 65530) (i32.const 7))")),
              "theater:simple/runtime@0.1.0/log: argument msg: string at 65530 of 7 bytes reaches past the end of "
              "memory (65536 bytes)");
  EXPECT_SAYS(trap_of(kImportLog, init("(call $log (i32.const -1) (i32.const -1))")), "argument msg");
  EXPECT_SAYS(trap_of(kImportLog, init("(call $log (i32.const 16) (i32.const -8))")), "argument msg");
  EXPECT_SAYS(trap_of(kImportLog, init("(call $log (i32.const 65537) (i32.const 0))")), "argument msg");
  EXPECT_EQ(trap_of(kImportLog, init("(call $log (i32.const 65530) (i32.const 6))")), "no trap");
  EXPECT_EQ(trap_of(kImportLog, init("(call $log (i32.const 65536) (i32.const 0))")), "no trap");
}

TEST_F(HostileTest, InvalidUtf8IsATrap) {
  EXPECT_SAYS(
      trap_of(kImportLog, "(data (i32.const 0) \"\\ff\\fe\")" + init("(call $log (i32.const 0) (i32.const 2))")),
      "UTF-8");
  EXPECT_SAYS(
      trap_of(kImportLog, "(data (i32.const 0) \"\\ed\\a0\\80\")" + init("(call $log (i32.const 0) (i32.const 3))")),
      "UTF-8");
  EXPECT_TRUE(host_.calls.empty());
}

TEST_F(HostileTest, BadDiscriminantsAndCharactersAreTraps) {
  const std::string option = R"((import "test:hostile/host" "option" (func $option (param i32 i32))))";
  EXPECT_SAYS(trap_of(option, init("(call $option (i32.const 2) (i32.const 0))")), "argument which: discriminant 2");
  EXPECT_SAYS(trap_of(option, init("(call $option (i32.const -1) (i32.const 0))")), "discriminant 4294967295");
  const std::string letter = R"((import "test:hostile/host" "letter" (func $letter (param i32))))";
  EXPECT_SAYS(trap_of(letter, init("(call $letter (i32.const 0xD800))")), "Unicode");
  EXPECT_SAYS(trap_of(letter, init("(call $letter (i32.const 0x110000))")), "Unicode");
  // In a result: the tag of result<…>, then of option<…>.
  EXPECT_SAYS(trap_of("", "(data (i32.const 64) \"\\07\")"), "theater:simple/actor@0.1.0/init: result: discriminant 7");
  EXPECT_SAYS(trap_of("", "(data (i32.const 64) \"\\00\\00\\00\\00\\09\")"), "discriminant 9");
}

TEST_F(HostileTest, HugeListsAreTraps) {
  const std::string numbers = R"((import "test:hostile/host" "numbers" (func $numbers (param i32 i32))))";
  EXPECT_SAYS(trap_of(numbers, init("(call $numbers (i32.const 0) (i32.const -1))")), "reaches past the end");
  EXPECT_SAYS(trap_of(numbers, init("(call $numbers (i32.const 2) (i32.const 1))")), "isn't aligned to 4");
  const std::string bools = R"((import "test:hostile/host" "bools" (func $bools (param i32 i32))))";
  EXPECT_SAYS(
      trap_of(bools, "(memory (export \"memory\") 32)" + init("(call $bools (i32.const 0) (i32.const 2000000))")),
      "more than 1000000 values");
}

TEST_F(HostileTest, BadReturnPointersAreTrapsBeforeTheHostIsAsked) {
  EXPECT_SAYS(trap_of(kImportSelf, init("(call $self (i32.const 65532))")), "the return pointer 65532");
  EXPECT_SAYS(trap_of(kImportSelf, init("(call $self (i32.const 2))")), "the return pointer 2");
  EXPECT_SAYS(
      trap_of(kImportShutdown, init("(call $shutdown (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -4))")),
      "the return pointer");
  EXPECT_TRUE(host_.calls.empty());
}

TEST_F(HostileTest, BadResultPointersAreTraps) {
  const std::string head = std::string("(func (export \"") + kInit + "\") (param i32 i32 i32 i32 i32) (result i32) ";
  EXPECT_SAYS(trap_of("", head + "i32.const -4)"), "result: value at 4294967292");
  EXPECT_SAYS(trap_of("", head + "i32.const 66)"), "isn't aligned to 4");
  // err(string) whose pointer is nonsense
  EXPECT_SAYS(trap_of("", "(data (i32.const 64) \"\\01\\00\\00\\00\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\")"),
              "result: string at 4294967295");
}

// --- cabi_realloc ---

TEST_F(HostileTest, ReallocThatAnswersNonsenseIsATrap) {
  const auto realloc = [](const std::string& answer) {
    return "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) " + answer + ")";
  };
  EXPECT_SAYS(trap_of("", realloc("i32.const -1")), "cabi_realloc answered 4294967295 for 5 bytes");
  EXPECT_SAYS(trap_of("", realloc("i32.const 65533")), "reaches past the end of memory");
  EXPECT_SAYS(trap_of("", realloc("unreachable")),
              "cabi_realloc for the arguments of theater:simple/actor@0.1.0/init: unreachable");
  const std::string names = R"((import "test:hostile/host" "names" (func $names (param i32))))";
  // Good for bytes (init's argument), misaligned for a list of strings.
  EXPECT_SAYS(trap_of(names, realloc("i32.const 1025") + init("(call $names (i32.const 256))")), "isn't aligned to 4");
  // Good for the arguments, out of range for the answer.
  EXPECT_SAYS(trap_of(kImportSelf,
                      "(global $n (mut i32) (i32.const 0))" +
                          realloc("(global.set $n (i32.add (global.get $n) (i32.const 1)))"
                                  "(select (i32.const 1024) (i32.const -16) (i32.eq (global.get $n) (i32.const 1)))") +
                          init("(call $self (i32.const 256))")),
              "theater:simple/runtime@0.1.0/get-self: the answer: cabi_realloc answered 4294967280");
}

TEST_F(HostileTest, ReallocMayNotNest) {
  const auto realloc = [](const std::string& code) {
    return "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) " + code + " i32.const 1024)";
  };
  // Inside the host's call for arguments.
  EXPECT_SAYS(trap_of(kImportSelf, realloc("(call $self (i32.const 256))")), "called from inside cabi_realloc");
  EXPECT_SAYS(trap_of(kImportSelf, realloc("(call $self (i32.const 256))")), "cabi_realloc for the arguments of");
  EXPECT_SAYS(trap_of(kImportSleep, realloc("(call $sleep (i64.const 1) (i32.const 256))")),
              "called from inside cabi_realloc");
  // Inside an import's call for its answer: the first call is for init's argument.
  const std::string second = "(global $n (mut i32) (i32.const 0))" +
                             realloc(
                                 "(global.set $n (i32.add (global.get $n) (i32.const 1)))"
                                 "(if (i32.gt_u (global.get $n) (i32.const 1)) (then (call $self (i32.const 256))))");
  const std::string message = trap_of(kImportSelf, second + init("(call $self (i32.const 256))"));
  EXPECT_SAYS(message,
              "get-self: cabi_realloc for the answer: theater:simple/runtime@0.1.0/get-self: called from inside");
  EXPECT_EQ(host_.calls.size(), 1u);
  // And in cabi_post.
  EXPECT_SAYS(
      trap_of(kImportSelf,
              "(func (export \"cabi_post_theater:simple/actor@0.1.0#init\") (param i32) (call $self (i32.const 256)))"),
      "cabi_post_ of theater:simple/actor@0.1.0/init");
}

TEST_F(HostileTest, ReallocMayCallWhatNeedsNoMemory) {
  const std::string body =
      "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (call $log (i32.const 0) (i32.const 0)) "
      "i32.const 1024)" +
      init("(call $self (i32.const 256))");
  host_.park_count = 1;  // and the host may let it wait, as for a slow auditor
  Steps steps;
  const CallOutcome outcome = run_init(guest(std::string(kImportLog) + kImportSelf, body), &steps);
  ASSERT_FALSE(outcome.trap) << outcome.trap->message;
  EXPECT_EQ(host_.calls, (std::vector<std::string>{"log", "get-self", "log"}));
  EXPECT_EQ(steps.parked, 3);
}

TEST_F(HostileTest, ASlowReallocYieldsAndItsFuelRepeats) {
  const std::string slow =
      "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $i i32)"
      "(loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000)))) "
      "i32.const 1024)" +
      init("(call $self (i32.const 256))");
  Steps steps;
  const CallOutcome first = run_init(guest(kImportSelf, slow), &steps);
  ASSERT_FALSE(first.trap) << first.trap->message;
  EXPECT_GT(steps.yielded, 10);
  EXPECT_EQ(run_init(guest(kImportSelf, slow)).fuel, first.fuel);
}

TEST_F(HostileTest, KilledInsideReallocInsideAnImport) {
  // The second call of cabi_realloc, for the answer of get-self, logs; the host lets that wait. Two stacks are in use.
  const std::string body =
      "(global $n (mut i32) (i32.const 0))"
      "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)"
      " (global.set $n (i32.add (global.get $n) (i32.const 1)))"
      " (if (i32.gt_u (global.get $n) (i32.const 1)) (then (call $log (i32.const 0) (i32.const 0))))"
      " i32.const 1024)" +
      init("(call $self (i32.const 256))");
  for (int round = 0; round < 300; ++round) {  // more often than there are stacks: they must come back
    auto actor = instance(guest(std::string(kImportLog) + kImportSelf, body));
    ASSERT_FALSE(call(*actor, initialize_function(), {}).trap);
    host_.on_call = [](HostCall& c) {
      if (c.function->name == "log") return HostStatus::kParked;
      c.results = {Value::string("me")};
      return HostStatus::kDone;
    };
    actor->start(init_function(), init_args());
    ASSERT_EQ(actor->run(), Instance::Progress::kParked);
    ASSERT_EQ(actor->run(), Instance::Progress::kParked);
  }
}

// --- The host's own failures and the rest ---

TEST_F(HostileTest, AnAnswerOfTheWrongTypeIsTheHostsFailure) {
  host_.on_call = [](HostCall& c) {
    c.results = {Value::u8(1)};
    return HostStatus::kDone;
  };
  const CallOutcome outcome = run_init(guest(kImportSelf, init("(call $self (i32.const 256))")));
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, ErrorKind::kHostFailure);
}

TEST_F(HostileTest, AHostsTrapKeepsItsKindAndMessage) {
  host_.on_call = [](HostCall& c) {
    c.error = "the event takes more than 65536 bytes";
    c.trap_kind = ErrorKind::kLimit;
    return HostStatus::kTrap;
  };
  const CallOutcome outcome = run_init(guest(kImportLog, init("(call $log (i32.const 0) (i32.const 0))")));
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, ErrorKind::kLimit);
  EXPECT_EQ(outcome.trap->message, "theater:simple/runtime@0.1.0/log: the event takes more than 65536 bytes");
}

TEST_F(HostileTest, ArgumentsOfTheWrongTypeAreNoCrash) {
  auto actor = instance(guest("", ""));
  ASSERT_FALSE(call(*actor, initialize_function(), {}).trap);
  const CallOutcome outcome = call(*actor, init_function(), {Value::u8(1)});
  ASSERT_TRUE(outcome.trap);
  EXPECT_EQ(outcome.trap->kind, ErrorKind::kHostFailure);
}

TEST_F(HostileTest, AStartFunctionMayCallTheHost) {
  auto actor = instance(guest(kImportLog, "(func $s (call $log (i32.const 0) (i32.const 0))) (start $s)"));
  host_.park_count = 1;
  Steps steps;
  EXPECT_FALSE(call(*actor, initialize_function(), {}, &steps).trap);
  EXPECT_EQ(steps.parked, 1);
  EXPECT_EQ(host_.calls.size(), 1u);
}

TEST_F(HostileTest, InstancesBeyondTheLimitAreRefusedByName) {
  EngineOptions options;
  options.instances_max = 2;
  engine_ = make_engine(options);
  auto module = compile(guest("", ""));
  ASSERT_TRUE(module.ok());
  auto first = (*module)->instantiate(host_, {});
  auto second = (*module)->instantiate(host_, {});
  ASSERT_TRUE(first.ok() && second.ok());
  const auto third = (*module)->instantiate(host_, {});
  EXPECT_EQ(third.error().code, ErrorCode::kUnavailable);
  EXPECT_SAYS(third.error().message, "2 actors are alive");
  first->reset();
  EXPECT_TRUE((*module)->instantiate(host_, {}).ok());
}

}  // namespace
}  // namespace theater::wasm
