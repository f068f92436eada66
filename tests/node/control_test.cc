// The control verbs over a node on the fake engine: fields, roles, repeated request ids, and what wrong requests get.
#include "node/control/control.h"

#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "node/control/answers.h"
#include "node/control/log_stream.h"
#include "tests/node/fake_bus.h"

namespace theater::node {
namespace {

using bus::ControlResponse;
using bus::Role;
using schema::Value;
using testing::HasSubstr;

// Keeps the responses to one request.
class Answer final : public bus::Responder {
 public:
  void respond(ControlResponse response) override {
    {
      std::lock_guard lock(mutex_);
      responses_.push_back(std::move(response));
    }
    changed_.notify_all();
  }
  bool gone() const override { return gone_; }
  void go_away() { gone_ = true; }
  // A client that reads slowly.
  Backlog backlog() const override {
    std::lock_guard lock(mutex_);
    return backlog_;
  }
  void when_drained(std::function<void()> drained) override {
    {
      std::lock_guard lock(mutex_);
      if (backlog_.responses != 0) {
        drained_ = std::move(drained);
        return;
      }
    }
    drained();
  }
  void set_backlog(Backlog backlog) {
    std::function<void()> drained;
    {
      std::lock_guard lock(mutex_);
      backlog_ = backlog;
      if (backlog.responses == 0) drained.swap(drained_);
    }
    if (drained) drained();
  }

  std::vector<ControlResponse> wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [&] { return responses_.size() >= count; }));
    return responses_;
  }

 private:
  mutable std::mutex mutex_;
  Backlog backlog_;
  std::function<void()> drained_;
  std::condition_variable changed_;
  std::vector<ControlResponse> responses_;
  std::atomic<bool> gone_{false};
};

bus::ControlPeer local() {
  bus::ControlPeer peer;
  peer.name = "local";
  peer.local = true;
  return peer;
}

bus::ControlPeer remote(std::vector<Role> roles, uint8_t key = 1) {
  bus::ControlPeer peer;
  peer.identity.bytes[0] = key;
  peer.name = "ada";
  peer.roles = std::move(roles);
  return peer;
}

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    node_.auditor("b");
    node_.options().bus = &bus_;
  }

  bus::ControlHandler& handler() {
    if (handler_ == nullptr) {
      handler_ = make_control_handler(node_.runtime());
    }
    return *handler_;
  }
  std::shared_ptr<Answer> start(const std::string& verb, std::vector<Value::Field> args,
                                const std::string& request_id = "", const bus::ControlPeer& peer = local()) {
    bus::ControlRequest request;
    request.id = ++last_id_;
    request.verb = verb;
    request.request_id = request_id;
    request.args = Value::record(std::move(args));
    auto answer = std::make_shared<Answer>();
    handler().handle(peer, std::move(request), answer);
    return answer;
  }
  ControlResponse ask(const std::string& verb, std::vector<Value::Field> args, const std::string& request_id = "",
                      const bus::ControlPeer& peer = local()) {
    auto answer = start(verb, std::move(args), request_id, peer)->wait_for(1)[0];
    EXPECT_EQ(answer.id, last_id_);
    return answer;
  }
  std::vector<Value::Field> spawn_args() {
    return {{"manifest", Value::string(FakeNode::manifest("test"))}, {"package", Value::bytes(to_bytes("worker"))}};
  }
  std::vector<Value> auditors() {
    return bus::find_field(ask("subscription.list", {}).result, "auditors")->get<Value::List>()->items;
  }
  static bool flag(const ControlResponse& answer, std::string_view name) {
    return *bus::find_field(answer.result, name)->get<bool>();
  }
  std::string spawn() { return *bus::text_field(ask("actor.spawn", spawn_args()).result, "id"); }
  std::vector<Value::Field> message(const std::string& actor, const std::string& text) {
    return {{"actor", Value::string(actor)}, {"message", Value::bytes(to_bytes(text))}};
  }
  static std::string reply_of(const ControlResponse& response) {
    CHECK(!response.error, response.error->message);
    const auto& payload = bus::find_field(response.result, "reply")->get<Value::Option>()->payload;
    return payload == nullptr ? "(none)" : std::string(as_text(*payload->get<Bytes>()));
  }

  FakeBus bus_;
  FakeNode node_;
  std::unique_ptr<bus::ControlHandler> handler_;
  uint64_t last_id_ = 0;
};

// The first cells of the table rows of a section of docs/formats/control.md, each with the second one.
std::vector<std::pair<std::string, std::string>> page_rows(const std::string& heading) {
  std::vector<std::pair<std::string, std::string>> rows;
  std::istringstream lines(std::string(as_text(*read_file(THEATER_SOURCE_DIR "/docs/formats/control.md"))));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("| `")) continue;
    const auto name_end = line.find('`', 3), second = line.find("| ", name_end) + 2;
    rows.emplace_back(line.substr(3, name_end - 3), line.substr(second, line.find(" |", second) - second));
  }
  return rows;
}

TEST_F(ControlTest, ThePageListsExactlyTheVerbsAndTheFieldsThereAre) {
  std::vector<std::pair<std::string, std::string>> verbs;
  for (const auto& [name, role] : control_verbs()) verbs.emplace_back(name, bus::role_name(role));
  EXPECT_EQ(page_rows("Verbs"), verbs);
  std::vector<std::string> told, listed;
  const auto shown = ask("actor.show", {{"actor", Value::string(spawn())}});
  for (const auto& field : shown.result.get<Value::Record>()->fields) told.push_back(field.name);
  for (const auto& [name, meaning] : page_rows("An actor")) listed.push_back(name);
  EXPECT_EQ(listed, told);
  told.clear(), listed.clear();
  const Value auditor = auditors()[0];
  for (const auto& field : auditor.get<Value::Record>()->fields) told.push_back(field.name);
  for (const auto& [name, meaning] : page_rows("An auditor")) listed.push_back(name);
  EXPECT_EQ(listed, told);
}

TEST_F(ControlTest, AnActorIsToldWithAllThatItHas) {
  const std::string actor = spawn();
  const auto id = *ActorId::from_hex_text(actor);
  ask("actor.request", message(actor, "log 3"));
  const auto idle = ask("actor.show", {{"actor", Value::string(actor)}}).result;
  EXPECT_EQ(*bus::text_field(idle, "waits-for"), "");
  EXPECT_EQ(*bus::number_field(idle, "waiting-ms"), 0u);
  EXPECT_GT(*bus::number_field(idle, "fuel"), 0u);
  EXPECT_EQ(*bus::text_field(idle, "parent"), "");

  // Three more messages wait behind one that finds no room at the auditor.
  node_.outboxes()[0]->give_room(0);
  for (int i = 0; i < 4; ++i) ask("actor.send", message(actor, "12345"));
  ASSERT_TRUE(wait_for_state(node_.runtime(), id, "waiting", "auditor b"));
  const auto waiting_ms = [&] {
    return *bus::number_field(ask("actor.show", {{"actor", Value::string(actor)}}).result, "waiting-ms");
  };
  const uint64_t first_ms = waiting_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_GE(waiting_ms(), first_ms + 29);
  const auto waiting = ask("actor.list", {}).result;
  const auto& listed = bus::find_field(waiting, "actors")->get<Value::List>()->items.at(0);
  EXPECT_EQ(*bus::number_field(listed, "mailbox"), 3u);
  EXPECT_EQ(*bus::number_field(listed, "mailbox-bytes"), 15u);
  node_.outboxes()[0]->give_room(SIZE_MAX);
}

TEST_F(ControlTest, NamesAreTold) {
  auto args = spawn_args();
  args[0].value = Value::string("register = \"till\"\n" + FakeNode::manifest("test"));
  ASSERT_FALSE(ask("actor.spawn", args).error);
  const auto shown = ask("actor.show", {{"actor", Value::string("till")}}).result;
  EXPECT_EQ(*bus::find_field(shown, "names"), Value::list({Value::string("till")}));
  const auto all = ask("actor.list", {}).result;
  EXPECT_EQ(*bus::find_field(bus::find_field(all, "actors")->get<Value::List>()->items.at(0), "names"),
            Value::list({Value::string("till")}));
}

TEST_F(ControlTest, FromSpawnToStop) {
  const std::string actor = spawn();
  EXPECT_EQ(reply_of(ask("actor.request", message(actor, "hello"))), "hello");
  EXPECT_FALSE(ask("actor.send", message(actor, "x")).error);
  const auto shown = ask("actor.show", {{"actor", Value::string(actor.substr(0, 8))}});
  EXPECT_EQ(*bus::text_field(shown.result, "id"), actor);
  EXPECT_EQ(*bus::text_field(shown.result, "name"), "test");
  EXPECT_FALSE(bus::text_field(shown.result, "head")->empty());
  const auto all = ask("actor.list", {});
  EXPECT_EQ(bus::find_field(all.result, "actors")->get<Value::List>()->items.size(), 1u);
  EXPECT_FALSE(ask("actor.stop", {{"actor", Value::string("test")}, {"grace-ms", Value::u64(1'000)}}).error);
  const auto ended = ask("actor.show", {{"actor", Value::string(actor)}});
  EXPECT_EQ(*bus::text_field(ended.result, "state"), "ended");
  EXPECT_EQ(*bus::text_field(ended.result, "ended"), "stop");
}

TEST_F(ControlTest, TheRecordNamesWhoAsked) {
  const auto peer = remote({Role::kOperator});
  const auto spawned = ask("actor.spawn", spawn_args(), "spawn-1", peer);
  const auto id = *ActorId::from_hex_text(*bus::text_field(spawned.result, "id"));
  ask("actor.request", message(id.hex(), "x"), "ask-1", peer);
  const auto chain = node_.outboxes()[0]->record().chain(id);
  const auto genesis = schema::decode_event(chain[0].bytes);
  EXPECT_EQ(std::get<schema::Genesis>(genesis->body).requested_by,
            schema::Origin(schema::Operator{peer.identity, "spawn-1"}));
  const auto call = schema::decode_event(chain[5].bytes);
  EXPECT_EQ(std::get<schema::WasmCall>(call->body).origin, schema::Origin(schema::Operator{peer.identity, "ask-1"}));
}

TEST_F(ControlTest, Status) {
  spawn();
  const auto status = ask("node.status", {}).result;
  EXPECT_EQ(*bus::text_field(status, "name"), "node");
  EXPECT_EQ(*bus::text_field(status, "chain"), node_.runtime().node_chain().hex());
  EXPECT_EQ(*bus::number_field(status, "actors"), 1u);
  const auto& auditors = bus::find_field(status, "auditors")->get<Value::List>()->items;
  ASSERT_EQ(auditors.size(), 1u);
  EXPECT_EQ(*bus::text_field(auditors[0], "name"), "b");
}

TEST_F(ControlTest, AuditorsComeAndGo) {
  const std::string actor = spawn();
  const std::string key = bus::SecretKeys::generate().public_keys().text();
  const auto args = [&](const std::string& actors) {
    return std::vector<Value::Field>{
        {"name", Value::string("c")}, {"data", Value::string("tcp://c:1")}, {"control", Value::string("tcp://c:2")},
        {"key", Value::string(key)},  {"window", Value::u64(1 << 20)},      {"actors", Value::string(actors)}};
  };
  const std::vector<Value::Field> c = {{"name", Value::string("c")}};
  EXPECT_THAT(ask("subscription.add", args("id:nobody")).error->message, HasSubstr("nobody"));
  EXPECT_THAT(ask("subscription.add", args("nonsense")).error->message, HasSubstr("all, name:PATTERN"));
  EXPECT_TRUE(flag(ask("subscription.add", args("id:" + actor.substr(0, 10))), "added"));
  EXPECT_FALSE(flag(ask("subscription.add", args("id:" + actor)), "added"));
  EXPECT_THAT(ask("subscription.add", args("all")).error->message, HasSubstr("other particulars"));
  ASSERT_EQ(auditors().size(), 2u);
  const auto added = auditors()[1];
  EXPECT_EQ(*bus::text_field(added, "actors"), "id:" + actor);
  EXPECT_EQ(*bus::text_field(added, "source"), "run time");
  EXPECT_EQ(*bus::text_field(auditors()[0], "source"), "configuration");
  EXPECT_EQ(*bus::text_field(added, "key"), key);
  EXPECT_EQ(*bus::number_field(added, "window-bytes"), 1u << 20);

  EXPECT_TRUE(flag(ask("subscription.demote", c), "changed"));
  EXPECT_FALSE(flag(ask("subscription.demote", c), "changed"));
  EXPECT_TRUE(*bus::find_field(auditors()[1], "demoted")->get<bool>());
  EXPECT_TRUE(flag(ask("subscription.promote", c), "changed"));
  EXPECT_FALSE(*bus::find_field(auditors()[1], "demoted")->get<bool>());

  bus_.lost_events = 2;
  const auto removed = ask("subscription.remove", c);
  EXPECT_TRUE(flag(removed, "removed"));
  EXPECT_EQ(*bus::number_field(removed.result, "lost-events"), 2u);
  EXPECT_FALSE(flag(ask("subscription.remove", c), "removed"));
  EXPECT_EQ(auditors().size(), 1u);
  EXPECT_EQ(ask("subscription.demote", c).error->code, ErrorCode::kNotFound);

  auto local_one = args("all");
  local_one[1] = {"data", Value::string("inproc://auditor")};
  EXPECT_THAT(ask("subscription.add", local_one).error->message, HasSubstr("tcp://host:port is expected"));
}

TEST_F(ControlTest, ReadersMayLookAndNothingElse) {
  const std::string actor = spawn();
  const auto reader = remote({Role::kReader});
  EXPECT_FALSE(ask("actor.list", {}, "", reader).error);
  EXPECT_FALSE(ask("actor.show", {{"actor", Value::string(actor)}}, "", reader).error);
  EXPECT_FALSE(ask("node.status", {}, "", reader).error);
  EXPECT_FALSE(ask("subscription.list", {}, "", reader).error);
  for (const char* verb : {"actor.spawn", "actor.send", "actor.request", "actor.stop", "actor.kill", "subscription.add",
                           "subscription.remove", "subscription.demote", "subscription.promote"}) {
    const auto refused = ask(verb, message(actor, "x"), "", reader);
    ASSERT_TRUE(refused.error) << verb;
    EXPECT_EQ(refused.error->code, ErrorCode::kRefused);
    EXPECT_THAT(refused.error->message, HasSubstr("'ada' may not "));
  }
  EXPECT_EQ(ask("actor.list", {}, "", remote({Role::kNode})).error->code, ErrorCode::kRefused);
  EXPECT_FALSE(ask("actor.list", {}, "", remote({Role::kOperator})).error);
}

TEST_F(ControlTest, ARepeatedRequestIdIsAnsweredAndNotRunAgain) {
  const std::string actor = spawn();
  EXPECT_EQ(reply_of(ask("actor.request", message(actor, "state a"), "id-1")), "changed");
  const uint64_t events = show(node_.runtime(), *ActorId::from_hex_text(actor))->events;
  EXPECT_EQ(reply_of(ask("actor.request", message(actor, "state a"), "id-1")), "changed");
  EXPECT_EQ(show(node_.runtime(), *ActorId::from_hex_text(actor))->events, events);

  const auto other = ask("actor.request", message(actor, "state b"), "id-1");
  EXPECT_THAT(other.error->message, HasSubstr("was used for another request"));
  // Another key's ids are its own.
  EXPECT_EQ(reply_of(ask("actor.request", message(actor, "show"), "id-1", remote({Role::kOperator}))), "a");
}

TEST_F(ControlTest, ARequestRepeatedWhileItRunsGetsTheSameAnswer) {
  const std::string actor = spawn();
  const auto first = start("actor.request", message(actor, "sleep 50"), "id-1");
  const auto second = start("actor.request", message(actor, "sleep 50"), "id-1");
  EXPECT_EQ(reply_of(first->wait_for(1)[0]), "sleep 50");
  EXPECT_EQ(reply_of(second->wait_for(1)[0]), "sleep 50");
  EXPECT_EQ(second->wait_for(1)[0].id, last_id_);
}

TEST_F(ControlTest, WhatWasRefusedMayBeTriedAgain) {
  EXPECT_EQ(ask("actor.send", message("nobody", "x"), "id-1").error->code, ErrorCode::kNotFound);
  spawn();
  EXPECT_EQ(ask("actor.send", message("nobody", "x"), "id-1").error->code, ErrorCode::kNotFound);
  auto args = spawn_args();
  args[0].value = Value::string("name = 5\n");
  EXPECT_TRUE(ask("actor.spawn", args, "id-2").error);
  EXPECT_TRUE(ask("actor.spawn", args, "id-2").error);
}

TEST_F(ControlTest, TheNumberOfAnswersThatAreRememberedIsBounded) {
  const std::string actor = spawn();
  const auto events = [&] {
    EXPECT_FALSE(ask("actor.request", message(actor, "show")).error);  // what was sent before is done then
    return show(node_.runtime(), *ActorId::from_hex_text(actor))->events;
  };
  for (size_t i = 0; i < Answers::kAnswersMax + 10; ++i) {
    ask("actor.send", message(actor, "x"), str_cat("id-", i));
    if (i % 500 == 0) events();  // its mailbox is never full
  }
  const uint64_t before = events();
  ask("actor.send", message(actor, "x"), str_cat("id-", Answers::kAnswersMax));
  EXPECT_EQ(events(), before + 2) << "remembered: nothing but the request of the test itself";
  ask("actor.send", message(actor, "x"), "id-0");
  EXPECT_EQ(events(), before + 6) << "forgotten: it is sent again";
}

TEST(AnswersTest, LargeAnswersOfOneKeyDoNotMakeTheNodeForgetAnothers) {
  Answers answers;
  PublicKey large, small;
  large.bytes[0] = 1;
  small.bytes[0] = 2;
  const auto is_new = [&](const PublicKey& key, const std::string& id) {
    bus::ControlRequest request;
    request.verb = "actor.request";
    request.request_id = id;
    return answers.begin(key, request, std::make_shared<Answer>());
  };
  ASSERT_TRUE(is_new(small, "once"));
  answers.answer(small, "once", {});
  bus::ControlResponse failed;
  failed.error = Error{ErrorCode::kActorFailed, std::string(Answers::kBytesMax / 3, 'x')};
  for (const char* id : {"1", "2", "3", "4"}) {
    ASSERT_TRUE(is_new(large, id));
    answers.answer(large, id, failed);
  }
  EXPECT_FALSE(is_new(small, "once"));
  EXPECT_FALSE(is_new(large, "4"));
  EXPECT_TRUE(is_new(large, "1")) << "texts of errors count, and the oldest goes first";
}

TEST_F(ControlTest, LogsFollowUntilTheActorEnds) {
  const std::string actor = spawn();
  const auto logs = start("actor.logs", {{"actor", Value::string(actor)}});
  while (show(node_.runtime(), *ActorId::from_hex_text(actor))->state != "idle") std::this_thread::yield();
  ask("actor.request", message(actor, "log 2"));
  ask("actor.stop", {{"actor", Value::string(actor)}});
  const auto lines = logs->wait_for(3);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(*bus::text_field(lines[0].result, "text"), "line 0");
  EXPECT_EQ(*bus::text_field(lines[1].result, "text"), "line 1");
  EXPECT_TRUE(lines[1].more);
  EXPECT_FALSE(lines[2].more);
  EXPECT_EQ(bus::find_field(lines[2].result, "text"), nullptr);
}

TEST_F(ControlTest, WhoReadsALogTooSlowlyIsToldWhatIsMissing) {
  const std::string actor = spawn();
  const auto logs = start("actor.logs", {{"actor", Value::string(actor)}});
  ask("actor.request", message(actor, "log 2"));
  EXPECT_EQ(*bus::number_field(logs->wait_for(2)[1].result, "sequence"), 7u);
  EXPECT_EQ(bus::text_field(logs->wait_for(2)[1].result, "event")->size(), 64u);

  for (const auto& full : {bus::Responder::Backlog{LogStream::kResponsesMax, 1}, {1, LogStream::kBytesMax}}) {
    const size_t before = logs->wait_for(2).size();
    logs->set_backlog(full);
    ask("actor.request", message(actor, "log 3"));
    EXPECT_EQ(logs->wait_for(2).size(), before) << "left out";
    logs->set_backlog({1, 1});  // it reads again, but hasn't caught up
    ask("actor.request", message(actor, "log 1"));
    EXPECT_EQ(logs->wait_for(2).size(), before);
    logs->set_backlog({0, 0});
    const auto mark = logs->wait_for(before + 1).back();
    EXPECT_TRUE(mark.more);
    EXPECT_EQ(*bus::number_field(mark.result, "missed"), 4u);
    const uint64_t from = *bus::number_field(mark.result, "from");
    // Three lines, the result, the next call, and its one line.
    EXPECT_EQ(*bus::number_field(mark.result, "to"), from + 5);
    ask("actor.request", message(actor, "log 1"));
    EXPECT_EQ(*bus::number_field(logs->wait_for(before + 2).back().result, "sequence"), from + 8);
  }

  // An end that comes meanwhile waits for nothing, and the mark comes before it.
  const size_t before = logs->wait_for(2).size();
  logs->set_backlog({LogStream::kResponsesMax, 1});
  ask("actor.request", message(actor, "log 1"));
  ask("actor.stop", {{"actor", Value::string(actor)}});
  const auto last = logs->wait_for(before + 2);
  ASSERT_EQ(last.size(), before + 2);
  EXPECT_EQ(*bus::number_field(last[before].result, "missed"), 1u);
  EXPECT_FALSE(last[before + 1].more);
  logs->set_backlog({0, 0});
  EXPECT_EQ(logs->wait_for(2).size(), before + 2) << "nothing comes after the end";
}

TEST_F(ControlTest, TheNumberOfLogsThatAreFollowedIsBoundedAndThoseWhoLeftMakeRoom) {
  const std::string actor = spawn();
  std::vector<std::shared_ptr<Answer>> readers;
  for (int i = 0; i < 256; ++i) readers.push_back(start("actor.logs", {{"actor", Value::string(actor)}}));
  const auto refused = ask("actor.logs", {{"actor", Value::string(actor)}});
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, ErrorCode::kUnavailable);
  // Each was asked for a sign of life since it came: that is how the bus learns who has left.
  EXPECT_EQ(*bus::number_field(readers[0]->wait_for(1)[0].result, "missed"), 0u);
  readers[0]->go_away();
  const auto next = start("actor.logs", {{"actor", Value::string(actor)}});
  ask("actor.request", message(actor, "log 1"));
  EXPECT_EQ(*bus::text_field(next->wait_for(1)[0].result, "text"), "line 0");
}

TEST_F(ControlTest, KillWithAbandonGivesUpOnTheTerminalEvent) {
  const std::string actor = spawn();
  node_.outboxes()[0]->give_room(0);
  const auto killed =
      ask("actor.kill",
          {{"actor", Value::string(actor)}, {"reason", Value::string("enough")}, {"abandon", Value::boolean(true)}});
  EXPECT_FALSE(killed.error) << killed.error->message;
  EXPECT_THAT(show(node_.runtime(), *ActorId::from_hex_text(actor))->ended, HasSubstr("the chain stays open"));
  node_.outboxes()[0]->give_room(SIZE_MAX);
}

TEST_F(ControlTest, AKillThatFindsNoRoomSaysSoAfterAWhile) {
  const std::string actor = spawn();
  node_.outboxes()[0]->give_room(0);
  const auto killed = ask("actor.kill", {{"actor", Value::string(actor)}, {"reason", Value::string("enough")}});
  ASSERT_TRUE(killed.error);
  EXPECT_EQ(killed.error->code, ErrorCode::kUnavailable);
  EXPECT_THAT(killed.error->message, HasSubstr("waits for auditor b"));
  node_.outboxes()[0]->give_room(SIZE_MAX);
}

TEST_F(ControlTest, WrongRequestsAreAnsweredWithWords) {
  const std::string actor = spawn();
  EXPECT_THAT(ask("actor.dance", {}).error->message, HasSubstr("knows no verb 'actor.dance'"));
  EXPECT_THAT(ask("actor.show", {}).error->message, HasSubstr("actor"));
  EXPECT_THAT(ask("actor.show", {{"actor", Value::u64(1)}}).error->message, HasSubstr("actor"));
  EXPECT_THAT(ask("actor.send", {{"actor", Value::string(actor)}}).error->message, HasSubstr("message"));
  auto args = message(actor, "x");
  args.push_back({"timeout-ms", Value::u64(UINT64_MAX)});
  EXPECT_THAT(ask("actor.request", args).error->message, HasSubstr("timeout-ms"));
  args.back() = {"durable", Value::u64(1)};
  EXPECT_THAT(ask("actor.request", args).error->message, HasSubstr("durable"));
  EXPECT_THAT(ask("actor.spawn", {{"manifest", Value::string("")}}).error->message, HasSubstr("package"));
}

}  // namespace
}  // namespace theater::node
