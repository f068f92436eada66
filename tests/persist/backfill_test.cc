// Auditors that help each other, with their threads: one was away, asks those that it is told of, and has it all then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "persist/auditor_on_store.h"
#include "persist/backfill.h"
#include "persist/evidence.h"
#include "persist/memory_store.h"
#include "persist/service.h"
#include "persist/store_reader.h"
#include "persist/verifier.h"
#include "test_node.h"

namespace theater::persist {
namespace {

using bus::ControlResponse;
using bus::Role;
using schema::Value;
using testing::HasSubstr;

// Waits for one response.
class Waiting final : public bus::Responder {
 public:
  void respond(ControlResponse response) override {
    std::lock_guard lock(mutex_);
    responses_.push_back(std::move(response));
    changed_.notify_all();
  }
  bool gone() const override { return false; }
  ControlResponse wait() {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !responses_.empty(); }), "no response");
    return responses_.front();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ControlResponse> responses_;
};

ControlResponse ask(bus::ControlHandler& handler, const std::vector<Role>& roles, const std::string& verb, Value args) {
  auto responder = std::make_shared<Waiting>();
  handler.handle({test_key(3), "somebody", false, roles}, {1, verb, "", std::move(args)}, responder);
  return responder->wait();
}

// Asks another auditor's service as a remote one is asked, without sockets. `change` is a lie about the events.
class FakePeer final : public Peer {
 public:
  FakePeer(std::string name, uint8_t key, bus::ControlHandler* service)
      : name_(std::move(name)), identity_(test_key(key)), service_(service) {}
  const std::string& name() const override { return name_; }
  const PublicKey& identity() const override { return identity_; }

  Result<std::vector<Bytes>> range(const ActorId& actor, uint64_t first, uint64_t last) override {
    ++asked;
    if (on_asked) on_asked(actor);
    if (service_ == nullptr) return Error{ErrorCode::kUnavailable, "nobody answers"};
    const auto answer = ask(*service_, {Role::kAuditor}, "chain.range",
                            Value::record({{"actor", Value::string(actor.hex())},
                                           {"first", Value::u64(std::max(first, from))},
                                           {"last", Value::u64(last)}}));
    std::vector<Bytes> events;
    if (answer.error)
      return answer.error->code == ErrorCode::kNotFound ? Result<std::vector<Bytes>>(events) : *answer.error;
    for (const Value& item : bus::find_field(answer.result, "events")->get<Value::List>()->items) {
      events.push_back(*item.get<Bytes>());
    }
    if (change && !events.empty()) change(events);
    return events;
  }
  Result<std::optional<BlobPart>> blob(const Hash& hash, uint64_t offset) override {
    if (service_ == nullptr) return Error{ErrorCode::kUnavailable, "nobody answers"};
    const auto answer = ask(*service_, {Role::kAuditor}, "blob.get",
                            Value::record({{"hash", Value::string(hash.hex())}, {"offset", Value::u64(offset)}}));
    if (answer.error) return std::optional<BlobPart>();
    BlobPart part{*bus::number_field(answer.result, "length"), *bus::bytes_field(answer.result, "bytes")};
    ++parts;
    if (changed_blobs) part.bytes.front() ^= 1;
    if (change_part) change_part(offset, part.bytes);
    return std::optional(std::move(part));
  }

  std::function<void(std::vector<Bytes>&)> change;
  std::function<void(uint64_t, Bytes&)> change_part;
  std::function<void(const ActorId&)> on_asked;
  bool changed_blobs = false;
  uint64_t from = 0;  // gives nothing before this
  std::atomic<int> asked{0}, parts{0};

 private:
  const std::string name_;
  const PublicKey identity_;
  bus::ControlHandler* const service_;
};

// An auditor on a store in memory, and the link to it.
struct Site {
  std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
  TestStream stream{1};
  TestLink link{stream};
  TestLink* also = nullptr;  // another node's
  std::unique_ptr<Auditor> auditor;

  void start(Clock& clock, std::vector<std::shared_ptr<Peer>> peers = {}) {
    AuditorOptions options;
    options.clock = &clock;
    options.reply = [this](const bus::CurveKey& peer, Bytes message) {
      link.receive(peer, message);
      if (also != nullptr) also->receive(peer, message);
    };
    options.peers = std::move(peers);
    options.backfill_interval_ms = 20;
    auto started = start_auditor_on(store, std::move(options));
    CHECK(started.ok());
    auditor = std::move(*started);
  }
  bool wait_for(const std::function<bool(const AuditorStatus&)>& state) const {
    for (int i = 0; i < 1000; ++i) {
      if (state(auditor->status())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  VerifyReport verified(const ActorId& actor) const {
    auto reader = make_chain_reader(store);
    CHECK(reader.ok());
    const auto all = verify_all(**reader);
    CHECK(all.ok(), all.ok() ? "" : all.error().message);
    for (const std::string& fault : all->faults) ADD_FAILURE() << fault;
    for (const auto& report : all->chains) {
      if (report.summary.actor == actor) return report;
    }
    return {};
  }
};

class BackfillTest : public testing::Test {
 protected:
  BackfillTest() : chain_({.package = sha256(package_), .package_length = package_.size()}) {
    whole_.stream.blob(package_, 40'000);
    whole_.stream.put(chain_.genesis());
    for (int i = 1; i < 4000; ++i) {
      whole_.stream.put(chain_.log(str_cat("line ", i)));
      if (i % 100 == 0) whole_.stream.seal();
    }
    whole_.stream.put(chain_.end());
    whole_.stream.seal();
    whole_.start(clock_);
    CHECK(whole_.link.deliver(*whole_.auditor));
  }
  // What the one that was away got: from event `from` on, and not `dropped_first` to `dropped_last`.
  void late(uint64_t from, uint64_t dropped_first, uint64_t dropped_last) {
    for (uint64_t i = from; i <= 4000; ++i) {
      if (i == dropped_first) {
        late_.stream.builder.append_gap(
            {chain_.actor(), dropped_first, dropped_last, chain_.events[dropped_last].hash});
        i = dropped_last + 1;
      }
      late_.stream.put(chain_.events[i]);
      if (i % 200 == 0) late_.stream.seal();
    }
    if (!late_.stream.builder.empty()) late_.stream.seal();
  }
  bus::ControlHandler* service() { return &whole_.auditor->service(); }

  SystemClock clock_;
  const Bytes package_ = Bytes(300'000, 5);
  TestChain chain_;
  Site whole_, late_;
};

TEST_F(BackfillTest, WhoJoinedLateAndMissedSomeHasItAllThen) {
  late(3000, 3500, 3600);
  late_.start(clock_, {std::make_shared<FakePeer>("away", 8, nullptr), std::make_shared<FakePeer>("a", 9, service())});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.backfilled == 3101; }));
  EXPECT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.peers[1].events == 3101; }));
  const AuditorStatus status = late_.auditor->status();
  EXPECT_EQ(status.gaps, 0u);
  EXPECT_EQ(status.evidence, 0u);
  EXPECT_EQ(status.peers[0].last_result, "nobody answers");
  late_.auditor->stop();
  EXPECT_EQ(late_.verified(chain_.actor()).summary.status, ChainStatus::kComplete);
  auto reader = make_chain_reader(late_.store);
  EXPECT_EQ(stored_events(**reader, chain_.actor()), bytes_of(chain_));
  EXPECT_EQ(*(*reader)->blob(sha256(package_)), package_);
}

TEST_F(BackfillTest, WhileTheNodeGoesOnSending) {
  late(3000, 3500, 3600);
  late_.start(clock_, {std::make_shared<FakePeer>("a", 9, service())});
  TestChain other({.name = "other", .nonce = 4});
  late_.stream.put(other.genesis());
  for (int i = 0; i < 500; ++i) {
    late_.stream.put(other.log("more"));
    late_.stream.seal();
  }
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  for (int i = 0; i < 100; ++i) {  // one by one, which the intake carries to the disk itself
    late_.stream.put(other.log("alone"));
    late_.stream.seal();
    ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  }
  ASSERT_TRUE(
      late_.wait_for([](const AuditorStatus& status) { return status.gaps == 0 && status.backfilled == 3101; }));
  late_.auditor->stop();
  EXPECT_EQ(late_.verified(chain_.actor()).summary.status, ChainStatus::kComplete);
  EXPECT_EQ(late_.verified(other.actor()).summary.status, ChainStatus::kOpen);
}

TEST_F(BackfillTest, WhoGivesSomethingForgedIsNotAskedAgainAndTheNextOneIs) {
  late(0, 3500, 3600);
  late_.stream.frames.clear();
  late_.stream = TestStream(1);
  late_.stream.blob(package_, 40'000);
  late(0, 3500, 3600);
  auto liar = std::make_shared<FakePeer>("liar", 8, service());
  liar->change = [this](std::vector<Bytes>& events) { events.back() = chain_.events[3].bytes; };
  auto half = std::make_shared<FakePeer>("half", 7, service());
  half->from = 3550;
  late_.start(clock_, {liar, half});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(
      late_.wait_for([](const AuditorStatus& status) { return status.backfilled == 51 && status.evidence == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(liar->asked, 1);
  EXPECT_GT(half->asked, 2);
  EXPECT_EQ(late_.auditor->status().gaps, 1u);
  EXPECT_EQ(late_.auditor->status().peers[0].refused, 1u);
  late_.auditor->stop();
  const auto report = late_.verified(chain_.actor());
  EXPECT_EQ(report.summary.status, ChainStatus::kPartial);
  ASSERT_EQ(report.summary.missing.size(), 1u);
  EXPECT_EQ(report.summary.missing[0].first, 3500u);
  EXPECT_EQ(report.summary.missing[0].last, 3549u);
  ASSERT_TRUE(walk_evidence(*late_.store, [&](uint64_t, const EvidenceRow& row) {
                EXPECT_EQ(row.peer, liar->identity());
                return true;
              }).ok());
}

TEST_F(BackfillTest, AnotherNodesClaimEndsWhenAPeerHasTheGenesis) {
  TestStream squatter(2, test_key(2));
  TestLink claims(squatter);
  squatter.builder.append_gap({chain_.actor(), 1, 1, Hash{}});
  squatter.seal();
  late_.also = &claims;
  auto honest = std::make_shared<FakePeer>("honest", 9, service());
  late_.start(clock_, {honest});
  ASSERT_TRUE(claims.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.evidence == 1; }));
  late(3000, 3500, 3600);
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(
      late_.wait_for([](const AuditorStatus& status) { return status.gaps == 0 && status.backfilled == 3101; }));
  EXPECT_EQ(late_.auditor->status().evidence, 1u);
  EXPECT_EQ(late_.auditor->status().peers[0].refused, 0u);
  late_.auditor->stop();
  EXPECT_EQ(late_.verified(chain_.actor()).summary.status, ChainStatus::kComplete);
}

TEST_F(BackfillTest, ABlobOfOtherBytesIsEvidenceAndTheEventsWaitForTheRightOne) {
  late(3000, 4001, 4001);
  auto liar = std::make_shared<FakePeer>("liar", 8, service());
  liar->changed_blobs = true;
  late_.start(clock_, {liar});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.evidence > 0; }));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.peers[0].refused == 1; }));
  late_.auditor->stop();
  EXPECT_EQ(late_.auditor->status().backfilled, 2999u);  // all but genesis
  EXPECT_EQ(late_.verified(chain_.actor()).summary.status, ChainStatus::kPartial);
}

TEST_F(BackfillTest, ABlobInPartsThatAreTooShortIsLeftToTheNextPeer) {
  late(3000, 4001, 4001);
  auto slow = std::make_shared<FakePeer>("slow", 8, service());
  slow->change_part = [](uint64_t, Bytes& bytes) { bytes.resize(1); };
  late_.start(clock_, {slow, std::make_shared<FakePeer>("good", 7, service())});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.gaps == 0; }));
  EXPECT_LE(slow->parts, 4) << "one each time that it is asked";
  EXPECT_EQ(late_.auditor->status().evidence, 0u);
}

TEST_F(BackfillTest, WhoTakesLongOverOneGapGoesOnInALaterRound) {
  const Bytes large(2'000'000, 6);
  TestChain chain({.package = sha256(large), .package_length = large.size(), .nonce = 7});
  chain.log("1");
  whole_.stream.blob(large, 32'000);
  whole_.stream.put(chain.genesis());
  whole_.stream.put(chain.events[1]);
  whole_.stream.seal();
  ASSERT_TRUE(whole_.link.deliver(*whole_.auditor));
  late_.stream.put(chain.events[1]);
  late_.stream.seal();
  ManualClock clock;
  std::vector<uint64_t> offsets;
  std::mutex mutex;
  auto slow = std::make_shared<FakePeer>("slow", 8, service());
  slow->change_part = [&](uint64_t offset, Bytes&) {
    std::lock_guard lock(mutex);
    offsets.push_back(offset);
    clock.advance_ns(Backfill::kPeerTimeNs / 2);
  };
  late_.start(clock, {slow});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.gaps == 0; }));
  late_.auditor->stop();
  EXPECT_THAT(offsets, testing::ElementsAre(0, kBlobAnswerMax, 2 * kBlobAnswerMax, 3 * kBlobAnswerMax));
  EXPECT_GE(slow->asked, 2) << "not all at once";
  EXPECT_EQ(late_.verified(chain.actor()).summary.status, ChainStatus::kOpen);
}

TEST_F(BackfillTest, WhoTakesLongAndHasNothingIsAskedAfterTheOthers) {
  for (uint8_t i = 1; i <= 10; ++i) {
    TestChain chain({.nonce = i});
    chain.log("1");
    whole_.stream.put(chain.genesis());
    whole_.stream.put(chain.events[1]);
    late_.stream.put(chain.events[1]);
  }
  whole_.stream.seal();
  late_.stream.seal();
  ASSERT_TRUE(whole_.link.deliver(*whole_.auditor));
  ManualClock clock;
  auto slow = std::make_shared<FakePeer>("slow", 8, service());
  slow->change = [](std::vector<Bytes>& events) { events.clear(); };
  slow->on_asked = [&](const ActorId&) { clock.advance_ns(4'500'000'000); };
  auto good = std::make_shared<FakePeer>("good", 7, service());
  late_.start(clock, {slow, good});
  ASSERT_TRUE(late_.link.deliver(*late_.auditor));
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.gaps == 0; }));
  late_.auditor->stop();
  EXPECT_LE(slow->asked, 2);
  EXPECT_GE(good->asked, 10);
}

TEST_F(BackfillTest, ANodeWithGapsThatNobodyCanFillHoldsUpNobodyElses) {
  constexpr uint32_t kHopeless = 4'000;
  TestStream hopeless(2, test_key(2));
  for (uint32_t i = 0; i < kHopeless; ++i) {
    ActorId actor;
    std::memcpy(actor.bytes.data(), &i, sizeof i);
    hopeless.builder.append_gap({actor, 0, 0, sha256(Bytes(8, 1))});
    if (i % 1000 == 999) hopeless.seal();
  }
  late(500, 900, 900);
  ASSERT_TRUE(record(*late_.store, {&hopeless, &late_.stream}).ok());
  std::mutex mutex;
  std::vector<ActorId> asked;
  auto peer = std::make_shared<FakePeer>("peer", 8, service());
  peer->on_asked = [&](const ActorId& actor) {
    std::lock_guard lock(mutex);
    asked.push_back(actor);
  };
  late_.start(clock_, {peer});
  ASSERT_TRUE(late_.wait_for([](const AuditorStatus& status) { return status.gaps == kHopeless; }));
  ASSERT_TRUE(late_.wait_for([&](const AuditorStatus&) {
    std::lock_guard lock(mutex);
    return asked.size() > 3 * kHopeless;
  }));
  late_.auditor->stop();
  const auto first = std::find(asked.begin(), asked.end(), chain_.actor());
  EXPECT_EQ(first - asked.begin(), static_cast<ptrdiff_t>(2 * Backfill::kGapsOfNodeARound))
      << "each gap's end, and then its chain's genesis";
  std::map<ActorId, size_t> times;
  for (const ActorId& actor : asked) ++times[actor];
  EXPECT_EQ(times.size(), kHopeless + 1);
  for (const auto& [actor, count] : times) EXPECT_TRUE(actor == chain_.actor() || (count >= 2 && count <= 4)) << count;
}

// It dies at random commits and begins again from what is on its disk: nothing is taken twice, and in the end all is
// there.
TEST_F(BackfillTest, ACrashOnlyMakesItAskAgain) {
  late(3000, 3500, 3600);
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SeededRandom random(seed);
    MemoryStore::Tables disk;
    for (int life = 0; life < 4; ++life) {
      std::atomic<uint64_t> left = life == 3 ? UINT64_MAX : 2 + random.below(10);
      Site site;
      site.stream = late_.stream;
      if (life > 0) site.store = std::make_shared<MemoryStore>(disk, TipNote{});
      site.store->on_commit = [&]() -> Result<void> {
        if (left == 0) return Error{ErrorCode::kIo, "the machine is gone"};
        --left;
        return Ok{};
      };
      site.start(clock_, {std::make_shared<FakePeer>("a", 9, service())});
      if (life < 3) {
        site.link.send(*site.auditor);
        for (int i = 0; i < 200 && left > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        disk = site.store->disk();
        left = 0;
        continue;
      }
      ASSERT_TRUE(site.link.deliver(*site.auditor)) << "seed " << seed;
      ASSERT_TRUE(site.wait_for([](const AuditorStatus& status) { return status.gaps == 0; })) << "seed " << seed;
      site.auditor->stop();
      const VerifyReport report = site.verified(chain_.actor());
      EXPECT_EQ(report.summary.status, ChainStatus::kComplete) << "seed " << seed << ": " << report.reason;
      EXPECT_EQ(report.summary.events, 4001u);
      EXPECT_EQ(site.auditor->status().evidence, 0u);
    }
  }
}

TEST_F(BackfillTest, TheServiceAnswersByRole) {
  const auto range = [&](const std::vector<Role>& roles, uint64_t first, uint64_t last) {
    return ask(*service(), roles, "chain.range",
               Value::record({{"actor", Value::string(chain_.actor().hex())},
                              {"first", Value::u64(first)},
                              {"last", Value::u64(last)}}));
  };
  const auto events_of = [](const ControlResponse& response) {
    return bus::find_field(response.result, "events")->get<Value::List>()->items.size();
  };
  EXPECT_EQ(range({Role::kReader, Role::kOperator, Role::kNode}, 0, 5).error->code, ErrorCode::kRefused);
  EXPECT_EQ(events_of(range({Role::kAuditor}, 0, 5)), 6u);
  EXPECT_EQ(events_of(range({Role::kAuditor}, 0, 4000)), 1024u);
  EXPECT_EQ(events_of(range({Role::kAuditor}, 3990, 4001)), 0u);  // it doesn't hold the last one
  EXPECT_EQ(range({Role::kAuditor}, 5, 4).error->code, ErrorCode::kInvalid);
  const auto none =
      ask(*service(), {Role::kAuditor}, "chain.range",
          Value::record(
              {{"actor", Value::string(std::string(64, '0'))}, {"first", Value::u64(0)}, {"last", Value::u64(1)}}));
  EXPECT_EQ(none.error->code, ErrorCode::kNotFound);
  const auto blob =
      ask(*service(), {Role::kAuditor}, "blob.get",
          Value::record({{"hash", Value::string(sha256(package_).hex())}, {"offset", Value::u64(299'000)}}));
  EXPECT_EQ(bus::bytes_field(blob.result, "bytes")->size(), 1000u);
  const auto list = ask(*service(), {Role::kReader}, "chain.list", Value::record({}));
  const auto& chain = bus::find_field(list.result, "chains")->get<Value::List>()->items.at(0);
  EXPECT_EQ(*bus::text_field(chain, "status"), "complete");
  EXPECT_EQ(*bus::number_field(chain, "next-sequence"), 4001u);
  EXPECT_EQ(*bus::text_field(chain, "head"), chain_.events.back().hash.hex());
  EXPECT_EQ(*bus::number_field(list.result, "next"), 0u);
  EXPECT_EQ(*bus::number_field(ask(*service(), {Role::kAuditor}, "auditor.status", Value::record({})).result, "events"),
            4001u);
  EXPECT_EQ(ask(*service(), {Role::kNode}, "auditor.status", Value::record({})).error->code, ErrorCode::kRefused);
  EXPECT_THAT(ask(*service(), {Role::kAuditor}, "actor.list", Value::record({})).error->message,
              HasSubstr("actor.list"));
  whole_.auditor->stop();
  EXPECT_EQ(range({Role::kAuditor}, 0, 5).error->code, ErrorCode::kUnavailable);
}

TEST(Service, WhoAsksTooMuchLeavesRoomForOthers) {
  SystemClock clock;
  std::mutex busy;
  StoreService service({std::make_shared<MemoryStore>(), &clock, [&] {
                          std::lock_guard lock(busy);
                          return AuditorStatus{};
                        }});
  service.start();
  std::vector<std::shared_ptr<Waiting>> flood;
  auto other = std::make_shared<Waiting>();
  const auto asks = [&](uint8_t key, const std::shared_ptr<Waiting>& responder) {
    service.handle({test_key(key), "somebody", false, {Role::kReader}}, {1, "auditor.status", "", Value::record({})},
                   responder);
  };
  {
    std::lock_guard lock(busy);
    for (size_t i = 0; i < 2 * StoreService::kRequestsMax; ++i) {
      flood.push_back(std::make_shared<Waiting>());
      asks(1, flood.back());
    }
    EXPECT_EQ(flood.back()->wait().error->code, ErrorCode::kUnavailable);
    asks(2, other);
  }
  EXPECT_FALSE(other->wait().error.has_value());
  EXPECT_FALSE(flood.front()->wait().error.has_value());
  auto again = std::make_shared<Waiting>();
  asks(1, again);
  EXPECT_FALSE(again->wait().error.has_value());
}

TEST(Service, ThePageListsExactlyTheVerbsThereAre) {
  std::vector<std::pair<std::string, std::string>> listed, verbs;
  std::istringstream lines(std::string(as_text(*read_file(THEATER_SOURCE_DIR "/docs/formats/control.md"))));
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## An auditor's verbs";
    if (!inside || !line.starts_with("| `")) continue;
    const auto name_end = line.find('`', 3), second = line.find("| ", name_end) + 2;
    listed.emplace_back(line.substr(3, name_end - 3), line.substr(second, line.find(" |", second) - second));
  }
  for (const auto& [name, roles] : service_verbs()) verbs.emplace_back(name, roles);
  EXPECT_EQ(listed, verbs);
}

}  // namespace
}  // namespace theater::persist
