// Messages between actors: what a send and a request promise, whom they wait for and how long, and what is refused.
// Each test replays the chains that it made.
#include <gmock/gmock.h>

#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kSend = "theater:simple/message-server-host@0.1.0/send";
constexpr const char* kRequest = "theater:simple/message-server-host@0.1.0/request";
constexpr const char* kCurrent = "theater:simple/message-server-host@0.1.0/current-request";
constexpr const char* kList = "theater:simple/message-server-host@0.1.0/list-outstanding-requests";
constexpr const char* kRespond = "theater:simple/message-server-host@0.1.0/respond-to-request";
constexpr const char* kCancel = "theater:simple/message-server-host@0.1.0/cancel-request";
constexpr const char* kRegister = "theater:simple/names@0.1.0/register";
constexpr const char* kUnregister = "theater:simple/names@0.1.0/unregister";
constexpr const char* kWhereis = "theater:simple/names@0.1.0/whereis";

Value text_bytes(const std::string& text) { return Value::bytes(to_bytes(text)); }

// "ok", "ok:TEXT" or "error: …" of a result.
std::string outcome(const Value& result) {
  const auto& value = *result.get<Value::ResultOf>();
  if (!value.ok) return str_cat("error: ", *value.payload->get<std::string>());
  if (value.payload == nullptr) return "ok";
  const auto& option = value.payload->get<Value::Option>()->payload;
  return option == nullptr ? "none" : str_cat("ok:", as_text(*option->get<Bytes>()));
}

// Obeys "WORD [ARG [TEXT]]".
void talk(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  const auto space = message.find(' ');
  const std::string word = message.substr(0, space);
  const std::string rest = space == std::string::npos ? "" : message.substr(space + 1);
  const auto next = rest.find(' ');
  const std::string arg = rest.substr(0, next), text = next == std::string::npos ? "" : rest.substr(next + 1);
  const auto say_outcome = [state](wasm::FakeCall& then) {
    then.result(ok_reply(state, outcome(then.answers().back())));
  };
  if (word == "send") {
    call.host(kSend, {Value::string(arg), text_bytes(text)});
  } else if (word == "ask") {
    call.host(kRequest, {Value::string(arg), text_bytes(text), Value::none()});
  } else if (word == "ask-50ms") {
    call.host(kRequest, {Value::string(arg), text_bytes(text), Value::some(Value::u64(50'000'000))});
  } else if (word == "flood") {  // TARGET N
    for (int i = 0; i < std::stoi(text); ++i) call.host(kSend, {Value::string(arg), text_bytes(str_cat(i, ";"))});
  } else if (word == "respond") {
    call.host(kRespond, {Value::u64(std::stoull(arg)), text_bytes(text)});
  } else if (word == "respond-twice") {
    call.host(kRespond, {Value::u64(std::stoull(arg)), text_bytes(text)});
    call.host(kRespond, {Value::u64(std::stoull(arg)), text_bytes(text)});
  } else if (word == "cancel") {
    call.host(kCancel, {Value::u64(std::stoull(arg))});
  } else if (word == "register" || word == "unregister") {
    call.host(word == "register" ? kRegister : kUnregister, {Value::string(arg)});
  } else if (word == "whereis") {
    call.host(kWhereis, {Value::string(arg)});
    return call.then([state](wasm::FakeCall& then) {
      const auto& id = then.answers().back().get<Value::Option>()->payload;
      then.result(ok_reply(state, id == nullptr ? "nobody" : *id->get<std::string>()));
    });
  } else if (word == "list") {
    call.host(kList, {});
    return call.then([state](wasm::FakeCall& then) {
      std::string all;
      for (const auto& each : then.answers().back().get<Value::List>()->items) {
        all += str_cat(all.empty() ? "" : ",", *each.get<uint64_t>());
      }
      then.result(ok_reply(state, all));
    });
  } else if (word == "later") {  // remembers the request's number as its state
    call.host(kCurrent, {});
    return call.then([](wasm::FakeCall& then) {
      then.result(
          ok_reply(str_cat(*then.answers().back().get<Value::Option>()->payload->get<uint64_t>()), std::nullopt));
    });
  } else if (word == "sleep") {
    call.host(kSleepCall, {Value::u64(std::stoull(arg) * 1'000'000)});
    return call.result(ok_reply(state, "slept"));
  } else if (word == "die") {
    return call.trap("the test said so");
  } else if (word == "state") {
    return call.result(ok_reply(state, state));
  } else {
    return call.result(ok_reply(state, message));
  }
  call.then(say_outcome);
}

class MessagesTest : public testing::Test {
 protected:
  MessagesTest() {
    node.package("talker", {.imports = {kSend, kRequest, kCurrent, kList, kRespond, kCancel, kRegister, kUnregister,
                                        kWhereis, kSleepCall},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, talk},
                                        {kHandleSend, [](wasm::FakeCall& call) {
                                           if (message_of(call).starts_with("sleep"))
                                             call.host(kSleepCall, {Value::u64(200'000'000)});
                                           call.result(ok_state(state_of(call) + message_of(call)));
                                         }}}});
  }
  ~MessagesTest() override { expect_all_replay(node); }

  ActorId talker(const std::string& more = "", const std::string& top = "") {
    auto request = node.asks("talker");
    request.manifest = top + FakeNode::manifest("talker", "[[handler]]\ntype = \"names\"\n" + more);
    auto actor = node::spawn(node.runtime(), std::move(request));
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  }
  std::string ask(const ActorId& actor, const std::string& message) {
    const auto answer = request(node.runtime(), actor, message);
    if (!answer.ok()) return "failed: " + answer.error().message;
    return *answer ? std::string(as_text(**answer)) : "none";
  }
  // What asks from outside doesn't wait for room: it is refused, and tries again.
  std::string ask_when_room(const ActorId& actor, const std::string& message) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    std::string answer;
    do answer = ask(actor, message);
    while (answer.starts_with("failed: the mailbox is full") && std::chrono::steady_clock::now() < until);
    return answer;
  }
  void start(const ActorId& actor, const std::string& message) {
    node.runtime().request(actor, to_bytes(message), {}, 0, false, [](auto) {});
  }

  FakeNode node;
};

TEST_F(MessagesTest, ASendIsInTheReceiversMailboxWhenItReturns) {
  const auto a = talker(), b = talker();
  EXPECT_EQ(ask(a, str_cat("send ", b.hex(), " hello")), "ok");
  EXPECT_EQ(ask(b, "state"), "hello");
}

TEST_F(MessagesTest, TheReceiversCallNamesTheEventThatCausedIt) {
  const auto a = talker(), b = talker();
  ASSERT_EQ(ask(a, str_cat("send ", b.hex(), " hello")), "ok");
  ASSERT_EQ(ask(b, "state"), "hello");
  const auto sent = node.record().chain(a);
  bool found = false;
  for (const auto& event : node.record().chain(b)) {
    const auto decoded = schema::decode_event(event.bytes);
    const auto* call = std::get_if<schema::WasmCall>(&decoded->body);
    if (call == nullptr || decoded->header.type != kHandleSend) continue;
    const auto* cause = std::get_if<schema::Cause>(&call->origin);
    ASSERT_NE(cause, nullptr);
    EXPECT_EQ(cause->actor, a);
    EXPECT_EQ(cause->hash, sent.at(cause->sequence).hash);
    EXPECT_EQ(schema::decode_event(sent.at(cause->sequence).bytes)->header.type, kSend);
    EXPECT_EQ(*call->args[1].get<Value::Tuple>()->items[0].get<std::string>(), a.hex());
    found = true;
  }
  EXPECT_TRUE(found);
}

TEST_F(MessagesTest, ARequestIsAnIntentAndAnOutcome) {
  const auto a = talker(), b = talker();
  EXPECT_EQ(ask(a, str_cat("ask ", b.hex(), " hello")), "ok:hello");
  const auto types = node.record().types(a);
  EXPECT_THAT(types, testing::Contains("request host-call"));
  EXPECT_THAT(types, testing::Contains("request host-return"));
}

TEST_F(MessagesTest, WhatCannotBeSentIsRefusedWithWords) {
  const auto a = talker();
  const auto deaf = node.spawn("worker", "[limits]\nmessage_bytes = \"4 B\"\n");
  EXPECT_THAT(ask(a, "send nobody hello"), HasSubstr("no actor has the name 'nobody'"));
  EXPECT_THAT(ask(a, "ask nobody hello"), HasSubstr("no actor has the name 'nobody'"));
  EXPECT_THAT(ask(a, str_cat("ask ", std::string(64, 'a'), " hello")), HasSubstr("there is no living actor"));
  EXPECT_THAT(ask(a, str_cat("send ", deaf.hex(), " hello")), HasSubstr("limits.message_bytes"));
  EXPECT_THAT(ask(a, str_cat("ask ", a.hex(), " hello")), HasSubstr("would never be answered"));
  EXPECT_EQ(ask(a, str_cat("send ", a.hex(), " hello")), "ok");  // to itself is fine
  EXPECT_EQ(ask(a, "state"), "hello");
}

TEST_F(MessagesTest, AFullMailboxParksTheSenderUntilThereIsRoomAndNothingIsLost) {
  const auto a = talker(), b = talker("[limits]\nmailbox_messages = 2\n");
  start(b, "sleep 100");
  EXPECT_EQ(ask(a, str_cat("flood ", b.hex(), " 20")), "ok");
  std::string all;
  for (int i = 0; i < 20; ++i) all += str_cat(i, ";");
  EXPECT_EQ(ask_when_room(b, "state"), all);  // the order of one sender is kept
}

TEST_F(MessagesTest, AFullMailboxRefusesIfItsManifestSaysSo) {
  const auto a = talker(), b = talker("[limits]\nmailbox_messages = 2\nmailbox_full = \"refuse\"\n");
  start(b, "sleep 200");
  EXPECT_THAT(ask(a, str_cat("flood ", b.hex(), " 5")), HasSubstr("the mailbox of 'talker'"));
}

TEST_F(MessagesTest, WaitingForRoomHasADeadline) {
  const auto a = talker("[limits]\nwait_timeout = \"30 ms\"\n"), b = talker("[limits]\nmailbox_messages = 1\n");
  start(b, "sleep 500");
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  EXPECT_THAT(ask(a, str_cat("flood ", b.hex(), " 2")), HasSubstr("no room in the mailbox of 'talker'"));
  EXPECT_EQ(ask(a, "still there"), "still there");
}

TEST_F(MessagesTest, ARequestHasADeadlineAndTheLateAnswerIsRefused) {
  const auto a = talker(), b = talker();
  EXPECT_THAT(ask(a, str_cat("ask-50ms ", b.hex(), " later")), HasSubstr("no answer from 'talker'"));
  const auto number = ask(b, "state");
  EXPECT_THAT(ask(b, str_cat("respond ", number, " too late")), HasSubstr("its deadline has passed"));
  EXPECT_EQ(ask(a, "still there"), "still there");
}

TEST_F(MessagesTest, AnActorAnswersLaterAndOnlyOnce) {
  const auto a = talker(), b = talker();
  std::promise<std::string> answered;
  node.runtime().request(
      a, to_bytes(str_cat("ask ", b.hex(), " later")), {}, 0, false,
      [&](Result<std::optional<Bytes>> answer) { answered.set_value(std::string(as_text(**answer))); });
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "answer of 'talker'"));
  std::string number;
  while (number.empty()) number = ask(b, "state");
  EXPECT_THAT(ask(b, "list"), StartsWith(number + ","));
  EXPECT_THAT(ask(b, str_cat("respond-twice ", number, " done")), HasSubstr("it was answered already"));
  EXPECT_EQ(answered.get_future().get(), "ok:done");
}

TEST_F(MessagesTest, ARequestForSomebodyElseOrNeverMadeIsRefused) {
  const auto b = talker();
  EXPECT_THAT(ask(b, "respond 7 hello"), HasSubstr("no request 7"));
  EXPECT_THAT(ask(b, "cancel 18446744073709551615"), HasSubstr("no request"));
}

TEST_F(MessagesTest, ACancelledRequestFails) {
  const auto a = talker(), b = talker();
  std::promise<std::string> answered;
  node.runtime().request(
      a, to_bytes(str_cat("ask ", b.hex(), " later")), {}, 0, false,
      [&](Result<std::optional<Bytes>> answer) { answered.set_value(std::string(as_text(**answer))); });
  std::string number;
  while (number.empty()) number = ask(b, "state");
  EXPECT_EQ(ask(b, "cancel " + number), "ok");
  EXPECT_EQ(answered.get_future().get(), "error: the actor gave up on the request");
}

TEST_F(MessagesTest, WhoeverWaitsForAnActorThatDiesIsTold) {
  const auto a = talker(), b = talker(), c = talker();
  EXPECT_THAT(ask(a, str_cat("ask ", b.hex(), " die")), HasSubstr("ended: "));
  std::promise<std::string> answered;
  node.runtime().request(
      a, to_bytes(str_cat("ask ", c.hex(), " later")), {}, 0, false,
      [&](Result<std::optional<Bytes>> answer) { answered.set_value(std::string(as_text(**answer))); });
  while (ask(c, "state").empty()) {
  }
  ASSERT_TRUE(stop(node.runtime(), c).ok());
  EXPECT_THAT(answered.get_future().get(), HasSubstr("ended before it answered"));
}

TEST_F(MessagesTest, ACycleEndsByDeadlineAndNamesItself) {
  const auto a = talker("[limits]\nwait_timeout = \"300 ms\"\n"), b = talker("[limits]\nwait_timeout = \"1 s\"\n");
  // a asks b, whose handler asks a.
  EXPECT_THAT(ask(a, str_cat("ask ", b.hex(), " ask ", a.hex(), " hello")),
              HasSubstr(str_cat("they wait for each other: 'talker' ", a.short_hex(), " -> 'talker' ", b.short_hex(),
                                " -> 'talker' ", a.short_hex())));
}

TEST_F(MessagesTest, TwoFullMailboxesThatSendToEachOtherEndByDeadline) {
  const std::string limits = "[limits]\nmailbox_messages = 1\nwait_timeout = \"30 ms\"\n";
  const auto a = talker(limits), b = talker(limits);
  std::promise<std::string> first;
  node.runtime().request(a, to_bytes(str_cat("flood ", b.hex(), " 20")), {}, 0, false,
                         [&](Result<std::optional<Bytes>> answer) { first.set_value(std::string(as_text(**answer))); });
  const auto second = ask(b, str_cat("flood ", a.hex(), " 20"));
  const auto other = first.get_future().get();
  EXPECT_THAT(other + second, HasSubstr("no room in the mailbox"));
  EXPECT_EQ(ask_when_room(a, "still there"), "still there");
  EXPECT_EQ(ask_when_room(b, "still there"), "still there");
}

TEST_F(MessagesTest, AnActorThatFloodsItselfIsRefused) {
  const auto a = talker("[limits]\nmailbox_messages = 3\n");
  EXPECT_THAT(ask(a, str_cat("flood ", a.hex(), " 9")), HasSubstr("own mailbox is full"));
}

TEST_F(MessagesTest, KilledWhileItWaitsForRoomNothingWasSent) {
  const auto a = talker(), b = talker("[limits]\nmailbox_messages = 1\n");
  start(b, "sleep 2000");  // longer than the steps below may take
  ASSERT_TRUE(wait_for_state(node.runtime(), b, "waiting", "timer"));
  start(a, str_cat("flood ", b.hex(), " 3"));
  ASSERT_TRUE(wait_for_state(node.runtime(), a, "waiting", "room in the mailbox"));
  ASSERT_TRUE(kill(node.runtime(), a).ok());
  EXPECT_EQ(ask_when_room(b, "state"), "0;");  // what was in its mailbox, and nothing of what waited
  EXPECT_EQ(ask(b, "x"), "x");                 // the room that was asked for is free
}

TEST_F(MessagesTest, NamesAreFoundRefusedTwiceAndFreedAtTheEnd) {
  const auto a = talker(), b = talker();
  EXPECT_EQ(ask(b, "register bob"), "ok");
  EXPECT_EQ(ask(b, "register bob"), "ok");
  EXPECT_THAT(ask(a, "register bob"), HasSubstr("the name 'bob' belongs to actor " + b.short_hex()));
  EXPECT_THAT(ask(a, "unregister bob"), HasSubstr("isn't this actor's name"));
  EXPECT_THAT(ask(a, "register no/good"), HasSubstr("a name has 1 to 64"));
  EXPECT_THAT(ask(a, "register " + b.hex()), HasSubstr("must not look like an actor's id"));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ask(a, str_cat("register n", i)), "ok");
  EXPECT_THAT(ask(a, "register one-more"), HasSubstr("at most 100 names"));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(ask(a, str_cat("unregister n", i)), "ok");
  EXPECT_EQ(ask(a, "whereis bob"), b.hex());
  EXPECT_EQ(ask(a, "ask bob hello"), "ok:hello");
  ASSERT_TRUE(kill(node.runtime(), b).ok());
  EXPECT_EQ(ask(a, "whereis bob"), "nobody");
  EXPECT_EQ(ask(a, "register bob"), "ok");
  EXPECT_EQ(ask(a, "unregister bob"), "ok");
  EXPECT_EQ(ask(a, "whereis bob"), "nobody");
}

TEST_F(MessagesTest, AManifestsNameIsTakenAtBirthAndASecondOneIsRefused) {
  const auto a = talker("", "register = \"registry\"\n"), b = talker();
  EXPECT_EQ(ask(b, "whereis registry"), a.hex());
  auto again = node.asks("talker");
  again.manifest = "register = \"registry\"\n" + FakeNode::manifest("talker", "[[handler]]\ntype = \"names\"\n");
  const auto refused = spawn(node.runtime(), std::move(again));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("the name 'registry' belongs to actor " + a.short_hex()));
}

TEST_F(MessagesTest, TwoHundredActorsSendToOneAndNothingIsLost) {
  const auto sink = talker("[limits]\nmailbox_messages = 10\nwait_timeout = \"60 s\"\n");
  std::vector<ActorId> senders;
  for (int i = 0; i < 200; ++i) senders.push_back(talker("[limits]\nwait_timeout = \"60 s\"\n"));
  std::atomic<int> done = 0, ok = 0;
  for (const auto& sender : senders) {
    node.runtime().request(sender, to_bytes(str_cat("flood ", sink.hex(), " 5")), {}, 0, false,
                           [&](Result<std::optional<Bytes>> answer) {
                             ok += answer.ok() && as_text(**answer) == "ok" ? 1 : 0;
                             ++done;
                           });
  }
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (done < 200 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(ok, 200);
  std::string state;
  do state = ask_when_room(sink, "state");
  while (std::count(state.begin(), state.end(), ';') < 1'000 && std::chrono::steady_clock::now() < until);
  EXPECT_EQ(std::count(state.begin(), state.end(), ';'), 1'000);
}

}  // namespace
}  // namespace theater::node
