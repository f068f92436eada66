// Manifests and configuration files: strict TOML. A misspelt key that is silently ignored is a limit that doesn't hold,
// so every key must be asked for by somebody, and one that wasn't is refused with its place and the nearest key that
// exists.
//
//   TRY_ASSIGN(auto config, Config::parse(text, "node.toml"));
//   auto root = config.root();
//   options.name = root.text("name", "node");
//   if (auto limits = root.table("limits")) options.memory = limits->size_bytes("memory", 64 << 20);
//   TRY(config.finish());
//
// Getters never fail: a wrong type or value is remembered, the default is returned, and finish() reports the first
// error in the order of the file as `path:line:column: what is wrong and what would be right`. Nothing that was read
// may be acted upon before finish() said yes. toml++ stays in config.cc. One thread; tables share ownership of what was
// parsed.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace theater {

class Config {
 public:
  class Table;
  static constexpr size_t kTextMax = size_t{1} << 20;  // bytes of a file; longer ones are refused

  // Syntax errors are kInvalid, with place. `path` is only for messages.
  static Result<Config> parse(std::string_view text, std::string path);

  Table root() const;
  // kInvalid with the first wrong or unknown key in the order of the file.
  Result<void> finish() const;

 private:
  friend class Table;
  struct Node;
  struct Document;
  explicit Config(std::shared_ptr<Document> document) : document_(std::move(document)) {}
  std::shared_ptr<Document> document_;
};

// One table of the file. Each getter makes its key known, present or not.
class Config::Table {
 public:
  bool has(std::string_view key) const;

  std::string text(std::string_view key, std::string_view otherwise = "") const;
  std::string required_text(std::string_view key) const;  // absent or empty is an error
  std::optional<std::string> optional_text(std::string_view key) const;
  std::string choice(std::string_view key, std::initializer_list<std::string_view> allowed,
                     std::string_view otherwise) const;
  bool boolean(std::string_view key, bool otherwise) const;
  uint64_t number(std::string_view key, uint64_t otherwise, uint64_t min = 0, uint64_t max = INT64_MAX) const;
  // "64 MiB", "512 KiB", "1 GiB", "4096 B", or a plain number of bytes.
  uint64_t size_bytes(std::string_view key, uint64_t otherwise, uint64_t min = 0, uint64_t max = INT64_MAX) const;
  // "250 ms", "30 s", "5 min", "1 h". A number without a unit is refused.
  uint64_t duration_ms(std::string_view key, uint64_t otherwise, uint64_t min = 0, uint64_t max = INT64_MAX) const;
  std::vector<std::string> texts(std::string_view key) const;  // an array of strings

  std::optional<Table> table(std::string_view key) const;  // [key]
  std::vector<Table> tables(std::string_view key) const;   // [[key]], in order

  // Remembers an error of the caller's at that key (at the table itself if it isn't there).
  void fail(std::string_view key, std::string message) const;
  // "path:line:column" of the key, or of the table.
  std::string where(std::string_view key = "") const;

 private:
  friend class Config;
  Table(std::shared_ptr<Document> document, Node* node) : document_(std::move(document)), node_(node) {}
  const Node* find(std::string_view key) const;
  void wrong_type(std::string_view key, const Node& found, std::string_view expected) const;

  std::shared_ptr<Document> document_;
  Node* node_;
};

// As the getters read them. Nothing if the text is no such thing or too large.
std::optional<uint64_t> parse_size_bytes(std::string_view text);
std::optional<uint64_t> parse_duration_ms(std::string_view text);

}  // namespace theater
