// Gated effects: nothing of an actor reaches the outside before the record of it is durable at its auditors.
#include <gmock/gmock.h>

#include <filesystem>

#include "node/actor/gate.h"
#include "tests/node/fake_bus.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kWrite = "theater:simple/filesystem@0.1.0/write";
constexpr const char* kGated = "[audit]\neffects = \"gated\"\n";

// An answer that the test looks at without waiting for it.
struct Asked {
  std::promise<Result<std::optional<Bytes>>> promise;
  std::future<Result<std::optional<Bytes>>> future = promise.get_future();
  bool here() const { return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  std::string text() {
    if (future.wait_for(kLong) != std::future_status::ready) return "nothing came";
    const auto reply = future.get();
    return reply.ok() ? std::string(as_text(reply->value_or(Bytes{}))) : reply.error().message;
  }
};

class GateTest : public testing::Test {
 protected:
  GateTest() {
    std::string pattern = (fs::temp_directory_path() / "theater-gate-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    node_.package("writer", {.imports = {kWrite},
                             .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                         {kHandleRequest, [](wasm::FakeCall& call) {
                                            using schema::Value;
                                            call.host(kWrite, {Value::string("out/file"), Value::bytes(to_bytes("x"))});
                                            call.then([](wasm::FakeCall& then) {
                                              then.result(ok_reply(std::nullopt, "written"));
                                            });
                                          }}}});
  }
  ~GateTest() override {
    node_.stop(0);
    fs::remove_all(folder_);
  }

  std::string folder_grant() const {
    return str_cat("[[handler]]\ntype = \"filesystem\"\n[[handler.folder]]\nname = \"out\"\npath = \"",
                   folder_.string(), "\"\nmode = \"read-write\"\n");
  }
  bool file_is_there() const { return fs::exists(folder_ / "file"); }
  std::shared_ptr<Asked> ask(const ActorId& actor, std::string_view message, uint64_t timeout_ms = 0) {
    auto asked = std::make_shared<Asked>();
    node_.runtime().request(
        actor, to_bytes(message), {}, timeout_ms, false,
        [asked](Result<std::optional<Bytes>> reply) { asked->promise.set_value(std::move(reply)); });
    return asked;
  }
  GateInfo gate_of(const ActorId& actor) { return show(node_.runtime(), actor)->gate.value(); }
  void wait_until_held(const ActorId& actor) {
    while (gate_of(actor).held == 0) std::this_thread::yield();
  }
  // What was held before is released on the command thread: until that is done.
  void make_durable(size_t auditor) {
    while (node_.outboxes()[auditor]->waiting_for_durable() == 0) std::this_thread::yield();
    node_.outboxes()[auditor]->make_durable();
  }

  fs::path folder_;
  FakeNode node_;
};

TEST_F(GateTest, AnAnswerWaitsForEveryAuditorOfAGatedActorAndOfNoOther) {
  node_.auditor("a");
  node_.auditor("b");
  const auto at_once = node_.spawn(), gated = node_.spawn("worker", kGated);
  EXPECT_EQ(ask(at_once, "hello")->text(), "hello");
  const auto asked = ask(gated, "hello");
  wait_until_held(gated);
  make_durable(0);
  EXPECT_FALSE(asked->here());
  EXPECT_EQ(gate_of(gated).released, 0u);
  make_durable(1);
  EXPECT_EQ(asked->text(), "hello");
  EXPECT_EQ(gate_of(gated).released, 1u);
  EXPECT_EQ(gate_of(gated).held, 0u);
  EXPECT_FALSE(show(node_.runtime(), at_once)->gate.has_value());
}

TEST_F(GateTest, AGuestsErrorIsAnAnswerToo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "fail");
  wait_until_held(actor);
  EXPECT_FALSE(asked->here());
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("no, thank you"));
}

TEST_F(GateTest, ATrapIsAnAnswerToo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "trap");
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("the test said so"));
}

TEST_F(GateTest, TheDiskIsTouchedOnlyWhenTheIntentIsDurable) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  while (show(node_.runtime(), actor)->waits_for.empty()) std::this_thread::yield();  // it counts as held before
  EXPECT_THAT(show(node_.runtime(), actor)->waits_for, HasSubstr("intent isn't durable"));
  EXPECT_FALSE(file_is_there());
  make_durable(0);
  while (!file_is_there()) std::this_thread::yield();
  EXPECT_FALSE(asked->here()) << "the answer waits, too";
  make_durable(0);
  EXPECT_EQ(asked->text(), "written");
  EXPECT_EQ(gate_of(actor).released, 2u);
  node_.stop(10'000);
  expect_all_replay(node_);
}

TEST_F(GateTest, WhatIsKilledWhileItIsHeldNeverHappens) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  ASSERT_TRUE(kill(node_.runtime(), actor, "enough").ok());
  make_durable(0);
  EXPECT_THAT(asked->text(), HasSubstr("enough"));
  EXPECT_FALSE(file_is_there());
}

TEST_F(GateTest, TheTimeThatItIsHeldIsNotTheGuests) {
  node_.auditor("a");
  const auto actor = node_.spawn("writer", folder_grant() + kGated + "[limits]\ncall_timeout = \"100 ms\"\n");
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  make_durable(0);
  make_durable(0);
  EXPECT_EQ(asked->text(), "written");
}

TEST_F(GateTest, AnAnswerThatNobodyWaitsForAnyMoreIsDiscardedAndTheRecordSaysSo) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  const auto asked = ask(actor, "hello", 50);
  EXPECT_THAT(asked->text(), HasSubstr("no answer within 50 ms"));
  make_durable(0);
  while (gate_of(actor).discarded == 0) std::this_thread::yield();
  const auto is_told = [&] {
    for (const auto& event : node_.record().chain(actor)) {
      if (schema::check_event(event.bytes)->header.type == kFactAnswerDiscarded) return true;
    }
    return false;
  };
  while (!is_told()) std::this_thread::yield();
  EXPECT_EQ(gate_of(actor).released, 0u);
  node_.stop(10'000);
  expect_all_replay(node_);
}

TEST_F(GateTest, AQuorumIsEnoughAndOneThatIsDeadHoldsUpNothing) {
  for (const char* name : {"a", "b", "c"}) node_.auditor(name);
  node_.outboxes()[2]->give_room(1'000'000);
  const auto actor = node_.spawn("worker", "[audit]\nmode = \"quorum\"\nquorum = 2\neffects = \"gated\"\n");
  for (int i = 0; i < 3; ++i) {
    const auto asked = ask(actor, "hello");
    wait_until_held(actor);
    make_durable(0);
    EXPECT_FALSE(asked->here());
    make_durable(1);
    EXPECT_EQ(asked->text(), "hello");
    node_.outboxes()[2]->give_room(0);  // from now on it misses everything
  }
}

TEST_F(GateTest, AMessageWithinTheNodeIsNotHeld) {
  node_.auditor("a");
  const auto actor = node_.spawn("worker", kGated);
  ASSERT_TRUE(send(node_.runtime(), actor, "anything").ok());
  while (show(node_.runtime(), actor)->events < 6) std::this_thread::yield();
  EXPECT_EQ(gate_of(actor).held, 0u);
}

TEST_F(GateTest, BestEffortHasNobodyToWaitFor) {
  node_.auditor("a");
  const auto refused =
      node::spawn(node_.runtime(), node_.asks("worker", "[audit]\nmode = \"best-effort\"\neffects = \"gated\"\n"));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("there is nobody to wait for"));
}

// While the set of auditors changes: an operator's commands, as the program itself advises them.
class GateChangesTest : public GateTest {
 protected:
  GateChangesTest() {
    node_.options().bus = &bus_;
    node_.auditor("a");
  }
  ~GateChangesTest() override {
    node_.stop(0);
    for (const auto& [name, outbox] : bus_.dialed) outbox->discard();
  }
  FakeOutbox& a() { return *node_.outboxes()[0]; }
  FakeOutbox& dialed(const std::string& name) { return *bus_.dialed.at(name); }
  static Auditor auditor(const std::string& name, const std::string& actors = "all") {
    Auditor made;
    made.link.name = name;
    made.link.data_endpoint = "tcp://there:1";
    made.link.control_endpoint = "tcp://there:2";
    made.link.server.emplace();
    made.link.server->identity.bytes[0] = made.link.server->curve.bytes[0] = static_cast<uint8_t>(name[0]);
    made.actors = *ActorFilter::parse(actors);
    return made;
  }
  Result<bool> add(const Auditor& which) {
    return await<bool>([&](Callback<bool> done) { node_.runtime().add_auditor(which, operator_, std::move(done)); });
  }
  std::future<Result<bool>> begin_to_add(const Auditor& which) {
    auto promise = std::make_shared<std::promise<Result<bool>>>();
    node_.runtime().add_auditor(which, operator_,
                                [promise](Result<bool> done) { promise->set_value(std::move(done)); });
    return promise->get_future();
  }
  Result<bool> demote(const std::string& name) {
    return await<bool>(
        [&](Callback<bool> done) { node_.runtime().demote_auditor(name, true, operator_, std::move(done)); });
  }
  Result<RemovedAuditor> remove(const std::string& name) {
    return await<RemovedAuditor>(
        [&](Callback<RemovedAuditor> done) { node_.runtime().remove_auditor(name, operator_, std::move(done)); });
  }
  static bool soon(const std::function<bool()>& done, std::chrono::milliseconds most = kLong) {
    const auto until = std::chrono::steady_clock::now() + most;
    while (!done() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return done();
  }
  bool written_soon() {
    return soon([&] { return file_is_there(); }, std::chrono::milliseconds(200));
  }
  // The node's chain has nothing more to say, and from now on no room at a.
  void fill_a() {
    ASSERT_TRUE(soon([&] { return a().record().types(node_.runtime().node_chain()).size() >= 2; }));
    a().give_room(0);
  }
  static std::set<uint64_t> sequences(RecordingSubscriber& record, const ActorId& actor) {
    std::set<uint64_t> found;
    for (const auto& event : record.chain(actor)) found.insert(event.sequence);
    return found;
  }

  const schema::Operator operator_{PublicKey{{7}}, "test"};
  FakeBus bus_;
};

TEST_F(GateChangesTest, DemotingTheOnlyOneThatHasTheIntentDoesntReleaseTheEffect) {
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  ASSERT_TRUE(add(auditor("late")).value());
  ASSERT_TRUE(demote("a").value());
  dialed("late").make_durable();
  EXPECT_FALSE(written_soon()) << "late has nothing of it, and a hasn't acknowledged it";
  a().make_durable();
  EXPECT_TRUE(soon([&] { return file_is_there(); }));
  a().record().gaps_expected = true;
}

TEST_F(GateChangesTest, RemovingTheOnlyOneThatHasTheIntentDoesntReleaseTheEffect) {
  const auto actor = node_.spawn("writer", folder_grant() + kGated);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  ASSERT_TRUE(add(auditor("late")).value());
  ASSERT_TRUE(remove("a").value().removed);
  EXPECT_FALSE(written_soon());
  a().make_durable();
  EXPECT_TRUE(soon([&] { return file_is_there(); })) << "it acknowledged what it had been sent";
}

TEST_F(GateChangesTest, OfAQuorumWhoDroppedTheIntentHasNoSay) {
  node_.auditor("b");
  const auto actor =
      node_.spawn("writer", folder_grant() + "[audit]\nmode = \"quorum\"\nquorum = 1\neffects = \"gated\"\n");
  ASSERT_TRUE(soon([&] { return show(node_.runtime(), actor)->state == "idle"; }));
  auto& b = *node_.outboxes()[1];
  b.give_room(0);
  const auto asked = ask(actor, "go");
  wait_until_held(actor);
  ASSERT_TRUE(demote("a").value());
  b.make_durable();
  EXPECT_FALSE(written_soon());
  a().record().gaps_expected = b.record().gaps_expected = true;
  b.give_room(SIZE_MAX);
  a().make_durable();
  EXPECT_TRUE(soon([&] { return file_is_there(); }));
}

TEST_F(GateChangesTest, AnEventThatWaitsIsNotLostWhenItsAuditorIsDemoted) {
  const auto actor = node_.spawn("worker");
  ASSERT_EQ(ask(actor, "settle")->text(), "settle");
  a().give_room(2'000);
  const auto asked = ask(actor, std::string(3'000, 'x'));
  ASSERT_TRUE(soon([&] { return show(node_.runtime(), actor)->waits_for == "auditor a"; }));
  ASSERT_TRUE(add(auditor("late")).value());
  a().record().gaps_expected = true;
  ASSERT_TRUE(demote("a").value());
  EXPECT_EQ(asked->text(), std::string(3'000, 'x'));
  EXPECT_TRUE(soon([&] {  // it may still be saying that late was added
    auto both = sequences(a().record(), actor);
    both.merge(sequences(dialed("late").record(), actor));
    return both == sequences(node_.record(), actor);
  }));
  a().give_room(SIZE_MAX);
}

TEST_F(GateChangesTest, OneThatComesForAFewActorsOnlyDoesntLetTheLastOneGo) {
  (void)node_.runtime();
  fill_a();
  auto added = begin_to_add(auditor("probe", "name:web-*"));
  EXPECT_THAT(demote("a").error().message, HasSubstr("is the last auditor"));
  EXPECT_THAT(remove("a").error().message, HasSubstr("is the last auditor"));
  a().give_room(SIZE_MAX);
  EXPECT_TRUE(added.get().value());
}

TEST_F(GateChangesTest, OneThatComesForAllTakesTheNodesChainFromADeadOne) {
  (void)node_.runtime();
  fill_a();
  auto added = begin_to_add(auditor("late"));
  a().record().gaps_expected = true;
  EXPECT_TRUE(soon([&] { return demote("a").ok(); })) << "once it is dialed";
  EXPECT_TRUE(added.get().value());
  EXPECT_TRUE(soon([&] {
    return std::ranges::count(dialed("late").record().types(node_.runtime().node_chain()),
                              std::string("subscription-demoted fact")) == 1;
  }));
  a().give_room(SIZE_MAX);
}

TEST_F(GateChangesTest, TwoThatComeAtOnceCantHaveOneKey) {
  (void)node_.runtime();
  fill_a();
  auto first = begin_to_add(auditor("b1")), second = begin_to_add(auditor("b2"));
  EXPECT_THAT(second.get().error().message, HasSubstr("that key is auditor 'b1', which is being added"));
  a().give_room(SIZE_MAX);
  EXPECT_TRUE(first.get().value());
}

}  // namespace
}  // namespace theater::node
