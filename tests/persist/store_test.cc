// The rules of a Store, for both implementations, and what only the one on disk has to do: locks, versions, refusals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/file.h"
#include "persist/auditor_steps.h"
#include "persist/memory_store.h"
#include "persist/recorder.h"
#include "persist/rocks_store.h"
#include "persist/store_reader.h"
#include "persist/tip_file.h"
#include "temp_folder.h"
#include "test_node.h"

static bool syncing_fails = false;

// RocksDB's, too: what was written stays in the kernel's memory, and isn't known to be on disk.
extern "C" int fdatasync(int fd) {
  if (!syncing_fails) return ::fsync(fd);
  errno = EIO;
  return -1;
}

namespace theater::persist {
namespace {

struct Maker {
  std::string name;
  std::function<std::shared_ptr<Store>(const TempFolder&)> make;
};

class AnyStore : public testing::TestWithParam<Maker> {
 protected:
  TempFolder folder_;
  std::shared_ptr<Store> store_ = GetParam().make(folder_);
};

std::shared_ptr<Store> open_rocks(const std::string& path) {
  auto store = open_rocks_store(path, {});
  CHECK(store.ok(), store.ok() ? "" : store.error().message);
  return std::move(store).value();
}

TEST_P(AnyStore, KeepsRowsInOrderAndTablesApart) {
  auto batch = store_->batch();
  batch->put(Table::kRows, as_bytes("a1"), as_bytes("one"));
  batch->put(Table::kRows, as_bytes("a3"), as_bytes("th"), as_bytes("ree"));
  batch->put(Table::kRows, as_bytes("a2"), as_bytes("two"));
  batch->put(Table::kRows, as_bytes("b"), {});
  batch->put(Table::kFrames, as_bytes("a1"), as_bytes("frame"));
  batch->remove(Table::kRows, as_bytes("a2"));
  EXPECT_GT(batch->bytes(), 10u);
  EXPECT_FALSE((*store_->get(Table::kRows, as_bytes("a1"))).has_value()) << "nothing before the commit";
  ASSERT_TRUE(store_->commit(*batch, {1, {}}).ok());

  EXPECT_EQ(**store_->get(Table::kRows, as_bytes("a3")), to_bytes("three"));
  EXPECT_EQ(**store_->get(Table::kFrames, as_bytes("a1")), to_bytes("frame"));
  EXPECT_FALSE((*store_->get(Table::kRows, as_bytes("a2"))).has_value());
  std::string seen;
  const auto rows = store_->scan(Table::kRows, as_bytes("a"));
  for (; rows->valid(); rows->next()) seen += str_cat(as_text(rows->key()), "=", as_text(rows->value()), " ");
  EXPECT_EQ(seen, "a1=one a3=three ");
  EXPECT_TRUE(rows->status().ok());
  const auto later = store_->scan(Table::kRows, as_bytes("a"), as_bytes("a2"));
  ASSERT_TRUE(later->valid());
  EXPECT_EQ(as_text(later->key()), "a3");
  ASSERT_TRUE(store_->promised());
  EXPECT_EQ(store_->promised()->commit, 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Stores, AnyStore,
    testing::Values(Maker{"memory", [](const TempFolder&) { return std::make_shared<MemoryStore>(); }},
                    Maker{"rocks", [](const TempFolder& folder) { return open_rocks(folder.at("s")); }}),
    [](const auto& instance) { return instance.param.name; });

TEST(RocksStore, AReaderSeesWhatTheWriterWritesAfterRefresh) {
  TempFolder folder;
  auto writer = open_rocks(folder.at("s"));
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.seal();
  ASSERT_TRUE(record(*writer, stream).ok());
  auto reader = open_chain_reader(folder.at("s"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(stored_events(**reader, chain.actor()).size(), 1u);
  stream.put(chain.log("more"));
  stream.seal();
  ASSERT_TRUE(record(*writer, stream).ok());
  EXPECT_EQ(stored_events(**reader, chain.actor()).size(), 1u);
  ASSERT_TRUE((*reader)->refresh().ok());
  EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
}

TEST(RocksStore, SurvivesBeingOpenedAgain) {
  TempFolder folder;
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  for (int i = 0; i < 50; ++i) {
    stream.put(chain.log("x"));
    stream.seal();
    auto store = open_rocks(folder.at("s"));
    ASSERT_TRUE(record(*store, stream).ok());  // passes over what is there already
  }
  auto reader = open_chain_reader(folder.at("s"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain));
}

TEST(RocksStore, ASecondWriterIsToldWhoHoldsIt) {
  TempFolder folder;
  auto held = open_rocks(folder.at("s"));
  const auto same = open_rocks_store(folder.at("s"), {});
  ASSERT_FALSE(same.ok());
  EXPECT_EQ(same.error().code, ErrorCode::kRefused);
  EXPECT_NE(same.error().message.find("this process"), std::string::npos) << same.error().message;
  ASSERT_TRUE(held->close().ok());

  int ready[2], finish[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(finish), 0);
  const pid_t child = ::fork();
  if (child == 0) {  // holds the lock as RocksDB does, without RocksDB: its threads don't survive a fork
    const int fd = ::open(folder.at("s/LOCK").c_str(), O_RDWR);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    char byte = fd >= 0 && ::fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1 || ::read(finish[0], &byte, 1) != 1) ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto other = open_rocks_store(folder.at("s"), {});
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kRefused);
  EXPECT_NE(other.error().message.find(str_cat("process ", child)), std::string::npos) << other.error().message;
  ASSERT_EQ(::write(finish[1], "x", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// As on a full disk: no file may grow beyond `size` while this lives.
class FilesMayNotGrow {
 public:
  explicit FilesMayNotGrow(rlim_t size) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    CHECK(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit low{size, before_.rlim_max};
    CHECK(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  }
  ~FilesMayNotGrow() {
    CHECK(::setrlimit(RLIMIT_FSIZE, &before_) == 0);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  const sighandler_t handler_;
};

std::unique_ptr<Batch> fifty_rows(const Store& store, uint64_t commit) {
  auto batch = store.batch();
  batch->put(Table::kRows, tip_key(), encode_row(StoreTip{.commit = commit}));
  for (size_t i = 50 * commit; i < 50 * (commit + 1); ++i) batch->put(Table::kRows, gap_key(1, i), Bytes(1000, 3));
  return batch;
}

TEST(RocksStore, WhoeverIsWalkingGetsToTheEndWhenTheDatabaseIsOpenedAgain) {
  TempFolder folder;
  auto store = open_rocks(folder.at("s"));
  ASSERT_TRUE(store->commit(*fifty_rows(*store, 1), {1, {}}).ok());
  auto rows = store->scan(Table::kRows, tag_prefix(kGapTag));
  auto more = fifty_rows(*store, 2);
  {
    const FilesMayNotGrow full(0);
    EXPECT_FALSE(store->commit(*more, {2, {}}).ok());
    rows->next();
    EXPECT_FALSE(store->commit(*more, {2, {}}).ok()) << "nor can it be opened for writing";
    rows->next();
  }
  ASSERT_TRUE(store->commit(*more, {2, {}}).ok());
  size_t seen = 2;
  for (; rows->valid(); rows->next()) ++seen;
  EXPECT_TRUE(rows->status().ok());
  EXPECT_EQ(seen, 100u);
  ASSERT_TRUE(store->close().ok());
  const auto closed = store->scan(Table::kRows, tag_prefix(kGapTag));
  EXPECT_FALSE(closed->valid());
  EXPECT_FALSE(closed->status().ok());
}

TEST(RocksStore, WhatWasNeverSyncedIsntSaidToBeDurable) {
  TempFolder folder;
  std::shared_ptr<Store> store = open_rocks(folder.at("s"));
  SystemClock clock;
  std::optional<bus::LinkMessage> answer;
  AuditorSteps::Options options;
  options.clock = &clock;
  options.reply = [&](const bus::CurveKey&, Bytes message) { answer = bus::decode_link(message).value(); };
  auto steps = AuditorSteps::open(store, options);
  ASSERT_TRUE(steps.ok());
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.seal();
  const auto hello = [&](uint8_t peer) {
    bus::CurveKey key;
    key.bytes.fill(peer);
    bus::Hello words;
    words.identity = stream.node;
    words.name = "test";
    words.next_sequence = 2;
    const Bytes bytes = bus::encode_link({stream.stream, words});
    bus::Inbound message{key, stream.node, false, nullptr, bytes};
    EXPECT_FALSE((*steps)->take_in(message));
    return key;
  };
  const bus::CurveKey peer = hello(1);
  bus::Inbound frame{peer, stream.node, true, nullptr, stream.frames[0]};
  ASSERT_TRUE((*steps)->verify(*(*steps)->take_in(frame)).ok());
  Commit commit = (*steps)->take_prepared();
  syncing_fails = true;
  EXPECT_FALSE((*steps)->write(commit).ok());
  {
    const FilesMayNotGrow full(0);
    EXPECT_FALSE((*steps)->write(commit).ok()) << "nor can it be opened for writing";
  }
  hello(2);
  const auto* refused = std::get_if<bus::Refuse>(&answer->body);
  ASSERT_NE(refused, nullptr) << "durable to frame " << std::get<bus::Welcome>(answer->body).durable.sequence;
  EXPECT_FALSE(refused->final);
  syncing_fails = false;
  ASSERT_TRUE((*steps)->write(commit).ok());
  hello(3);
  ASSERT_TRUE(std::holds_alternative<bus::Welcome>(answer->body));
  EXPECT_EQ(std::get<bus::Welcome>(answer->body).durable.sequence, 1u);
}

TEST(RocksStore, ASecondWriterIsRefusedEvenWhileTheDiskIsFull) {
  TempFolder folder;
  auto store = open_rocks(folder.at("s"));
  auto batch = fifty_rows(*store, 1);
  {
    const FilesMayNotGrow full(0);
    EXPECT_FALSE(store->commit(*batch, {1, {}}).ok());
    EXPECT_FALSE(store->commit(*batch, {1, {}}).ok()) << "nor can it be opened for writing";
  }
  const auto second = open_rocks_store(folder.at("s"), {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kRefused);
  EXPECT_NE(second.error().message.find("this process"), std::string::npos) << second.error().message;
  EXPECT_TRUE(store->commit(*batch, {1, {}}).ok());
  ASSERT_TRUE(store->close().ok());
  EXPECT_TRUE(open_rocks_store(folder.at("s"), {}).ok());
}

TEST(RocksStore, ABatchFilledWhileNothingCanBeWrittenFindsItsTables) {
  TempFolder folder;
  auto store = open_rocks(folder.at("s"));
  auto earlier = store->batch();
  earlier->put(Table::kRows, as_bytes("there"), as_bytes("already"));
  ASSERT_TRUE(store->commit(*earlier, {0, {}}).ok());
  auto failing = store->batch();
  failing->put(Table::kFrames, as_bytes("1"), as_bytes("first frame"));

  // The write fails, and so does opening again.
  auto full = std::make_unique<FilesMayNotGrow>(0);
  const auto write_failed = store->commit(*failing, {1, {}});
  const auto opening_failed = store->commit(*failing, {1, {}});
  const auto read_meanwhile = store->get(Table::kRows, as_bytes("there"));
  auto batch = store->batch();
  batch->put(Table::kRows, as_bytes("a"), as_bytes("gone"));
  batch->put(Table::kFrames, as_bytes("2"), as_bytes("second "), as_bytes("frame"));
  batch->remove(Table::kRows, as_bytes("a"));
  full = nullptr;
  EXPECT_FALSE(write_failed.ok());
  EXPECT_FALSE(opening_failed.ok());
  ASSERT_TRUE(read_meanwhile.ok()) << read_meanwhile.error().message;
  EXPECT_EQ(read_meanwhile.value(), to_bytes("already")) << "whoever verifies looks up what is there";
  EXPECT_GT(batch->bytes(), 10u);

  ASSERT_TRUE(store->commit(*failing, {1, {}}).ok());
  batch->put(Table::kRows, as_bytes("b"), as_bytes("last"));
  ASSERT_TRUE(store->commit(*batch, {2, {}}).ok());
  EXPECT_EQ(**store->get(Table::kFrames, as_bytes("1")), to_bytes("first frame"));
  EXPECT_EQ(**store->get(Table::kFrames, as_bytes("2")), to_bytes("second frame"));
  EXPECT_EQ(**store->get(Table::kRows, as_bytes("b")), to_bytes("last"));
  EXPECT_FALSE((*store->get(Table::kRows, as_bytes("a"))).has_value());
}

TEST(RocksStore, MissingAndForeignFoldersAreRefusedInWords) {
  TempFolder folder;
  const auto missing = open_chain_reader(folder.at("none"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find(folder.at("none")), std::string::npos);
  EXPECT_NE(missing.error().message.find("theater run"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder.at("none"))) << "reading makes nothing";

  ASSERT_TRUE(write_file(folder.at("file"), as_bytes("x")).ok());
  EXPECT_FALSE(open_rocks_store(folder.at("file"), {}).ok());
  EXPECT_FALSE(open_rocks_store("/proc/theater-store", {}).ok());
}

TEST(RocksStore, AFolderWithSomethingElseInItIsLeftAsItIs) {
  TempFolder folder;
  std::filesystem::create_directories(folder.at("papers"));
  ASSERT_TRUE(write_file(folder.at("papers/letter"), as_bytes("dear")).ok());
  const auto store = open_rocks_store(folder.at("papers"), {});
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kRefused);
  EXPECT_NE(store.error().message.find("letter"), std::string::npos) << store.error().message;
  const std::filesystem::directory_iterator left(folder.at("papers"));
  EXPECT_EQ(std::distance(begin(left), end(left)), 1) << "nothing was added";

  // A new disk isn't foreign, nor is what a making leaves that was cut off.
  std::filesystem::create_directories(folder.at("disk/lost+found"));
  ASSERT_TRUE(write_file(folder.at("disk/LOCK"), {}).ok());
  EXPECT_TRUE(open_rocks_store(folder.at("disk"), {}).ok());
}

TEST(RocksStore, AnotherVersionIsRefused) {
  TempFolder folder;
  {
    auto store = open_rocks(folder.at("s"));
    ASSERT_TRUE(Recorder::open(*store).ok());
    auto batch = store->batch();
    batch->put(Table::kRows, version_key(), encode_number(kStoreVersion + 1));
    ASSERT_TRUE(store->commit(*batch, {1, {}}).ok());
  }
  const auto reader = open_chain_reader(folder.at("s"));
  ASSERT_FALSE(reader.ok());
  EXPECT_NE(reader.error().message.find("version 2"), std::string::npos) << reader.error().message;
  SystemClock clock;
  AuditorOptions options;
  options.store_path = folder.at("s");
  options.clock = &clock;
  const auto auditor = start_auditor(options);
  ASSERT_FALSE(auditor.ok());
  EXPECT_EQ(auditor.error().code, ErrorCode::kInvalid);
  EXPECT_NE(auditor.error().message.find("version 2"), std::string::npos) << auditor.error().message;
}

TEST(RocksStore, ReadingWritesNothing) {
  TempFolder folder;
  TestStream stream(1);
  TestChain chain({});
  stream.put(chain.genesis());
  stream.seal();
  {
    auto store = open_rocks(folder.at("s"));
    ASSERT_TRUE(record(*store, stream).ok());
  }
  const auto snapshot = [&] {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.at("s"))) {
      all += str_cat(entry.path().filename().string(), " ", entry.file_size(), " ",
                     entry.last_write_time().time_since_epoch().count(), "\n");
    }
    return all;
  };
  const std::string before = snapshot();
  auto reader = open_chain_reader(folder.at("s"));
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(stored_events(**reader, chain.actor()).size(), 1u);
  ASSERT_TRUE((*reader)->refresh().ok());
  reader->reset();
  EXPECT_EQ(snapshot(), before);
}

TEST(TipFile, ReadsBackWhatWasWrittenAndNoticesEachFlippedBit) {
  TempFolder folder;
  auto file = TipFile::open(folder.path());
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE((*TipFile::read(folder.path())).has_value()) << "made, nothing committed";
  TipNote tip{77, {}};
  for (uint8_t i = 0; i < kTipChainsMax; ++i) tip.chains.push_back({ActorId{test_key(i).bytes}, i * 3u});
  ASSERT_TRUE(file->write(tip).ok());
  auto back = TipFile::read(folder.path());
  ASSERT_TRUE(back.ok() && *back);
  EXPECT_EQ((*back)->commit, 77u);
  EXPECT_EQ((*back)->chains.size(), kTipChainsMax);
  EXPECT_EQ((*back)->chains[9].next_sequence, 27u);
  const std::string path = folder.at(kTipFileName);
  const Bytes good = *read_file(path);
  for (size_t at = 0; at < good.size(); at += 13) {
    Bytes bad = good;
    bad[at] ^= 4;
    ASSERT_TRUE(write_file(path, bad).ok());
    EXPECT_FALSE(TipFile::read(folder.path()).ok()) << at;
  }
}

}  // namespace
}  // namespace theater::persist
