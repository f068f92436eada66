// A store that counts what is read of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "persist/store.h"

namespace theater::persist {

class CountingStore final : public Store {
 public:
  explicit CountingStore(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  Result<std::optional<Bytes>> get(Table table, BytesView key) const override {
    if (table == Table::kFrames) ++frames;
    return store_->get(table, key);
  }
  std::unique_ptr<Cursor> scan(Table table, BytesView prefix, BytesView from) const override {
    ++seeks;
    return std::make_unique<Counting>(store_->scan(table, prefix, from), steps);
  }
  std::unique_ptr<Batch> batch() const override { return store_->batch(); }
  Result<void> commit(Batch& batch, const TipNote& tip) override { return store_->commit(batch, tip); }
  Result<bool> refresh() override { return store_->refresh(); }
  Result<void> close() override { return store_->close(); }
  Result<void> certain() const override { return store_->certain(); }
  std::optional<TipNote> promised() const override { return store_->promised(); }
  std::string damage() const override { return store_->damage(); }

  mutable size_t frames = 0, seeks = 0, steps = 0;

 private:
  class Counting final : public Cursor {
   public:
    Counting(std::unique_ptr<Cursor> cursor, size_t& steps) : cursor_(std::move(cursor)), steps_(steps) {}
    bool valid() const override { return cursor_->valid(); }
    BytesView key() const override { return cursor_->key(); }
    BytesView value() const override { return cursor_->value(); }
    void next() override {
      ++steps_;
      cursor_->next();
    }
    Result<void> status() const override { return cursor_->status(); }

   private:
    std::unique_ptr<Cursor> cursor_;
    size_t& steps_;
  };
  std::shared_ptr<Store> store_;
};

}  // namespace theater::persist
