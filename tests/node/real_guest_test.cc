// The node with real guests in the real engine: what an actor's chain holds from its spawn to its end.
#include <gmock/gmock.h>

#include "tests/node/node_test_util.h"

namespace theater::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class RealGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    wasm::EngineOptions limits;
    limits.instances_max = 200;
    auto engine = wasm::make_wasmtime_engine(limits);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    RuntimeOptions options;
    options.engine = engine_.get();
    options.clock = &clock_;
    options.random = &random_;
    options.workers = 2;
    options.log = [this](const std::string& line) {
      std::lock_guard lock(mutex_);
      lines_.push_back(line);
    };
    auto runtime = start_runtime(std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }

  SpawnRequest example(const std::string& name) {
    const std::string folder = str_cat(THEATER_BUILD_DIR, "/examples/", name, "/");
    SpawnRequest request;
    request.manifest = std::string(as_text(*read_file(folder + "manifest.toml")));
    request.package = *read_file(str_cat(folder, name, ".wasm"));
    request.subscribers = {record_};
    return request;
  }

  SystemClock clock_;
  SystemRandom random_;
  std::mutex mutex_;
  std::vector<std::string> lines_;
  std::unique_ptr<wasm::Engine> engine_;
  std::shared_ptr<RecordingSubscriber> record_ = std::make_shared<RecordingSubscriber>();
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(RealGuestTest, FromSpawnToShutdown) {
  const auto actor = spawn(*runtime_, example("counter"));
  ASSERT_TRUE(actor.ok()) << actor.error().message;
  EXPECT_EQ(actor->name, "counter");
  EXPECT_EQ(actor->state, "idle");

  const auto five = request(*runtime_, actor->id, "5");
  ASSERT_TRUE(five.ok()) << five.error().message;
  EXPECT_EQ(as_text(**five), "5");
  const auto twelve = request(*runtime_, actor->id, "7");
  ASSERT_TRUE(twelve.ok()) << twelve.error().message;
  EXPECT_EQ(as_text(**twelve), "12");

  ASSERT_TRUE(stop(*runtime_, actor->id).ok());
  EXPECT_THAT(
      record_->types(actor->id),
      ElementsAre("genesis genesis", "_initialize wasm-call", "_initialize wasm-result", "init wasm-call",
                  "init wasm-result", "handle-request wasm-call", "log host-call", "handle-request wasm-result",
                  "handle-request wasm-call", "log host-call", "handle-request wasm-result", "shutdown shutdown"));
  EXPECT_EQ(record_->ends(actor->id), 1);
  EXPECT_TRUE(runtime_->stop(5'000));
}

}  // namespace
}  // namespace theater::node
