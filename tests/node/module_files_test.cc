// Compiled packages on disk: found again by the next node, and refused, said and made anew when they aren't exactly
// what this node wrote.
#include "node/runtime/module_files.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/crypto.h"
#include "tests/node/fake_node.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class ModuleFilesTest : public testing::Test {
 protected:
  ModuleFilesTest() {
    std::string pattern = (fs::temp_directory_path() / "theater-modules-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    home_ = pattern;
    folder_ = home_ + "/made/by/the-node";
  }
  ~ModuleFilesTest() override { fs::remove_all(home_); }

  std::shared_ptr<ModuleFiles> open(const std::string& secret = "mine", const std::string& profile = "profile",
                                    uint64_t bytes_max = 1 << 20) {
    auto files = ModuleFiles::open(
        {folder_, bytes_max, sha256(as_bytes(secret)), sha256(as_bytes(profile)), [this](const std::string& line) {
           std::lock_guard lock(mutex_);
           said_.push_back(line);
         }});
    CHECK(files.ok(), files.error().message);
    return std::move(files).value();
  }
  std::vector<std::string> said() {
    std::lock_guard lock(mutex_);
    return said_;
  }
  // Unlike write_file() without a sync: there are a thousand of them.
  static void write_quickly(const std::string& path, const Bytes& bytes) {
    std::ofstream(path, std::ios::binary) << as_text(bytes);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  const Hash package_ = sha256(as_bytes("package"));
  const Bytes code_ = to_bytes("native code");
  std::string home_, folder_;

 private:
  std::mutex mutex_;
  std::vector<std::string> said_;
};

TEST_F(ModuleFilesTest, WhatIsKeptIsFoundByTheNextOneAndByNobodyElse) {
  EXPECT_EQ(open()->load(package_), std::nullopt);
  open()->keep(package_, code_);
  EXPECT_EQ(open()->load(package_), code_);
  EXPECT_EQ(open()->load(sha256(as_bytes("another package"))), std::nullopt);
  EXPECT_EQ(open("mine", "another profile")->load(package_), std::nullopt);
  EXPECT_THAT(said(), ElementsAre());
  struct stat info;
  ASSERT_EQ(stat(open()->path_of(package_).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(folder_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(ModuleFilesTest, EveryFlippedBitAndEveryLengthIsRefusedAndRemoved) {
  const auto files = open();
  files->keep(package_, code_);
  const std::string path = files->path_of(package_);
  const Bytes good = *read_file(path);
  ASSERT_EQ(good.size(), 16 + 32 + 32 + code_.size() + 32);
  size_t refused = 0;
  const auto expect_refused = [&](const Bytes& bad) {
    write_quickly(path, bad);
    ASSERT_EQ(files->load(package_), std::nullopt);
    ASSERT_FALSE(fs::exists(path));
    ASSERT_EQ(said().size(), ++refused);
    ASSERT_THAT(said().back(), AllOf(HasSubstr("refused " + path), HasSubstr("compiled anew")));
  };
  for (size_t bit = 0; bit < 8 * good.size(); bit += 3) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    expect_refused(bad);
  }
  for (size_t size = 0; size < good.size(); ++size) expect_refused(Bytes(good.begin(), good.begin() + size));
  Bytes longer = good;
  longer.push_back(0);
  expect_refused(longer);
  ASSERT_TRUE(write_file(path, good).ok());
  EXPECT_EQ(files->load(package_), code_);
}

TEST_F(ModuleFilesTest, AnotherNodesFileAnotherPackagesAndAnotherEngines) {
  const auto files = open();
  files->keep(package_, code_);
  EXPECT_EQ(open("another node's secret")->load(package_), std::nullopt);
  EXPECT_THAT(said().back(), HasSubstr("this node didn't write it"));

  const Hash other = sha256(as_bytes("other"));
  files->keep(other, to_bytes("code of the other"));
  fs::copy_file(files->path_of(other), files->path_of(package_));
  EXPECT_EQ(files->load(package_), std::nullopt);
  EXPECT_THAT(said().back(), HasSubstr("for another package or engine"));

  const auto newer = open("mine", "newer engine");
  fs::copy_file(files->path_of(other), newer->path_of(other));
  EXPECT_EQ(newer->load(other), std::nullopt);
  EXPECT_THAT(said().back(), HasSubstr("for another package or engine"));
  EXPECT_EQ(files->load(other), to_bytes("code of the other"));
}

TEST_F(ModuleFilesTest, WhatIsNoFileIsNotRead) {
  const auto files = open();
  const std::string path = files->path_of(package_), elsewhere = home_ + "/elsewhere";
  files->keep(package_, code_);
  fs::rename(path, elsewhere);
  fs::create_symlink(elsewhere, path);  // even to what would be right
  EXPECT_EQ(files->load(package_), std::nullopt);
  EXPECT_FALSE(fs::is_symlink(path));
  EXPECT_TRUE(fs::exists(elsewhere));
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);  // nobody ever writes to it
  EXPECT_EQ(files->load(package_), std::nullopt);
  fs::create_directories(path + "/with something in it");
  EXPECT_EQ(files->load(package_), std::nullopt);
  files->keep(package_, code_);
  EXPECT_EQ(files->load(package_), std::nullopt);
  EXPECT_THAT(said(), Contains(HasSubstr("isn't kept")));
  EXPECT_TRUE(fs::exists(path + "/with something in it"));
}

TEST_F(ModuleFilesTest, AFullDiskKeepsNothingAndLeavesNothing) {
  const auto files = open();
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit tight{64, before.rlim_max};  // the write fails in the middle, as on a full disk
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  files->keep(package_, code_);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(said(), ElementsAre(AllOf(HasSubstr("isn't kept"), HasSubstr("can't write"))));
  EXPECT_THAT(names(), ElementsAre());
  EXPECT_EQ(files->load(package_), std::nullopt);
  files->keep(package_, code_);
  EXPECT_EQ(files->load(package_), code_);
}

TEST_F(ModuleFilesTest, TheFolderStaysWithinItsBoundAndForeignFilesAreLeftAlone) {
  const auto files = open("mine", "profile", 10'000);
  ASSERT_TRUE(write_file(folder_ + "/README", Bytes(20'000)).ok());
  ASSERT_TRUE(write_file(files->path_of(package_) + ".bak", Bytes(20'000)).ok());
  const auto hash = [](int i) { return sha256(as_bytes(str_cat(i))); };
  const auto age = [&](int i, int minutes) {
    fs::last_write_time(files->path_of(hash(i)), fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
  };
  for (int i = 0; i < 4; ++i) files->keep(hash(i), Bytes(2'000, 'x'));
  for (int i = 0; i < 4; ++i) age(i, 10 - i);
  EXPECT_TRUE(files->load(hash(0)));  // the oldest was used just now
  files->keep(hash(4), Bytes(2'000, 'x'));
  files->keep(hash(5), Bytes(2'000, 'x'));
  EXPECT_TRUE(files->load(hash(0)));
  EXPECT_FALSE(files->load(hash(1)));
  EXPECT_FALSE(files->load(hash(2)));
  EXPECT_TRUE(files->load(hash(5)));
  files->keep(hash(6), Bytes(20'000, 'x'));
  EXPECT_THAT(said(), ElementsAre(HasSubstr("modules.max is 10000")));
  EXPECT_TRUE(files->load(hash(5)));
  EXPECT_THAT(names(), Contains("README"));
  EXPECT_THAT(names(), Contains(HasSubstr(".bak")));
}

TEST_F(ModuleFilesTest, WhatANodeLeftThatWasKilledWhileItWrote) {
  const std::string left = open()->path_of(package_) + ".4711.tmp";
  ASSERT_TRUE(write_file(left, code_).ok());
  EXPECT_EQ(open()->load(package_), std::nullopt);
  EXPECT_FALSE(fs::exists(left));
}

TEST_F(ModuleFilesTest, AFolderThatCannotBeIsSaidAtTheStart) {
  ASSERT_TRUE(write_file(home_ + "/file", code_).ok());
  const auto files = ModuleFiles::open({home_ + "/file/folder", 1, {}, {}, {}});
  ASSERT_FALSE(files.ok());
  EXPECT_THAT(files.error().message, HasSubstr(home_ + "/file/folder"));
}

// The whole way: a node compiles, the next one doesn't, and one that finds a bad file does, and keeps it again.
TEST_F(ModuleFilesTest, ANodeThatStartsAgainCompilesNothingAgain) {
  const auto run = [&] {
    FakeNode node;
    node.options().module_files = open();
    const ActorId actor = node.spawn();
    EXPECT_TRUE(request(node.runtime(), actor, "hello").ok());
    EXPECT_TRUE(node.stop(10'000));
    return node.engine().compilations();
  };
  EXPECT_EQ(run(), 1u);
  EXPECT_EQ(run(), 0u);
  ASSERT_EQ(names().size(), 1u);
  const std::string path = folder_ + "/" + names()[0];
  Bytes bad = *read_file(path);
  bad[100] ^= 1;
  ASSERT_TRUE(write_file(path, bad).ok());
  EXPECT_EQ(run(), 1u);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("refused " + path)));
  EXPECT_EQ(run(), 0u);
  // The seal is right, and the engine doesn't know it: another build of it.
  FakeNode node;
  const auto profile = node.engine().profile().hash;
  auto files = ModuleFiles::open({folder_, 1 << 20, sha256(as_bytes("mine")), profile, {}});
  (*files)->keep(sha256(as_bytes("worker")), to_bytes("code of long ago"));
  node.options().module_files = *files;
  EXPECT_TRUE(request(node.runtime(), node.spawn(), "hello").ok());
  node.stop(10'000);
  EXPECT_EQ(node.engine().compilations(), 1u);
  EXPECT_EQ((*files)->load(sha256(as_bytes("worker"))), to_bytes("fake code of " + sha256(as_bytes("worker")).hex()));
}

}  // namespace
}  // namespace theater::node
