// docs/configuration.md, the tables of keys and the parsers say the same, in all directions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "base/file.h"
#include "cli/auditor_config.h"
#include "cli/contexts.h"
#include "cli/node_config.h"
#include "node/actor/manifest.h"

namespace theater::cli {
namespace {

using Row = std::array<std::string, 4>;

std::string page() { return std::string(as_text(*read_file(THEATER_SOURCE_DIR "/docs/configuration.md"))); }

// The table rows of the section with that heading; backquotes around keys and defaults taken away.
std::vector<Row> rows_of(const std::string& heading) {
  std::vector<Row> rows;
  std::istringstream lines(page());
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## " + heading;
    if (!inside || !line.starts_with("| `")) continue;
    std::istringstream cells(line.substr(2, line.size() - 4));
    Row row;
    std::string rest;
    std::getline(cells, rest);
    for (size_t i = 0; i < 4; ++i) {
      const auto end = i < 3 ? rest.find(" | ") : rest.size();
      row[i] = rest.substr(0, end);
      rest = end + 3 <= rest.size() ? rest.substr(end + 3) : "";
      if (i != 3 && row[i].size() > 1 && row[i].front() == '`') row[i] = row[i].substr(1, row[i].size() - 2);
    }
    rows.push_back(row);
  }
  return rows;
}

template <typename Keys>
std::vector<Row> rows_of_table(const Keys& keys) {
  std::vector<Row> rows;
  for (const auto& key : keys) {
    rows.push_back({std::string(key.key), std::string(key.type), std::string(key.otherwise), std::string(key.meaning)});
  }
  return rows;
}

TEST(ConfigurationPage, ListsExactlyTheKeysThereAre) {
  EXPECT_EQ(rows_of("node.toml"), rows_of_table(node_config_keys()));
  EXPECT_EQ(rows_of("auditor.toml"), rows_of_table(auditor_config_keys()));
  EXPECT_EQ(rows_of("contexts.toml"), rows_of_table(context_keys()));
  EXPECT_EQ(rows_of("manifest.toml"), rows_of_table(node::manifest_keys()));
}

// The keys that a table of the file knows, from the message about one that it doesn't.
std::set<std::string> known_in(const std::string& message) {
  const std::string mark = "known here: ";
  const auto at = message.find(mark);
  EXPECT_NE(at, std::string::npos) << message;
  std::set<std::string> known;
  if (at == std::string::npos) return known;
  std::istringstream names(message.substr(at + mark.size()));
  for (std::string name; std::getline(names, name, ',');) known.insert(name.substr(name.find_first_not_of(' ')));
  return known;
}

// The type of the one [[handler]] that has this key: "variables", which means "environment: variables of …". Empty if
// every handler has it, and for other tables' keys.
std::string handler_of(const Row& row) {
  if (!row[0].starts_with("handler.")) return "";
  for (const auto type : node::handler_types()) {
    if (row[3].starts_with(str_cat(type, ": "))) return std::string(type);
  }
  return "";
}

// The keys of a table by the tables they stand in: {"": {"name", "limits"}, "limits": {"memory_max"}}.
template <typename Keys>
std::map<std::string, std::set<std::string>> by_table(const Keys& keys) {
  std::map<std::string, std::set<std::string>> tables;
  for (auto row : rows_of_table(keys)) {
    if (!handler_of(row).empty()) continue;                      // that handler's table has it, and no other
    if (row[0].starts_with("handler.")) row[0].insert(7, "[]");  // an array of tables, as the page says in words
    // From the key up to the table that holds all: "supervisor.backoff.max" is a key of three tables.
    for (std::string path = row[0]; !path.empty();) {
      const auto dot = path.rfind('.');
      const auto name = dot == std::string::npos ? path : path.substr(dot + 1);
      path = dot == std::string::npos ? "" : path.substr(0, dot);
      tables[path].insert(name.ends_with("[]") ? name.substr(0, name.size() - 2) : name);
    }
  }
  return tables;
}

constexpr const char* kAuditorKey =
    "tk11111111111111111111111111111111111111111111111111111111111111111"
    "2222222222222222222222222222222222222222222222222222222222222222";

constexpr const char* kUnknown = "a_key_that_resembles_no_other_one_at_all = 1\n";

// What a file of one kind needs beside the unknown key, so that this is the first thing that is wrong with it: at the
// top, in each table, and at the end.
struct Rest {
  std::string top;
  std::map<std::string, std::string> tables;
  std::string end;
};

std::string file_with_unknown_key_in(const std::string& table, const Rest& rest) {
  if (table.empty()) return kUnknown + rest.top + rest.end;
  const auto content = kUnknown + (rest.tables.contains(table) ? rest.tables.at(table) : "");
  if (!table.ends_with("[]")) return rest.top + "[" + table + "]\n" + content + rest.end;
  return rest.top + "[[" + table.substr(0, table.size() - 2) + "]]\n" + content;
}

template <typename Keys, typename Parse>
void expect_parser_knows_exactly(const Keys& keys, const Rest& rest, Parse parse) {
  for (const auto& [table, names] : by_table(keys)) {
    const auto parsed = parse(file_with_unknown_key_in(table, rest));
    ASSERT_FALSE(parsed.ok()) << table;
    EXPECT_EQ(known_in(parsed.error().message), names) << "in table '" << table << "': " << parsed.error().message;
  }
}

TEST(ConfigurationParsers, KnowExactlyTheKeysOfTheirTables) {
  const auto auditor =
      str_cat("name = \"a\"\ndata = \"tcp://h:1\"\ncontrol = \"tcp://h:2\"\nkey = \"", kAuditorKey, "\"\n");
  expect_parser_knows_exactly(node_config_keys(),
                              {"key = \"k\"\n",
                               {{"auditor[]", auditor}, {"metrics", "listen = \"127.0.0.1:9464\"\n"}},
                               "[[auditor]]\n" + auditor},
                              [](const std::string& text) { return parse_node_config(text, "node.toml"); });
  const auto peer = str_cat("name = \"a\"\nendpoint = \"tcp://h:1\"\nkey = \"", kAuditorKey, "\"\n");
  expect_parser_knows_exactly(
      auditor_config_keys(),
      {"key = \"k\"\nauthorized_keys = \"a\"\n", {{"metrics", "listen = \"127.0.0.1:9464\"\n"}, {"peer[]", peer}}, ""},
      [](const std::string& text) { return parse_auditor_config(text, "auditor.toml"); });
  expect_parser_knows_exactly(context_keys(), {"", {{"context[]", "name = \"c\"\n"}}, ""},
                              [](const std::string& text) { return parse_contexts(text, "contexts.toml"); });
  expect_parser_knows_exactly(
      node::manifest_keys(),
      {"name = \"x\"\npackage = \"x.wasm\"\n",
       {{"handler[]", "type = \"runtime\"\n"}, {"child[]", "id = \"a\"\nmanifest = \"a.toml\"\n[supervisor]\n"}},
       ""},
      [](const std::string& text) { return node::parse_manifest(text, "manifest.toml"); });
}

TEST(ConfigurationParsers, EachHandlerKnowsExactlyItsKeys) {
  for (const auto type : node::handler_types()) {
    const auto known_after = [&](const std::string& more) {
      const auto parsed = node::parse_manifest(
          str_cat("name = \"x\"\n[[handler]]\ntype = \"", type, "\"\n", more, kUnknown), "manifest.toml");
      EXPECT_FALSE(parsed.ok()) << type;
      return parsed.ok() ? std::set<std::string>() : known_in(parsed.error().message);
    };
    std::set<std::string> keys = {"type"};
    std::map<std::string, std::set<std::string>> inner;  // [[handler.folder]]
    std::map<std::string, std::string> needed;
    for (const auto& row : rows_of_table(node::manifest_keys())) {
      if (handler_of(row) != type) continue;
      const auto key = row[0].substr(row[0].find('.') + 1);
      const auto dot = key.find('.');
      keys.insert(key.substr(0, dot));
      if (dot == std::string::npos) continue;
      inner[key.substr(0, dot)].insert(key.substr(dot + 1));
      if (row[2] == "(required)") needed[key.substr(0, dot)] += str_cat(key.substr(dot + 1), " = \"x\"\n");
    }
    EXPECT_EQ(known_after(""), keys) << type;
    for (const auto& [table, names] : inner) {
      EXPECT_EQ(known_after(str_cat("[[handler.", table, "]]\n", needed[table])), names) << type << " " << table;
    }
  }
}

std::string node_toml(const std::string& more = "") {
  return str_cat("key = \"k.key\"\n", more,
                 "\n[[auditor]]\nname = \"a\"\ndata = \"tcp://h:1\"\ncontrol = \"tcp://h:2\"\nkey = \"", kAuditorKey,
                 "\"\n");
}

TEST(NodeConfig, DefaultsAreThoseOfTheTable) {
  const auto config = parse_node_config(node_toml(), "/etc/theater/node.toml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->name, "node");
  EXPECT_EQ(config->key, "/etc/theater/k.key");
  EXPECT_EQ(config->control, "unix:/etc/theater/theater-node.sock");
  EXPECT_EQ(config->workers, 0u);
  EXPECT_EQ(config->stop_grace_ms, 10'000u);
  EXPECT_EQ(config->memory_max_bytes, 64u << 20);
  EXPECT_EQ(config->instances_max, 16'000u);
  ASSERT_EQ(config->auditors.size(), 1u);
  EXPECT_EQ(config->auditors[0].window_bytes, 8u << 20);
}

TEST(NodeConfig, SaysWhatIsWrongAndWhere) {
  const auto auditor_named = [](const std::string& name) {
    return str_cat(node_toml(), "\n[[auditor]]\nname = \"", name,
                   "\"\ndata = \"tcp://h:3\"\ncontrol = \"tcp://h:4\"\nkey = \"", kAuditorKey, "\"\n");
  };
  const std::pair<std::string, std::string> cases[] = {
      {"key = \"k\"\n", "[[auditor]]"},
      {node_toml("control = \"/run/x\"\n"), "node.toml:2:"},
      {node_toml("control_tcp = \"tcp://0.0.0.0:7400\"\n"), "authorized_keys"},
      {node_toml("control_tcp = \"0.0.0.0:7400\"\nauthorized_keys = \"a\"\n"), "tcp://host:port"},
      {node_toml("workers = \"many\"\n"), "node.toml:2:"},
      {node_toml("stop_grace = 5\n"), "node.toml:2:"},
      {node_toml() + "\n[[auditor]]\nname = \"a\"\ndata = \"tcp://h:3\"\ncontrol = \"tcp://h:4\"\nkey = \"" +
           kAuditorKey + "\"\n",
       "another auditor"},
      {node_toml() +
           "\n[[auditor]]\nname = \"b\"\ndata = \"tcp://h:3\"\ncontrol = \"tcp://h:4\"\nkey = \"nowhere.pub\"\n",
       "nowhere.pub"},
      {node_toml() + "\n[[auditor]]\nname = \"b\"\ndata = \"tcp://h:3\"\ncontrol = \"tcp://h:4\"\nkey = \"tk1\"\n",
       "not a public key"},
      {auditor_named("b"), "that is the key of auditor 'a'"},  // else a quorum of two would be one machine
      {auditor_named("b\\u001b[2J"), "is no name"},
      {auditor_named(std::string(65, 'b')), "is no name"},
  };
  for (const auto& [text, expected] : cases) {
    const auto config = parse_node_config(text, "node.toml");
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_THAT(config.error().message, testing::HasSubstr(expected)) << text;
    EXPECT_THAT(config.error().message, testing::StartsWith("node.toml:")) << text;
  }
}

TEST(AuditorConfig, DefaultsAreThoseOfTheTable) {
  const auto config = parse_auditor_config("key = \"a.key\"\nauthorized_keys = \"nodes\"\n", "dir/auditor.toml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->store, "dir/theater-data");
  EXPECT_EQ(config->data, "tcp://127.0.0.1:7401");
  EXPECT_EQ(config->control, "tcp://127.0.0.1:7402");
  EXPECT_EQ(config->window_bytes, 8u << 20);
  EXPECT_EQ(config->batch_bytes, 1u << 20);
  EXPECT_EQ(config->serve, "");
  EXPECT_EQ(config->serve_tcp, "");
  EXPECT_EQ(config->backfill_interval_ms, 5'000u);
  EXPECT_TRUE(config->peers.empty());
}

TEST(AuditorConfig, PeersAreRead) {
  const std::string top = "key = \"a.key\"\nauthorized_keys = \"nodes\"\nserve = \"unix:a.sock\"\n";
  const auto peer = [](const std::string& name, const std::string& endpoint, const std::string& key) {
    return str_cat("[[peer]]\nname = \"", name, "\"\nendpoint = \"", endpoint, "\"\nkey = \"", key, "\"\n");
  };
  const auto config = parse_auditor_config(top + peer("b", "tcp://h:7403", kAuditorKey), "dir/auditor.toml");
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->serve, "unix:dir/a.sock");
  ASSERT_EQ(config->peers.size(), 1u);
  EXPECT_EQ(config->peers[0].endpoint, "tcp://h:7403");
  EXPECT_EQ(config->peers[0].key.text(), kAuditorKey);
  for (const auto& wrong : {peer("b", "h:7403", kAuditorKey), peer("b", "tcp://h:1", "tk1"), peer("", "tcp://h:1", "x"),
                            peer("b", "tcp://h:1", kAuditorKey) + peer("b", "tcp://h:2", kAuditorKey)}) {
    EXPECT_FALSE(parse_auditor_config(top + wrong, "auditor.toml").ok()) << wrong;
  }
  EXPECT_FALSE(parse_auditor_config("serve = \"tcp://h:1\"\n" + top, "auditor.toml").ok());
  EXPECT_FALSE(parse_auditor_config("serve_tcp = \"unix:x\"\n" + top, "auditor.toml").ok());
}

TEST(AuditorConfig, EndpointsAreApart) {
  const std::string top = "key = \"a.key\"\nauthorized_keys = \"nodes\"\ndata = \"tcp://127.0.0.1:1\"\n";
  EXPECT_TRUE(parse_auditor_config(top + "control = \"tcp://127.0.0.1:2\"\n", "auditor.toml").ok());
  for (const char* more : {"control = \"tcp://127.0.0.1:1\"\n", "serve_tcp = \"tcp://127.0.0.1:1\"\n",
                           "[metrics]\nlisten = \"127.0.0.1:1\"\n"}) {
    const auto config = parse_auditor_config(top + more, "auditor.toml");
    ASSERT_FALSE(config.ok()) << more;
    EXPECT_THAT(config.error().message, testing::HasSubstr("the endpoint of `data` already"));
  }
}

// What the page and docker/ show is accepted.
TEST(ConfigurationPage, ExamplesParse) {
  const auto folder = std::filesystem::temp_directory_path() / str_cat("theater-config-test-", getpid());
  std::filesystem::create_directories(folder / "keys");
  for (const auto* name : {"auditor-a.pub", "auditor-b.pub"}) {
    ASSERT_TRUE(
        write_file((folder / "keys" / name).string(), as_bytes(bus::SecretKeys::generate().public_keys().text())).ok());
  }
  const auto text = page();
  const auto block = [&](const std::string& heading) {
    const auto start = text.find("```toml\n", text.find("## " + heading)) + 8;
    return text.substr(start, text.find("```", start) - start);
  };
  const auto node = parse_node_config(block("node.toml"), (folder / "node.toml").string());
  EXPECT_TRUE(node.ok()) << node.error().message;
  const auto auditor = parse_auditor_config(block("auditor.toml"), (folder / "auditor.toml").string());
  EXPECT_TRUE(auditor.ok()) << auditor.error().message;
  const auto contexts = parse_contexts(block("contexts.toml"), "contexts.toml");
  EXPECT_TRUE(contexts.ok()) << contexts.error().message;
  const auto manifest = node::parse_manifest(block("manifest.toml"), "manifest.toml");
  EXPECT_TRUE(manifest.ok()) << manifest.error().message;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace theater::cli
