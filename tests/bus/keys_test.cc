#include "bus/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace theater::bus {
namespace {

class KeysTest : public ::testing::Test {
 protected:
  KeysTest() {
    char path[] = "/tmp/theater-keys-test-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~KeysTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(KeysTest, a_saved_key_loads_again_and_only_its_owner_may_read_it) {
  const SecretKeys keys = SecretKeys::generate();
  const std::string path = directory_ + "/node.key";
  ASSERT_TRUE(keys.save(path).ok());
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const SecretKeys same = SecretKeys::load(path).value();
  EXPECT_EQ(same.public_keys(), keys.public_keys());
  EXPECT_EQ(same.curve_secret_z85(), keys.curve_secret_z85());
  EXPECT_EQ(keys.save(path).error().code, ErrorCode::kRefused) << "a key was overwritten";
  chmod(path.c_str(), 0640);
  EXPECT_EQ(SecretKeys::load(path).error().code, ErrorCode::kRefused);
}

TEST_F(KeysTest, damaged_key_files_are_refused) {
  const std::string path = directory_ + "/bad.key";
  for (const char* text : {"", "theater-secret-key 1\n", "theater-secret-key 1\ncurve 00\nidentity 00\n",
                           "theater-secret-key 2\ncurve 00\nidentity 00\n"}) {
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
    EXPECT_EQ(SecretKeys::load(path).error().code, ErrorCode::kInvalid) << text;
  }
  EXPECT_EQ(SecretKeys::load(directory_ + "/none").error().code, ErrorCode::kNotFound);
}

TEST(PublicKeys, are_one_line_of_text) {
  const PublicKeys keys = SecretKeys::generate().public_keys();
  EXPECT_EQ(keys.text().size(), 131u);
  EXPECT_EQ(PublicKeys::parse(keys.text()).value(), keys);
  for (const std::string& bad :
       {std::string(), keys.text() + "0", "tk2" + keys.text().substr(3), std::string("tk1") + std::string(128, 'g'),
        std::string("tk1") + std::string(128, '0')}) {
    EXPECT_FALSE(PublicKeys::parse(bad).ok()) << bad;
  }
}

TEST(AuthorizedKeys, name_roles_and_refuse_what_they_dont_understand) {
  const PublicKeys node = SecretKeys::generate().public_keys(), both = SecretKeys::generate().public_keys();
  const auto keys =
      AuthorizedKeys::parse(
          "# comment\n\nnode " + node.text() + " node-1\noperator,reader " + both.text() + " ada # her\n", "f")
          .value();
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_TRUE(keys.has_role(node.curve, Role::kNode));
  EXPECT_FALSE(keys.has_role(node.curve, Role::kOperator));
  EXPECT_TRUE(keys.has_role(both.curve, Role::kReader));
  EXPECT_EQ(keys.find(both.curve)->name, "ada");
  const auto error_of = [](const std::string& text) { return AuthorizedKeys::parse(text, "keys").error().message; };
  EXPECT_NE(error_of("\nking " + node.text() + " x").find("keys:2: no such role: king"), std::string::npos);
  EXPECT_NE(error_of("node tk1xyz x").find("keys:1:"), std::string::npos);
  EXPECT_NE(error_of("node").find("keys:1:"), std::string::npos);
  EXPECT_NE(error_of("node " + node.text() + " a\nnode " + node.text() + " b").find("keys:2:"), std::string::npos);
}

}  // namespace
}  // namespace theater::bus
