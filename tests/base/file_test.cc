// Whole small files: read with a limit, replaced at once, and errors that name the path.
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace theater {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "theater-file-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(std::string_view name) const { return str_cat(folder_.string(), "/", name); }

  std::filesystem::path folder_;
};

TEST_F(FileTest, WritesAndReadsBack) {
  const Bytes content(200'000, 7);
  ASSERT_TRUE(write_file(path("f"), content, 0600).ok());
  EXPECT_EQ(*read_file(path("f")), content);
  struct stat status;
  ASSERT_EQ(stat(path("f").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_TRUE(write_file(path("f"), {}).ok());
  EXPECT_EQ(read_file(path("f"))->size(), 0u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);  // nothing is left beside it
}

TEST_F(FileTest, ErrorsNameThePath) {
  const auto missing = read_file(path("missing"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message.find(path("missing")), std::string::npos);
  const auto folder = read_file(folder_.string());
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.error().code, ErrorCode::kInvalid);
  EXPECT_NE(folder.error().message.find("is a folder"), std::string::npos);
  const auto written = write_file(path("no/such/folder"), Bytes(1));
  ASSERT_FALSE(written.ok());
  EXPECT_NE(written.error().message.find(path("no/such/folder")), std::string::npos);
}

TEST_F(FileTest, TheLimitIsExact) {
  ASSERT_TRUE(write_file(path("f"), Bytes(100)).ok());
  EXPECT_TRUE(read_file(path("f"), 100).ok());
  const auto refused = read_file(path("f"), 99);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  EXPECT_NE(refused.error().message.find("larger than 99 B"), std::string::npos);
}

// A file that can't be replaced stays what it was, and nothing is left beside it.
TEST_F(FileTest, AFailedWriteLeavesNothing) {
  std::filesystem::create_directory(path("taken"));
  ASSERT_TRUE(write_file(path("taken/f"), Bytes(1)).ok());
  EXPECT_FALSE(write_file(path("taken"), Bytes(1)).ok());  // a folder stands there
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST(File, WhatIsNoRegularFileIsNotReplaced) {
  const auto path = (std::filesystem::temp_directory_path() / str_cat("theater-file-test-fifo-", getpid())).string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(write_file(path, as_bytes("x")).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(std::filesystem::is_fifo(path));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace theater
