#include "persist/memory_store.h"

namespace theater::persist {
namespace {

std::string text(BytesView bytes) { return std::string(as_text(bytes)); }

class MemoryBatch final : public Batch {
 public:
  struct Change {
    Table table;
    std::string key;
    std::optional<std::string> value;
  };

  void put(Table table, BytesView key, BytesView value, BytesView value_rest) override {
    changes.push_back({table, text(key), text(value).append(as_text(value_rest))});
    bytes_ += key.size() + value.size() + value_rest.size();
  }
  void remove(Table table, BytesView key) override {
    changes.push_back({table, text(key), std::nullopt});
    bytes_ += key.size();
  }
  size_t bytes() const override { return bytes_; }

  std::vector<Change> changes;

 private:
  size_t bytes_ = 0;
};

// Holds a copy of the rows it walks over, so that it doesn't care about later commits.
class MemoryCursor final : public Cursor {
 public:
  explicit MemoryCursor(std::vector<std::pair<std::string, std::string>> rows) : rows_(std::move(rows)) {}
  bool valid() const override { return at_ < rows_.size(); }
  BytesView key() const override { return as_bytes(rows_[at_].first); }
  BytesView value() const override { return as_bytes(rows_[at_].second); }
  void next() override { ++at_; }
  Result<void> status() const override { return Ok{}; }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
  size_t at_ = 0;
};

}  // namespace

Result<std::optional<Bytes>> MemoryStore::get(Table table, BytesView key) const {
  std::lock_guard lock(mutex_);
  const auto& rows = tables_[static_cast<size_t>(table)];
  const auto found = rows.find(as_text(key));
  if (found == rows.end()) return std::optional<Bytes>();
  return std::optional<Bytes>(to_bytes(found->second));
}

std::unique_ptr<Cursor> MemoryStore::scan(Table table, BytesView prefix, BytesView from) const {
  std::lock_guard lock(mutex_);
  const auto& rows = tables_[static_cast<size_t>(table)];
  std::vector<std::pair<std::string, std::string>> found;
  for (auto it = rows.lower_bound(as_text(from.empty() ? prefix : from));
       it != rows.end() && it->first.starts_with(as_text(prefix)); ++it) {
    found.push_back(*it);
  }
  return std::make_unique<MemoryCursor>(std::move(found));
}

std::unique_ptr<Batch> MemoryStore::batch() const { return std::make_unique<MemoryBatch>(); }

Result<void> MemoryStore::commit(Batch& batch, const TipNote& tip) {
  if (on_commit) TRY(on_commit());
  std::lock_guard lock(mutex_);
  for (const auto& change : static_cast<MemoryBatch&>(batch).changes) {
    auto& rows = tables_[static_cast<size_t>(change.table)];
    if (change.value) {
      rows[change.key] = *change.value;
    } else {
      rows.erase(change.key);
    }
  }
  tip_ = tip;
  return Ok{};
}

std::optional<TipNote> MemoryStore::promised() const {
  std::lock_guard lock(mutex_);
  return tip_;
}

MemoryStore::Tables MemoryStore::disk() const {
  std::lock_guard lock(mutex_);
  return tables_;
}

void MemoryStore::overwrite(Table table, BytesView key, std::optional<std::string> value) {
  std::lock_guard lock(mutex_);
  auto& rows = tables_[static_cast<size_t>(table)];
  if (value) {
    rows[text(key)] = *std::move(value);
  } else {
    rows.erase(text(key));
  }
}

}  // namespace theater::persist
