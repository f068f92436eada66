// Handlers that need grants, with a real guest in the real engine (tests/guests/grants.c): the C headers lay out what
// the host sends, and the chain replays.
#include <gmock/gmock.h>

#include <filesystem>

#include "replay/replayer.h"
#include "tests/node/node_test_util.h"
#include "tests/replay/memory_reader.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class RealGrantsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "theater-grants-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    wasm::EngineOptions limits;
    limits.instances_max = 20;
    auto engine = wasm::make_wasmtime_engine(limits);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    RuntimeOptions options;
    options.engine = engine_.get();
    options.clock = &clock_;
    options.random = &random_;
    options.workers = 2;
    options.environment = {{"CITY", "Paris"}, {"API_KEY", "sk-0123456789abcdef"}};
    auto runtime = start_runtime(std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }
  void TearDown() override {
    runtime_.reset();
    fs::remove_all(folder_);
  }

  ActorId spawn_with(const std::string& grants) {
    SpawnRequest request;
    request.manifest = "name = \"grants\"\n[[handler]]\ntype = \"message-server\"\n" + grants;
    // The guest imports all of these; a handler without keys grants nothing.
    for (const char* handler : {"environment", "filesystem", "store"}) {
      const auto type = str_cat("type = \"", handler, "\"\n");
      if (grants.find(type) == std::string::npos) request.manifest += "[[handler]]\n" + type;
    }
    request.package = *read_file(THEATER_BUILD_DIR "/tests/guests/grants.wasm");
    request.subscribers = {record_};
    const auto actor = spawn(*runtime_, std::move(request));
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  }
  std::string ask(const ActorId& actor, std::string_view message) {
    const auto answer = request(*runtime_, actor, message);
    return answer.ok() ? std::string(as_text(answer->value_or(Bytes{}))) : answer.error().message;
  }
  void expect_replays(const ActorId& actor, std::map<std::string, std::string> secrets = {}) {
    ASSERT_TRUE(stop(*runtime_, actor).ok());
    replay::Recording recording{actor, {}, record_->blobs()};
    for (auto& event : record_->chain(actor)) recording.events.push_back(std::move(event.bytes));
    const size_t events = recording.events.size();
    replay::MemoryReader reader(std::move(recording));
    replay::ReplayOptions options;
    options.secrets = std::move(secrets);
    const auto report = replay::replay_chain(reader, actor, *engine_, options);
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_EQ(report->status, replay::ReplayStatus::kSame) << report->reason;
    EXPECT_EQ(report->matched, events);
  }

  fs::path folder_;
  SystemClock clock_;
  SystemRandom random_;
  std::unique_ptr<wasm::Engine> engine_;
  std::shared_ptr<RecordingSubscriber> record_ = std::make_shared<RecordingSubscriber>();
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RealGrantsTest, Environment) {
  const auto actor =
      spawn_with("[[handler]]\ntype = \"environment\"\nvariables = [\"CITY\", \"UNSET\"]\nsecrets = [\"API_KEY\"]\n");
  EXPECT_EQ(ask(actor, "variable CITY"), "Paris");
  EXPECT_EQ(ask(actor, "variable UNSET"), "(none)");
  EXPECT_EQ(ask(actor, "variable API_KEY"), "sk-0123456789abcdef");
  EXPECT_THAT(ask(actor, "variable HOME"), HasSubstr("error: the variable 'HOME' isn't granted"));
  EXPECT_EQ(ask(actor, "variables"), "CITY;API_KEY;");
  for (const auto& event : record_->chain(actor)) EXPECT_THAT(as_text(event.bytes), Not(HasSubstr("0123456789abcdef")));
  expect_replays(actor, {{"API_KEY", "sk-0123456789abcdef"}});
}

TEST_F(RealGrantsTest, Store) {
  const auto actor = spawn_with("");
  const auto hash = ask(actor, "put hello");
  EXPECT_EQ(hash, sha256(as_bytes("hello")).hex());
  EXPECT_EQ(ask(actor, "get " + hash), "hello");
  EXPECT_EQ(ask(actor, "exists " + hash), "yes");
  EXPECT_EQ(ask(actor, "exists " + std::string(64, '0')), "no");
  EXPECT_EQ(ask(actor, "get " + std::string(64, '0')), "(none)");
  EXPECT_THAT(ask(actor, "get x"), HasSubstr("error: 'x' is no hash"));
  EXPECT_EQ(ask(actor, "label b " + hash), "ok");
  EXPECT_EQ(ask(actor, "label a " + hash), "ok");
  EXPECT_EQ(ask(actor, "labelled b"), hash);
  EXPECT_EQ(ask(actor, "labelled c"), "(none)");
  EXPECT_EQ(ask(actor, "labels"), str_cat("a=", hash, ";b=", hash, ";"));
  EXPECT_EQ(ask(actor, "unlabel a"), "yes");
  EXPECT_EQ(ask(actor, "unlabel a"), "no");
  expect_replays(actor);
}

TEST_F(RealGrantsTest, Filesystem) {
  const auto actor =
      spawn_with(str_cat("[[handler]]\ntype = \"filesystem\"\n[[handler.folder]]\nname = \"f\"\npath = \"",
                         folder_.string(), "\"\nmode = \"read-write\"\n"));
  EXPECT_EQ(ask(actor, "mkdir f/d"), "ok");
  EXPECT_EQ(ask(actor, "write f/d/a some text"), "ok");
  EXPECT_EQ(ask(actor, "append f/d/a , and more"), "ok");
  EXPECT_EQ(ask(actor, "read f/d/a"), "some text, and more");
  EXPECT_EQ(ask(actor, "range f/d/a 5 4"), "text");
  EXPECT_EQ(ask(actor, "stat f/d/a"), "file 19");
  EXPECT_EQ(ask(actor, "stat f/d"), "directory 0");
  EXPECT_EQ(ask(actor, "stat f/none"), "(none)");
  EXPECT_EQ(ask(actor, "write f/b x"), "ok");
  EXPECT_EQ(ask(actor, "list f"), "0 b:1 /d:0");
  EXPECT_EQ(ask(actor, "rename f/b f/d/b"), "ok");
  EXPECT_EQ(ask(actor, "list f/d"), "0 a:19 b:1");
  EXPECT_EQ(ask(actor, "remove f/d/b"), "ok");
  EXPECT_THAT(ask(actor, "read f/d/b"), HasSubstr("error: 'f/d/b' doesn't exist"));
  EXPECT_THAT(ask(actor, "read f/../../etc/passwd"), HasSubstr("is no path"));
  const std::string large(200'000, 'x');
  EXPECT_EQ(ask(actor, "write f/large " + large), "ok");
  EXPECT_EQ(ask(actor, "read f/large"), large);
  fs::remove_all(folder_);
  EXPECT_THAT(ask(actor, "list f"), HasSubstr("can't be opened"));
  expect_replays(actor);
}

}  // namespace
}  // namespace theater::node
