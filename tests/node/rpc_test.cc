// The handler `rpc`: calls of other actors' own functions, and what is refused. Each test replays the chains that it
// made.
#include <gmock/gmock.h>

#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::HasSubstr;

constexpr const char* kCall = "theater:simple/rpc@0.1.0/call";
constexpr const char* kAdd = "my:shop/till@1.0.0/add";
constexpr const char* kAddExport = "my:shop/till@1.0.0#add";
constexpr const char* kAskExport = "my:shop/till@1.0.0#ask";

std::string outcome(const Value& result) {
  const auto& value = *result.get<Value::ResultOf>();
  if (!value.ok) return str_cat("error: ", *value.payload->get<std::string>());
  const auto& option = value.payload->get<Value::Option>()->payload;
  return option == nullptr ? "none" : std::string(as_text(*option->get<Bytes>()));
}

void call_other(wasm::FakeCall& call, const std::string& target, const std::string& function, const std::string& args,
                std::optional<uint64_t> timeout_ns) {
  call.host(kCall, {Value::string(target), Value::string(function), Value::bytes(to_bytes(args)),
                    timeout_ns ? Value::some(Value::u64(*timeout_ns)) : Value::none()});
  const std::string state = state_of(call);
  call.then([state](wasm::FakeCall& then) { then.result(ok_reply(state, outcome(then.answers().back()))); });
}

// "call TARGET FUNCTION ARGS", "call-50ms TARGET FUNCTION ARGS", "sleep MS", "state".
void obey_call(wasm::FakeCall& call) {
  std::istringstream words(message_of(call));
  std::string word, target, function, args;
  words >> word >> target;
  if (word == "call" || word == "call-50ms") {
    words >> function;
    std::getline(words >> std::ws, args);
    return call_other(call, target, function, args, word == "call" ? std::nullopt : std::optional(50'000'000));
  }
  if (word == "sleep") call.host(kSleepCall, {Value::u64(std::stoull(target) * 1'000'000)});
  call.result(ok_reply(state_of(call), state_of(call)));
}

std::string args_of(const wasm::FakeCall& call) {
  return std::string(as_text(*call.args()[1].get<Value::Tuple>()->items[0].get<Bytes>()));
}

// The state is a text; each call adds to it and answers with it. "fail", "trap", "sleep MS" and "nothing" do that.
void add(wasm::FakeCall& call) {
  const std::string args = args_of(call);
  if (args == "fail") return call.result(Value::err(Value::string("no, thank you")));
  if (args == "trap") return call.trap("the test said so");
  if (args == "nothing") return call.result(ok_reply(state_of(call), std::nullopt));
  if (args.starts_with("sleep ")) call.host(kSleepCall, {Value::u64(std::stoull(args.substr(6)) * 1'000'000)});
  call.result(ok_reply(state_of(call) + args, state_of(call) + args));
}

class RpcTest : public testing::Test {
 protected:
  RpcTest() {
    node.package("caller", {.imports = {kCall, kSleepCall},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, obey_call},
                                        {kAdd, add},
                                        {"my:shop/till@1.0.0/ask", [](wasm::FakeCall& call) {  // calls whom it is told
                                           call_other(call, args_of(call), kAskExport, state_of(call), std::nullopt);
                                         }}}});
  }
  ~RpcTest() override { expect_all_replay(node); }

  ActorId caller(const std::string& functions = "", const std::string& more = "") {
    return node.spawn("caller", str_cat("[[handler]]\ntype = \"rpc\"\n", functions, more));
  }
  std::string ask(const ActorId& actor, const std::string& message) {
    const auto answer = request(node.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(**answer)) : "failed: " + answer.error().message;
  }
  std::string call(const ActorId& from, const ActorId& to, std::string_view function, const std::string& args) {
    return ask(from, str_cat("call ", to.hex(), " ", function, " ", args));
  }

  FakeNode node;
};

TEST_F(RpcTest, AFunctionOfAnotherActorIsCalledWithItsState) {
  const auto a = caller(), b = caller();
  EXPECT_EQ(call(a, b, kAddExport, "one"), "one");
  EXPECT_EQ(call(a, b, kAddExport, "two"), "onetwo");
  EXPECT_EQ(call(a, b, kAddExport, "nothing"), "none");
  EXPECT_EQ(call(a, b, kAddExport, "fail"), "error: no, thank you");
  EXPECT_EQ(ask(b, "state"), "onetwo");
  const auto types = node.record().types(a);
  EXPECT_THAT(types, testing::IsSupersetOf({"call host-call", "call host-return"})) << "an intent and an outcome";
  const auto sent = node.record().chain(a);
  size_t found = 0;
  for (const auto& event : node.record().chain(b)) {
    const auto decoded = schema::decode_event(event.bytes);
    const auto* call = std::get_if<schema::WasmCall>(&decoded->body);
    if (call == nullptr || decoded->header.type != kAdd) continue;
    const auto& cause = std::get<schema::Cause>(call->origin);
    EXPECT_EQ(cause.actor, a);
    EXPECT_EQ(cause.hash, sent.at(cause.sequence).hash);
    ++found;
  }
  EXPECT_EQ(found, 4u);
}

TEST_F(RpcTest, WhatCannotBeCalledIsRefusedWithWords) {
  const auto a = caller(), b = caller();
  EXPECT_THAT(call(a, b, "my:shop/till@1.0.0#subtract", "x"),
              HasSubstr("has no export 'my:shop/till@1.0.0#subtract' that can be called"));
  EXPECT_THAT(call(a, b, "theater:simple/actor@0.1.0#init", "x"), HasSubstr("has no export"));
  EXPECT_THAT(call(a, b, "theater:simple/message-server-client@0.1.0#handle-request", "x"), HasSubstr("has no export"));
  EXPECT_THAT(call(a, b, "memory", "x"), HasSubstr("has no export"));
  EXPECT_THAT(call(a, b, kAdd, "x"), HasSubstr("has no export")) << "an event's type is no name";
  EXPECT_THAT(call(a, a, kAddExport, "x"), HasSubstr("would never be answered"));
  EXPECT_THAT(ask(a, str_cat("call nobody ", kAddExport, " x")), HasSubstr("no actor has the name 'nobody'"));
  const auto small = caller("", "[limits]\nmessage_bytes = \"4 B\"\n");
  EXPECT_THAT(call(a, small, kAddExport, "hello"), HasSubstr("limits.message_bytes"));
  const auto worker = node.spawn("worker");
  EXPECT_THAT(call(a, worker, kAddExport, "x"), HasSubstr("[[handler]]\ntype = \"rpc\""));
}

TEST_F(RpcTest, AManifestSaysWhichFunctionsMayBeCalled) {
  const auto a = caller("functions = []\n"), b = caller(str_cat("functions = [\"", kAddExport, "\"]\n"));
  EXPECT_EQ(call(a, b, kAddExport, "one"), "one");
  EXPECT_THAT(call(a, b, kAskExport, a.hex()), HasSubstr("doesn't let others call 'my:shop/till@1.0.0#ask'"));
  EXPECT_THAT(call(b, a, kAddExport, "x"), HasSubstr("doesn't let others call"));
  const auto missing = spawn(
      node.runtime(), node.asks("caller", "[[handler]]\ntype = \"rpc\"\nfunctions = [\"my:shop/till@1.0.0#sell\"]\n"));
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(missing.error().message,
              HasSubstr("lets others call my:shop/till@1.0.0#sell, but the package doesn't export it as func(state"));
}

TEST_F(RpcTest, ACallHasADeadlineAndWhoeverDiesIsNamed) {
  const auto a = caller(), b = caller();
  EXPECT_THAT(ask(a, str_cat("call-50ms ", b.hex(), " ", kAddExport, " sleep 200")),
              HasSubstr("no answer from 'test'"));
  EXPECT_EQ(ask(b, "state"), "sleep 200") << "it was finished all the same";
  EXPECT_THAT(call(a, b, kAddExport, "trap"), HasSubstr("ended: "));
}

TEST_F(RpcTest, ACycleEndsByDeadlineAndNamesItself) {
  const auto a = caller("", "[limits]\nwait_timeout = \"300 ms\"\n"),
             b = caller("", "[limits]\nwait_timeout = \"1 s\"\n");
  EXPECT_THAT(call(a, b, kAskExport, a.hex()),
              HasSubstr(str_cat("they wait for each other: 'test' ", a.short_hex(), " -> 'test' ", b.short_hex())));
}

TEST_F(RpcTest, AFullMailboxMakesTheCallerWait) {
  const auto a = caller("", "[limits]\nwait_timeout = \"50 ms\"\n"), b = caller("", "[limits]\nmailbox_messages = 1\n");
  node.runtime().request(b, to_bytes("sleep 2000"), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  ASSERT_TRUE(send(node.runtime(), b, "x").error().code == ErrorCode::kRefused);
  node.runtime().request(b, to_bytes("state"), {}, 0, false, [](auto) {});
  EXPECT_THAT(call(a, b, kAddExport, "one"), HasSubstr("no room in the mailbox of 'test'"));
}

TEST_F(RpcTest, KilledInEachState) {
  const auto calls = caller(), called = caller();
  node.runtime().request(calls, to_bytes(str_cat("call ", called.hex(), " ", kAddExport, " sleep 100")), {}, 0, false,
                         [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), calls, "waiting", "answer of"));
  ASSERT_TRUE(kill(node.runtime(), calls).ok());
  EXPECT_EQ(ask(called, "state"), "sleep 100");
}

}  // namespace
}  // namespace theater::node
