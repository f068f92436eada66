// What can be reached below a granted folder, and what can't: a table of attacks, a thread that swaps directories for
// links while others read and write, odd files, full disks.
#include "node/handlers/granted_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/thread.h"

namespace theater::node {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uint64_t kMax = 1 << 20;
constexpr const char* kSecret = "nobody may read this";

void put(const fs::path& path, std::string_view content) { std::ofstream(path, std::ios::binary) << content; }
std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class GrantedFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "theater-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    fs::create_directories(inside("sub"));
    fs::create_directory(outside());
    put(outside("secret"), kSecret);
  }
  void TearDown() override { fs::remove_all(top_); }

  fs::path inside(const std::string& name = "") const { return top_ / "granted" / name; }
  fs::path outside(const std::string& name = "") const { return top_ / "outside" / name; }

  // As the handler makes it of "f/…".
  FolderPath at(const std::string& path) const {
    auto parts = split_guest_path("f/" + path);
    CHECK(parts.ok(), parts.ok() ? "" : parts.error().message);
    parts->erase(parts->begin());
    return {inside().string(), *parts, "f/" + path};
  }
  FolderPath folder() const { return {inside().string(), {}, "f"}; }
  static std::string said(const Result<Bytes>& result) {
    return result.ok() ? std::string(as_text(*result)) : result.error().message;
  }
  template <typename T>
  static std::string why(const Result<T>& result) {
    return result.ok() ? "(it worked)" : result.error().message;
  }
  Result<void> write(const std::string& path, std::string_view text) { return write_below(at(path), as_bytes(text)); }
  Result<void> append(const std::string& path, std::string_view text) {
    return append_below(at(path), as_bytes(text), kMax);
  }
  Result<Bytes> read(const std::string& path) { return read_below(at(path), kMax); }

  fs::path top_;
};

TEST_F(GrantedFolderTest, PathsThatAreNone) {
  for (const std::string path : {"", "/", "/etc/passwd", "f/", "f//a", "f/..", "f/../outside/secret", "..", ".", "f/.",
                                 "f/./a", "f/a/../b", "./f", "f/.theater-1-1"}) {
    EXPECT_FALSE(split_guest_path(path).ok()) << path;
  }
  EXPECT_FALSE(split_guest_path(std::string_view("f/a\0b", 5)).ok());
  EXPECT_FALSE(split_guest_path("f/" + std::string(256, 'a')).ok());
  EXPECT_FALSE(split_guest_path(std::string(kGuestPathMax + 1, 'a')).ok());
  std::string deep = "f";
  for (size_t i = 0; i < kPathDepthMax; ++i) deep += "/a";
  EXPECT_THAT(why(split_guest_path(deep)), HasSubstr("more than 32 names"));
  EXPECT_THAT(why(split_guest_path("f/../x")), HasSubstr("'f/../x' is no path: '..' is no name"));
  EXPECT_TRUE(split_guest_path("f/..a/b..").ok()) << "dots are letters";
  EXPECT_TRUE(split_guest_path("f/a b/ö/%2e%2e/\\..\\").ok()) << "nothing is decoded";
}

TEST_F(GrantedFolderTest, WriteReadListRemove) {
  ASSERT_TRUE(write("a", "one").ok());
  EXPECT_EQ(said(read("a")), "one");
  ASSERT_TRUE(write("a", "another").ok());
  EXPECT_EQ(content_of(inside("a")), "another");
  ASSERT_TRUE(append("a", " line").ok());
  ASSERT_TRUE(append("new", "begun").ok());
  EXPECT_EQ(said(read("a")), "another line");
  EXPECT_EQ(said(read_range_below(at("a"), 8, 3)), "lin");
  EXPECT_EQ(said(read_range_below(at("a"), 11, 100)), "e");
  EXPECT_EQ(said(read_range_below(at("a"), 12, 100)), "");
  EXPECT_EQ(said(read_range_below(at("a"), UINT64_MAX, UINT64_MAX)), "");
  ASSERT_TRUE(write("empty", "").ok());
  EXPECT_EQ(said(read("empty")), "");

  ASSERT_TRUE(create_directory_below(at("sub/deep")).ok());
  EXPECT_THAT(why(create_directory_below(at("sub/deep"))), HasSubstr("'f/sub/deep' exists already"));
  ASSERT_TRUE(write("sub/deep/x", "y").ok());
  EXPECT_THAT(why(remove_below(at("sub/deep"))), HasSubstr("isn't empty"));
  ASSERT_TRUE(rename_below(at("sub/deep/x"), at("moved")).ok());
  EXPECT_EQ(said(read("moved")), "y");
  ASSERT_TRUE(remove_below(at("sub/deep")).ok());
  EXPECT_THAT(why(remove_below(at("sub/deep"))), HasSubstr("doesn't exist"));
  ASSERT_TRUE(rename_below(at("moved"), at("a")).ok()) << "replaces";
  EXPECT_EQ(said(read("a")), "y");

  const auto listing = list_below(folder());
  ASSERT_TRUE(listing.ok()) << listing.error().message;
  ASSERT_EQ(listing->entries.size(), 4u);
  EXPECT_EQ(listing->entries[0].name, "a");
  EXPECT_EQ(listing->entries[0].size, 1u);
  EXPECT_EQ(listing->entries[3].name, "sub");
  EXPECT_TRUE(listing->entries[3].is_directory);
  EXPECT_EQ(listing->left_out, 0u);
  const auto info = stat_below(at("a"));
  ASSERT_TRUE(info.ok() && *info);
  EXPECT_EQ((*info)->size, 1u);
  EXPECT_GT((*info)->modified_ns, 0u);
  EXPECT_FALSE(*stat_below(at("nothing")));
  EXPECT_FALSE(*stat_below(at("nothing/below")));
  EXPECT_TRUE((*stat_below(folder()))->is_directory);
}

TEST_F(GrantedFolderTest, TheFolderItselfStays) {
  EXPECT_FALSE(write_below(folder(), {}).ok());
  EXPECT_FALSE(append_below(folder(), {}, 1).ok());
  EXPECT_FALSE(remove_below(folder()).ok());
  EXPECT_FALSE(create_directory_below(folder()).ok());
  EXPECT_FALSE(rename_below(folder(), at("x")).ok());
  EXPECT_FALSE(rename_below(at("sub"), folder()).ok());
  EXPECT_THAT(said(read_below(folder(), kMax)), HasSubstr("is the granted folder itself"));
}

TEST_F(GrantedFolderTest, WhatIsNoFileIsNotTouched) {
  EXPECT_THAT(said(read("sub")), HasSubstr("is a directory"));
  EXPECT_THAT(why(write("sub", "x")), HasSubstr("is a directory"));
  EXPECT_THAT(why(append("sub", "x")), HasSubstr("is a directory"));
  put(inside("file"), "x");
  EXPECT_THAT(said(read("file/below")), HasSubstr("leads through what is no directory"));
  EXPECT_THAT(why(list_below(at("file"))), HasSubstr("no directory"));
  EXPECT_THAT(why(rename_below(at("file"), at("sub"))), HasSubstr("is a directory"));
  EXPECT_THAT(why(rename_below(at("sub"), at("sub/sub"))), HasSubstr("failed"));
}

// Pipes and sockets would block whoever opens them; devices do things.
TEST_F(GrantedFolderTest, PipesSocketsAndDevices) {
  ASSERT_EQ(mkfifo(inside("pipe").c_str(), 0666), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = inside("socket").string();
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::copy(path.begin(), path.end(), address.sun_path);
  const int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  std::vector<std::string> odd = {"pipe", "socket"};
  if (mknod(inside("zero").c_str(), S_IFCHR | 0666, makedev(1, 5)) == 0) odd.emplace_back("zero");  // only root may
  for (const auto& name : odd) {
    EXPECT_THAT(said(read(name)), HasSubstr("is neither a file nor a directory")) << name;
    EXPECT_THAT(why(write(name, "x")), HasSubstr("is neither a file nor a directory")) << name;
    EXPECT_THAT(why(append(name, "x")), HasSubstr("is neither a file nor a directory")) << name;
    EXPECT_THAT(why(stat_below(at(name))), HasSubstr("is neither a file nor a directory")) << name;
    EXPECT_THAT(why(rename_below(at(name), at("renamed"))), HasSubstr("is neither")) << name;
  }
  EXPECT_EQ(list_below(folder())->left_out, odd.size());
  close(socket_fd);
}

TEST_F(GrantedFolderTest, LinksLeadNowhere) {
  fs::create_symlink(outside("secret"), inside("to-file"));
  fs::create_symlink(outside(), inside("to-folder"));
  fs::create_symlink("..", inside("up"));
  fs::create_symlink("/", inside("sub/root"));
  fs::create_symlink(inside("sub"), inside("to-inside"));
  fs::create_symlink(outside("not-yet"), inside("dangling"));
  fs::create_symlink("loop", inside("loop"));
  fs::create_symlink("/proc/self/root", inside("magic"));

  for (const std::string path : {"to-file", "to-folder/secret", "up/outside/secret", "magic/etc/hostname", "loop",
                                 "dangling", "to-inside/x", "loop/x"}) {
    EXPECT_FALSE(read(path).ok()) << path;
    EXPECT_THAT(said(read(path)), testing::AnyOf(HasSubstr("link"))) << path;
    EXPECT_FALSE(append(path, "x").ok()) << path;
    EXPECT_FALSE(stat_below(at(path)).ok()) << path;
    EXPECT_FALSE(rename_below(at(path), at("taken")).ok()) << path;
  }
  EXPECT_FALSE(read(str_cat("sub/root", outside("secret").string())).ok());
  for (const std::string path : {"to-file", "dangling", "to-folder/new", "up/new", "to-inside/new"}) {
    EXPECT_FALSE(write(path, "x").ok()) << path;
  }
  for (const std::string path : {"to-folder", "up", "to-inside", "magic"}) {
    EXPECT_FALSE(list_below(at(path)).ok()) << path;
    EXPECT_FALSE(create_directory_below(at(path + "/new")).ok()) << path;
    EXPECT_FALSE(remove_below(at(path + "/secret")).ok()) << path;
    EXPECT_FALSE(rename_below(at("sub"), at(path + "/sub")).ok()) << path;
  }
  EXPECT_EQ(content_of(outside("secret")), kSecret);
  EXPECT_FALSE(fs::exists(outside("not-yet")));
  EXPECT_EQ(std::distance(fs::directory_iterator(outside()), {}), 1);
  // A link may be removed: that is the link, not what it points to.
  EXPECT_TRUE(remove_below(at("to-file")).ok());
  EXPECT_EQ(content_of(outside("secret")), kSecret);
}

TEST_F(GrantedFolderTest, ASecondNameMayBeOutside) {
  fs::create_hard_link(outside("secret"), inside("hard"));
  EXPECT_THAT(said(read("hard")), HasSubstr("hard link"));
  EXPECT_THAT(said(read_range_below(at("hard"), 0, 5)), HasSubstr("hard link"));
  EXPECT_THAT(why(append("hard", "x")), HasSubstr("hard link"));
  ASSERT_TRUE(write("hard", "mine").ok()) << "replaces the name, not the file";
  EXPECT_EQ(content_of(outside("secret")), kSecret);
  EXPECT_EQ(said(read("hard")), "mine");
}

// While directories and files become links and back, what is read is the folder's own or nothing, and nothing appears
// outside.
TEST_F(GrantedFolderTest, ARaceIsNeverWon) {
  fs::create_directory(inside("d"));
  put(inside("d/secret"), "ours");
  put(inside("f"), "ours");
  std::atomic<bool> stop{false};
  std::thread attacker([&] {
    const auto d = inside("d").string(), d2 = inside("d2").string(), link = inside("link").string();
    const auto f = inside("f").string(), f2 = inside("f2").string(), file_link = inside("file-link").string();
    symlink(outside().c_str(), link.c_str());
    symlink(outside("secret").c_str(), file_link.c_str());
    while (!stop) {
      rename(d.c_str(), d2.c_str());
      rename(link.c_str(), d.c_str());
      rename(f.c_str(), f2.c_str());
      rename(file_link.c_str(), f.c_str());
      rename(d.c_str(), link.c_str());
      rename(d2.c_str(), d.c_str());
      rename(f.c_str(), file_link.c_str());
      rename(f2.c_str(), f.c_str());
    }
  });
  int read_ours = 0, refused = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 20'000 && (i < 2'000 || read_ours == 0 || refused == 0); ++i) {
    if (std::chrono::steady_clock::now() > until) break;
    for (const char* path : {"d/secret", "f"}) {
      const auto content = read(path);
      if (content.ok()) {
        EXPECT_EQ(as_text(*content), "ours");
        ++read_ours;
      } else {
        ++refused;
      }
    }
    (void)append("d/appended", "x").ok();
    (void)create_directory_below(at("d/made")).ok();
    (void)remove_below(at("d/made")).ok();
    if (i % 16 == 0) (void)write("d/written", "x").ok();
  }
  stop = true;
  attacker.join();
  EXPECT_GT(read_ours, 0);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(content_of(outside("secret")), kSecret);
  EXPECT_EQ(std::distance(fs::directory_iterator(outside()), {}), 1) << "nothing was made or removed outside";
}

TEST_F(GrantedFolderTest, HugeFilesAreReadInParts) {
  const int file = open(inside("huge").c_str(), O_WRONLY | O_CREAT, 0644);
  ASSERT_GE(file, 0);
  constexpr off_t kHuge = off_t{1} << 40;
  if (ftruncate(file, kHuge) != 0) GTEST_SKIP() << "this disk has no sparse files";
  ASSERT_EQ(pwrite(file, "end", 3, kHuge), 3);
  close(file);
  EXPECT_THAT(said(read("huge")), HasSubstr("has 1099511627779 bytes, more than the 1048576"));
  EXPECT_EQ(said(read_range_below(at("huge"), kHuge, 100)), "end");
  EXPECT_THAT(why(append("huge", "x")), HasSubstr("it would be larger than"));
  EXPECT_EQ((*stat_below(at("huge")))->size, uint64_t{kHuge} + 3);
}

TEST_F(GrantedFolderTest, NamesThatAreNotTextAreCounted) {
  put(inside(std::string("bad-\xff\xfe")), "x");
  put(inside("good-ö"), "x");
  const auto listing = list_below(folder());
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(listing->left_out, 1u);
  ASSERT_EQ(listing->entries.size(), 2u);
  EXPECT_EQ(listing->entries[0].name, "good-ö");
}

TEST_F(GrantedFolderTest, AListingHasABound) {
  for (size_t i = 0; i <= kListedMax; ++i) put(inside(str_cat("sub/", i)), "");
  EXPECT_THAT(why(list_below(at("sub"))), HasSubstr("more than 10000 entries"));
}

TEST_F(GrantedFolderTest, WhatTheNodeMayNotRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  put(inside("closed"), "x");
  fs::permissions(inside("closed"), fs::perms::none);
  EXPECT_THAT(said(read("closed")), HasSubstr("permission denied"));
  fs::permissions(inside("sub"), fs::perms::none);
  EXPECT_THAT(why(list_below(at("sub"))), HasSubstr("permission denied"));
  EXPECT_THAT(why(write("sub/x", "y")), HasSubstr("permission denied"));
  fs::permissions(inside("sub"), fs::perms::all);
}

TEST_F(GrantedFolderTest, AFolderThatIsGone) {
  fs::remove_all(inside());
  EXPECT_THAT(said(read("a")), HasSubstr("the folder of 'f/a' can't be opened by the node: No such file"));
  EXPECT_THAT(why(list_below(folder())), HasSubstr("can't be opened"));
  put(top_ / "granted", "a file where the folder was");
  EXPECT_THAT(why(write("a", "x")), HasSubstr("can't be opened by the node: Not a directory"));
}

// A limit on the size of files stands in for a full disk: it, too, says no in the middle of a write.
TEST_F(GrantedFolderTest, AWriteThatFailsHalfwayLeavesTheOldContent) {
  put(inside("a"), "old");
  put(inside("log"), std::string(60'000, 'l'));
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::string written, appended;
  auto thread = start_thread("files-test", [&] {  // signals are blocked there, as on the node's I/O threads
    rlimit limited = before;
    limited.rlim_cur = 65'536;
    setrlimit(RLIMIT_FSIZE, &limited);
    written = why(write("a", std::string(100'000, 'n')));
    appended = why(append("log", std::string(10'000, 'm')));
    setrlimit(RLIMIT_FSIZE, &before);
  });
  thread.join();
  EXPECT_THAT(written, HasSubstr("'f/a' failed: File too large"));
  EXPECT_THAT(appended, HasSubstr("'f/log' failed: File too large"));
  EXPECT_EQ(content_of(inside("a")), "old");
  EXPECT_EQ(content_of(inside("log")), std::string(60'000, 'l'));
  EXPECT_EQ(std::distance(fs::directory_iterator(inside()), {}), 3) << "nothing half written is left";
}

}  // namespace
}  // namespace theater::node
