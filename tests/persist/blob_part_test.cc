// A blob given out in parts: from any offset, across pieces of any size, and what is said where something is missing.
#include "persist/blob_part.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "base/crypto.h"
#include "persist/auditor_on_store.h"
#include "persist/memory_store.h"
#include "test_node.h"

namespace theater::persist {
namespace {

Bytes some_blob(size_t size) {
  Bytes blob(size);
  for (size_t i = 0; i < size; ++i) blob[i] = static_cast<uint8_t>(i * 31 + i / 256);
  return blob;
}

TEST(BlobPart, FromAnyOffsetAcrossPieces) {
  const Bytes blob = some_blob(10'000);
  for (const size_t piece : {size_t{999}, size_t{10'000}}) {
    MemoryStore store;
    TestStream stream(1);
    stream.blob(blob, piece);
    ASSERT_TRUE(record(store, stream).ok());
    for (const size_t offset : {0, 1, 998, 999, 1'000, 5'555, 9'999, 10'000}) {
      for (const size_t most : {size_t{1}, size_t{1'000}, size_t{4'000}, size_t{20'000}}) {
        const auto part = read_blob_part(store, sha256(blob), offset, most);
        ASSERT_TRUE(part.ok()) << part.error().message;
        ASSERT_TRUE(part->has_value());
        EXPECT_EQ((*part)->length, blob.size());
        const BytesView expected = BytesView(blob).subspan(offset, std::min(most, blob.size() - offset));
        EXPECT_TRUE(std::ranges::equal((*part)->bytes, expected)) << offset << " " << most;
      }
    }
    EXPECT_FALSE(read_blob_part(store, sha256(blob), 10'001, 1)->has_value());
    EXPECT_FALSE(read_blob_part(store, sha256(blob), UINT64_MAX, 1)->has_value());
    EXPECT_FALSE(read_blob_part(store, sha256({}), 0, 1)->has_value());
  }
}

TEST(BlobPart, OnlyWholeBlobsAreHere) {
  const Bytes blob = some_blob(3'000);
  MemoryStore store;
  TestStream stream(1);
  stream.blob(blob, 1'000);
  stream.frames.pop_back();
  ASSERT_TRUE(record(store, stream).ok());
  EXPECT_FALSE(read_blob_part(store, sha256(blob), 0, 100)->has_value());
}

// What the node's side does with bus/fetches.h, over the auditor's own door.
TEST(BlobPart, AnAuditorAnswersWhoSaidHello) {
  const Bytes blob = some_blob(100'000);
  auto store = std::make_shared<MemoryStore>();
  SystemClock clock;
  TestStream stream(1);
  stream.blob(blob, 40'000);
  TestLink link(stream);
  std::mutex mutex;
  std::condition_variable came;
  std::vector<bus::Fetched> fetched;
  AuditorOptions options;
  options.clock = &clock;
  options.reply = [&](const bus::CurveKey& peer, Bytes message) {
    const auto decoded = bus::decode_link(message, bus::kLinkFetchedMax);
    ASSERT_TRUE(decoded.ok()) << decoded.error().message;
    const auto* answer = std::get_if<bus::Fetched>(&decoded->body);
    if (answer == nullptr) return link.receive(peer, std::move(message));
    std::lock_guard lock(mutex);
    fetched.push_back(*answer);
    came.notify_all();
  };
  auto auditor = start_auditor_on(store, options);
  ASSERT_TRUE(auditor.ok()) << auditor.error().message;
  const auto ask = [&](const Hash& hash, uint64_t offset) {
    auto bytes = std::make_shared<const Bytes>(bus::encode_link({stream.stream, bus::Fetch{hash, offset}}));
    bus::Inbound inbound;
    inbound.peer.bytes = stream.node.bytes;
    inbound.owner = bytes;
    inbound.bytes = *bytes;
    return (*auditor)->offer(std::move(inbound));
  };
  ASSERT_TRUE(ask(sha256(blob), 0));  // a stranger's question
  ASSERT_TRUE(link.deliver(**auditor)) << link.refused();
  Bytes whole;
  while (whole.size() < blob.size()) {
    ASSERT_TRUE(ask(sha256(blob), whole.size()));
    std::unique_lock lock(mutex);
    ASSERT_TRUE(came.wait_for(lock, std::chrono::seconds(20), [&] { return !fetched.empty(); }));
    ASSERT_EQ(fetched.size(), 1u) << "the stranger got no answer";
    ASSERT_TRUE(fetched[0].here);
    ASSERT_EQ(fetched[0].length, blob.size());
    ASSERT_FALSE(fetched[0].bytes.empty());
    whole.insert(whole.end(), fetched[0].bytes.begin(), fetched[0].bytes.end());
    fetched.clear();
  }
  EXPECT_EQ(whole, blob);
  ASSERT_TRUE(ask(sha256({}), 0));
  std::unique_lock lock(mutex);
  ASSERT_TRUE(came.wait_for(lock, std::chrono::seconds(20), [&] { return !fetched.empty(); }));
  EXPECT_FALSE(fetched[0].here);
}

}  // namespace
}  // namespace theater::persist
