// The handler environment: what a manifest grants of the node's variables and nothing else, and secrets that never
// stand in the record, however the guest passes them on.
#include <gmock/gmock.h>

#include "schema/secrets.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kGet = "theater:simple/environment@0.1.0/get";
constexpr const char* kNames = "theater:simple/environment@0.1.0/list";
constexpr const char* kKey = "sk-0123456789abcdef";

replay::ReplayOptions with_secrets(std::map<std::string, std::string> secrets) {
  replay::ReplayOptions options;
  options.secrets = std::move(secrets);
  return options;
}

// "get NAME", "list", "say TEXT" (logs what the state says, around TEXT), "keep NAME" (in the state), "trap".
void look(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  if (message.starts_with("get ") || message.starts_with("keep ")) {
    const bool keep = message.starts_with("keep ");
    call.host(kGet, {Value::string(message.substr(keep ? 5 : 4))});
    return call.then([state, keep](wasm::FakeCall& then) {
      const auto& result = *then.answers().back().get<Value::ResultOf>();
      if (!result.ok) return then.result(ok_reply(state, *result.payload->get<std::string>()));
      const auto& value = result.payload->get<Value::Option>()->payload;
      const std::string text = value == nullptr ? "(none)" : *value->get<std::string>();
      then.result(ok_reply(keep ? str_cat("kept ", text) : state, text));
    });
  }
  if (message == "list") {
    call.host(kNames, {});
    return call.then([state](wasm::FakeCall& then) {
      std::string all;
      for (const auto& each : then.answers().back().get<Value::List>()->items) {
        all += str_cat(*each.get<std::string>(), ";");
      }
      then.result(ok_reply(state, all));
    });
  }
  if (message.starts_with("say ")) {
    call.host(kLogCall, {Value::string(str_cat(message.substr(4), state))});
    return call.result(ok_reply(state, std::string(6'000, 'x') + state));  // too large to stand in an event
  }
  if (message == "trap") return call.trap(str_cat("with ", state));
  call.result(ok_reply(state, message));
}

class EnvironmentTest : public testing::Test {
 protected:
  EnvironmentTest() {
    node_.environment = {
        {"CITY", "Paris"}, {"API_KEY", kKey}, {"SHORT", "1234567"}, {"LATIN", "\xe9t\xe9"}, {"PIN", "x"}};
    node_.package("look", {.imports = {kGet, kNames, kLogCall},
                           .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("new")); }},
                                       {kHandleRequest, look}}});
  }
  ActorId spawn(const std::string& grants) {
    return node_.spawn("look", str_cat("[[handler]]\ntype = \"environment\"\n", grants));
  }
  std::string ask(const ActorId& actor, std::string_view message) {
    const auto answer = request(node_.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(answer->value_or(Bytes{}))) : answer.error().message;
  }
  // Everything that an auditor gets.
  std::string everything() {
    std::string all;
    for (const auto& actor : node_.record().actors()) {
      for (const auto& event : node_.record().chain(actor)) all += as_text(event.bytes);
    }
    for (const auto& [hash, bytes] : node_.record().blobs()) all += as_text(bytes);
    return all;
  }

  FakeNode node_;
};

// Where a message of the host's is cut, a secret may stand: then none of it may be there.
TEST_F(EnvironmentTest, NoMessageShowsAPartOfASecret) {
  constexpr const char* kContent = "theater:simple/store@0.1.0/get";
  constexpr const char* kWhereis = "theater:simple/names@0.1.0/unregister";
  node_.package("clumsy", {.imports = {kGet, kContent, kWhereis},
                           .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                       {kHandleRequest, [](wasm::FakeCall& call) {
                                          call.host(kContent, {Value::string(std::string(70, 'a') + kKey)});
                                          call.host(kWhereis, {Value::string(std::string(90, 'a') + kKey)});
                                          call.trap(std::string(3'990, 'a') + kKey);
                                        }}}});
  const auto actor = node_.spawn("clumsy",
                                 "[[handler]]\ntype = \"environment\"\nsecrets = [\"API_KEY\"]\n"
                                 "[[handler]]\ntype = \"store\"\n[[handler]]\ntype = \"names\"\n");
  EXPECT_THAT(ask(actor, "go"), Not(HasSubstr("a" + std::string(kKey).substr(0, 4))));
  EXPECT_EQ(node_.record().types(actor).back(), "WasmError error");
  EXPECT_THAT(everything(), Not(HasSubstr("a" + std::string(kKey).substr(0, 4))));
}

TEST_F(EnvironmentTest, GrantedVariablesAndNoOthers) {
  const auto actor = spawn("variables = [\"CITY\", \"UNSET\", \"LATIN\"]\n");
  EXPECT_EQ(ask(actor, "get CITY"), "Paris");
  EXPECT_EQ(ask(actor, "get UNSET"), "(none)");
  EXPECT_THAT(ask(actor, "get LATIN"), HasSubstr("isn't UTF-8"));
  EXPECT_EQ(ask(actor, "list"), "CITY;LATIN;");
  const auto denied = ask(actor, "get API_KEY");
  EXPECT_THAT(denied, HasSubstr("'API_KEY' isn't granted"));
  EXPECT_THAT(denied, HasSubstr("variables = [\"API_KEY\"]")) << "the key to add";
  EXPECT_THAT(ask(actor, str_cat("get ", std::string(1, '\0'))), HasSubstr("isn't granted"));
  EXPECT_THAT(ask(actor, "get CITY=Paris"), HasSubstr("isn't granted"));
  expect_all_replay(node_);
}

TEST_F(EnvironmentTest, AHandlerWithoutNamesGrantsNone) {
  const auto actor = spawn("");
  EXPECT_THAT(ask(actor, "get CITY"), HasSubstr("isn't granted"));
  EXPECT_EQ(ask(actor, "list"), "");
  expect_all_replay(node_);
}

TEST_F(EnvironmentTest, ASecretNeverStandsInTheRecord) {
  const auto actor = spawn("secrets = [\"API_KEY\"]\n");
  EXPECT_EQ(ask(actor, "get API_KEY"), kKey) << "the guest gets it in the clear, and whoever asked the guest, too";
  EXPECT_EQ(ask(actor, "keep API_KEY"), kKey);
  ask(actor, "say it is ");
  ask(actor, str_cat("echo ", kKey));
  ask(actor, "trap");
  node_.stop(10'000);
  EXPECT_THAT(everything(), HasSubstr("API_KEY")) << "the name does";
  EXPECT_THAT(everything(), Not(HasSubstr(kKey)));
  EXPECT_THAT(everything(), Not(HasSubstr(std::string_view(kKey).substr(4))));
  for (const auto& line : node_.lines()) EXPECT_THAT(line, Not(HasSubstr(kKey)));

  // Whoever has the value replays everything.
  expect_replays(node_, actor, with_secrets({{"API_KEY", kKey}}));
}

TEST_F(EnvironmentTest, WithoutTheSecretAReplayIsInconclusiveAndSaysWhatToGive) {
  const auto actor = spawn("secrets = [\"API_KEY\", \"UNSET\"]\n");
  ask(actor, "get API_KEY");
  node_.stop(10'000);
  auto report = replay_of(node_, actor);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kInconclusive);
  EXPECT_THAT(report->reason, HasSubstr("a secret stands there only as a commitment; to replay on, give the values of "
                                        "API_KEY, UNSET: theater replay --secret NAME=@FILE"));
  EXPECT_GT(report->matched, 4u) << "up to there";

  report = replay_of(node_, actor, with_secrets({{"API_KEY", "another value"}, {"UNSET", "never used"}}));
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kInconclusive);
  EXPECT_THAT(report->reason, HasSubstr("what was given for API_KEY, UNSET isn't all that it was"));

  EXPECT_THAT(replay_of(node_, actor, with_secrets({{"CITY", "Paris, France"}})).error().message,
              HasSubstr("grants no secret 'CITY'"));
  EXPECT_THAT(replay_of(node_, actor, with_secrets({{"API_KEY", "short"}})).error().message, HasSubstr("at least 8"));
  expect_replays(node_, actor, with_secrets({{"API_KEY", kKey}}));
}

// The guest knows the value from elsewhere: hidden in the record all the same, and no difference of its own doing.
TEST_F(EnvironmentTest, AGuestThatSaysASecretByItselfIsNotAccused) {
  const std::string word = "the word";
  node_.environment["WORD"] = word;
  node_.package("knows", {.imports = {kGet, kLogCall},
                          .exports = {{kInit,
                                       [](wasm::FakeCall& call) {
                                         call.host(kLogCall, {Value::string("the word is the word")});
                                         call.result(ok_state());
                                       }},
                                      {kHandleRequest, FakeNode::obey}}});
  const auto actor = node_.spawn("knows", "[[handler]]\ntype = \"environment\"\nsecrets = [\"WORD\"]\n");
  node_.stop(10'000);
  EXPECT_THAT(everything(), Not(HasSubstr("the word")));
  const auto report = replay_of(node_, actor);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->status, replay::ReplayStatus::kInconclusive) << report->reason;
  expect_replays(node_, actor, with_secrets({{"WORD", "the word"}}));
}

TEST_F(EnvironmentTest, ASecretThatCouldBeGuessedIsRefused) {
  const auto actor = spawn("secrets = [\"SHORT\"]\n");
  EXPECT_THAT(ask(actor, "get SHORT"), HasSubstr("fewer than 8 bytes"));
  expect_all_replay(node_);
}

TEST_F(EnvironmentTest, TwoLivesHaveDifferentCommitments) {
  const auto first = spawn("secrets = [\"API_KEY\"]\n");
  const auto second = spawn("secrets = [\"API_KEY\"]\n");
  EXPECT_NE(schema::secret_commitment(first, kKey), schema::secret_commitment(second, kKey));
  for (const auto& actor : {first, second}) {
    ask(actor, "get API_KEY");
    const auto chain = node_.record().chain(actor);
    const auto here = schema::secret_commitment(actor, kKey);
    EXPECT_TRUE(std::any_of(chain.begin(), chain.end(), [&](const auto& event) {
      return as_text(event.bytes).find(as_text(here.view())) != std::string_view::npos;
    }));
  }
  node_.stop(10'000);
  for (const auto& actor : {first, second}) expect_replays(node_, actor, with_secrets({{"API_KEY", kKey}}));
}

}  // namespace
}  // namespace theater::node
