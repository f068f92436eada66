// Manifests: what each key means when it is there, and what is said when it is wrong. Table and parser agree.
#include "node/actor/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/actor/policy.h"

namespace theater::node {
namespace {

using supervise::Backoff;
using supervise::Restart;
using supervise::Shutdown;
using supervise::Strategy;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto manifest = parse_manifest(text, "m.toml");
  return manifest.ok() ? "" : manifest.error().message;
}

TEST(ManifestTest, EveryKey) {
  const auto manifest = parse_manifest(R"(
name = "counter-2"
package = "counter.wasm"
initial_state = "0"
register = "the-counter"
[[handler]]
type = "runtime"
[[handler]]
type = "wasi"
[limits]
memory = "1 MiB"
table_elements = 7
call_timeout = "2 s"
mailbox_messages = 8
mailbox_bytes = "9 KiB"
message_bytes = 10
mailbox_full = "refuse"
wait_timeout = "3 s"
timers = 5
channels = 6
fuel = 11
call_fuel = 12
events_per_second = 13
[audit]
mode = "best-effort"
)");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->name, "counter-2");
  EXPECT_EQ(manifest->package, "counter.wasm");
  EXPECT_TRUE(manifest->has_initial_state);
  EXPECT_EQ(manifest->initial_state, "0");
  EXPECT_THAT(manifest->handlers, ElementsAre("runtime", "wasi"));
  EXPECT_TRUE(manifest->grants("wasi"));
  EXPECT_FALSE(manifest->grants("random"));
  EXPECT_EQ(manifest->limits.instance.memory_bytes, 1u << 20);
  EXPECT_EQ(manifest->limits.instance.table_elements, 7u);
  EXPECT_EQ(manifest->limits.call_timeout_ms, 2'000u);
  EXPECT_EQ(manifest->limits.mailbox_messages, 8u);
  EXPECT_EQ(manifest->limits.mailbox_bytes, 9u << 10);
  EXPECT_EQ(manifest->limits.message_bytes, 10u);
  EXPECT_FALSE(manifest->limits.mailbox_waits);
  EXPECT_EQ(manifest->limits.wait_timeout_ms, 3'000u);
  EXPECT_EQ(manifest->limits.timers, 5u);
  EXPECT_EQ(manifest->limits.channels, 6u);
  EXPECT_EQ(manifest->limits.fuel, 11u);
  EXPECT_EQ(manifest->limits.call_fuel, 12u);
  EXPECT_EQ(manifest->limits.events_per_second, 13u);
  EXPECT_EQ(manifest->registered_name, "the-counter");
  EXPECT_EQ(manifest->audit_mode, schema::AuditMode::kBestEffort);
}

TEST(ManifestTest, TheTableHasEveryKeyWithItsDefault) {
  const auto bare = parse_manifest("name = \"x\"\n");
  ASSERT_TRUE(bare.ok());
  // Writing each default out changes nothing, and the parser knows each key of the table.
  std::string top = "name = \"x\"\n", limits, audit, supervisor;
  for (const auto& key : manifest_keys()) {
    if (key.otherwise.starts_with("(") || key.otherwise.empty()) continue;
    const bool quoted = key.type != "number";
    const std::string value = quoted ? str_cat("\"", key.otherwise, "\"") : std::string(key.otherwise);
    if (key.key.starts_with("handler.")) continue;  // each belongs to one handler; see below
    if (key.key.starts_with("child[].")) continue;  // each stands in a child of its own
    if (key.key.starts_with("limits.")) {
      limits += str_cat(key.key.substr(7), " = ", value, "\n");
    } else if (key.key.starts_with("supervisor.")) {
      supervisor += str_cat(key.key.substr(11), " = ", value, "\n");
    } else if (key.key.starts_with("audit.")) {
      audit += str_cat(key.key.substr(6), " = ", value, "\n");
    } else {
      top += str_cat(key.key, " = ", value, "\n");
    }
  }
  const auto full =
      parse_manifest(str_cat(top, "[limits]\n", limits, "[audit]\n", audit, "[supervisor]\n", supervisor));
  ASSERT_TRUE(full.ok()) << full.error().message;
  EXPECT_EQ(full->limits.instance.memory_bytes, bare->limits.instance.memory_bytes);
  EXPECT_EQ(full->limits.instance.table_elements, bare->limits.instance.table_elements);
  EXPECT_EQ(full->limits.call_timeout_ms, bare->limits.call_timeout_ms);
  EXPECT_EQ(full->limits.mailbox_messages, bare->limits.mailbox_messages);
  EXPECT_EQ(full->limits.mailbox_bytes, bare->limits.mailbox_bytes);
  EXPECT_EQ(full->limits.message_bytes, bare->limits.message_bytes);
  EXPECT_EQ(full->limits.mailbox_waits, bare->limits.mailbox_waits);
  EXPECT_EQ(full->limits.wait_timeout_ms, bare->limits.wait_timeout_ms);
  EXPECT_EQ(full->limits.timers, bare->limits.timers);
  EXPECT_EQ(full->limits.channels, bare->limits.channels);
  EXPECT_EQ(full->limits.fuel, bare->limits.fuel);
  EXPECT_EQ(full->limits.call_fuel, bare->limits.call_fuel);
  EXPECT_EQ(full->limits.events_per_second, bare->limits.events_per_second);
  EXPECT_EQ(full->audit_mode, bare->audit_mode);
  const SupervisorSpec otp;
  EXPECT_EQ(full->supervisor->strategy, otp.strategy);
  EXPECT_EQ(full->supervisor->intensity, otp.intensity);
  EXPECT_EQ(full->supervisor->period_ms, otp.period_ms);
  EXPECT_EQ(full->supervisor->max_children, otp.max_children);
  EXPECT_EQ(full->supervisor->backoff->initial_ms, Backoff{}.initial_ms);
  EXPECT_EQ(full->supervisor->backoff->max_ms, Backoff{}.max_ms);
  EXPECT_EQ(full->supervisor->backoff->jitter_percent, Backoff{}.jitter_percent);
  // And the parser knows no key that the table hasn't: it lists what it knows for a key far from all of them.
  const auto known = error_of("name = \"x\"\n[limits]\nzzzzzzzzzzzzzzzzzzzz = 1\n");
  size_t in_table = 0;
  for (const auto& key : manifest_keys()) {
    if (!key.key.starts_with("limits.")) continue;
    ++in_table;
    EXPECT_THAT(known, HasSubstr(std::string(key.key.substr(7))));
  }
  EXPECT_EQ(std::count(known.begin(), known.end(), ','), static_cast<ptrdiff_t>(in_table) - 1) << known;
}

TEST(ManifestTest, ASupervisorAndItsChildren) {
  const std::string top = "name = \"x\"\n[supervisor]\n";
  const auto manifest =
      parse_manifest(top +
                     "strategy = \"rest_for_one\"\n[supervisor.backoff]\njitter = 5\n"
                     "[[child]]\nid = \"a\"\nmanifest = \"a.toml\"\nshutdown = \"brutal_kill\"\n"
                     "[[child]]\nid = \"b\"\nmanifest = \"b.toml\"\nrestart = \"transient\"\nshutdown = \"2 s\"\n");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  EXPECT_EQ(manifest->supervisor->strategy, Strategy::rest_for_one);
  EXPECT_EQ(manifest->supervisor->backoff->jitter_percent, 5u);
  ASSERT_EQ(manifest->children().size(), 2u);
  EXPECT_EQ(manifest->children()[0].shutdown->kind, Shutdown::Kind::brutal_kill);
  EXPECT_EQ(manifest->children()[0].restart, Restart::permanent);
  EXPECT_EQ(as_text(manifest->children()[0].start), "a.toml");
  EXPECT_EQ(manifest->children()[1].shutdown->timeout_ms, 2'000u);
  EXPECT_EQ(manifest->children()[1].restart, Restart::transient);

  const std::string child = "[[child]]\nid = \"a\"\nmanifest = \"a.toml\"\n";
  EXPECT_THAT(error_of(top + "strategy = \"one\"\n"), HasSubstr("3:12: 'strategy' is one of one_for_one, one_for_all"));
  EXPECT_THAT(error_of(top + child + "restart = \"always\"\n"), HasSubstr("6:11: 'restart' is one of permanent"));
  EXPECT_THAT(error_of(top + child + "shutdown = \"soon\"\n"), HasSubstr("'shutdown' is a duration"));
  EXPECT_THAT(error_of(top + child + child), HasSubstr("duplicate_child_name"));
  EXPECT_THAT(error_of(top + "strategy = \"simple_one_for_one\"\n"), HasSubstr("exactly one child specification"));
  EXPECT_THAT(error_of(top + "max_children = 0\n" + child), HasSubstr("max_children is 0"));
  EXPECT_THAT(error_of("name = \"x\"\n" + child), HasSubstr("add a table [supervisor]"));
}

TEST(ManifestTest, WhatTheEnvironmentHandlerGrants) {
  const auto manifest = parse_manifest(
      "name = \"x\"\n[[handler]]\ntype = \"environment\"\nvariables = [\"A\", \"B\"]\nsecrets = [\"C\"]\n");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  const auto& granted = manifest->permissions.environment;
  EXPECT_THAT(granted.variables, ElementsAre("A", "B"));
  EXPECT_THAT(granted.secrets, ElementsAre("C"));

  const auto child = [](std::vector<std::string> variables, std::vector<std::string> secrets) {
    return EnvironmentGrant{std::move(variables), std::move(secrets)};
  };
  EXPECT_TRUE(grants_at_most(child({}, {}), granted));
  EXPECT_TRUE(grants_at_most(child({"B"}, {"C"}), granted));
  EXPECT_TRUE(grants_at_most(child({}, {"A"}), granted)) << "less of it is recorded";
  EXPECT_FALSE(grants_at_most(child({"C"}, {}), granted)) << "a secret doesn't become a variable";
  EXPECT_FALSE(grants_at_most(child({"D"}, {}), granted));
  EXPECT_FALSE(grants_at_most(child({}, {"D"}), granted));

  const auto wrong = [](const std::string& line) {
    return error_of(str_cat("name = \"x\"\n[[handler]]\ntype = \"environment\"\n", line, "\n"));
  };
  EXPECT_THAT(wrong("variables = [\"\"]"), HasSubstr("m.toml:4:13: '' is no name of a variable"));
  EXPECT_THAT(wrong("variables = [\"A=B\"]"), HasSubstr("is no name of a variable"));
  EXPECT_THAT(wrong("variables = [\"A\", \"A\"]"), HasSubstr("'A' is granted twice"));
  EXPECT_THAT(wrong("variables = [\"A\"]\nsecrets = [\"A\"]"),
              HasSubstr("m.toml:5:11: the variable 'A' is granted twice"));
  EXPECT_THAT(wrong("variables = \"A\""), HasSubstr("m.toml:4:13"));
  EXPECT_THAT(error_of("name = \"x\"\n[[handler]]\ntype = \"runtime\"\nvariables = [\"A\"]\n"),
              HasSubstr("m.toml:4:1: unknown key 'variables'"));
}

TEST(ManifestTest, WhatTheFilesystemHandlerGrants) {
  const auto manifest = parse_manifest(R"(
name = "x"
[[handler]]
type = "filesystem"
file_bytes = "1 MiB"
[[handler.folder]]
name = "notes"
path = "/srv/notes"
mode = "read-write"
[[handler.folder]]
name = "in"
path = "/srv/in/"
)");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message;
  const auto& granted = manifest->permissions.filesystem;
  EXPECT_EQ(granted.file_bytes, 1u << 20);
  EXPECT_THAT(granted.folders,
              ElementsAre(FolderGrant{"notes", "/srv/notes", true}, FolderGrant{"in", "/srv/in/", false}));

  const auto within = [&](const std::string& path, bool writable, uint64_t file_bytes = 1) {
    return grants_at_most(FilesystemGrant{{{"f", path, writable}}, file_bytes}, granted);
  };
  EXPECT_TRUE(within("/srv/notes", true));
  EXPECT_TRUE(within("/srv/notes/", true));
  EXPECT_TRUE(within("/srv/in", false));
  EXPECT_FALSE(within("/srv/notes/2024", true)) << "which may be a link to anywhere";
  EXPECT_FALSE(within("/srv/in", true)) << "the parent may only read there";
  EXPECT_FALSE(within("/srv/notes-2", true)) << "another folder that begins alike";
  EXPECT_FALSE(within("/srv", false));
  EXPECT_FALSE(within("/srv/notes/../secret", true));
  EXPECT_FALSE(within("srv/notes", true));
  EXPECT_FALSE(within("/srv/notes", true, (1u << 20) + 1)) << "larger files";
  EXPECT_TRUE(grants_at_most(FilesystemGrant{}, FilesystemGrant{})) << "nothing";

  const auto wrong = [](const std::string& lines) {
    return error_of(str_cat("name = \"x\"\n[[handler]]\ntype = \"filesystem\"\n", lines, "\n"));
  };
  EXPECT_THAT(wrong("[[handler.folder]]\npath = \"/\""), HasSubstr("'name' is missing"));
  EXPECT_THAT(wrong("[[handler.folder]]\nname = \"a\""), HasSubstr("'path' is missing"));
  for (const char* name : {"a/b", "..", ".", "/"}) {
    EXPECT_THAT(wrong(str_cat("[[handler.folder]]\nname = \"", name, "\"\npath = \"/\"")),
                HasSubstr("m.toml:5:8: 'name' is the first part of each path"));
  }
  EXPECT_THAT(wrong("[[handler.folder]]\nname = \"a\"\npath = \"/\"\nmode = \"write\""), HasSubstr("m.toml:7:8"));
  EXPECT_THAT(wrong("[[handler.folder]]\nname = \"a\"\npath = \"/\"\n[[handler.folder]]\nname = \"a\"\npath = \"/\""),
              HasSubstr("m.toml:8:8: two folders are called 'a'"));
  EXPECT_THAT(wrong("file_bytes = \"65 MiB\""), HasSubstr("m.toml:4:14"));
}

TEST(ManifestTest, AChildGetsAtMostWhatItsParentHas) {
  const auto with = [](const std::string& keys) { return *parse_manifest(str_cat("name = \"x\"\n", keys)); };
  const auto parent = with("[[handler]]\ntype = \"environment\"\nvariables = [\"A\"]\n[[handler]]\ntype = \"store\"\n");
  const auto refusal = [&](const std::string& keys) {
    const auto checked = check_grants_no_more(with(keys), parent);
    return checked.ok() ? std::string() : checked.error().message;
  };
  EXPECT_EQ(refusal("[[handler]]\ntype = \"environment\"\nvariables = [\"A\"]\n"), "");
  EXPECT_THAT(refusal("[[handler]]\ntype = \"environment\"\nvariables = [\"B\"]\n"),
              HasSubstr("handler.variables of 'x' is 'B', and its parent 'x' has A"));
  EXPECT_THAT(refusal("[[handler]]\ntype = \"store\"\nlabels = \"node\"\n"),
              HasSubstr("the [[handler]] table of store in the manifest of 'x' grants more than that of its parent"));
  EXPECT_THAT(refusal("[[handler]]\ntype = \"filesystem\"\n"),
              HasSubstr("handler.type of 'x' is filesystem, and its parent 'x' has only environment, store"));
}

TEST(ManifestTest, WhatIsWrongSaysWhereAndWhatToDo) {
  EXPECT_THAT(error_of(""), HasSubstr("'name' is missing; write: name = "));
  EXPECT_THAT(error_of("name = \"a b\"\n"), HasSubstr("m.toml:1:8: 'name' must be 1 to 64 of the characters"));
  EXPECT_THAT(error_of("name = \"x\"\npakage = \"y\"\n"),
              HasSubstr("m.toml:2:1: unknown key 'pakage'; did you mean 'package'?"));
  EXPECT_THAT(error_of("name = \"x\"\n[[handler]]\ntype = \"runtme\"\n"),
              HasSubstr("m.toml:3:8: there is no handler 'runtme'; there are: runtime"));
  EXPECT_THAT(
      error_of("name = \"x\"\n[[handler]]\ntype = \"rpc\"\nfunctions = [\"theater:simple/actor@0.1.0#init\"]\n"),
      HasSubstr("is no function that others can call"));
  EXPECT_THAT(error_of("name = \"x\"\n[[handler]]\ntype = \"timer\"\nfunctions = []\n"), HasSubstr("functions"));
  EXPECT_THAT(error_of("name = \"x\"\n[[handler]]\n"), HasSubstr("'type' is missing"));
  EXPECT_THAT(error_of("name = \"x\"\n[[handler]]\ntype = \"random\"\n[[handler]]\ntype = \"random\"\n"),
              HasSubstr("granted twice"));
  EXPECT_THAT(error_of("name = \"x\"\n[limits]\nmemory = \"1 B\"\n"), HasSubstr("m.toml:3:10: 'memory' is 1 bytes"));
  EXPECT_THAT(error_of("name = \"x\"\n[limits]\ntable_elements = 100001\n"),
              HasSubstr("m.toml:3:18: 'table_elements' is 100001; it must be from 1 to 100000"));
  EXPECT_THAT(error_of("name = \"x\"\n[limits]\nfuel = 0\n"), HasSubstr("m.toml:3:8: 'fuel' is 0; it must be from 1"));
  EXPECT_THAT(error_of("name = \"x\"\n[audit]\nmode = \"most\"\n"),
              HasSubstr("none of \"strict\", \"quorum\", \"best-effort\""));
  EXPECT_THAT(error_of("name = \"x\"\n[audit]\nmode = \"quorum\"\n"), HasSubstr("audit.quorum must say how many"));
  EXPECT_THAT(error_of("name = \"x\"\n[audit]\nmode = \"quorum\"\nquorum = 0\n"),
              HasSubstr("audit.quorum must say how many"));
  EXPECT_THAT(error_of("name = \"x\"\n[audit]\nquorum = 2\n"), HasSubstr("of use with audit.mode"));
  EXPECT_THAT(error_of("name = "), HasSubstr("m.toml:1:"));
  EXPECT_THAT(error_of("\xff\xfe\x00"), HasSubstr("m.toml:1:"));
}

}  // namespace
}  // namespace theater::node
