// Rules of the small parts that all commands share: exit codes, paths and endpoints, contexts, signals.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>
#include <thread>

#include "base/file.h"
#include "bus/endpoint.h"
#include "cli/contexts.h"
#include "cli/daemon_log.h"
#include "cli/exit_code.h"
#include "cli/paths.h"
#include "cli/signals.h"

namespace theater::cli {
namespace {

TEST(ExitCodes, AreThoseThatScriptsKnow) {
  const std::pair<ErrorCode, int> expected[] = {
      {ErrorCode::kInvalid, 1},  {ErrorCode::kNotFound, 3}, {ErrorCode::kRefused, 8},     {ErrorCode::kUnavailable, 7},
      {ErrorCode::kDeadline, 7}, {ErrorCode::kCorrupt, 4},  {ErrorCode::kActorFailed, 6}, {ErrorCode::kIo, 1},
  };
  for (const auto& [error, code] : expected) EXPECT_EQ(static_cast<int>(exit_code_of(error)), code);
  EXPECT_EQ(static_cast<int>(exit_code_of_signal(SIGINT)), 130);
  EXPECT_EQ(static_cast<int>(exit_code_of_signal(SIGTERM)), 143);
}

TEST(Paths, AreRelativeToTheFileThatNamesThem) {
  EXPECT_EQ(beside("a/b/node.toml", "keys/x"), "a/b/keys/x");
  EXPECT_EQ(beside("node.toml", "keys/x"), "keys/x");
  EXPECT_EQ(beside("a/node.toml", "../x"), "x");
  EXPECT_EQ(beside("a/node.toml", "/x"), "/x");
  EXPECT_EQ(beside("a/node.toml", ""), "");
}

TEST(Endpoints, OfTcpHaveHostAndPort) {
  for (const auto* good : {"tcp://127.0.0.1:1", "tcp://host:65535", "tcp://[::1]:7401", "tcp://*:80"}) {
    EXPECT_TRUE(bus::check_tcp_endpoint(good).ok()) << good;
  }
  for (const auto* bad : {"", "tcp://", "tcp://host", "tcp://host:", "tcp://:80", "tcp://host:0", "tcp://host:65536",
                          "tcp://host:8x", "tcp://host:-1", "udp://host:80", "host:80"}) {
    const auto checked = bus::check_tcp_endpoint(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_NE(checked.error().message.find("tcp://host:port"), std::string::npos);
  }
}

TEST(Endpoints, OfUnixSocketsHaveAPathThatFits) {
  EXPECT_EQ(*unix_endpoint_beside("a/node.toml", "unix:x.sock"), "unix:a/x.sock");
  EXPECT_EQ(*unix_endpoint_beside("a/node.toml", "unix:/run/x.sock"), "unix:/run/x.sock");
  EXPECT_FALSE(unix_endpoint_beside("node.toml", "unix:").ok());
  EXPECT_FALSE(unix_endpoint_beside("node.toml", "/x.sock").ok());
  EXPECT_FALSE(unix_endpoint_beside("node.toml", "unix:/" + std::string(107, 'x')).ok());
}

TEST(Contexts, SurviveBeingWrittenAndRead) {
  Contexts contexts;
  contexts.selected = "a \"quoted\" one";
  contexts.all.push_back({contexts.selected, "tcp://h:1", "tk1", "/store\\x", "key\nfile"});
  contexts.all.push_back({"b", "", "", "", ""});
  const auto again = parse_contexts(to_toml(contexts), "contexts.toml");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->selected, contexts.selected);
  ASSERT_EQ(again->all.size(), 2u);
  EXPECT_EQ(again->all[0].store, "/store\\x");
  EXPECT_EQ(again->all[0].key, "key\nfile");
  EXPECT_EQ(again->find("b")->node, "");
  EXPECT_EQ(again->find("c"), nullptr);
}

TEST(Contexts, OfOneNameAreRefused) {
  const auto parsed = parse_contexts("[[context]]\nname = \"a\"\n[[context]]\nname = \"a\"\n", "c.toml");
  ASSERT_FALSE(parsed.ok());
  EXPECT_NE(parsed.error().message.find("c.toml:4"), std::string::npos) << parsed.error().message;
}

TEST(DaemonLog, AFileIsRotatedAndTheOldestGoes) {
  const auto folder = std::filesystem::temp_directory_path() / str_cat("theater-log-test-", getpid());
  std::filesystem::create_directories(folder);
  const auto log = daemon_log("node", {(folder / "node.log").string(), 4096, 3});
  ASSERT_TRUE(log.ok()) << log.error().message;
  for (int i = 0; i < 1000; ++i) (*log)("a line of some length, again and again");
  uint64_t bytes = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    bytes += entry.file_size();
    ++files;
  }
  EXPECT_EQ(files, 3u);
  EXPECT_LE(bytes, 3u * 4096);
  EXPECT_GT(bytes, 2u * 3000);
  std::filesystem::remove_all(folder);

  EXPECT_FALSE(daemon_log("node", {"/proc/no/such/place/node.log", 4096, 3}).ok());
}

TEST(DaemonLog, AsJsonALineIsAnObjectThatNamesTheActorAndTheEvent) {
  const auto path = (std::filesystem::temp_directory_path() / str_cat("theater-log-test-", getpid(), ".log")).string();
  LogLine about("said \"hello\"\n2026-11-27T00:00:00.000Z node: forged");
  about.actor_name = "counter";
  about.actor.bytes[0] = 0xAB;
  about.event = Hash{};
  {
    const auto log = daemon_log("node", {path, 1 << 20, 1, true});
    ASSERT_TRUE(log.ok()) << log.error().message;
    (*log)("ready");
    (*log)(about);
  }
  std::string text(as_text(*read_file(path)));
  const std::string zeros(62, '0');
  EXPECT_EQ(
      std::regex_replace(text, std::regex("\"time\":\"[-0-9]{10}T[:0-9]{8}\\.[0-9]{3}Z\""), "TIME"),
      str_cat(
          "{TIME,\"who\":\"node\",\"message\":\"ready\"}\n{TIME,\"who\":\"node\",\"name\":\"counter\",\"actor\":\"ab",
          zeros, "\",\"event\":\"", zeros, "00\",\"message\":\"said \\\"hello\\\"\\u000a2026-11-27T00:00:00.000Z ",
          "node: forged\"}\n"));
  std::filesystem::remove(path);

  const auto log = daemon_log("node", {path, 1 << 20, 1});
  ASSERT_TRUE(log.ok()) << log.error().message;
  (*log)(about);
  text = as_text(*read_file(path));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "a guest can't forge a line: " << text;
  EXPECT_NE(text.find("node: [counter ab"), std::string::npos) << text;
  std::filesystem::remove(path);
}

TEST(Signals, AnAnswerEndsTheWaitAndSoDoesASignal) {
  StopSignals signals;
  std::thread answering;
  const auto answer = await<int>(
      signals, [&](std::function<void(Result<int>)> done) { answering = std::thread([done] { done(42); }); });
  answering.join();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(**answer, 42);

  std::function<void(Result<int>)> late;
  const auto none = await<int>(signals, [&](std::function<void(Result<int>)> done) {
    late = std::move(done);
    kill(getpid(), SIGTERM);
  });
  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(signals.received(), SIGTERM);
  late(7);  // nobody waits any more, and nothing breaks
}

}  // namespace
}  // namespace theater::cli
