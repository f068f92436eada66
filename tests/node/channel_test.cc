// Channels: what opening, sending and closing promise, who is told what, and what is refused. Each test replays the
// chains that it made.
#include <gmock/gmock.h>

#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kOpen = "theater:simple/message-server-host@0.1.0/open-channel";
constexpr const char* kSay = "theater:simple/message-server-host@0.1.0/send-on-channel";
constexpr const char* kClose = "theater:simple/message-server-host@0.1.0/close-channel";
constexpr const char* kHandleOpen = "theater:simple/message-server-client@0.1.0/handle-channel-open";
constexpr const char* kHandleMessage = "theater:simple/message-server-client@0.1.0/handle-channel-message";
constexpr const char* kHandleClose = "theater:simple/message-server-client@0.1.0/handle-channel-close";

Value text_bytes(const std::string& text) { return Value::bytes(to_bytes(text)); }

std::string error_or(const Value& result, const std::function<std::string(const Value&)>& ok) {
  const auto& value = *result.get<Value::ResultOf>();
  if (!value.ok) return str_cat("error: ", *value.payload->get<std::string>());
  return value.payload == nullptr ? "ok" : ok(*value.payload);
}
std::string option_text(const Value& option) {
  const auto& payload = option.get<Value::Option>()->payload;
  return payload == nullptr ? "nothing" : std::string(as_text(*payload->get<Bytes>()));
}
// "ok", "error: …", or "NUMBER SAID" of an open-channel.
std::string outcome(const Value& result) {
  return error_or(result, [](const Value& payload) {
    const auto& parts = payload.get<Value::Tuple>()->items;
    return str_cat(*parts[0].get<uint64_t>(), " ", option_text(parts[1]));
  });
}
const std::vector<Value>& params_of(const wasm::FakeCall& call) { return call.args()[1].get<Value::Tuple>()->items; }

void open(wasm::FakeCall& call, const std::string& target, const std::string& message) {
  call.host(kOpen, {Value::string(target), text_bytes(message), Value::none()});
}

// Opens a channel and closes it, `left` times.
void churn(wasm::FakeCall& call, const std::string& target, int left) {
  if (left == 0) return call.result(ok_reply("", "churned"));
  open(call, target, "hello");
  call.then([target, left](wasm::FakeCall& opened) {
    const std::string number = outcome(opened.answers().back());
    opened.host(kClose, {Value::u64(std::stoull(number))});
    opened.then([target, left](wasm::FakeCall& closed) { churn(closed, target, left - 1); });
  });
}

// "open TARGET TEXT", "open-50ms TARGET TEXT", "opens TARGET N", "churn TARGET N", "say N TEXT", "flood N COUNT",
// "close N", "sleep-say MS N", "sleep-close MS N", "sleep MS", "state".
void obey_chat(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  std::istringstream words(message);
  std::string word, first, second;
  words >> word >> first;
  std::getline(words >> std::ws, second);
  const auto number = [](const std::string& text) { return Value::u64(std::stoull(text)); };
  if (word == "open") {
    open(call, first, second);
  } else if (word == "open-50ms") {
    call.host(kOpen, {Value::string(first), text_bytes(second), Value::some(Value::u64(50'000'000))});
  } else if (word == "opens") {
    for (int i = 0; i < std::stoi(second); ++i) open(call, first, "hello");
  } else if (word == "churn") {
    return churn(call, first, std::stoi(second));
  } else if (word == "say") {
    call.host(kSay, {number(first), text_bytes(second)});
  } else if (word == "flood") {
    for (int i = 0; i < std::stoi(second); ++i) call.host(kSay, {number(first), text_bytes(str_cat(i))});
  } else if (word == "close") {
    call.host(kClose, {number(first)});
  } else if (word == "sleep-say" || word == "sleep-close") {
    call.host(kSleepCall, {Value::u64(std::stoull(first) * 1'000'000)});
    if (word == "sleep-say") call.host(kSay, {number(second), text_bytes("late")});
    if (word == "sleep-close") call.host(kClose, {number(second)});
  } else if (word == "sleep") {
    call.host(kSleepCall, {Value::u64(std::stoull(first) * 1'000'000)});
  } else {
    return call.result(ok_reply(state, state));
  }
  call.then([state](wasm::FakeCall& then) { then.result(ok_reply(state, outcome(then.answers().back()))); });
}

Value answer_offer(const std::string& state, bool accepted, const std::string& said) {
  return Value::ok(Value::tuple(
      {Value::some(text_bytes(state)), Value::tuple({Value::boolean(accepted), Value::some(text_bytes(said))})}));
}

// "no", "fail", "trap", "sleep MS", "early" (uses the channel before it is open); anything else is welcome.
void on_offer(wasm::FakeCall& call) {
  const auto& params = params_of(call);
  const uint64_t channel = *params[1].get<uint64_t>();
  const std::string message(as_text(*params[2].get<Bytes>()));
  const std::string state = str_cat(state_of(call), "open ", channel, ";");
  if (message == "no") return call.result(answer_offer(state_of(call), false, "not you"));
  if (message == "fail") return call.result(Value::err(Value::string("no, thank you")));
  if (message == "trap") return call.trap("the test said so");
  if (message.starts_with("sleep ")) {
    call.host(kSleepCall, {Value::u64(std::stoull(message.substr(6)) * 1'000'000)});
  } else if (message == "early") {
    call.host(kSay, {Value::u64(channel), text_bytes("too early")});
    return call.then(
        [state](wasm::FakeCall& then) { then.result(answer_offer(state, true, error_or(then.answers().back(), {}))); });
  }
  call.result(answer_offer(state, true, "welcome"));
}

// Notes it; "echo TEXT" is answered on the channel.
void on_message(wasm::FakeCall& call) {
  const auto& params = params_of(call);
  const uint64_t channel = *params[0].get<uint64_t>();
  const std::string message(as_text(*params[1].get<Bytes>()));
  if (message.starts_with("echo ")) call.host(kSay, {Value::u64(channel), text_bytes(message.substr(5))});
  call.result(ok_state(str_cat(state_of(call), channel, "=", message, ";")));
}

void on_close(wasm::FakeCall& call) {
  const auto& params = params_of(call);
  call.result(ok_state(
      str_cat(state_of(call), "closed ", *params[0].get<uint64_t>(), ": ", *params[1].get<std::string>(), ";")));
}

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    const std::vector<std::string> imports = {kOpen, kSay, kClose, kSleepCall};
    const auto init = [](wasm::FakeCall& call) { call.result(ok_state("")); };
    node.package("chat", {.imports = imports,
                          .exports = {{kInit, init},
                                      {kHandleRequest, obey_chat},
                                      {kHandleOpen, on_offer},
                                      {kHandleMessage, on_message},
                                      {kHandleClose, on_close}}});
    node.package(
        "mute",  // doesn't care when a channel is closed, and takes no messages
        {.imports = imports, .exports = {{kInit, init}, {kHandleRequest, obey_chat}, {kHandleOpen, on_offer}}});
  }
  ~ChannelTest() override { expect_all_replay(node); }

  ActorId chat(const std::string& limits = "", const std::string& package = "chat") {
    return node.spawn(package, limits.empty() ? "" : "[limits]\n" + limits);
  }
  std::string ask(const ActorId& actor, const std::string& message) {
    const auto answer = request(node.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(**answer)) : "failed: " + answer.error().message;
  }
  std::future<std::string> start(const ActorId& actor, const std::string& message) {
    auto promise = std::make_shared<std::promise<std::string>>();
    node.runtime().request(actor, to_bytes(message), {}, 0, false, [promise](Result<std::optional<Bytes>> answer) {
      promise->set_value(answer.ok() ? std::string(as_text(**answer)) : "failed: " + answer.error().message);
    });
    return promise->get_future();
  }
  std::string state_with(const ActorId& actor, const std::string& what) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    std::string state;
    do state = ask(actor, "state");
    while (state.find(what) == std::string::npos && std::chrono::steady_clock::now() < until);
    EXPECT_THAT(state, HasSubstr(what));
    return state;
  }
  // The channel's number, in words.
  std::string opened(const ActorId& from, const ActorId& to, const std::string& message = "hello") {
    const auto answer = ask(from, str_cat("open ", to.hex(), " ", message));
    EXPECT_THAT(answer, HasSubstr(" welcome"));
    return answer.substr(0, answer.find(' '));
  }

  FakeNode node;
};

TEST_F(ChannelTest, BothSidesSendAndOneCloses) {
  const auto a = chat(), b = chat();
  const auto n = opened(a, b);
  EXPECT_EQ(ask(a, str_cat("say ", n, " one")), "ok");
  EXPECT_EQ(ask(a, str_cat("say ", n, " echo two")), "ok");
  EXPECT_EQ(ask(b, str_cat("say ", n, " three")), "ok");
  EXPECT_EQ(ask(b, "state"), str_cat("open ", n, ";", n, "=one;", n, "=echo two;"));
  EXPECT_EQ(ask(a, "state"), str_cat(n, "=two;", n, "=three;"));
  EXPECT_EQ(ask(a, str_cat("close ", n)), "ok");
  EXPECT_THAT(ask(b, "state"), HasSubstr(str_cat("closed ", n, ": closed by 'test' ", a.short_hex(), ";")));
  EXPECT_THAT(ask(a, str_cat("say ", n, " four")), HasSubstr("it was closed, or is somebody else's"));
  EXPECT_THAT(ask(b, str_cat("close ", n)), HasSubstr("it was closed, or is somebody else's"));
}

TEST_F(ChannelTest, EachCallNamesTheEventThatCausedIt) {
  const auto a = chat(), b = chat();
  const auto n = opened(a, b);
  ask(a, str_cat("say ", n, " one"));
  ask(a, str_cat("close ", n));
  ask(b, "state");
  const auto sent = node.record().chain(a);
  const std::map<std::string, std::string> causes = {
      {kHandleOpen, kOpen}, {kHandleMessage, kSay}, {kHandleClose, kClose}};
  size_t found = 0;
  for (const auto& event : node.record().chain(b)) {
    const auto decoded = schema::decode_event(event.bytes);
    const auto* call = std::get_if<schema::WasmCall>(&decoded->body);
    const auto expected = causes.find(std::string(decoded->header.type));
    if (call == nullptr || expected == causes.end()) continue;
    const auto& cause = std::get<schema::Cause>(call->origin);
    EXPECT_EQ(cause.actor, a);
    EXPECT_EQ(cause.hash, sent.at(cause.sequence).hash);
    EXPECT_EQ(schema::decode_event(sent.at(cause.sequence).bytes)->header.type, expected->second);
    ++found;
  }
  EXPECT_EQ(found, 3u);
}

TEST_F(ChannelTest, WhoIsAskedMayRefuse) {
  const auto a = chat(), b = chat();
  EXPECT_THAT(ask(a, str_cat("open ", b.hex(), " no")), HasSubstr("refused the channel: not you"));
  EXPECT_THAT(ask(a, str_cat("open ", b.hex(), " fail")), HasSubstr("no, thank you"));
  EXPECT_THAT(ask(b, "say 1 hello"), HasSubstr("somebody else's")) << "what was refused is gone";
  EXPECT_THAT(ask(a, str_cat("open ", b.hex(), " early")),
              HasSubstr("isn't open before handle-channel-open has returned"));
  EXPECT_THAT(ask(a, str_cat("open ", b.hex(), " trap")), HasSubstr("ended: "));
  EXPECT_THAT(ask(a, str_cat("open ", b.hex(), " hello")), HasSubstr("there is no living actor"));
  EXPECT_THAT(ask(a, "open nobody hello"), HasSubstr("no actor has the name 'nobody'"));
  EXPECT_THAT(ask(a, str_cat("open ", a.hex(), " hello")), HasSubstr("would never be answered"));
  const auto worker = node.spawn("worker");
  EXPECT_THAT(ask(a, str_cat("open ", worker.hex(), " hello")),
              HasSubstr("doesn't export theater:simple/message-server-client@0.1.0#handle-channel-open"));
}

TEST_F(ChannelTest, WhatIsNoChannelOfTheActorsIsRefused) {
  const auto a = chat(), b = chat(), thief = chat();
  const auto n = opened(a, b);
  for (const char* verb : {"say ", "close "}) {
    const std::string text = verb == std::string_view("say ") ? " hello" : "";
    EXPECT_THAT(ask(a, str_cat(verb, 0, text)), HasSubstr("there never was one of that number"));
    EXPECT_THAT(ask(a, str_cat(verb, UINT64_MAX, text)), HasSubstr("there never was one of that number"));
    EXPECT_THAT(ask(thief, str_cat(verb, n, text)), HasSubstr("it was closed, or is somebody else's"));
  }
  EXPECT_EQ(ask(a, str_cat("say ", n, " still open")), "ok");
}

TEST_F(ChannelTest, WhoDoesntKnowYetThatItIsClosedIsToldWhy) {
  const auto a = chat(), b = chat();
  const auto n = opened(a, b);
  auto said = start(a, str_cat("sleep-say 150 ", n));
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "timer"));
  ASSERT_EQ(ask(b, str_cat("close ", n)), "ok");
  EXPECT_THAT(said.get(), HasSubstr(str_cat("channel ", n, " is closed: closed by 'test' ", b.short_hex())));
  state_with(a, str_cat("closed ", n));
}

TEST_F(ChannelTest, ChannelsAreBoundedOnBothSides) {
  const auto a = chat("channels = 3\n"), b = chat();
  EXPECT_THAT(ask(a, str_cat("opens ", b.hex(), " 10000")), HasSubstr("has 3 channels already (limits.channels)"));
  const auto c = chat(), d = chat("channels = 2\n");
  EXPECT_THAT(ask(c, str_cat("opens ", d.hex(), " 3")), HasSubstr(str_cat(d.short_hex(), " has 2 channels already")));
  const auto state = ask(d, "state");  // "open N;open M;"
  EXPECT_EQ(ask(c, str_cat("close ", state.substr(5, state.find(';') - 5))), "ok");
  opened(c, d);
}

TEST_F(ChannelTest, HundredsThatAreOpenedAndClosedLeaveNothing) {
  const auto a = chat("channels = 1\n"), b = chat("channels = 1\n"), mute = chat("channels = 1\n", "mute");
  EXPECT_EQ(ask(a, str_cat("churn ", b.hex(), " 500")), "churned");
  EXPECT_EQ(ask(a, str_cat("churn ", mute.hex(), " 20")), "churned");
  const auto n = opened(a, mute);
  EXPECT_THAT(ask(a, str_cat("say ", n, " hello")),
              HasSubstr("doesn't export theater:simple/message-server-client@0.1.0#handle-channel-message"));
}

TEST_F(ChannelTest, AFullMailboxMakesTheSenderWaitAndNothingIsLost) {
  const auto a = chat(), b = chat("mailbox_messages = 2\n");
  const auto n = opened(a, b);
  start(b, "sleep 100");
  EXPECT_EQ(ask(a, str_cat("flood ", n, " 20")), "ok");
  std::string all = str_cat("open ", n, ";");
  for (int i = 0; i < 20; ++i) all += str_cat(n, "=", i, ";");
  EXPECT_EQ(state_with(b, str_cat(n, "=19;")), all);
}

TEST_F(ChannelTest, AFullMailboxRefusesOrTheWaitEnds) {
  const auto a = chat("wait_timeout = \"30 ms\"\n"), b = chat("mailbox_messages = 1\nmailbox_full = \"refuse\"\n"),
             c = chat("mailbox_messages = 1\n");
  const auto to_b = opened(a, b), to_c = opened(a, c);
  start(b, "sleep 300");
  start(c, "sleep 300");
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  ASSERT_TRUE(wait_for_state(node.runtime(), c, "waiting", "timer"));
  EXPECT_THAT(ask(a, str_cat("flood ", to_b, " 2")), HasSubstr("the mailbox of 'test'"));
  EXPECT_THAT(ask(a, str_cat("flood ", to_c, " 2")), HasSubstr("within 30 ms"));
  EXPECT_EQ(state_with(b, "=0;"), str_cat("open ", to_b, ";", to_b, "=0;"));
}

TEST_F(ChannelTest, TwoWithFullMailboxesWhoSendToEachOtherEndByDeadlineAndNameTheCycle) {
  const std::string limits = "mailbox_messages = 1\nwait_timeout = \"200 ms\"\n";
  const auto a = chat(limits), b = chat(limits);
  const auto n = opened(a, b);
  auto first = start(a, str_cat("flood ", n, " 50"));
  auto second = start(b, str_cat("flood ", n, " 50"));
  const auto both = first.get() + second.get();
  EXPECT_THAT(both, HasSubstr("no room in the mailbox"));
  EXPECT_THAT(both, HasSubstr("they wait for each other"));
  state_with(a, "=0;");
  state_with(b, "=0;");
}

TEST_F(ChannelTest, ClosedWhileTheOtherSideWaitsForRoom) {
  const auto a = chat(), b = chat("mailbox_messages = 2\n");
  const auto n = opened(a, b);
  auto closed = start(b, str_cat("sleep-close 150 ", n));
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  EXPECT_THAT(ask(a, str_cat("flood ", n, " 3")), HasSubstr(str_cat("channel ", n, " is closed: closed by")));
  EXPECT_EQ(closed.get(), "ok");
  // What it had sent by then is delivered all the same.
  EXPECT_EQ(state_with(b, "=1;"), str_cat("open ", n, ";", n, "=0;", n, "=1;"));
  state_with(a, str_cat("closed ", n));
}

TEST_F(ChannelTest, AnOpenerThatDoesntWaitLeavesNoChannel) {
  const auto a = chat(), b = chat();
  EXPECT_THAT(ask(a, str_cat("open-50ms ", b.hex(), " sleep 200")), HasSubstr("no answer from 'test'"));
  state_with(b, "didn't wait for the answer");
  start(b, "sleep 200");  // and one that b never comes to see
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  EXPECT_THAT(ask(a, str_cat("open-50ms ", b.hex(), " hello")), HasSubstr("no answer from 'test'"));
  const auto state = ask(b, "state");
  EXPECT_EQ(state.find("open"), state.rfind("open")) << state;
}

TEST_F(ChannelTest, WhoeverEndsClosesItsChannels) {
  const auto a = chat(), b = chat(), c = chat(), opener = chat(), asked = chat();
  const auto to_b = opened(a, b), to_c = opened(a, c);
  ASSERT_TRUE(stop(node.runtime(), c).ok());
  EXPECT_THAT(state_with(a, str_cat("closed ", to_c)), HasSubstr("ended: stop"));
  ASSERT_TRUE(kill(node.runtime(), a, "enough").ok());
  EXPECT_THAT(state_with(b, str_cat("closed ", to_b)), HasSubstr("enough"));
  const auto chain = node.record().chain(a);
  for (const auto& event : node.record().chain(b)) {
    const auto decoded = schema::decode_event(event.bytes);
    const auto* call = std::get_if<schema::WasmCall>(&decoded->body);
    if (call == nullptr || decoded->header.type != kHandleClose) continue;
    EXPECT_EQ(std::get<schema::Cause>(call->origin).hash, chain.back().hash) << "the terminal event is the cause";
  }

  // While it opens one.
  start(opener, str_cat("open ", b.hex(), " sleep 150"));
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  ASSERT_TRUE(kill(node.runtime(), opener, "hurry").ok());
  state_with(b, "hurry");

  // While it is asked for one.
  auto opening = start(b, str_cat("open ", asked.hex(), " sleep 5000"));
  ASSERT_TRUE(wait_for_state(node.runtime(), asked, "waiting", "timer"));
  ASSERT_TRUE(kill(node.runtime(), asked, "bye").ok());
  EXPECT_THAT(opening.get(), HasSubstr("bye"));
}

TEST_F(ChannelTest, KilledWhileItWaitsForRoomNothingWasSent) {
  const auto a = chat(), b = chat("mailbox_messages = 1\n");
  const auto n = opened(a, b);
  start(b, "sleep 2000");  // longer than the steps below may take
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  start(a, str_cat("flood ", n, " 2"));
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "room in the mailbox"));
  ASSERT_TRUE(kill(node.runtime(), a).ok());
  EXPECT_THAT(state_with(b, str_cat("closed ", n)), StartsWith(str_cat("open ", n, ";", n, "=0;closed")));
}

}  // namespace
}  // namespace theater::node
