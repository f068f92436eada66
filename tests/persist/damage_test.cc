// Damage on disk: any flipped byte is found or changes nothing, what was cut short is refused in words, and nothing
// crashes. Each kind of file a store at rest or after a kill consists of is tried; the strides keep the test short, and
// THEATER_STRIDE=1 tries every byte.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file.h"
#include "persist/rocks_store.h"
#include "persist/rows.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "temp_folder.h"
#include "test_node.h"

namespace theater::persist {
namespace {

namespace fs = std::filesystem;

size_t stride(size_t otherwise) {
  const char* given = std::getenv("THEATER_STRIDE");
  return given != nullptr ? std::max<size_t>(1, std::strtoul(given, nullptr, 10)) : otherwise;
}

struct Sample {
  std::vector<TestChain> chains;
  TestStream stream{1};
};

// Three chains in turn, a blob, several commits.
Sample make_sample() {
  Sample sample;
  Bytes package(3000);
  SeededRandom(5).fill(package);
  sample.stream.blob(package);
  for (uint8_t i = 0; i < 3; ++i) {
    TestChain::Options options;
    options.name = str_cat("actor-", i);
    options.nonce = i;
    options.package = sha256(package);
    options.package_length = package.size();
    sample.chains.emplace_back(options);
    sample.stream.put(sample.chains.back().genesis());
  }
  for (int i = 0; i < 24; ++i) {
    for (TestChain& chain : sample.chains) sample.stream.put(chain.log(str_cat("line ", i)));
    if (i % 4 == 3) sample.stream.seal();
  }
  return sample;
}

// Commits one frame at a time; `killed`: as kill -9 leaves it, with everything still in the write-ahead log.
void write_store(const std::string& path, const Sample& sample, bool killed) {
  const std::string alive = path + "-alive";
  auto store = open_rocks_store(killed ? alive : path, {});
  ASSERT_TRUE(store.ok()) << store.error().message;
  ASSERT_TRUE(record(**store, sample.stream, 1, !killed).ok());
  if (killed) fs::copy(alive, path, fs::copy_options::recursive);
  ASSERT_TRUE((*store)->close().ok());
}

struct Findings {
  size_t named = 0, in_words = 0, harmless = 0;
};

// What a person sees who lists and verifies this store. Fails the test if damage goes unseen.
void examine(const std::string& path, const Sample& sample, const std::string& what, Findings& findings) {
  auto reader = open_chain_reader(path);
  if (!reader.ok()) {
    EXPECT_FALSE(reader.error().message.empty());
    EXPECT_EQ(reader.error().code, ErrorCode::kCorrupt) << what << ": " << reader.error().message;
    ++findings.in_words;
    return;
  }
  const auto reports = verify_all(**reader);
  if (!reports.ok()) {
    EXPECT_FALSE(reports.error().message.empty());
    EXPECT_EQ(reports.error().code, ErrorCode::kCorrupt) << what << ": " << reports.error().message;
    ++findings.in_words;
    return;
  }
  bool broken = false;
  for (const VerifyReport& report : reports->chains) {
    if (!report.sequence) continue;
    broken = true;
    EXPECT_FALSE(report.summary.actor.is_zero()) << what;
    EXPECT_LE(*report.sequence, 25u) << what;
    EXPECT_FALSE(report.reason.empty()) << what;
    EXPECT_EQ(report.summary.status, ChainStatus::kBroken) << what;
  }
  if (broken) {
    ++findings.named;
    return;
  }
  if (!reports->faults.empty()) {
    ++findings.in_words;
    return;
  }
  // Nothing was found: then everything must be there, byte for byte.
  ++findings.harmless;
  ASSERT_EQ(reports->chains.size(), sample.chains.size()) << what;
  for (const TestChain& chain : sample.chains) {
    EXPECT_EQ(stored_events(**reader, chain.actor()), bytes_of(chain)) << what;
    const auto summary = (*reader)->summary(chain.actor());
    EXPECT_EQ(summary->head, chain.events.back().hash) << what;
  }
}

void flip_everywhere(bool killed, size_t step, Findings& findings) {
  TempFolder folder;
  const Sample sample = make_sample();
  const std::string good = folder.at("good"), bad = folder.at("bad");
  write_store(good, sample, killed);
  for (const auto& entry : fs::directory_iterator(good)) {
    const std::string name = entry.path().filename();
    const Bytes content = *read_file(entry.path());
    for (size_t at = 0; at < content.size(); at += step) {
      fs::remove_all(bad);
      fs::copy(good, bad, fs::copy_options::recursive);
      Bytes changed = content;
      changed[at] ^= static_cast<uint8_t>(1u << at % 8);
      ASSERT_TRUE(write_file(bad + "/" + name, changed).ok());
      examine(bad, sample, str_cat(name, " byte ", at), findings);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Damage, AFlippedByteInAStoreAtRestIsFound) {
  Findings findings;
  flip_everywhere(false, stride(61), findings);
  EXPECT_GT(findings.named, 0u);
  std::printf("named %zu, in words %zu, harmless %zu\n", findings.named, findings.in_words, findings.harmless);
}

TEST(Damage, AFlippedByteInTheLogOfAKilledAuditorIsFound) {
  Findings findings;
  flip_everywhere(true, stride(211), findings);
  EXPECT_GT(findings.named, 0u);
  std::printf("named %zu, in words %zu, harmless %zu\n", findings.named, findings.in_words, findings.harmless);
}

// The files that RocksDB reads first say where all others are: whatever a flip makes of them, it is damage that is
// told.
TEST(Damage, EveryFlippedBitInTheFilesThatNameTheOthersIsFoundAsDamage) {
  TempFolder folder;
  const Sample sample = make_sample();
  const std::string good = folder.at("good"), bad = folder.at("bad");
  write_store(good, sample, false);
  fs::copy(good, bad, fs::copy_options::recursive);
  Findings findings;
  for (const auto& entry : fs::directory_iterator(good)) {
    const std::string name = entry.path().filename();
    if (name != "CURRENT" && !name.starts_with("MANIFEST")) continue;
    const Bytes content = *read_file(entry.path());
    for (size_t at = 0; at < content.size(); at += name == "CURRENT" ? 1 : stride(7)) {
      for (int bit = 0; bit < 8; bit += name == "CURRENT" ? 1 : 3) {
        Bytes changed = content;
        changed[at] ^= static_cast<uint8_t>(1u << bit);
        ASSERT_TRUE(write_file(bad + "/" + name, changed).ok());
        examine(bad, sample, str_cat(name, " byte ", at, " bit ", bit), findings);
        if (HasFailure()) return;
      }
    }
    ASSERT_TRUE(write_file(bad + "/" + name, content).ok());
  }
  EXPECT_GT(findings.in_words, 0u);
}

// RocksDB itself would stop the process at these bits: see check_table_files().
TEST(Damage, NoBitNearTheEndOfATableStopsTheProcess) {
  TempFolder folder;
  const Sample sample = make_sample();
  const std::string good = folder.at("good"), bad = folder.at("bad");
  write_store(good, sample, false);
  fs::copy(good, bad, fs::copy_options::recursive);
  Findings findings;
  for (const auto& entry : fs::directory_iterator(good)) {
    if (entry.path().extension() != ".sst") continue;
    const std::string name = entry.path().filename();
    const Bytes content = *read_file(entry.path());
    // The footer's first number is the offset of the meta index; the properties end 5 bytes before it.
    const uint64_t meta = RowReader(BytesView(content).last(52)).varint();
    ASSERT_GT(meta, 20u);
    for (uint64_t at = meta - 10; at < meta + 2; ++at) {
      Bytes changed = content;
      changed[at] ^= 0x80;
      ASSERT_TRUE(write_file(bad + "/" + name, changed).ok());
      examine(bad, sample, str_cat(name, " byte ", at), findings);
    }
    ASSERT_TRUE(write_file(bad + "/" + name, content).ok());
  }
  EXPECT_GT(findings.in_words, 0u);
}

TEST(Damage, ATruncatedOrMissingFileIsFound) {
  for (const bool killed : {false, true}) {
    TempFolder folder;
    const Sample sample = make_sample();
    const std::string good = folder.at("good"), bad = folder.at("bad");
    write_store(good, sample, killed);
    for (const auto& entry : fs::directory_iterator(good)) {
      const std::string name = entry.path().filename();
      const size_t size = entry.file_size();
      for (const size_t keep : {size_t{0}, size / 2, size - 1, SIZE_MAX}) {
        fs::remove_all(bad);
        fs::copy(good, bad, fs::copy_options::recursive);
        if (keep == SIZE_MAX) {
          fs::remove(bad + "/" + name);
        } else if (keep < size) {
          fs::resize_file(bad + "/" + name, keep);
        }
        Findings findings;
        examine(bad, sample, str_cat(name, " cut to ", keep), findings);
        ASSERT_FALSE(HasFailure());
        if (!killed || keep != size / 2) continue;
        // The next auditor either refuses it or goes on with all of it.
        auto writer = open_rocks_store(bad, {});
        EXPECT_TRUE(writer.ok() || !writer.error().message.empty());
      }
    }
  }
}

}  // namespace
}  // namespace theater::persist
