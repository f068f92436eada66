#include "base/config.h"

#include <algorithm>
#include <map>
#include <set>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace theater {

// A value of the file, free of toml++'s types.
struct Config::Node {
  enum class Kind : uint8_t { kText, kNumber, kBoolean, kArray, kTable, kOther };
  Kind kind = Kind::kOther;
  std::string text;  // of kOther: what it is, for messages
  int64_t number = 0;
  bool truth = false;
  uint32_t line = 1, column = 1;                                       // of the value
  uint32_t key_line = 1, key_column = 1;                               // of its key
  std::vector<std::unique_ptr<Node>> items;                            // kArray
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;  // kTable
  std::set<std::string, std::less<>> known;                            // kTable: keys that were asked for
  bool visited = false;                                                // kTable: somebody reads it
};

struct Config::Document {
  struct Problem {
    uint32_t line, column;
    std::string message;
  };
  std::string path;
  Node root;
  std::vector<Problem> problems;
};

namespace {

using Place = std::pair<uint32_t, uint32_t>;

std::string place(const std::string& path, uint32_t line, uint32_t column) {
  return str_cat(path, ":", line, ":", column);
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// "; did you mean 'x'?" or the keys that there are.
std::string suggestion(std::string_view key, const std::set<std::string, std::less<>>& known) {
  const std::string* nearest = nullptr;
  size_t nearest_distance = std::max<size_t>(2, key.size() / 3) + 1;
  if (key.size() > 64) nearest_distance = 0;
  for (const auto& candidate : known) {
    const size_t distance = nearest_distance == 0 ? 1 : edit_distance(key, candidate);
    if (distance < nearest_distance) {
      nearest = &candidate;
      nearest_distance = distance;
    }
  }
  if (nearest != nullptr) return str_cat("; did you mean '", *nearest, "'?");
  std::string all;
  for (const auto& candidate : known) all += (all.empty() ? "" : ", ") + candidate;
  return all.empty() ? "; no keys are known here" : str_cat("; known here: ", all);
}

struct Unit {
  std::string_view name;
  uint64_t factor;
};

// NUMBER [space] UNIT. A unit of "" allows the number alone.
std::optional<uint64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
  uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || end == text.data()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  for (const auto& unit : units) {
    if (text != unit.name) continue;
    uint64_t product = 0;
    if (__builtin_mul_overflow(number, unit.factor, &product) || product > INT64_MAX) return std::nullopt;
    return product;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> parse_size_bytes(std::string_view text) {
  return parse_with_unit(
      text, {{"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {"TiB", uint64_t{1} << 40}, {"", 1}});
}

std::optional<uint64_t> parse_duration_ms(std::string_view text) {
  return parse_with_unit(text, {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}});
}

namespace {

template <typename Node>
void convert(const toml::node& from, Node& to) {
  to.line = from.source().begin.line;
  to.column = from.source().begin.column;
  using Kind = typename Node::Kind;
  if (const auto* text = from.as_string()) {
    to.kind = Kind::kText;
    to.text = text->get();
  } else if (const auto* number = from.as_integer()) {
    to.kind = Kind::kNumber;
    to.number = number->get();
  } else if (const auto* truth = from.as_boolean()) {
    to.kind = Kind::kBoolean;
    to.truth = truth->get();
  } else if (const auto* array = from.as_array()) {
    to.kind = Kind::kArray;
    for (const auto& item : *array) convert(item, *to.items.emplace_back(std::make_unique<Node>()));
  } else if (const auto* table = from.as_table()) {
    to.kind = Kind::kTable;
    for (const auto& [key, value] : *table) {
      auto& child = to.children[std::string(key.str())] = std::make_unique<Node>();
      convert(value, *child);
      child->key_line = key.source().begin.line;
      child->key_column = key.source().begin.column;
    }
  } else {
    to.text = from.is_floating_point() ? "a number with a fraction" : "a date or a time";
  }
}

// Dotted keys make nested tables, one a dot, and whoever walks those does so by recursion: toml++ bounds the nesting of
// brackets, but not of dots. Each line may have this many outside of quotes.
constexpr size_t kDotsMax = 256;

// The number of the first line that has more, from 1; 0 if none has.
size_t line_with_too_many_dots(std::string_view text) {
  size_t line = 1, dots = 0;
  char quote = 0;
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
    } else if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '.' && ++dots > kDotsMax) {
      return line;
    }
  }
  return 0;
}

}  // namespace

Result<Config> Config::parse(std::string_view text, std::string path) {
  if (text.size() > kTextMax) {
    return Error{ErrorCode::kInvalid, str_cat(path, ": ", text.size(), " bytes are more than the ", kTextMax,
                                              " that a configuration file may have")};
  }
  if (const size_t line = line_with_too_many_dots(text); line > 0) {
    return Error{ErrorCode::kInvalid, str_cat(place(path, line, 1), ": a key of more than ", kDotsMax, " parts")};
  }
  const auto parsed = toml::parse(text, std::string_view(path));
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return Error{ErrorCode::kInvalid, str_cat(place(path, at.line, at.column),
                                              ": not TOML: ", std::string_view(parsed.error().description()))};
  }
  auto document = std::make_shared<Document>();
  document->path = std::move(path);
  convert(parsed.table(), document->root);
  document->root.visited = true;
  return Config(std::move(document));
}

Config::Table Config::root() const { return Table(document_, &document_->root); }

Result<void> Config::finish() const {
  auto problems = document_->problems;
  std::vector<const Node*> open = {&document_->root};
  while (!open.empty()) {
    const Node& table = *open.back();
    open.pop_back();
    for (const auto& [key, child] : table.children) {
      if (!table.known.contains(key)) {
        problems.push_back({child->key_line, child->key_column,
                            str_cat("unknown key '", escape(as_bytes(key)), "'", suggestion(key, table.known))});
      } else if (child->kind == Node::Kind::kTable && child->visited) {
        open.push_back(child.get());
      } else if (child->kind == Node::Kind::kArray) {
        for (const auto& item : child->items) {
          if (item->visited) open.push_back(item.get());
        }
      }
    }
  }
  if (problems.empty()) return Ok{};
  const auto& first = *std::min_element(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
    return Place(a.line, a.column) < Place(b.line, b.column);
  });
  return Error{ErrorCode::kInvalid, str_cat(place(document_->path, first.line, first.column), ": ", first.message)};
}

const Config::Node* Config::Table::find(std::string_view key) const {
  node_->known.emplace(key);
  const auto found = node_->children.find(key);
  return found == node_->children.end() ? nullptr : found->second.get();
}

void Config::Table::fail(std::string_view key, std::string message) const {
  const auto found = node_->children.find(key);
  const auto& at = found == node_->children.end() ? *node_ : *found->second;
  document_->problems.push_back({at.line, at.column, std::move(message)});
}

void Config::Table::wrong_type(std::string_view key, const Node& found, std::string_view expected) const {
  static constexpr std::string_view kNames[] = {"a string", "a number", "true or false", "an array", "a table"};
  const std::string_view is =
      found.kind == Node::Kind::kOther ? std::string_view(found.text) : kNames[static_cast<size_t>(found.kind)];
  document_->problems.push_back(
      {found.line, found.column, str_cat("'", key, "' must be ", expected, "; here is ", is)});
}

std::string Config::Table::where(std::string_view key) const {
  const auto found = node_->children.find(key);
  const auto& at = found == node_->children.end() ? *node_ : *found->second;
  return place(document_->path, at.line, at.column);
}

bool Config::Table::has(std::string_view key) const { return find(key) != nullptr; }

std::optional<std::string> Config::Table::optional_text(std::string_view key) const {
  const Node* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind == Node::Kind::kText) return found->text;
  wrong_type(key, *found, "a string");
  return std::nullopt;
}

std::string Config::Table::text(std::string_view key, std::string_view otherwise) const {
  return optional_text(key).value_or(std::string(otherwise));
}

std::string Config::Table::required_text(std::string_view key) const {
  const Node* found = find(key);
  if (found == nullptr || (found->kind == Node::Kind::kText && found->text.empty())) {
    fail(key, str_cat("'", key, "' is missing; write: ", key, " = \"…\""));
  }
  return text(key);
}

std::string Config::Table::choice(std::string_view key, std::initializer_list<std::string_view> allowed,
                                  std::string_view otherwise) const {
  std::string value = text(key, otherwise);
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  std::string all;
  for (const auto name : allowed) all += str_cat(all.empty() ? "" : ", ", "\"", name, "\"");
  fail(key, str_cat("'", key, "' is \"", escape(as_bytes(value)), "\", which is none of ", all));
  return std::string(otherwise);
}

bool Config::Table::boolean(std::string_view key, bool otherwise) const {
  const Node* found = find(key);
  if (found == nullptr) return otherwise;
  if (found->kind == Node::Kind::kBoolean) return found->truth;
  wrong_type(key, *found, "true or false");
  return otherwise;
}

uint64_t Config::Table::number(std::string_view key, uint64_t otherwise, uint64_t min, uint64_t max) const {
  const Node* found = find(key);
  if (found == nullptr) return otherwise;
  if (found->kind != Node::Kind::kNumber) {
    wrong_type(key, *found, "a whole number");
    return otherwise;
  }
  if (found->number >= 0 && static_cast<uint64_t>(found->number) >= min &&
      static_cast<uint64_t>(found->number) <= max) {
    return static_cast<uint64_t>(found->number);
  }
  fail(key, str_cat("'", key, "' is ", found->number, "; it must be from ", min, " to ", max));
  return otherwise;
}

uint64_t Config::Table::size_bytes(std::string_view key, uint64_t otherwise, uint64_t min, uint64_t max) const {
  const Node* found = find(key);
  if (found == nullptr || found->kind == Node::Kind::kNumber) return number(key, otherwise, min, max);
  if (found->kind != Node::Kind::kText) {
    wrong_type(key, *found, "a size such as \"64 MiB\"");
    return otherwise;
  }
  const auto bytes = parse_size_bytes(found->text);
  if (bytes && *bytes >= min && *bytes <= max) return *bytes;
  fail(key, bytes ? str_cat("'", key, "' is ", *bytes, " bytes; it must be from ", min, " to ", max)
                  : str_cat("'", key, "' is no size: \"", escape(as_bytes(found->text)),
                            "\"; write for example \"64 MiB\" (B, KiB, MiB, GiB, TiB)"));
  return otherwise;
}

uint64_t Config::Table::duration_ms(std::string_view key, uint64_t otherwise, uint64_t min, uint64_t max) const {
  const Node* found = find(key);
  if (found == nullptr) return otherwise;
  if (found->kind != Node::Kind::kText) {
    wrong_type(key, *found, "a duration with its unit, such as \"30 s\"");
    return otherwise;
  }
  const auto ms = parse_duration_ms(found->text);
  if (ms && *ms >= min && *ms <= max) return *ms;
  fail(key, ms ? str_cat("'", key, "' is ", *ms, " ms; it must be from ", min, " to ", max)
               : str_cat("'", key, "' is no duration: \"", escape(as_bytes(found->text)),
                         "\"; write for example \"30 s\" (ms, s, min, h)"));
  return otherwise;
}

std::vector<std::string> Config::Table::texts(std::string_view key) const {
  std::vector<std::string> texts;
  const Node* found = find(key);
  if (found == nullptr) return texts;
  if (found->kind != Node::Kind::kArray) {
    wrong_type(key, *found, "an array of strings");
    return texts;
  }
  for (const auto& item : found->items) {
    if (item->kind == Node::Kind::kText) {
      texts.push_back(item->text);
    } else {
      wrong_type(key, *item, "an array of strings");
    }
  }
  return texts;
}

std::optional<Config::Table> Config::Table::table(std::string_view key) const {
  const Node* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind != Node::Kind::kTable) {
    wrong_type(key, *found, str_cat("a table, written [", key, "]"));
    return std::nullopt;
  }
  Node* node = node_->children.find(key)->second.get();
  node->visited = true;
  return Table(document_, node);
}

std::vector<Config::Table> Config::Table::tables(std::string_view key) const {
  std::vector<Table> tables;
  const Node* found = find(key);
  if (found == nullptr) return tables;
  if (found->kind != Node::Kind::kArray) {
    wrong_type(key, *found, str_cat("an array of tables, each written [[", key, "]]"));
    return tables;
  }
  for (const auto& item : found->items) {
    if (item->kind != Node::Kind::kTable) {
      wrong_type(key, *item, str_cat("an array of tables, each written [[", key, "]]"));
      continue;
    }
    item->visited = true;
    tables.push_back(Table(document_, item.get()));
  }
  return tables;
}

}  // namespace theater
