// The twin of the RocksDB store for tests: five maps, one mutex, and a hook that makes commits fail. What was committed
// survives in `disk()`, from which a second store can be made, as after a crash.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>

#include "persist/store.h"

namespace theater::persist {

class MemoryStore final : public Store {
 public:
  using Tables = std::array<std::map<std::string, std::string, std::less<>>, kTables>;

  MemoryStore() = default;
  explicit MemoryStore(Tables tables, std::optional<TipNote> tip = std::nullopt)
      : tables_(std::move(tables)), tip_(std::move(tip)) {}

  Result<std::optional<Bytes>> get(Table table, BytesView key) const override;
  std::unique_ptr<Cursor> scan(Table table, BytesView prefix, BytesView from) const override;
  std::unique_ptr<Batch> batch() const override;
  Result<void> commit(Batch& batch, const TipNote& tip) override;
  Result<void> certain() const override { return Ok{}; }
  Result<bool> refresh() override { return true; }
  Result<void> close() override { return Ok{}; }
  std::optional<TipNote> promised() const override;
  std::string damage() const override { return {}; }

  // Asked before each commit; an error fails it and nothing of it is written. Set before use.
  std::function<Result<void>()> on_commit;

  Tables disk() const;
  // For tests that damage a store: writes past all rules.
  void overwrite(Table table, BytesView key, std::optional<std::string> value);

 private:
  mutable std::mutex mutex_;
  Tables tables_;
  std::optional<TipNote> tip_;
};

}  // namespace theater::persist
