// The handler store: content by hash, found again in the node's cache or at an auditor, and labels of an actor or of
// the node. Each test replays the chains that it made.
#include <gmock/gmock.h>

#include "node/handlers/content.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string function(std::string_view name) { return str_cat("theater:simple/store@0.1.0/", name); }

std::string shown(const Value& value) {
  if (const auto* bytes = value.get<Bytes>()) return std::string(as_text(*bytes));
  if (const auto* text = value.get<std::string>()) return *text;
  if (const auto* option = value.get<Value::Option>())
    return option->payload == nullptr ? "none" : shown(*option->payload);
  const auto* result = value.get<Value::ResultOf>();
  if (result == nullptr) return schema::to_display(value);
  if (!result->ok) return str_cat("error: ", *result->payload->get<std::string>());
  return result->payload == nullptr ? "ok" : shown(*result->payload);
}

// "put TEXT", "big N", "get HASH", "exists HASH", "label-set LABEL HASH", "label-get LABEL", "label-delete LABEL",
// "list-labels".
void use_store(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  const auto space = std::min(message.find(' '), message.size());
  const std::string name = message.substr(0, space), rest = message.substr(std::min(space + 1, message.size()));
  if (name == "put") {
    call.host(function(name), {Value::bytes(to_bytes(rest))});
  } else if (name == "big") {
    call.host(function("put"), {Value::bytes(Bytes(std::stoull(rest), 'b'))});
  } else if (name == "label-set") {
    const auto end = rest.find(' ');
    call.host(function(name), {Value::string(rest.substr(0, end)), Value::string(rest.substr(end + 1))});
  } else if (name == "list-labels") {
    call.host(function(name), {});
  } else {
    call.host(function(name), {Value::string(rest)});
  }
  call.then([state](wasm::FakeCall& then) { then.result(ok_reply(state, shown(then.answers().back()))); });
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::vector<std::string> imports;
    for (const auto& each : wasm::host_functions()) {
      if (each.handler == "store") imports.push_back(each.type_name);
    }
    node_.package("store", {.imports = imports,
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                        {kHandleRequest, use_store}}});
  }
  ActorId spawn(const std::string& more = "") { return node_.spawn("store", "[[handler]]\ntype = \"store\"\n" + more); }
  std::string ask(const ActorId& actor, std::string_view message) {
    const auto answer = request(node_.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(answer->value_or(Bytes{}))) : answer.error().message;
  }

  FakeNode node_;
};

TEST_F(StoreTest, WhatWasPutIsFoundByItsHash) {
  const auto actor = spawn();
  const auto hash = ask(actor, "put hello");
  EXPECT_EQ(hash, sha256(as_bytes("hello")).hex());
  EXPECT_EQ(ask(actor, "put hello"), hash);
  EXPECT_EQ(ask(actor, "get " + hash), "hello");
  EXPECT_EQ(ask(actor, "exists " + hash), "true");
  const auto unknown = sha256(as_bytes("never put")).hex();
  EXPECT_EQ(ask(actor, "get " + unknown), "none");
  EXPECT_EQ(ask(actor, "exists " + unknown), "false");
  EXPECT_THAT(ask(actor, "get 123"), HasSubstr("error: '123' is no hash"));
  EXPECT_THAT(ask(actor, "exists " + std::string(64, 'g')), HasSubstr("is no hash"));
  const auto large = ask(actor, "big 100000");
  EXPECT_EQ(ask(actor, "get " + large).size(), 100'000u);
  EXPECT_EQ(ask(actor, "put "), sha256({}).hex());
  EXPECT_EQ(ask(actor, "get " + sha256({}).hex()), "");
  EXPECT_THAT(ask(actor, "big 16777217"), HasSubstr("are more than the 16777216"));
  expect_all_replay(node_);
}

// However small it is: an auditor can give it back by its hash.
TEST_F(StoreTest, EveryContentIsABlobAtTheAuditors) {
  auto& auditor = node_.auditor("a");
  const auto actor = spawn();
  ask(actor, "put tiny");
  ask(actor, "big 50000");
  EXPECT_EQ(as_text(auditor.record().blobs().at(sha256(as_bytes("tiny")))), "tiny");
  EXPECT_TRUE(auditor.record().blobs().contains(sha256(Bytes(50'000, 'b'))));
  expect_all_replay(node_);
}

TEST_F(StoreTest, ContentIsShared) {
  const auto one = spawn(), other = spawn();
  const auto hash = ask(one, "put for both");
  EXPECT_EQ(ask(other, "get " + hash), "for both");
  expect_all_replay(node_);
}

TEST_F(StoreTest, LabelsAreTheActorsOwn) {
  const auto one = spawn(), other = spawn();
  const auto a = ask(one, "put a"), b = ask(one, "put b");
  EXPECT_EQ(ask(one, "label-set current " + a), "ok");
  EXPECT_EQ(ask(one, "label-get current"), a);
  EXPECT_EQ(ask(other, "label-get current"), "none");
  EXPECT_EQ(ask(one, "label-set current " + b), "ok") << "replaces";
  EXPECT_EQ(ask(one, "label-set first " + a), "ok");
  EXPECT_EQ(ask(one, "list-labels"), str_cat("[(\"current\", \"", b, "\"), (\"first\", \"", a, "\")]"));
  EXPECT_EQ(ask(one, "label-delete current"), "true");
  EXPECT_EQ(ask(one, "label-delete current"), "false");
  EXPECT_EQ(ask(one, "label-get current"), "none");
  EXPECT_THAT(ask(one, "label-set x y"), HasSubstr("is no hash"));
  EXPECT_THAT(ask(one, "label-set  " + a), HasSubstr("a label has 1 to 256 bytes"));
  EXPECT_THAT(ask(one, str_cat("label-set ", std::string(257, 'l'), " ", a)), HasSubstr("1 to 256"));
  expect_all_replay(node_);
}

TEST_F(StoreTest, OrTheNodesIfTheManifestSaysSo) {
  const auto one = spawn("labels = \"node\"\n"), other = spawn("labels = \"node\"\n"), apart = spawn();
  const auto hash = ask(one, "put a");
  EXPECT_EQ(ask(one, "label-set shared " + hash), "ok");
  EXPECT_EQ(ask(other, "label-get shared"), hash);
  EXPECT_EQ(ask(apart, "label-get shared"), "none");
  ASSERT_TRUE(kill(node_.runtime(), one).ok());
  EXPECT_EQ(ask(other, "label-get shared"), hash) << "it outlives who set it";
  expect_all_replay(node_);
}

TEST_F(StoreTest, LabelsAreBoundedWithThoseThatAreUnderWay) {
  Labels labels(2);
  EXPECT_TRUE(labels.reserve("a").ok());
  EXPECT_TRUE(labels.reserve("b").ok());
  EXPECT_THAT(labels.reserve("c").error().message, HasSubstr("there are 2 labels already"));
  EXPECT_FALSE(labels.contains("a"));
  labels.set_reserved("a", {});
  labels.give_back();
  EXPECT_TRUE(labels.reserve("c").ok());
  labels.set_reserved("c", {});
  EXPECT_TRUE(labels.reserve("a").ok()) << "it is there";
  labels.set_reserved("a", sha256({}));
  EXPECT_FALSE(labels.reserve("b").ok());
  labels.remove("c");
  EXPECT_TRUE(labels.reserve("b").ok());
}

// Others saw labels that no chain spoke of yet, and never would if the actor was killed.
TEST_F(StoreTest, ANodesLabelComesWithItsEvent) {
  const auto one = spawn("labels = \"node\"\n"), other = spawn("labels = \"node\"\n");
  const auto hash = ask(one, "put a");
  ASSERT_EQ(ask(one, "label-set old " + hash), "ok");
  const auto queue = std::make_shared<QueueSubscriber>(1, QueueSubscriber::Overflow::kStrict);
  ASSERT_TRUE(await<Ok>([&](Callback<Ok> done) { node_.runtime().subscribe(one, queue, std::move(done)); }).ok());
  node_.runtime().request(one, to_bytes("label-set new " + hash), {}, 0, false, [](auto) {});
  ASSERT_TRUE(wait_for_state(node_.runtime(), one, "waiting", "a subscriber"));
  EXPECT_EQ(ask(other, "label-get new"), "none");
  EXPECT_EQ(ask(other, "label-get old"), hash);
  queue->close();
  ASSERT_EQ(ask(one, "label-get new"), hash);
  EXPECT_EQ(ask(other, "label-get new"), hash);
  expect_all_replay(node_);
}

// The auditors get it in the clear, so a secret isn't stored.
TEST_F(StoreTest, ASecretIsNotStored) {
  node_.environment = {{"KEY", "sk-0123456789abcdef"}};
  const auto actor = spawn("[[handler]]\ntype = \"environment\"\nsecrets = [\"KEY\"]\n");
  EXPECT_THAT(ask(actor, "put it is sk-0123456789abcdef"), HasSubstr("holds a secret"));
  node_.stop(10'000);
  for (const auto& event : node_.record().chain(actor)) EXPECT_THAT(as_text(event.bytes), Not(HasSubstr("0123456789")));
  for (const auto& [hash, bytes] : node_.record().blobs()) EXPECT_THAT(as_text(bytes), Not(HasSubstr("0123456789")));
  replay::ReplayOptions options;
  options.secrets = {{"KEY", "sk-0123456789abcdef"}};
  expect_replays(node_, actor, options);
}

// --- the cache, and what is behind it ---

// An auditor that answers what it is asked for, or fails.
class AnsweringOutbox final : public bus::Outbox {
 public:
  std::map<Hash, Bytes> blobs;
  std::optional<Error> trouble;
  int asked = 0;

  void fetch_blob(const Hash& hash, uint64_t, bus::FetchDone done) override {
    ++asked;
    if (trouble) return done(*trouble);
    const auto found = blobs.find(hash);
    if (found == blobs.end()) return done(Error{ErrorCode::kNotFound, "not here"});
    done(found->second);
  }
  bool try_reserve_blob(const ActorId& actor, const Hash&, size_t bytes) override { return try_reserve(actor, bytes); }
  void give_up_blob(const ActorId&) override {}
  bool try_reserve(const ActorId&, size_t) override { return true; }
  void release(const ActorId&, size_t) override {}
  void when_room(const ActorId&, bus::Waker) override {}
  void forget_waker(const ActorId&) override {}
  void append(const schema::EncodedEvent&) override {}
  void drop(const schema::EncodedEvent&) override {}
  bool needs_blob(const Hash&) override { return false; }
  void append_blob(const ActorId&, const Hash&, uint64_t, uint64_t, BytesView) override {}
  void when_durable(bus::DurabilityWaker) override {}
  void begin_late(const ActorId&, uint64_t, const Hash&) override {}
  void demote(bool) override {}
  bool demoted() const override { return false; }
  bool closed() const override { return false; }
  Status status() const override { return {}; }
};

std::string text(size_t i) { return str_cat(std::string(100, 'x'), i); }

TEST(ContentTest, TheCacheKeepsWhatWasUsedLast) {
  const auto content = std::make_shared<Content>(350);
  const auto put = [&](size_t i) {
    content->put(sha256(as_bytes(text(i))), std::make_shared<const Bytes>(to_bytes(text(i))));
  };
  const auto has = [&](size_t i) { return content->find(sha256(as_bytes(text(i)))) != nullptr; };
  put(1), put(2), put(3);
  EXPECT_TRUE(has(1));
  put(4);
  EXPECT_FALSE(has(2)) << "the one not used for longest";
  EXPECT_TRUE(has(1) && has(3) && has(4));
  content->put(sha256(Bytes(400, 'y')), std::make_shared<const Bytes>(400, 'y'));
  EXPECT_TRUE(has(1)) << "what is larger than the cache isn't kept";
}

TEST(ContentTest, AMissIsFetchedFromTheFirstAuditorThatHasIt) {
  auto first = std::make_shared<AnsweringOutbox>(), second = std::make_shared<AnsweringOutbox>();
  const auto content = std::make_shared<Content>();
  content->set_auditors({first, second});
  const Hash hash = sha256(as_bytes("kept"));
  const auto fetch = [&]() -> std::string {
    std::string said;
    content->fetch(hash, [&](Result<Content::Shared> got) {
      said = !got.ok() ? got.error().message : *got == nullptr ? "(nothing)" : std::string(as_text(**got));
    });
    return said;
  };
  EXPECT_EQ(fetch(), "(nothing)");
  first->trouble = Error{ErrorCode::kUnavailable, "auditor a doesn't answer"};
  EXPECT_EQ(fetch(), "auditor a doesn't answer") << "that it isn't there can't be said";
  second->blobs[hash] = to_bytes("kept");
  EXPECT_EQ(fetch(), "kept");
  EXPECT_EQ(as_text(*content->find(hash)), "kept") << "and is in the cache now";
  EXPECT_EQ(second->asked, 3);
}

}  // namespace
}  // namespace theater::node
