// The handler filesystem on a whole node: what is granted, what is recorded before and after the disk is touched, that
// a replay touches no disk, and that an actor that waits for one holds up nobody. What paths can reach is in
// granted_folder_test.cc.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "node/runtime/io_threads.h"
#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using schema::Value;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string function(std::string_view name) { return str_cat("theater:simple/filesystem@0.1.0/", name); }

// Any answer as text: "ok", "error: …", what is in it.
std::string shown(const Value& value) {
  if (const auto* bytes = value.get<Bytes>()) return std::string(as_text(*bytes));
  const auto* result = value.get<Value::ResultOf>();
  if (result == nullptr) return schema::to_display(value);
  if (!result->ok) return str_cat("error: ", *result->payload->get<std::string>());
  return result->payload == nullptr ? "ok" : shown(*result->payload);
}

// "FUNCTION PATH [TEXT]"; "big PATH N" writes N bytes.
void use_files(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  std::vector<std::string> words;
  for (size_t from = 0; from <= message.size() && words.size() < 3;) {
    const size_t end = words.size() == 2 ? message.size() : std::min(message.find(' ', from), message.size());
    words.push_back(message.substr(from, end - from));
    from = end + 1;
  }
  words.resize(3);
  const Value path = Value::string(words[1]);
  const std::string& name = words[0];
  if (name == "write" || name == "append") {
    call.host(function(name), {path, Value::bytes(to_bytes(words[2]))});
  } else if (name == "big") {
    call.host(function("write"), {path, Value::bytes(Bytes(std::stoull(words[2]), 'b'))});
  } else if (name == "rename") {
    call.host(function(name), {path, Value::string(words[2])});
  } else if (name == "read-range") {
    const auto space = words[2].find(' ');
    call.host(function(name), {path, Value::u64(std::stoull(words[2].substr(0, space))),
                               Value::u64(std::stoull(words[2].substr(space + 1)))});
  } else if (name == "echo") {
    return call.result(ok_reply(state, words[1]));
  } else {
    call.host(function(name), {path});
  }
  call.then([state](wasm::FakeCall& then) { then.result(ok_reply(state, shown(then.answers().back()))); });
}

class FilesystemTest : public testing::Test {
 protected:
  FilesystemTest() {
    std::string pattern = (fs::temp_directory_path() / "theater-files-XXXXXX").string();
    CHECK(mkdtemp(pattern.data()) != nullptr);
    top_ = pattern;
    fs::create_directory(top_ / "rw");
    fs::create_directory(top_ / "ro");
    std::ofstream(top_ / "ro" / "given") << "from outside";
    std::vector<std::string> imports;
    for (const auto& each : wasm::host_functions()) {
      if (each.handler == "filesystem") imports.push_back(each.type_name);
    }
    node_.package("files", {.imports = imports,
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state()); }},
                                        {kHandleRequest, use_files}}});
  }
  ~FilesystemTest() override { fs::remove_all(top_); }

  std::string grants(const std::string& more = "") const {
    return str_cat("[[handler]]\ntype = \"filesystem\"\n", more, "[[handler.folder]]\nname = \"rw\"\npath = \"",
                   (top_ / "rw").string(), "\"\nmode = \"read-write\"\n[[handler.folder]]\nname = \"ro\"\npath = \"",
                   (top_ / "ro").string(), "\"\n");
  }
  std::string ask(const ActorId& actor, std::string_view message) {
    const auto answer = request(node_.runtime(), actor, message);
    return answer.ok() ? std::string(as_text(answer->value_or(Bytes{}))) : answer.error().message;
  }
  std::vector<schema::EncodedEvent> events_of(const ActorId& actor, std::string_view name) {
    std::vector<schema::EncodedEvent> found;
    for (auto& event : node_.record().chain(actor)) {
      if (schema::check_event(event.bytes)->header.type == function(name)) found.push_back(event);
    }
    return found;
  }
  // Whatever was on the disk is gone when the replay runs.
  void expect_replay_without_disk() {
    node_.stop(10'000);
    fs::remove_all(top_);
    expect_all_replay(node_);
  }

  fs::path top_;
  FakeNode node_;
};

TEST_F(FilesystemTest, EverythingThatCanBeDone) {
  const auto actor = node_.spawn("files", grants());
  EXPECT_EQ(ask(actor, "create-dir rw/d"), "ok");
  EXPECT_EQ(ask(actor, "write rw/d/a one"), "ok");
  EXPECT_EQ(ask(actor, "append rw/d/a  two"), "ok");
  EXPECT_EQ(ask(actor, "read rw/d/a"), "one two");
  EXPECT_EQ(ask(actor, "read-range rw/d/a 4 2"), "tw");
  EXPECT_EQ(ask(actor, "list rw/d"), "([(\"a\", false, 7)], 0)");
  EXPECT_EQ(ask(actor, "list rw"), "([(\"d\", true, 0)], 0)");
  EXPECT_THAT(ask(actor, "stat rw/d/a"), testing::StartsWith("some((false, 7, "));
  EXPECT_EQ(ask(actor, "stat rw/none"), "none");
  EXPECT_EQ(ask(actor, "rename rw/d/a rw/b"), "ok");
  EXPECT_EQ(ask(actor, "remove rw/d"), "ok");
  EXPECT_EQ(ask(actor, "read ro/given"), "from outside");
  EXPECT_EQ(ask(actor, "remove rw/b"), "ok");
  EXPECT_EQ(ask(actor, "list rw"), "([], 0)");
  expect_replay_without_disk();
}

TEST_F(FilesystemTest, WhatIsNotGrantedSaysWhatToAdd) {
  const auto actor = node_.spawn("files", grants());
  for (const char* message : {"write ro/x y", "append ro/given y", "create-dir ro/x", "remove ro/given",
                              "rename ro/given ro/other", "rename ro/given rw/mine"}) {
    EXPECT_THAT(ask(actor, message), HasSubstr("granted for reading only; add to the manifest's handler filesystem"));
  }
  EXPECT_THAT(ask(actor, "write rw/x y"), "ok");
  EXPECT_THAT(ask(actor, "rename rw/x ro/x"), HasSubstr("mode = \"read-write\""));
  const auto denied = ask(actor, "read other/x");
  EXPECT_THAT(denied, HasSubstr("'other/x' isn't in a granted folder"));
  EXPECT_THAT(denied, HasSubstr("[[handler.folder]]\nname = \"other\""));
  for (const char* message : {"read /etc/passwd", "read rw/../ro/given", "read ../x", "list .", "read rw/./x"}) {
    EXPECT_THAT(ask(actor, message), HasSubstr("is no path"));
  }
  EXPECT_THAT(ask(actor, "read"), HasSubstr("is no path"));
  EXPECT_EQ(events_of(actor, "read").size(), 6u) << "each denial stands in the record";

  const auto bare = node_.spawn("files", "[[handler]]\ntype = \"filesystem\"\n");
  EXPECT_THAT(ask(bare, "list rw"), HasSubstr("isn't in a granted folder"));
  expect_replay_without_disk();
}

TEST_F(FilesystemTest, TheNodesOwnPathsAreNobodysBusiness) {
  const auto actor = node_.spawn("files", grants());
  ask(actor, "read rw/none");
  fs::remove_all(top_ / "rw");
  EXPECT_THAT(ask(actor, "list rw"), HasSubstr("can't be opened by the node"));
  for (const auto& event : events_of(actor, "list")) EXPECT_THAT(as_text(event.bytes), Not(HasSubstr("/tmp")));
  for (const auto& event : events_of(actor, "read")) EXPECT_THAT(as_text(event.bytes), Not(HasSubstr("/tmp")));
}

// A write is on record before it happens, with its content; a read with what it read.
TEST_F(FilesystemTest, IntentAndOutcome) {
  const auto actor = node_.spawn("files", grants());
  EXPECT_EQ(ask(actor, "big rw/a 100000"), "ok");
  const auto writes = events_of(actor, "write");
  ASSERT_EQ(writes.size(), 2u);
  EXPECT_EQ(writes[0].kind, schema::BodyKind::kHostCall);
  EXPECT_EQ(writes[1].kind, schema::BodyKind::kHostReturn);
  const Hash content = sha256(Bytes(100'000, 'b'));
  EXPECT_THAT(as_text(writes[0].bytes), HasSubstr(std::string(as_text(content.view())))) << "by its hash";
  EXPECT_TRUE(node_.record().blobs().contains(content));

  ask(actor, "read rw/a");
  const auto reads = events_of(actor, "read");
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_THAT(as_text(reads[0].bytes), HasSubstr(std::string(as_text(content.view()))));
  expect_replay_without_disk();
}

// No room for the intent at the auditor: nothing is written. And when there is room, it is.
TEST_F(FilesystemTest, NothingIsWrittenBeforeItsIntent) {
  auto& auditor = node_.auditor("slow");
  const auto actor = node_.spawn("files", grants());
  auditor.give_room(bus::Outbox::event_room(600));  // for the call's own event, and not for the intent's blob
  auto answer = std::make_shared<std::promise<bool>>();
  node_.runtime().request(actor, to_bytes("big rw/a 50000"), schema::Operator{}, 0, false,
                          [answer](Result<std::optional<Bytes>> result) { answer->set_value(result.ok()); });
  ASSERT_TRUE(wait_for_state(node_.runtime(), actor, "waiting", "auditor slow"));
  EXPECT_FALSE(fs::exists(top_ / "rw" / "a"));
  auditor.give_room(SIZE_MAX / 2);
  EXPECT_TRUE(answer->get_future().get());
  EXPECT_EQ(fs::file_size(top_ / "rw" / "a"), 50'000u);
  expect_replay_without_disk();
}

TEST_F(FilesystemTest, SizesAreBounded) {
  const auto actor = node_.spawn("files", grants("file_bytes = \"10 KiB\"\n"));
  EXPECT_THAT(ask(actor, "big rw/a 10241"), HasSubstr("10241 bytes are more than the 10240 that the manifest's "
                                                      "file_bytes allows"));
  EXPECT_FALSE(fs::exists(top_ / "rw" / "a"));
  EXPECT_EQ(ask(actor, "big rw/a 10240"), "ok");
  EXPECT_THAT(ask(actor, "append rw/a x"), HasSubstr("it would be larger than the 10240"));
  EXPECT_EQ(ask(actor, "read rw/a").size(), 10'240u);
  std::ofstream(top_ / "ro" / "large") << std::string(10'241, 'x');
  EXPECT_THAT(ask(actor, "read ro/large"), HasSubstr("read-range"));
  EXPECT_EQ(ask(actor, "read-range ro/large 10000 10240").size(), 241u);
  EXPECT_THAT(ask(actor, "read-range ro/large 0 10241"), HasSubstr("10241 bytes are more than"));
  expect_replay_without_disk();
}

TEST_F(FilesystemTest, ManyActorsAtOnce) {
  constexpr int kActors = 50, kEach = 20;
  std::vector<ActorId> actors;
  for (int i = 0; i < kActors; ++i) actors.push_back(node_.spawn("files", grants()));
  std::atomic<int> left = kActors * kEach * 2, failed = 0;
  for (int i = 0; i < kEach; ++i) {
    for (int a = 0; a < kActors; ++a) {
      for (const auto& message : {str_cat("write rw/", a, " ", i), str_cat("read rw/", a)}) {
        node_.runtime().request(actors[a], to_bytes(message), schema::Operator{}, 0, false,
                                [&, i](Result<std::optional<Bytes>> result) {
                                  const auto text = result.ok() ? std::string(as_text(**result)) : "failed";
                                  if (text != "ok" && text != std::to_string(i)) ++failed;
                                  --left;
                                });
      }
    }
  }
  const auto until = std::chrono::steady_clock::now() + kLong;
  while (left > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(left, 0);
  EXPECT_EQ(failed, 0);
  expect_replay_without_disk();
}

TEST_F(FilesystemTest, KilledWhileItWrites) {
  for (int i = 0; i < 20; ++i) {
    const auto actor = node_.spawn("files", grants());
    node_.runtime().request(actor, to_bytes("big rw/a 1000000"), schema::Operator{}, 0, false,
                            [](Result<std::optional<Bytes>>) {});
    std::this_thread::sleep_for(std::chrono::microseconds(100 * i));
    ASSERT_TRUE(kill(node_.runtime(), actor).ok());
  }
  node_.stop(10'000);
  if (fs::exists(top_ / "rw" / "a")) {
    EXPECT_EQ(fs::file_size(top_ / "rw" / "a"), 1'000'000u) << "whole or not at all";
  }
  EXPECT_LE(std::distance(fs::directory_iterator(top_ / "rw"), {}), 1) << "nothing half written is left";
  expect_replay_without_disk();
}

// --- the threads ---

TEST(IoThreadsTest, AFullQueueRefusesAndTellsWhenThereIsRoom) {
  IoThreads threads;
  std::promise<void> go_on;
  const auto wait = go_on.get_future().share();
  std::atomic<int> ran = 0;
  std::atomic<size_t> blocked = 0;
  for (size_t i = 0; i < IoThreads::kThreads; ++i) {
    IoThreads::Job job = [&] {
      ++blocked;
      wait.wait();
      ++ran;
    };
    ASSERT_TRUE(threads.try_push(job));
    while (blocked <= i) std::this_thread::yield();
  }
  for (size_t i = 0; i < IoThreads::kJobsMax; ++i) {
    IoThreads::Job job = [&] { ++ran; };
    ASSERT_TRUE(threads.try_push(job));
  }
  IoThreads::Job one_more = [&] { ++ran; };
  EXPECT_FALSE(threads.try_push(one_more));
  EXPECT_TRUE(one_more) << "untouched";
  std::promise<void> room;
  std::atomic<int> told = 0;
  for (int i = 0; i < 3; ++i) threads.when_room(&room, [&] { ++told; });  // a flood of wake-ups while the disk hangs
  threads.when_room(&told, [&] { ++told; });
  threads.forget(&told);
  threads.when_room(&room, [&] {
    ++told;
    room.set_value();
  });
  go_on.set_value();
  room.get_future().wait();
  EXPECT_TRUE(threads.try_push(one_more));
  bool at_once = false;
  while (ran < static_cast<int>(IoThreads::kThreads + IoThreads::kJobsMax) + 1) std::this_thread::yield();
  threads.when_room(&room, [&] { at_once = true; });
  EXPECT_TRUE(at_once);
  EXPECT_EQ(told, 1) << "one for each that waits";
}

TEST(IoThreadsTest, StopLetsWhatBeganFinishAndDropsTheRest) {
  IoThreads threads;
  std::atomic<int> began = 0, finished = 0;
  for (int i = 0; i < 100; ++i) {
    IoThreads::Job job = [&] {
      ++began;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++finished;
    };
    ASSERT_TRUE(threads.try_push(job));
  }
  while (began == 0) std::this_thread::yield();
  threads.stop();
  EXPECT_EQ(began, finished);
  EXPECT_LT(finished, 100);
  IoThreads::Job late = [] {};
  EXPECT_FALSE(threads.try_push(late));
}

}  // namespace
}  // namespace theater::node
