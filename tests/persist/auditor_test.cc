// The auditor with its three threads, fed as the bus feeds it: acknowledged means durable, and nothing comes twice.
#include <gtest/gtest.h>

#include <sys/mount.h>
#include <future>
#include <thread>

#include "persist/auditor_on_store.h"
#include "persist/memory_store.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "temp_folder.h"
#include "test_node.h"

namespace theater::persist {
namespace {

AuditorOptions options_for(Clock& clock, const std::vector<TestLink*>& links) {
  AuditorOptions options;
  options.clock = &clock;
  options.reply = [links](const bus::CurveKey& peer, Bytes message) {
    for (TestLink* link : links) link->receive(peer, message);
  };
  return options;
}

TestStream busy_stream(TestChain& chain, int events, int per_frame) {
  TestStream stream(static_cast<uint8_t>(chain.actor().bytes[0]));
  stream.put(chain.genesis());
  for (int i = 1; i < events; ++i) {
    stream.put(chain.log(str_cat("line ", i)));
    if (i % per_frame == 0) stream.seal();
  }
  if (!stream.builder.empty()) stream.seal();
  return stream;
}

void expect_whole(std::shared_ptr<Store> store, const TestChain& chain) {
  auto reader = make_chain_reader(std::move(store));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
  const auto reports = verify_all(**reader);
  ASSERT_TRUE(reports.ok()) << reports.error().message;
  for (const std::string& fault : reports->faults) ADD_FAILURE() << fault;
  for (const auto& report : reports->chains) EXPECT_FALSE(report.sequence) << report.reason;
}

TEST(Auditor, AcknowledgesWhatIsDurableAndStopsCleanly) {
  TempFolder folder;
  SystemClock clock;
  TestChain chain({});
  TestStream stream = busy_stream(chain, 5000, 64);
  TestLink link(stream);
  AuditorOptions options = options_for(clock, {&link});
  options.store_path = folder.at("s");
  auto auditor = start_auditor(options);
  ASSERT_TRUE(auditor.ok()) << auditor.error().message;
  ASSERT_TRUE(link.deliver(**auditor)) << link.refused();
  const AuditorStatus status = (*auditor)->status();
  EXPECT_EQ(status.events, 5000u);
  EXPECT_EQ(status.frames, stream.frames.size());
  EXPECT_GT(status.commits, 0u);
  EXPECT_EQ(status.last_error, "");
  (*auditor)->stop();
  (*auditor)->stop();
  auto reader = open_chain_reader(folder.at("s"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
}

TEST(Auditor, AReaderBesideARunningAuditorSeesWhatWasAcknowledged) {
  TempFolder folder;
  SystemClock clock;
  TestChain chain({});
  TestStream stream(1);
  stream.put(chain.genesis());
  stream.seal();
  TestLink link(stream);
  AuditorOptions options = options_for(clock, {&link});
  options.store_path = folder.at("s");
  auto auditor = start_auditor(options);
  ASSERT_TRUE(auditor.ok());
  std::unique_ptr<ChainReader> reader;
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(link.deliver(**auditor));
    if (reader == nullptr) {
      auto opened = open_chain_reader(folder.at("s"));
      ASSERT_TRUE(opened.ok()) << opened.error().message;
      reader = std::move(*opened);
    } else {
      ASSERT_TRUE(reader->refresh().ok());
    }
    EXPECT_EQ(stored_events(*reader, chain.actor()), bytes_of(chain));
    stream.put(chain.log("more"));
    stream.seal();
  }
}

// Crashes at random commits: what was acknowledged before is in the store after, nothing is there twice, and the node's
// resending completes it.
TEST(Auditor, NothingAcknowledgedIsLostInACrash) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SeededRandom random(seed);
    SystemClock clock;
    TestChain chain({});
    TestStream stream = busy_stream(chain, 1500, 1 + static_cast<int>(random.below(20)));
    auto store = std::make_shared<MemoryStore>();
    for (int crash = 0; crash < 3; ++crash) {
      TestLink link(stream);
      std::atomic<uint64_t> survive = random.below(15);
      std::atomic<uint64_t> commits{0};
      store->on_commit = [&]() -> Result<void> {
        if (commits++ < survive) return Ok{};
        return Error{ErrorCode::kIo, "the machine is gone"};
      };
      AuditorOptions options = options_for(clock, {&link});
      options.batch_bytes = 1 + random.below(20'000);
      auto auditor = start_auditor_on(store, options);
      if (!auditor.ok()) {  // died at its first row
        store = std::make_shared<MemoryStore>(store->disk(), store->promised());
        continue;
      }
      link.send(**auditor);
      link.wait_acknowledged(stream.frames.size(), 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      const uint64_t acknowledged = link.acknowledged();
      survive = 0;
      const auto disk = store->disk();
      auditor->reset();
      store = std::make_shared<MemoryStore>(disk, TipNote{});
      const auto mark = get_row<bus::StreamMark>(*store, Table::kRows, mark_key(stream.node, stream.stream), "mark");
      EXPECT_GE((*mark ? (*mark)->sequence : 0), acknowledged) << "seed " << seed;
    }
    TestLink link(stream);
    auto auditor = start_auditor_on(store, options_for(clock, {&link}));
    ASSERT_TRUE(auditor.ok()) << auditor.error().message;
    ASSERT_TRUE(link.deliver(**auditor)) << "seed " << seed << " " << link.refused();
    auditor->reset();
    expect_whole(store, chain);
  }
}

TEST(Auditor, AWriteErrorStopsAcknowledgingSaysSoAndIsTriedAgain) {
  SystemClock clock;
  TestChain chain({});
  TestStream stream = busy_stream(chain, 300, 10);
  TestLink link(stream);
  auto store = std::make_shared<MemoryStore>();
  std::atomic<bool> full{false};
  store->on_commit = [&]() -> Result<void> {
    if (full) return Error{ErrorCode::kIo, "no space left on device"};
    return Ok{};
  };
  auto auditor = start_auditor_on(store, options_for(clock, {&link}));
  ASSERT_TRUE(auditor.ok());
  full = true;
  link.send(**auditor);
  for (int i = 0; i < 2000 && (*auditor)->status().last_error.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_NE((*auditor)->status().last_error.find("no space left"), std::string::npos);
  EXPECT_EQ(link.acknowledged(), 0u);
  full = false;
  EXPECT_TRUE(link.wait_acknowledged(stream.frames.size()));
  EXPECT_EQ((*auditor)->status().last_error, "");
  auditor->reset();
  expect_whole(store, chain);
}

TEST(Auditor, AFloodingPeerFillsHalfOfTheQueueAndTheOthersAreServed) {
  SystemClock clock;
  TestChain chain({});
  TestStream stream = busy_stream(chain, 3, 1);
  TestLink link(stream);
  std::promise<void> reached, go_on;
  AuditorOptions options = options_for(clock, {&link});
  // The intake is held while it answers the first HELLO.
  options.reply = [&reached, held = go_on.get_future().share(), answer = options.reply,
                   first = std::make_shared<std::atomic<bool>>(true)](const bus::CurveKey& peer, Bytes message) {
    if (first->exchange(false)) reached.set_value();
    held.wait();
    answer(peer, std::move(message));
  };
  auto auditor = start_auditor_on(std::make_shared<MemoryStore>(), options);
  ASSERT_TRUE(auditor.ok());
  bool delivered = false;
  std::thread delivering([&] { delivered = link.deliver(**auditor); });
  reached.get_future().wait();
  const auto message_of = [](uint8_t peer) {
    bus::Inbound message;
    message.peer.bytes.fill(peer);
    const auto bytes = std::make_shared<const Bytes>(Bytes(8, 1));
    message.bytes = *bytes;
    message.owner = bytes;
    return message;
  };
  size_t taken = 0;
  while ((*auditor)->offer(message_of(7))) ++taken;
  EXPECT_EQ(taken, 4'096u);
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE((*auditor)->offer(message_of(8))) << i;
  go_on.set_value();
  delivering.join();
  EXPECT_TRUE(delivered) << link.refused();
}

TEST(Auditor, APeerThatSendsNonsenseFillsNoLog) {
  SystemClock clock;
  AuditorOptions options = options_for(clock, {});
  std::atomic<int> lines = 0;
  options.log = [&](const LogLine&) { ++lines; };
  auto auditor = start_auditor_on(std::make_shared<MemoryStore>(), options);
  ASSERT_TRUE(auditor.ok());
  const auto bytes = std::make_shared<const Bytes>(Bytes(8, 1));
  for (int i = 0; i < 1'000; ++i) {
    bus::Inbound message;
    message.peer.bytes.fill(7);
    message.is_frame = i % 2 == 0;
    message.bytes = *bytes;
    message.owner = bytes;
    while (!(*auditor)->offer(message)) std::this_thread::yield();
  }
  (*auditor)->stop();
  EXPECT_GE(lines, 2);
  EXPECT_LE(lines, 20);
}

TEST(Auditor, StopsEvenIfTheStoreCannotBeWritten) {
  SystemClock clock;
  TestChain chain({});
  TestStream stream = busy_stream(chain, 300, 10);
  TestLink link(stream);
  auto store = std::make_shared<MemoryStore>();
  std::atomic<bool> gone{false};
  store->on_commit = [&]() -> Result<void> {
    if (gone) return Error{ErrorCode::kIo, "gone"};
    return Ok{};
  };
  auto auditor = start_auditor_on(store, options_for(clock, {&link}));
  ASSERT_TRUE(auditor.ok());
  gone = true;
  link.send(**auditor);
  (*auditor)->stop();
  EXPECT_EQ(link.acknowledged(), 0u);
}

// A disk that fills up for real: a small tmpfs.
TEST(Auditor, AFullDiskHoldsUpAndRecovers) {
  TempFolder folder;
  const std::string disk = folder.at("disk");
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=4m") != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
  {
    SystemClock clock;
    TestChain chain({});
    TestStream stream(1);
    stream.put(chain.genesis());
    SeededRandom random(3);
    for (int i = 0; i < 1500; ++i) {
      Bytes noise(2000);
      random.fill(noise);
      stream.put(chain.log(to_hex(noise).substr(0, 3900)));
      if (i % 10 == 0) stream.seal();
    }
    stream.seal();
    TestLink link(stream);
    AuditorOptions options = options_for(clock, {&link});
    options.store_path = disk + "/s";
    options.batch_bytes = 100'000;
    auto auditor = start_auditor(options);
    ASSERT_TRUE(auditor.ok()) << auditor.error().message;
    EXPECT_FALSE(link.deliver(**auditor, 3)) << "4 MiB can't hold 6";
    EXPECT_NE((*auditor)->status().last_error, "");
    EXPECT_EQ(::mount("none", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
    EXPECT_TRUE(link.deliver(**auditor, 60)) << (*auditor)->status().last_error;
    EXPECT_EQ((*auditor)->status().last_error, "");
    auditor->reset();
    auto reader = open_chain_reader(options.store_path);
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
  }
  ::umount(disk.c_str());
}

}  // namespace
}  // namespace theater::persist
