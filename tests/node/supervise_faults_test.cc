// Families at bad moments: what a supervisor, its guest and the directory do when an end, a refusal or a full queue
// comes between two steps of something else.
#include "tests/node/family.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A supervisor that goes on trying, without haste.
const std::string kTriesOn =
    "[supervisor]\nintensity = 100000\n[supervisor.backoff]\ninitial = \"10 ms\"\nmax = \"10 ms\"\n";

class FamilyFaultsTest : public FamilyTest {
 protected:
  // Until `ready` says so; false after kLong.
  template <typename Ready>
  static bool wait_until(Ready ready) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (!ready()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  bool says_ok(const ActorId& actor, const std::string& message) {
    return wait_until([&] { return ask(actor, message).starts_with("ok"); });
  }
  // A family whose supervisor waits for this one's room, too.
  SpawnRequest watched_family(const std::string& package, const std::string& supervisor,
                              const std::vector<Child>& children, std::shared_ptr<Subscriber> subscriber) {
    SpawnRequest request;
    static_cast<Bundle&>(request) = bundle_of("sup", package, "[supervisor]\n" + supervisor + "\n", children);
    request.subscribers = {std::move(subscriber)};
    return request;
  }
};

// --- what a child is made from ---

TEST_F(FamilyFaultsTest, AnIdIsTakenAgainWhileItsOldChildIsBeingStopped) {
  node.package("hasty", {.imports = imports(),
                         .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                     {kHandleRequest, [](wasm::FakeCall& call) {
                                        call.host(kSupervise + "spawn-and-wait",
                                                  {spec("j", "worker", "temporary", "old"),
                                                   Value::some(Value::u64(20'000'000))});
                                        call.host(kSupervise + "spawn", {spec("j", "finisher", "temporary", "new")});
                                        call.then([](wasm::FakeCall& then) {
                                          then.result(ok_reply("", schema::to_display(then.answers().back())));
                                        });
                                      }}}});
  const auto parent = family(handlers(), {}, "hasty");
  const auto answer = ask(parent, "go");
  ASSERT_THAT(answer, StartsWith("ok(\""));
  const auto made = *ActorId::from_hex_text(answer.substr(4, 64));
  ASSERT_TRUE(ended(node.runtime(), made).ok());
  EXPECT_EQ(*std::get<schema::Shutdown>(last_event(made).body).data.at(0).get<Bytes>(), to_bytes("done: new"));
}

TEST_F(FamilyFaultsTest, AStateThatWasRefusedReachesNoLaterChild) {
  const auto parent = boss();
  EXPECT_THAT(ask(parent, "resume later stale"), HasSubstr("not_found"));
  EXPECT_EQ(ask(parent, "spawn-and-wait later finisher blue"), "ok(some(\"done: blue\"))");
}

TEST_F(FamilyFaultsTest, APackageOfAChildThatDidNotStartIsForgotten) {
  const auto parent = boss();
  EXPECT_THAT(ask(parent, "spawn bad stillborn permanent"), HasSubstr("not today"));
  EXPECT_EQ(ask(parent, "spawn-and-wait bad finisher blue"), "ok(some(\"done: blue\"))");
}

// Each chain replays at the end of its test: so must one that says how much was too much.
TEST_F(FamilyFaultsTest, AStateThatIsTooLargeForAPatternIsRefusedAndReplays) {
  const std::string large(70'000, 'x');
  const auto simple = boss("strategy = \"simple_one_for_one\"", {{"kid", "restart = \"temporary\""}});
  EXPECT_THAT(ask(simple, "start-child " + large), HasSubstr("the limit is 65536 bytes, 70000 were given"));
  EXPECT_THAT(ask(boss(), "start-child " + large), HasSubstr("invalid_spec"));
}

// --- names ---

TEST_F(FamilyFaultsTest, AStoppedChildsNamesAreFreeAndItsAgainIfNobodyTookThem) {
  const auto parent = boss("", {{"a", "", "boss"}});
  const auto other = boss();
  const auto a = next_life("a");
  ASSERT_THAT(ask(a, "register mine"), StartsWith("ok"));
  ASSERT_THAT(ask(a, "register taken"), StartsWith("ok"));
  ASSERT_EQ(ask(parent, "stop-child a"), "ok");
  EXPECT_THAT(ask(other, "monitor mine"), HasSubstr("no actor has the name 'mine'"));
  EXPECT_THAT(ask(other, "register taken"), StartsWith("ok"));
  ASSERT_THAT(ask(parent, "restart-child a"), StartsWith("ok"));
  const auto again = next_life("a", a);
  EXPECT_THAT(ask(other, "register mine"), HasSubstr("belongs to actor " + again.short_hex()));
  EXPECT_THAT(ask(again, "register taken"), HasSubstr("belongs to actor " + other.short_hex()));
  ASSERT_EQ(ask(parent, "stop-child a"), "ok");
  ASSERT_EQ(ask(parent, "delete-child a"), "ok");
  EXPECT_THAT(ask(other, "register mine"), StartsWith("ok"));
}

TEST_F(FamilyFaultsTest, AnHeirThatIsRefusedItsNameLeavesTheOthersToTheNextOne) {
  SpawnRequest request;
  static_cast<Bundle&>(request) = bundle_of("sup", "", kTriesOn, {{"a", "", "boss"}});
  request.children.at("a").manifest.insert(0, "register = \"x\"\n");
  const auto parent = node::spawn(node.runtime(), std::move(request))->id;
  const auto other = boss();
  const auto a = next_life("a");
  ASSERT_THAT(ask(a, "register y"), StartsWith("ok"));
  ASSERT_THAT(ask(a, "unregister x"), StartsWith("ok"));
  ASSERT_THAT(ask(other, "register x"), StartsWith("ok"));
  trap(a);
  ASSERT_TRUE(wait_for_decision(parent, "child-start-failed"));
  EXPECT_THAT(ask(other, "monitor y"), HasSubstr("'y' is being restarted"));
  ASSERT_THAT(ask(other, "unregister x"), StartsWith("ok"));
  const auto again = next_life("a", a);
  EXPECT_THAT(ask(other, "register x"), HasSubstr("belongs to actor " + again.short_hex()));
  EXPECT_THAT(ask(other, "register y"), HasSubstr("belongs to actor " + again.short_hex()));
  ASSERT_TRUE(stop(node.runtime(), parent).ok());
  EXPECT_THAT(ask(other, "register y"), StartsWith("ok"));
}

TEST_F(FamilyFaultsTest, AnHeirWhoseInitFailsLeavesTheNamesToTheNextOne) {
  node.package("moody", {.imports = imports(),
                         .exports = {{kInit,
                                      [](wasm::FakeCall& call) {
                                        call.host("theater:simple/names@0.1.0/whereis", {Value::string("flag")});
                                        call.then([](wasm::FakeCall& then) {
                                          if (then.answers().back().get<Value::Option>()->payload == nullptr)
                                            return then.result(ok_state(""));
                                          then.trap("not while there is a flag");
                                        });
                                      }},
                                     {kHandleRequest, obey_boss}}});
  SpawnRequest request;
  static_cast<Bundle&>(request) = bundle_of("sup", "", kTriesOn, {{"a", "", "moody", handlers()}});
  const auto parent = node::spawn(node.runtime(), std::move(request))->id;
  const auto other = boss();
  const auto a = next_life("a");
  ASSERT_THAT(ask(a, "register y"), StartsWith("ok"));
  ASSERT_THAT(ask(other, "register flag"), StartsWith("ok"));
  trap(a);
  ASSERT_TRUE(wait_for_decision(parent, "child-start-failed"));
  EXPECT_THAT(ask(other, "register y"), HasSubstr("belongs to actor"));
  ASSERT_THAT(ask(other, "unregister flag"), StartsWith("ok"));
  const auto again = next_life("a", a);
  EXPECT_THAT(ask(other, "register y"), HasSubstr("belongs to actor " + again.short_hex()));
}

// --- a supervisor that dies in the middle ---

TEST_F(FamilyFaultsTest, AChildBornWhileItsSupervisorDiesDiesWithIt) {
  node.package("namer", {.imports = imports(),
                         .exports = {{kInit,
                                      [](wasm::FakeCall& call) {
                                        call.host("theater:simple/names@0.1.0/register", {Value::string("kept")});
                                        call.result(ok_state(""));
                                      }},
                                     {kHandleRequest, obey_boss}}});
  // Room for genesis, supervisor/asked and supervisor/start-child: that it has started can't be said.
  const auto queue = std::make_shared<QueueSubscriber>(3, QueueSubscriber::Overflow::kStrict);
  node.runtime().spawn(watched_family("", "", {{"a", "", "namer", handlers()}}, queue), [](auto) {});
  const auto a = next_life("a"), sup = next_life("sup");
  ASSERT_TRUE(wait_until([&] { return !show(node.runtime(), sup)->waits_for.empty(); }));
  ASSERT_THAT(decisions(sup), ElementsAre("start-child a"));
  node.runtime().kill(sup, schema::Operator{}, "test", [](auto) {});
  ASSERT_TRUE(wait_for_state(node.runtime(), sup, "stopping"));
  queue->close();
  ASSERT_TRUE(ended(node.runtime(), sup).ok());
  ASSERT_TRUE(wait_until([&] { return !life("a"); }));
  EXPECT_THAT(std::get<schema::ErrorBody>(last_event(a).body).message, HasSubstr("its supervisor 'sup' ended"));
  EXPECT_TRUE(says_ok(boss(), "register kept"));
}

// --- what a guest is told ---

TEST_F(FamilyFaultsTest, AChildThatNeverStopsTalkingKeepsNoMessageOut) {
  const auto queue = std::make_shared<QueueSubscriber>(100, QueueSubscriber::Overflow::kStrict);
  const auto parent = node::spawn(node.runtime(), watched_family("boss", "", {{"a"}}, queue))->id;
  ASSERT_EQ(ask(parent, "subscribe-to-child a"), "ok");
  const auto fills = [&] {
    node.runtime().request(parent, to_bytes("state"), {}, 0, false, [](auto) {});
    return show(node.runtime(), parent)->waits_for == "a subscriber in this process";
  };
  ASSERT_TRUE(wait_until(fills));
  EXPECT_EQ(ask(next_life("a"), "log 1000"), "log 1000");  // 256 of them wait
  std::promise<std::string> answer;
  node.runtime().request(parent, to_bytes("state"), {}, 0, false,
                         [&](const auto& said) { answer.set_value(std::string(as_text(**said))); });
  queue->close();
  const auto state = answer.get_future().get();
  EXPECT_LT(std::ranges::count(state, '-'), 200) << "all events came before the message";
}

// The guest waits for a job's end while another child ends again and again.
TEST_F(FamilyFaultsTest, OfAChildsEndsThatWaitTheNewestIsTold) {
  const auto parent = boss("intensity = 1000", {{"a"}});
  std::promise<void> answered;
  node.runtime().request(parent, to_bytes("spawn-and-wait job worker"), {}, 0, false,
                         [&](const auto&) { answered.set_value(); });
  const auto job = next_life("job");
  ActorId a = next_life("a"), last;
  for (int i = 0; i < 20; ++i) {
    ask(last = a, "end");
    a = next_life("a", last);
  }
  ask(job, "end");
  answered.get_future().get();
  const auto state = state_with(parent, "(\"job\"");
  EXPECT_THAT(state, StartsWith("(\"a\",\"" + last.hex().substr(0, 36)));
  EXPECT_EQ(std::ranges::count(state, '('), 4) << state;  // two calls with some(…) each
}

TEST_F(FamilyFaultsTest, ALastWordThatIsTooMuchForItsSupervisorIsNotTold) {
  node.package("wordy", {.imports = {kShutdownCall},
                         .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                     {kHandleRequest, [](wasm::FakeCall& call) {
                                        call.host(kShutdownCall, {Value::some(Value::bytes(Bytes(10'000, 'x')))});
                                        call.result(ok_reply("", "bye"));
                                      }}}});
  const std::string small = "[limits]\nmailbox_bytes = \"16 KiB\"\n";
  node.package("miser", {.imports = imports(),
                         .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                     {kHandleRequest,
                                      [small](wasm::FakeCall& call) {
                                        if (message_of(call) == "state")
                                          return call.result(ok_reply(state_of(call), state_of(call)));
                                        call.host(kSupervise + "spawn-and-wait",
                                                  {spec("job", "worker", "temporary", "", small), Value::none()});
                                        call.result(ok_reply("", ""));
                                      }},
                                     {callback("handle-child-exit"), note}}});
  SpawnRequest request;
  static_cast<Bundle&>(request) =
      bundle_of("sup", "miser", handlers() + small + "[supervisor]\n",
                {{"a", "restart = \"temporary\"", "wordy", small}, {"b", "restart = \"temporary\"", "wordy", small}});
  const auto parent = node::spawn(node.runtime(), std::move(request))->id;
  std::promise<void> answered;
  node.runtime().request(parent, to_bytes("wait"), {}, 0, false, [&](const auto&) { answered.set_value(); });
  const auto job = next_life("job");
  ask(next_life("a"), "end");
  ASSERT_TRUE(wait_for_decision(parent, "drop a"));
  ask(next_life("b"), "end");
  ASSERT_TRUE(wait_for_decision(parent, "drop b"));
  ask(job, "end");
  answered.get_future().get();
  const auto state = state_with(parent, "(\"job\"");
  EXPECT_THAT(state, HasSubstr(",none) (\"job\""));               // b's
  EXPECT_EQ(std::ranges::count(state, '('), 2 + 1 + 2) << state;  // a's and the job's are there
}

// --- secrets ---

TEST_F(FamilyFaultsTest, ASecretStandsInNoFactOfASupervisor) {
  const std::string key = "sk-0123456789abcdef";
  node.environment = {{"API_KEY", key}};
  node.package("gossip", {.imports = {},
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, [key](wasm::FakeCall& call) { call.trap("key " + key); }}}});
  const auto granted = [](const std::vector<Child>& children) {
    SpawnRequest request;
    static_cast<Bundle&>(request) = bundle_of(
        "sup", "boss", "[[handler]]\ntype = \"environment\"\nsecrets = [\"API_KEY\"]\n[supervisor]\n", children);
    return request;
  };
  const auto parent = node::spawn(node.runtime(), granted({{"a", "", "gossip"}}))->id;
  replay_options[parent].secrets = {{"API_KEY", key}};
  for (const char* verb : {"spawn ", "stop-child ", "delete-child ", "restart-child "}) {
    const auto answer = ask(parent, str_cat(verb, "x", key, " worker permanent"));
    EXPECT_THAT(answer, HasSubstr("holds a secret: x<secret API_KEY>"));
    EXPECT_THAT(answer, Not(HasSubstr(key)));
  }
  const auto a = next_life("a");
  trap(a);
  next_life("a", a);
  ASSERT_TRUE(node::kill(node.runtime(), parent, "for " + key).ok());
  for (const auto& each : auditor.record().chain(parent)) {
    EXPECT_THAT(std::string(as_text(each.bytes)), Not(HasSubstr(key)));
  }
  const auto refused = node::spawn(node.runtime(), granted({{key}}));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("holds a secret: <secret API_KEY>"));
}

}  // namespace
}  // namespace theater::node
