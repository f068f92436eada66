// Passivation against everything else at once: several threads send, ask, tell actors to talk, follow, name, stop and
// kill while the actors come and go within milliseconds and outnumber the instances. What holds for every seed:
//
//   what was accepted was handled once, in its sender's order, unless its actor was ended on purpose
//   every question got exactly one answer
//   every chain verifies and replays
#include <gmock/gmock.h>

#include <map>
#include <random>

#include "tests/node/replay_check.h"

namespace theater::node {
namespace {

using schema::Value;

constexpr const char* kSend = "theater:simple/message-server-host@0.1.0/send";
constexpr const char* kRegister = "theater:simple/names@0.1.0/register";
constexpr const char* kUnregister = "theater:simple/names@0.1.0/unregister";

bool is_ok(const Value& result) { return result.get<Value::ResultOf>()->ok; }

// Keeps what it gets in its state, each followed by ";". "tell TARGET TEXT", "name NAME" and "unname NAME" are obeyed
// instead, "state" is answered with it. Its memory must be that of this instance alone.
void keep(wasm::FakeCall& call) {
  const std::string message = message_of(call), state = state_of(call);
  call.memory().push_back(1);
  const auto space = message.find(' ');
  const std::string word = message.substr(0, space), rest = space == std::string::npos ? "" : message.substr(space + 1);
  if (word == "tell") {
    const auto next = rest.find(' ');
    call.host(kSend, {Value::string(rest.substr(0, next)), Value::bytes(to_bytes(rest.substr(next + 1)))});
  } else if (word == "name" || word == "unname") {
    call.host(word == "name" ? kRegister : kUnregister, {Value::string(rest)});
  } else if (word == "state") {
    return call.result(ok_reply(state, state));
  } else {
    return call.result(ok_reply(str_cat(state, message, ";"), message));
  }
  call.then(
      [state](wasm::FakeCall& then) { then.result(ok_reply(state, is_ok(then.answers().back()) ? "ok" : "no")); });
}

class World {
 public:
  static constexpr size_t kActors = 8, kMortal = 3;  // the first kMortal may be ended
  static constexpr int kThreads = 3, kSteps = 120;

  explicit World(uint64_t seed) : seed_(seed), node_(2, 3) {
    node_.package("keeps", {.imports = {kSend, kRegister, kUnregister},
                            .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                        {kHandleRequest, keep},
                                        {kHandleSend, [](wasm::FakeCall& call) {
                                           call.result(ok_state(str_cat(state_of(call), message_of(call), ";")));
                                         }}}});
  }

  void run() {
    std::mt19937_64 random(seed_);
    for (size_t i = 0; i < kActors; ++i) {
      auto request = node_.asks("keeps");
      request.manifest = FakeNode::manifest(
          "keeps",
          str_cat("[[handler]]\ntype = \"names\"\n[limits]\npassivate_after = \"", 1 + random() % 4, " ms\"\n"));
      const auto actor = spawn(node_.runtime(), std::move(request));
      ASSERT_TRUE(actor.ok()) << actor.error().message;
      actors_.push_back(actor->id);
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([this, i, own_seed = random()] { act(i, own_seed); });
    }
    for (auto& thread : threads) thread.join();
    check();
    expect_all_replay(node_);
  }

 private:
  // What one thread gave each actor, in this order.
  using Given = std::map<size_t, std::vector<std::string>>;

  void act(int thread, uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto follower = std::make_shared<RecordingSubscriber>();
    follower->gaps_expected = true;
    Given given;
    for (int step = 0; step < kSteps; ++step) {
      const size_t target = random() % kActors;
      const ActorId actor = actors_[target];
      const std::string text = str_cat(thread, "-", step);
      switch (random() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
          if (send(node_.runtime(), actor, text).ok()) given[target].push_back(text);
          break;
        case 4:
        case 5:
        case 6: {
          const auto answer = ask(actor, text);
          if (answer.ok()) {
            EXPECT_EQ(as_text(**answer), text);
            given[target].push_back(text);
          }
          break;
        }
        case 7:
        case 8: {  // an order of its own: told by another actor
          const size_t teller = kMortal + random() % (kActors - kMortal);
          const auto answer = ask(actors_[teller], str_cat("tell ", actor.hex(), " ", "told-", text));
          ASSERT_TRUE(answer.ok()) << answer.error().message;
          if (as_text(**answer) == "ok") {
            std::lock_guard lock(mutex_);
            told_.emplace_back(target, str_cat("told-", text));
          }
          break;
        }
        case 9: (void)ask(actor, str_cat(random() % 2 == 0 ? "name" : "unname", " n", random() % 4)); break;
        case 10: (void)await<Ok>([&](auto done) { node_.runtime().subscribe(actor, follower, done); }).ok(); break;
        case 11: (void)await<bool>([&](auto done) { node_.runtime().unsubscribe(actor, follower, done); }).ok(); break;
        case 12: (void)show(node_.runtime(), actor).ok(); break;
        case 13: (void)list(node_.runtime()).ok(); break;
        case 14:
          if (target >= kMortal || random() % 8 != 0) break;
          (void)(random() % 2 == 0 ? stop(node_.runtime(), actor) : kill(node_.runtime(), actor)).ok();
          break;
        default: std::this_thread::sleep_for(std::chrono::milliseconds(random() % 8)); break;
      }
    }
    std::lock_guard lock(mutex_);
    given_.push_back(std::move(given));
  }

  Result<std::optional<Bytes>> ask(const ActorId& actor, const std::string& message) {
    auto answers = std::make_shared<std::atomic<int>>(0);
    auto result = await<std::optional<Bytes>>([&](Callback<std::optional<Bytes>> done) {
      node_.runtime().request(actor, to_bytes(message), {}, 0, false,
                              [answers, done](Result<std::optional<Bytes>> answer) {
                                EXPECT_EQ(answers->fetch_add(1), 0) << "a second answer";
                                done(std::move(answer));
                              });
    });
    EXPECT_TRUE(result.ok() || result.error().code != ErrorCode::kDeadline) << "no answer to " << message;
    return result;
  }

  void check() {
    for (size_t i = kMortal; i < kActors; ++i) {
      const auto answer = ask(actors_[i], "state");
      ASSERT_TRUE(answer.ok()) << answer.error().message;
      std::map<std::string, int> at;
      int position = 0;
      std::string rest(as_text(**answer));
      while (!rest.empty()) {
        const auto end = rest.find(';');
        EXPECT_TRUE(at.emplace(rest.substr(0, end), position++).second) << rest.substr(0, end) << " came twice";
        rest.erase(0, end + 1);
      }
      size_t expected = 0;
      for (auto& given : given_) {
        int last = -1;
        for (const auto& text : given[i]) {
          ++expected;
          ASSERT_TRUE(at.contains(text)) << text << " was lost";
          EXPECT_GT(at[text], last) << text << " overtook what the same thread sent before";
          last = at[text];
        }
      }
      for (const auto& [target, text] : told_) {
        if (target != i) continue;
        ++expected;
        EXPECT_TRUE(at.contains(text)) << text << " was lost";
      }
      EXPECT_EQ(at.size(), expected);
    }
    size_t rests = 0;
    for (const ActorId& actor : actors_) {
      const auto types = node_.record().types(actor);
      rests += static_cast<size_t>(std::ranges::count(types, "passivated fact"));
    }
    EXPECT_GT(rests, kActors) << "nobody rested: this tests nothing";
  }

  const uint64_t seed_;
  FakeNode node_;
  std::vector<ActorId> actors_;
  std::mutex mutex_;
  std::vector<Given> given_;
  std::vector<std::pair<size_t, std::string>> told_;
};

class PassivationRandomTest : public testing::TestWithParam<uint64_t> {};

TEST_P(PassivationRandomTest, NothingIsLostOrDoubledAndEverythingReplays) { World(GetParam()).run(); }

INSTANTIATE_TEST_SUITE_P(Seeds, PassivationRandomTest, testing::Range<uint64_t>(1, 21));

}  // namespace
}  // namespace theater::node
