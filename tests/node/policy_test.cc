// Who may grant what: the node's [policy] is the ceiling of any manifest, a parent's manifest that of its children's.
#include "node/actor/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace theater::node {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Manifest manifest(const std::string& name, const std::string& more = "") {
  auto parsed = parse_manifest(str_cat("name = \"", name, "\"\n", more));
  CHECK(parsed.ok(), parsed.error().message);
  return std::move(parsed).value();
}

struct ReadPolicy {
  Policy policy;
  std::string error;
};
ReadPolicy policy(const std::string& text, uint64_t memory_max = uint64_t{64} << 20) {
  const auto config = Config::parse(text, "node.toml");
  CHECK(config.ok(), config.error().message);
  ReadPolicy read{read_policy(config->root(), memory_max), ""};
  if (const auto finished = config->finish(); !finished.ok()) read.error = finished.error().message;
  return read;
}

std::string refusal(const Manifest& asked, const std::string& policy_text) {
  const auto read = policy(policy_text);
  EXPECT_EQ(read.error, "");
  const auto allowed = check_policy(asked, read.policy);
  EXPECT_TRUE(allowed.ok() || allowed.error().code == ErrorCode::kRefused);
  return allowed.ok() ? "" : allowed.error().message;
}

// One more than the default (or than a little), and that little: for each limit there is.
struct Case {
  std::string_view name;
  std::string less, more;
};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& key : limit_keys()) {
    const auto value = [&](uint64_t of) {
      return key.unit == LimitKey::Unit::kNumber ? key.text(of) : str_cat("\"", key.text(of), "\"");
    };
    const uint64_t step = key.name() == "memory" ? 64 << 10 : 1;
    all.push_back({key.name(), value(key.min), value(key.min + step)});
  }
  return all;
}

TEST(PolicyTest, ANodeThatStatesNoneAllowsEveryHandlerAndLimit) {
  const auto all = manifest("all", R"(
[[handler]]
type = "wasi"
[limits]
memory = "64 MiB"
events_per_second = 1000000
[audit]
mode = "best-effort"
)");
  EXPECT_EQ(refusal(all, ""), "");
  EXPECT_TRUE(check_policy(all, Policy{}).ok());
  // But no more memory than its engine was set up for.
  EXPECT_THAT(
      refusal(manifest("big", "[limits]\nmemory = \"65 MiB\"\n"), ""),
      AllOf(HasSubstr("limits.memory of 'big' is 65 MiB"), HasSubstr("at most 64 MiB"), HasSubstr("policy.memory")));
}

TEST(PolicyTest, EachLimitHasACeilingAndItsRefusalNamesAllThatMatters) {
  for (const auto& [name, less, more] : cases()) {
    const std::string ceiling = str_cat("[policy]\n", name, " = ", less, "\n");
    EXPECT_EQ(refusal(manifest("modest", str_cat("[limits]\n", name, " = ", less, "\n")), ceiling), "") << name;
    const auto said = refusal(manifest("greedy", str_cat("[limits]\n", name, " = ", more, "\n")), ceiling);
    const auto bare = [](std::string text) { return text.substr(text[0] == '"', text.size() - 2 * (text[0] == '"')); };
    EXPECT_THAT(said, HasSubstr(str_cat("limits.", name, " of 'greedy' is ", bare(more))));
    EXPECT_THAT(said, HasSubstr(str_cat("this node has at most ", bare(less))));
    EXPECT_THAT(said, HasSubstr(str_cat("policy.", name, " in its node.toml")));
  }
}

TEST(PolicyTest, WhatAManifestDoesntSayIsItsDefaultAndThatIsHeldAgainstThePolicyToo) {
  EXPECT_THAT(refusal(manifest("silent"), "[policy]\nmemory = \"16 MiB\"\n"),
              HasSubstr("limits.memory of 'silent' is 64 MiB unless it says less"));
  EXPECT_THAT(refusal(manifest("silent"), "[policy]\nfuel = 1000\n"),
              HasSubstr("limits.fuel of 'silent' is no limit unless it says less, and this node has at most 1000"));
}

TEST(PolicyTest, HandlersAndTheAuditFloor) {
  const auto asks = manifest("asks", "[[handler]]\ntype = \"runtime\"\n[[handler]]\ntype = \"wasi\"\n");
  EXPECT_EQ(refusal(asks, "[policy]\nhandlers = [\"wasi\", \"runtime\", \"names\"]\n"), "");
  EXPECT_THAT(refusal(asks, "[policy]\nhandlers = [\"runtime\", \"names\"]\n"),
              HasSubstr("handler.type of 'asks' is wasi, and this node has only runtime, names (policy.handlers in"));
  EXPECT_THAT(refusal(asks, "[policy]\nhandlers = []\n"), HasSubstr("this node has only none"));

  const auto lax = manifest("lax", "[audit]\nmode = \"best-effort\"\n");
  EXPECT_EQ(refusal(lax, "[policy]\naudit = \"best-effort\"\n"), "");
  EXPECT_EQ(refusal(manifest("strict"), "[policy]\naudit = \"strict\"\n"), "");
  EXPECT_THAT(refusal(lax, "[policy]\naudit = \"strict\"\n"),
              AllOf(HasSubstr("audit.mode of 'lax' is best-effort"), HasSubstr("at least strict"),
                    HasSubstr("policy.audit in its node.toml")));

  const auto two = manifest("two", "[audit]\nmode = \"quorum\"\nquorum = 2\n");
  EXPECT_EQ(refusal(two, "[policy]\naudit = \"best-effort\"\n"), "");
  EXPECT_EQ(refusal(two, "[policy]\naudit = \"quorum\"\nquorum = 2\n"), "");
  EXPECT_EQ(refusal(manifest("strict"), "[policy]\naudit = \"quorum\"\nquorum = 2\n"), "");
  EXPECT_THAT(refusal(lax, "[policy]\naudit = \"quorum\"\n"), HasSubstr("at least quorum"));
  EXPECT_THAT(refusal(two, "[policy]\naudit = \"strict\"\n"), HasSubstr("audit.mode of 'two' is quorum"));
  EXPECT_EQ(refusal(two, "[policy]\naudit = \"quorum\"\nquorum = 3\n"),
            "audit.quorum of 'two' is 2, and this node has at least 3 (policy.quorum in its node.toml)");
}

TEST(PolicyTest, WhatIsGrantedByNameIsAllowedByName) {
  const auto asks = [](const std::string& keys) {
    return manifest("asks", str_cat("[[handler]]\ntype = \"environment\"\n", keys, "\n"));
  };
  const std::string allows = "[policy]\nvariables = [\"LANG\", \"HOME\"]\nsecrets = [\"TOKEN\"]\n";
  EXPECT_EQ(refusal(asks(""), ""), "");
  EXPECT_EQ(refusal(asks("variables = [\"HOME\", \"LANG\"]"), allows), "");
  EXPECT_EQ(refusal(asks("secrets = [\"TOKEN\", \"HOME\"]"), allows), "") << "what may be shown may be hidden";
  EXPECT_THAT(
      refusal(asks("variables = [\"TOKEN\"]"), allows),
      HasSubstr("handler.variables of 'asks' is 'TOKEN', and this node has LANG, HOME (policy.variables in its"));
  EXPECT_THAT(refusal(asks("secrets = [\"KEY\"]"), allows),
              HasSubstr("this node has TOKEN, LANG, HOME (policy.secrets"));
  // A node that names none grants none; one that nobody configured, as `theater run` has it, any.
  EXPECT_THAT(refusal(asks("variables = [\"HOME\"]"), ""), HasSubstr("this node has none (policy.variables in its"));
  EXPECT_TRUE(check_policy(asks("variables = [\"HOME\"]"), Policy{}).ok());

  const auto parent = asks("variables = [\"A\"]\nsecrets = [\"B\"]");
  EXPECT_TRUE(check_grants_no_more(asks("secrets = [\"A\", \"B\"]"), parent).ok());
  EXPECT_THAT(
      check_grants_no_more(asks("variables = [\"A\", \"B\"]"), parent).error().message,
      HasSubstr("handler.variables of 'asks' is 'B', and its parent 'asks' has A (a child gets at most what its "
                "parent has)"));
}

TEST(PolicyTest, WhatIsWrongWithAPolicySaysWhere) {
  EXPECT_THAT(policy("[policy]\nhandlers = [\"wasy\"]\n").error,
              HasSubstr("node.toml:2:12: policy.handlers: there is"));
  EXPECT_THAT(policy("[policy]\nmemory = \"65 MiB\"\n").error, HasSubstr("limits.memory_max, 67108864"));
  EXPECT_THAT(policy("[policy]\nmemry = \"1 MiB\"\n").error, HasSubstr("did you mean 'memory'"));
  EXPECT_THAT(policy("[policy]\nfuel = 0\n").error, HasSubstr("node.toml:2:8: 'fuel' is 0"));
  EXPECT_THAT(policy("[policy]\naudit = \"none\"\n").error,
              HasSubstr("none of \"strict\", \"quorum\", \"best-effort\""));
}

TEST(PolicyTest, AChildGetsAtMostWhatItsParentHas) {
  const auto parent = manifest("boss", R"(
[[handler]]
type = "runtime"
[[handler]]
type = "random"
[limits]
memory = "16 MiB"
fuel = 1000
)");
  const auto said = [&](const std::string& more) {
    const auto allowed = check_grants_no_more(manifest("child", more), parent);
    return allowed.ok() ? "" : allowed.error().message;
  };
  const std::string within = "[limits]\nmemory = \"16 MiB\"\nfuel = 1000\n";
  EXPECT_EQ(said("[[handler]]\ntype = \"random\"\n" + within), "");
  EXPECT_EQ(said("[limits]\nmemory = \"1 MiB\"\nfuel = 1\n"), "");
  EXPECT_THAT(said(within + "[audit]\nmode = \"quorum\"\nquorum = 9\n"), HasSubstr("audit.mode of 'child' is quorum"));
  const auto lax_parent = manifest("boss", within + "[audit]\nmode = \"quorum\"\nquorum = 2\n");
  const auto of_lax = [&](const std::string& quorum) {
    const auto child = manifest("child", within + "[audit]\nmode = \"quorum\"\nquorum = " + quorum + "\n");
    const auto allowed = check_grants_no_more(child, lax_parent);
    return allowed.ok() ? "" : allowed.error().message;
  };
  EXPECT_EQ(of_lax("2"), "");
  EXPECT_THAT(of_lax("1"), HasSubstr("audit.quorum of 'child' is 1, and its parent 'boss' has at least 2"));
  EXPECT_THAT(said("[[handler]]\ntype = \"wasi\"\n" + within),
              HasSubstr("handler.type of 'child' is wasi, and its parent 'boss' has only runtime, random"));
  EXPECT_THAT(said("[limits]\nmemory = \"17 MiB\"\nfuel = 1000\n"),
              HasSubstr("limits.memory of 'child' is 17 MiB, and its parent 'boss' has at most 16 MiB (a child gets at "
                        "most what its parent has)"));
  EXPECT_THAT(said("[limits]\nmemory = \"16 MiB\"\n"), HasSubstr("limits.fuel of 'child' is no limit unless it says"));
  EXPECT_THAT(said(within + "[audit]\nmode = \"best-effort\"\n"), HasSubstr("audit.mode of 'child' is best-effort"));
  // How many children it may have in turn.
  const auto family = [](const std::string& name, int children) {
    return manifest(name, str_cat("[supervisor]\nmax_children = ", children, "\n"));
  };
  EXPECT_TRUE(check_grants_no_more(family("child", 5), family("boss", 5)).ok());
  EXPECT_THAT(check_grants_no_more(family("child", 6), family("boss", 5)).error().message,
              HasSubstr("supervisor.max_children of 'child' is 6, and its parent 'boss' has at most 5"));
  EXPECT_THAT(refusal(family("boss", 6), "[policy]\nchildren = 5\n"), HasSubstr("policy.children in its node.toml"));
  EXPECT_THAT(refusal(manifest("boss", "[[handler]]\ntype = \"supervisor\"\n"), "[policy]\nchildren = 5\n"),
              HasSubstr("supervisor.max_children of 'boss' is 10000"));
  // An actor grants no more than itself, whatever it says.
  for (const auto& [name, less, more] : cases()) {
    const auto small = manifest("small", str_cat("[limits]\n", name, " = ", less, "\n"));
    const auto large = manifest("large", str_cat("[limits]\n", name, " = ", more, "\n"));
    EXPECT_TRUE(check_grants_no_more(small, small).ok()) << name;
    EXPECT_TRUE(check_grants_no_more(small, large).ok()) << name;
    EXPECT_FALSE(check_grants_no_more(large, small).ok()) << name;
  }
}

}  // namespace
}  // namespace theater::node
