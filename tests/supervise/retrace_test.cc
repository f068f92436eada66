// A supervisor's chain, retraced: what the rules decided comes out again from what they were told, over random lives of
// random supervisors, and whatever is changed in such a record is found.
#include "supervise/retrace.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "supervise/facts.h"

namespace theater::supervise {
namespace {

using schema::Value;
using testing::HasSubstr;

struct Fact {
  std::string type;
  Value value;
};

// A supervisor and a world that does random things to it; writes the chain as the node does: facts wait in a queue, and
// an input reaches the rules when its fact is written.
class RandomLife {
 public:
  explicit RandomLife(uint64_t seed) : random_(seed) {
    spec_.strategy = static_cast<Strategy>(random_.below(4));
    spec_.intensity = static_cast<uint32_t>(random_.below(6));
    spec_.period_ms = 1 + random_.below(2'000);
    if (random_.below(2) == 0) spec_.backoff = Backoff{.initial_ms = 1 + random_.below(50), .max_ms = 200};
    const size_t children = spec_.strategy == Strategy::simple_one_for_one ? 1 : random_.below(5);
    for (size_t i = 0; i < children; ++i) spec_.children.push_back(child(str_cat("c", i)));
    rules_.emplace(Supervision::make(spec_, chance_).value());
  }

  std::vector<Fact> run() {
    Begin begin;
    for (const auto& each : spec_.children) {
      if (each.is_supervisor) begin.supervisors.push_back(each.id);
    }
    feed(begin);
    for (int i = 0; i < 200 && !over_; ++i) {
      now_ns_ += random_.below(40'000'000);
      while (!queue_.empty() && random_.below(4) != 0) write();
      if (random_.below(3) == 0) feed(TimePassed{});
      happen();
    }
    feed(Stop{"the test is over"});
    while (!queue_.empty()) write();
    return std::move(written_);
  }
  const SupervisorSpec& spec() const { return spec_; }

 private:
  ChildSpec child(std::string id) {
    ChildSpec spec;
    spec.id = std::move(id);
    spec.restart = static_cast<Restart>(random_.below(3));
    spec.is_supervisor = random_.below(4) == 0;
    if (random_.below(2) == 0)
      spec.shutdown = Shutdown{static_cast<Shutdown::Kind>(random_.below(3)), random_.below(100)};
    return spec;
  }
  Hash new_hash() {
    Hash hash;
    random_.fill(hash.bytes);
    return hash;
  }

  void feed(Input input) {
    const Moment moment{now_ns_, spec_.backoff ? random_.next_u64() : 0};
    ++inputs_waiting_;
    queue_.push_back({Fact{std::string(fact_type(input)), to_value(input, moment)}, [this, input, moment] {
                        --inputs_waiting_;
                        ASSERT_TRUE(apply(*rules_, chance_, input, moment).ok());
                        pump();
                      }});
  }
  void write() {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    written_.push_back(std::move(next.fact));
    if (next.then) next.then();
  }
  void pump() {
    for (auto& output : rules_->take_outputs()) {
      if (fact_type(output.what).empty()) continue;
      queue_.push_back({Fact{std::string(fact_type(output.what)), to_value(output)}, [this, output] {
                          if (output.what == What::kStartChild) starting_.push_back(output.child);
                          if (output.what == What::kStopChild || output.what == What::kKillChild)
                            dying_.insert(output.child);
                          if (output.what == What::kEnd) over_ = true;
                        }});
    }
  }
  // A start is answered, a child ends, a call comes, or nothing.
  void happen() {
    if (!starting_.empty() && random_.below(2) == 0) {
      const ChildRef ref = starting_.front();
      starting_.pop_front();
      if (random_.below(5) == 0) return feed(ChildStartFailed{ref, "no luck"});
      living_.emplace_back(ref, new_hash());
      return feed(ChildStarted{ref, living_.back().second});
    }
    const bool must =
        std::any_of(living_.begin(), living_.end(), [&](const auto& each) { return dying_.contains(each.first); });
    if (!living_.empty() && inputs_waiting_ == 0 && (must || random_.below(4) == 0)) {
      const auto at = living_.begin() + static_cast<ptrdiff_t>(random_.below(living_.size()));
      const auto [ref, life] = *at;
      living_.erase(at);
      dying_.erase(ref);
      return feed(ChildExited{ref, life, Exit{static_cast<Exit::Kind>(random_.below(4)), "why", new_hash()}});
    }
    const std::string id = str_cat("c", random_.below(6));
    switch (random_.below(8)) {
      case 0: return feed(StartChild{++call_, child(id)});
      case 1: return feed(StartFromPattern{++call_, Bytes(random_.below(3))});
      case 2:
        return feed(TerminateChild{++call_, living_.empty() || random_.below(2) == 0 ? id : living_[0].second.hex()});
      case 3: return feed(RestartChild{++call_, id});
      case 4: return feed(DeleteChild{++call_, id});
      default: return;
    }
  }

  struct Waiting {
    Fact fact;
    std::function<void()> then;
  };
  SeededRandom random_;
  SupervisorSpec spec_;
  Chance chance_;
  std::optional<Supervision> rules_;
  uint64_t now_ns_ = 1'000'000'000;
  std::deque<Waiting> queue_;
  size_t inputs_waiting_ = 0;
  std::vector<Fact> written_;
  std::deque<ChildRef> starting_;
  std::vector<std::pair<ChildRef, Hash>> living_;
  std::set<ChildRef> dying_;
  CallId call_ = 0;
  bool over_ = false;
};

// The index of the first fact that the rules don't agree with, or SIZE_MAX.
size_t first_difference(const SupervisorSpec& spec, const std::vector<Fact>& facts, std::string* said = nullptr) {
  Retrace retrace(spec);
  for (size_t i = 0; i < facts.size(); ++i) {
    const auto taken = retrace.take(facts[i].type, facts[i].value);
    if (!taken.ok() || *taken) {
      if (said != nullptr) *said = taken.ok() ? **taken : taken.error().message;
      return i;
    }
  }
  return SIZE_MAX;
}

bool is_decision(const Fact& fact) {
  return read_input(fact.type, fact.value).ok() && !*read_input(fact.type, fact.value);
}

TEST(Retrace, RandomLivesComeOutAsRecorded) {
  size_t decisions = 0;
  for (uint64_t seed = 1; seed <= 2'000; ++seed) {
    RandomLife life(seed);
    const auto facts = life.run();
    std::string said;
    const size_t at = first_difference(life.spec(), facts, &said);
    ASSERT_EQ(at, SIZE_MAX) << "seed " << seed << ", fact " << at << " of " << facts.size() << ": " << facts[at].type
                            << " " << schema::to_display(facts[at].value) << "\n"
                            << said;
    decisions += static_cast<size_t>(std::count_if(facts.begin(), facts.end(), is_decision));
  }
  EXPECT_GT(decisions, 10'000u);
}

TEST(Retrace, ADecisionThatIsLeftOutAddedOrChangedIsFound) {
  size_t tried = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    RandomLife life(seed);
    const auto facts = life.run();
    SeededRandom random(seed + 1'000'000);
    std::vector<size_t> decisions;
    for (size_t i = 0; i < facts.size(); ++i) {
      if (is_decision(facts[i])) decisions.push_back(i);
    }
    if (decisions.size() < 2) continue;
    // The last one may be missing: the supervisor may have died before it was written.
    const size_t at = decisions[random.below(decisions.size() - 1)];
    ++tried;
    auto left_out = facts;
    left_out.erase(left_out.begin() + static_cast<ptrdiff_t>(at));
    EXPECT_NE(first_difference(life.spec(), left_out), SIZE_MAX) << "seed " << seed << ", left out " << at;
    auto doubled = facts;
    doubled.insert(doubled.begin() + static_cast<ptrdiff_t>(at), facts[at]);
    EXPECT_NE(first_difference(life.spec(), doubled), SIZE_MAX) << "seed " << seed << ", doubled " << at;
    auto changed = facts;
    for (auto& field : changed[at].value.get<Value::Record>()->fields) {
      if (field.name == "why") field.value = Value::string("because");
    }
    EXPECT_EQ(first_difference(life.spec(), changed), at) << "seed " << seed << ", changed " << at;
  }
  EXPECT_GT(tried, 100u);
}

TEST(Retrace, AnotherManifestDecidesOtherwise) {
  SupervisorSpec spec;
  spec.children.emplace_back().id = "a";
  Hash life, head;
  life.bytes[0] = 1;
  head.bytes[0] = 2;
  Chance chance;
  auto rules = Supervision::make(spec, chance).value();
  std::vector<Fact> facts;
  const auto feed = [&](const Input& input) {
    facts.push_back({std::string(fact_type(input)), to_value(input, {1'000, 0})});
    ASSERT_TRUE(apply(rules, chance, input, {1'000, 0}).ok());
    for (const auto& output : rules.take_outputs()) {
      if (!fact_type(output.what).empty()) facts.push_back({std::string(fact_type(output.what)), to_value(output)});
    }
  };
  feed(Begin{});
  feed(ChildStarted{1, life});
  feed(ChildExited{1, life, {Exit::Kind::normal, "", head}});
  EXPECT_EQ(first_difference(spec, facts), SIZE_MAX);
  spec.children[0].restart = Restart::transient;
  std::string said;
  const size_t at = first_difference(spec, facts, &said);
  EXPECT_EQ(facts[at].type, "supervisor/restart");
  EXPECT_THAT(said, HasSubstr("the rules say supervisor/leave"));
}

TEST(Retrace, FactsThatNoSupervisorWritesAreRefusedAndNeverCrash) {
  Retrace retrace(SupervisorSpec{});
  for (const char* type : {"supervisor/asked", "supervisor/child-started", "supervisor/child-exited"}) {
    for (const auto& value : {Value::string("x"), Value::record({}), Value::record({{"what", Value::string("fly")}}),
                              Value::record({{"what", Value::string("start_child_of_pattern")},
                                             {"call", Value::u64(1)},
                                             {"state-bytes", Value::u64(UINT64_MAX)}})}) {
      const auto taken = retrace.take(type, value);
      ASSERT_FALSE(taken.ok());
      EXPECT_EQ(taken.error().code, ErrorCode::kCorrupt);
    }
  }
  EXPECT_THAT(**retrace.take("supervisor/restart", Value::record({})), HasSubstr("before the supervisor was started"));
  EXPECT_EQ(*retrace.take("link", Value::record({})), std::nullopt);
  ASSERT_TRUE(retrace.take("supervisor/asked", to_value(Input(Begin{}), {1, 0})).ok());
  EXPECT_THAT(**retrace.take("supervisor/child-started", to_value(Input(ChildStarted{7, {}}), {2, 0})),
              HasSubstr("the rules know no such thing"));
}

}  // namespace
}  // namespace theater::supervise
