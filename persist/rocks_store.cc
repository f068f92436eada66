#include "persist/rocks_store.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "persist/rows.h"
#include "persist/tip_file.h"

namespace theater::persist {
namespace {

constexpr std::array<const char*, kTables> kFamilies = {"default", "heads", "frames", "segments", "blobs"};
constexpr int kOpenAttempts = 4;  // a running auditor may remove a file that a reader was about to open

rocksdb::Slice slice(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
BytesView view(const rocksdb::Slice& bytes) { return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}; }

// Says nothing: what matters comes back as a status, and a reader must not write into the folder.
class Silence final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

Error error_of(const rocksdb::Status& status, const std::string& doing) {
  const ErrorCode code = status.IsCorruption() ? ErrorCode::kCorrupt : ErrorCode::kIo;
  return Error{code, str_cat(doing, ": ", status.ToString())};
}

// RocksDB holds its lock only while a database is open for writing. The store holds it for as long as it may write
// again, which is longer (RocksStore::heal()), and RocksDB isn't asked to.
class FilesWithoutLock final : public rocksdb::FileSystemWrapper {
 public:
  FilesWithoutLock() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "FilesWithoutLock"; }
  rocksdb::IOStatus LockFile(const std::string&, const rocksdb::IOOptions&, rocksdb::FileLock** lock,
                             rocksdb::IODebugContext*) override {
    *lock = nullptr;
    return rocksdb::IOStatus::OK();
  }
};

rocksdb::DBOptions database_options(rocksdb::WALRecoveryMode recovery) {
  rocksdb::DBOptions options;
  options.paranoid_checks = true;
  options.wal_recovery_mode = recovery;
  options.max_open_files = -1;
  options.max_file_opening_threads = 1;  // otherwise each opening starts 15 threads a table, for a few files
  options.max_total_wal_size = 96u << 20;
  options.max_background_jobs = 2;
  options.allow_concurrent_memtable_write = false;  // one thread writes
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.info_log = std::make_shared<Silence>();
  options.avoid_unnecessary_blocking_io = true;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> families(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions small;
  small.block_cache = cache;
  small.block_size = 8 << 10;
  small.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  small.format_version = 5;
  small.checksum = rocksdb::kXXH3;
  rocksdb::BlockBasedTableOptions large = small;  // a frame is a block
  large.block_size = 64 << 10;
  large.filter_policy = nullptr;

  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (size_t i = 0; i < kTables; ++i) {
    const bool is_large = i == static_cast<size_t>(Table::kFrames) || i == static_cast<size_t>(Table::kBlobs);
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = is_large ? 32u << 20 : 16u << 20;
    family.max_write_buffer_number = 3;
    family.level_compaction_dynamic_level_bytes = true;
    family.compression = rocksdb::kLZ4Compression;
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(is_large ? large : small));
    out.emplace_back(kFamilies[i], family);
  }
  return out;
}

// The open tables. They change when a writer has to open the database again after an error, while other threads read
// and fill batches: hence the lock.
struct Handles {
  mutable std::shared_mutex mutex;
  std::vector<rocksdb::ColumnFamilyHandle*> all;
  rocksdb::ColumnFamilyHandle* of(Table table) const {
    CHECK(open());  // RocksDB would take null for the default table
    return all[static_cast<size_t>(table)];
  }
  bool open() const { return !all.empty(); }
};

// RocksDB reads the properties of a table file before it checks their checksum, and Debian's build stops the process if
// one bit of them is set, the top one of the block's last word. So that bit is looked at first. The block of properties
// is the last before the meta index, whose offset is the first number in the footer, after the byte of the checksum's
// kind.
Result<void> check_table_files(const std::string& path) {
  constexpr size_t kFooterSize = 53, kTrailerSize = 5;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
    if (entry.path().extension() != ".sst") continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;  // RocksDB says so if it needs the file
    uint8_t footer[kFooterSize], last = 0;
    const off_t size = ::lseek(fd, 0, SEEK_END);
    bool bad = false;
    if (size > off_t{kFooterSize} && ::pread(fd, footer, kFooterSize, size - kFooterSize) == off_t{kFooterSize}) {
      const uint64_t meta = RowReader(BytesView(footer).subspan(1)).varint();
      bad = meta > kTrailerSize && meta < static_cast<uint64_t>(size) &&
            ::pread(fd, &last, 1, static_cast<off_t>(meta - kTrailerSize - 1)) == 1 && (last & 0x80) != 0;
    }
    ::close(fd);
    if (bad)
      return Error{ErrorCode::kCorrupt,
                   str_cat("the store ", path, " is damaged: the properties of ", entry.path().filename().string())};
  }
  return Ok{};
}

class RocksBatch final : public Batch {
 public:
  explicit RocksBatch(const Handles& handles) : handles_(handles) {}
  void put(Table table, BytesView key, BytesView value, BytesView value_rest) override {
    std::shared_lock lock(handles_.mutex);
    if (must_wait()) {
      Bytes whole(value.begin(), value.end());
      whole.insert(whole.end(), value_rest.begin(), value_rest.end());
      return wait(table, key, std::move(whole));
    }
    if (value_rest.empty()) return check(rows.Put(handles_.of(table), slice(key), slice(value)));
    const rocksdb::Slice key_part = slice(key), values[2] = {slice(value), slice(value_rest)};
    check(rows.Put(handles_.of(table), {&key_part, 1}, {values, 2}));
  }
  void remove(Table table, BytesView key) override {
    std::shared_lock lock(handles_.mutex);
    if (must_wait()) return wait(table, key, std::nullopt);
    check(rows.Delete(handles_.of(table), slice(key)));
  }
  size_t bytes() const override { return rows.GetDataSize() + waiting_bytes_; }

  // Before it is written, while the database is open.
  void settle() {
    std::shared_lock lock(handles_.mutex);
    for (const Row& row : waiting_) {
      auto* table = handles_.of(row.table);
      check(row.value ? rows.Put(table, slice(row.key), slice(*row.value)) : rows.Delete(table, slice(row.key)));
    }
    waiting_.clear();
    waiting_bytes_ = 0;
  }

  rocksdb::WriteBatch rows;

 private:
  // A row that came while the database was closed, between two attempts to open it again: RocksDB's batch takes rows
  // for an open table only. In order, so those that come after it wait as well.
  struct Row {
    Table table;
    Bytes key;
    std::optional<Bytes> value;  // nothing: a removal
  };
  bool must_wait() const { return !handles_.open() || !waiting_.empty(); }
  void wait(Table table, BytesView key, std::optional<Bytes> value) {
    waiting_bytes_ += key.size() + (value ? value->size() : 0);
    waiting_.push_back({table, Bytes(key.begin(), key.end()), std::move(value)});
  }
  static void check(const rocksdb::Status& status) { CHECK(status.ok(), status.ToString()); }

  const Handles& handles_;
  std::vector<Row> waiting_;
  size_t waiting_bytes_ = 0;
};

// Of a store for reading: one iterator, which must end before the database does.
class RocksCursor final : public Cursor {
 public:
  RocksCursor(std::unique_ptr<rocksdb::Iterator> rows, BytesView prefix, BytesView from)
      : prefix_(as_text(prefix)), rows_(std::move(rows)) {
    rows_->Seek(slice(from.empty() ? prefix : from));
  }
  bool valid() const override { return rows_->Valid() && rows_->key().starts_with(prefix_); }
  BytesView key() const override { return view(rows_->key()); }
  BytesView value() const override { return view(rows_->value()); }
  void next() override { rows_->Next(); }
  Result<void> status() const override {
    if (rows_->status().ok()) return Ok{};
    return error_of(rows_->status(), "the store can't be read");
  }

 private:
  const std::string prefix_;
  std::unique_ptr<rocksdb::Iterator> rows_;
};

// Of a store for writing: copies a page at a time, and holds nothing of the database in between. So that can be opened
// again whoever is walking, and however slowly; the next page then comes from the new one.
class PageCursor final : public Cursor {
 public:
  using Open = std::function<std::unique_ptr<rocksdb::Iterator>()>;
  PageCursor(const Handles& handles, Open open, BytesView prefix, BytesView from)
      : handles_(handles), open_(std::move(open)), prefix_(as_text(prefix)) {
    read_page(std::string(as_text(from.empty() ? prefix : from)));
  }
  bool valid() const override { return at_ < page_.size(); }
  BytesView key() const override { return as_bytes(page_[at_].first); }
  BytesView value() const override { return as_bytes(page_[at_].second); }
  void next() override {
    if (++at_ == page_.size() && more_) read_page(page_.back().first + '\0');
  }
  Result<void> status() const override {
    if (valid() || status_.ok()) return Ok{};
    return error_of(status_, "the store can't be read");
  }

 private:
  static constexpr size_t kRowsFirst = 4, kRowsMost = 1024, kPageBytes = 256u << 10;

  void read_page(const std::string& from) {
    page_.clear();
    at_ = 0;
    std::shared_lock lock(handles_.mutex);
    const auto rows = open_();
    size_t bytes = 0;
    for (rows->Seek(from); rows->Valid() && rows->key().starts_with(prefix_); rows->Next()) {
      if (page_.size() == rows_max_ || bytes >= kPageBytes) break;
      page_.emplace_back(rows->key().ToString(), rows->value().ToString());
      bytes += page_.back().first.size() + page_.back().second.size();
    }
    more_ = rows->Valid() && rows->key().starts_with(prefix_);
    status_ = rows->status();
    rows_max_ = std::min(4 * rows_max_, kRowsMost);
  }

  const Handles& handles_;
  const Open open_;
  const std::string prefix_;
  std::vector<std::pair<std::string, std::string>> page_;
  size_t at_ = 0, rows_max_ = kRowsFirst;
  bool more_ = false;
  rocksdb::Status status_;
};

class RocksStore final : public Store {
 public:
  RocksStore(std::string path, RocksOptions options, bool writes)
      : path_(std::move(path)), options_(options), writes_(writes), cache_(rocksdb::NewLRUCache(64u << 20)) {}
  ~RocksStore() override {
    const auto closed = close();
    (void)closed;  // whoever needs to know has called close()
  }

  Result<void> open() { return writes_ ? open_for_writing() : open_for_reading(); }

  Result<std::optional<Bytes>> get(Table table, BytesView key) const override {
    std::shared_lock lock(handles_.mutex);
    return get_locked(table, key);
  }

  std::unique_ptr<Cursor> scan(Table table, BytesView prefix, BytesView from) const override {
    if (!writes_) return std::make_unique<RocksCursor>(iterator(table), prefix, from);
    return std::make_unique<PageCursor>(handles_, [this, table] { return iterator(table); }, prefix, from);
  }

  std::unique_ptr<Batch> batch() const override { return std::make_unique<RocksBatch>(handles_); }

  Result<void> commit(Batch& batch, const TipNote& tip) override {
    CHECK(writes_);
    TRY(heal());
    rocksdb::WriteOptions options;
    options.sync = options_.sync;
    auto& ours = static_cast<RocksBatch&>(batch);
    ours.settle();
    const auto status = database_->Write(options, &ours.rows);
    if (!status.ok()) {
      failed_ = true;
      return error_of(status, str_cat("can't write to the store ", path_));
    }
    uncertain_.store(false, std::memory_order_release);
    TRY(tip_file_.write(tip));
    promised_ = tip;
    return Ok{};
  }

  Result<void> certain() const override {
    if (!uncertain_.load(std::memory_order_acquire)) return Ok{};
    return Error{ErrorCode::kUnavailable, str_cat("the store ", path_, " can't be written, and what it shows may not ",
                                                  "be on disk; ask again later")};
  }

  Result<bool> refresh() override {
    if (writes_) return true;
    const auto tip = TipFile::read(path_);
    if (tip.ok() && *tip && promised_ && (*tip)->commit == promised_->commit) return false;
    TRY(open_for_reading());
    return true;
  }

  Result<void> close() override {
    rocksdb::Status status;
    if (writes_ && database_ != nullptr && !only_readable_) {
      // At rest everything is in tables: damage is then found block by block, and the log is empty.
      rocksdb::FlushOptions flush;
      status = database_->Flush(flush, handles_.all);
    }
    std::unique_lock lock(handles_.mutex);
    drop();
    if (lock_ != nullptr) rocksdb::Env::Default()->UnlockFile(std::exchange(lock_, nullptr));
    if (!status.ok()) return error_of(status, str_cat("closing the store ", path_));
    return Ok{};
  }

  std::optional<TipNote> promised() const override { return promised_; }
  std::string damage() const override { return damage_; }

 private:
  Result<std::optional<Bytes>> get_locked(Table table, BytesView key) const {
    if (database_ == nullptr) return Error{ErrorCode::kIo, str_cat("the store ", path_, " isn't open")};
    rocksdb::PinnableSlice found;
    const auto status = database_->Get(rocksdb::ReadOptions(), handles_.of(table), slice(key), &found);
    if (status.IsNotFound()) return std::optional<Bytes>();
    if (!status.ok()) return error_of(status, "the store can't be read");
    const BytesView bytes = view(found);
    return std::optional<Bytes>(Bytes(bytes.begin(), bytes.end()));
  }

  std::unique_ptr<rocksdb::Iterator> iterator(Table table) const {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.readahead_size = table == Table::kFrames ? 1u << 20 : 0;
    return std::unique_ptr<rocksdb::Iterator>(database_ != nullptr
                                                  ? database_->NewIterator(options, handles_.of(table))
                                                  : rocksdb::NewErrorIterator(rocksdb::Status::IOError("not open")));
  }

  // After a failed write RocksDB takes no more until it is told to go on, or opened again. On a full disk it tries by
  // itself and refuses to be told, but waits for more room than a small disk has: hence opening. As long as that fails
  // it is open for reading, because whoever verifies has to look up what is there.
  Result<void> heal() {
    if (!failed_) return Ok{};
    std::unique_lock lock(handles_.mutex);
    if (database_ == nullptr || only_readable_ || !database_->Resume().ok()) {
      auto opened = open_for_writing();
      only_readable_ = !opened.ok();
      if (only_readable_) {
        uncertain_.store(true, std::memory_order_release);  // before anybody can read
        const auto status = try_open(true, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
        (void)status;  // then nothing can be read either, and get() says so
        return opened;
      }
    }
    failed_ = false;
    return Ok{};
  }

  void drop() {
    if (database_ == nullptr) return;
    for (auto* handle : handles_.all) database_->DestroyColumnFamilyHandle(handle);
    handles_.all.clear();
    database_.reset();
  }

  rocksdb::Status try_open(bool read_only, rocksdb::WALRecoveryMode recovery) {
    drop();
    rocksdb::DBOptions options = database_options(recovery);
    options.create_if_missing = options.create_missing_column_families = !read_only;
    options.env = env_.get();
    rocksdb::DB* database = nullptr;
    const auto status = read_only
                            ? rocksdb::DB::OpenForReadOnly(options, path_, families(cache_), &handles_.all, &database)
                            : rocksdb::DB::Open(options, path_, families(cache_), &handles_.all, &database);
    database_.reset(database);
    return status;
  }

  Result<void> lock_folder();
  Result<void> open_for_writing();
  Result<void> open_for_reading();
  Result<void> check_tip();
  Error opening_error(const rocksdb::Status& status) const;

  const std::string path_;
  const RocksOptions options_;
  const bool writes_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  const std::unique_ptr<rocksdb::Env> env_ = rocksdb::NewCompositeEnv(std::make_shared<FilesWithoutLock>());
  rocksdb::FileLock* lock_ = nullptr;  // of a writer, from its opening until close()
  Handles handles_;
  std::unique_ptr<rocksdb::DB> database_;  // changes under handles_.mutex
  TipFile tip_file_;
  std::optional<TipNote> promised_;
  std::string damage_;
  bool failed_ = false;
  bool only_readable_ = false;  // of a writer that can't open what it has for writing
  std::atomic<bool> uncertain_{false};
};

// The file LOCK is locked with fcntl, which can be asked for the holder. Not when this very process holds it:
// opening and closing the file would drop that lock.
std::string lock_holder(const std::string& path) {
  const int fd = ::open((path + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return {};
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const bool held = ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  const pid_t pid = lock.l_pid;
  ::close(fd);
  return held ? str_cat(" (process ", pid, ")") : std::string();
}

Error RocksStore::opening_error(const rocksdb::Status& status) const {
  const std::string text = status.ToString();
  if (status.IsIOError() && text.find("lock") != std::string::npos && text.find("LOCK") != std::string::npos) {
    const bool own = text.find("current process") != std::string::npos;
    return Error{ErrorCode::kRefused, str_cat("the store ", path_, " is open for writing elsewhere",
                                              own ? " in this process" : lock_holder(path_),
                                              "; one auditor at a time, stop the other one or use another folder")};
  }
  // With the file TIP it is a store of ours. What the machine itself refuses is no damage; a file that the others name
  // and that isn't there is.
  const bool machine = status.IsIOError() && !status.IsPathNotFound();
  std::error_code failed;
  if (!machine && std::filesystem::exists(path_ + "/" + kTipFileName, failed)) {
    return Error{ErrorCode::kCorrupt, str_cat("the store ", path_, " is damaged: ", text)};
  }
  if (status.IsInvalidArgument()) {
    return Error{ErrorCode::kInvalid, str_cat("the store ", path_, " is of another version or not Theater's: ", text)};
  }
  if (status.IsCorruption()) return Error{ErrorCode::kCorrupt, str_cat("the store ", path_, " is damaged: ", text)};
  return Error{ErrorCode::kIo, str_cat("can't open the store ", path_, ": ", text)};
}

// A store is made only in a folder that holds nothing of anybody else's. What a making leaves that was cut off early is
// no obstacle, nor is the folder that each new disk has.
Result<void> check_new_folder(const std::string& path) {
  std::error_code failed;
  std::string foreign;
  for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
    const std::string name = entry.path().filename();
    if (name == kTipFileName || name.ends_with(".sst") || name.starts_with("MANIFEST")) {
      return Error{ErrorCode::kCorrupt,
                   str_cat("the store ", path, " is cut short: it has ", name, " but no file CURRENT")};
    }
    const bool harmless = name == "LOCK" || name == "IDENTITY" || name == "lost+found" || name.ends_with(".dbtmp");
    if (!harmless && (foreign.empty() || name < foreign)) foreign = name;
  }
  if (foreign.empty()) return Ok{};
  return Error{ErrorCode::kRefused,
               str_cat("the folder ", path, " is no store and isn't empty: it holds ", escape(as_bytes(foreign)),
                       "; a store is made in an empty or a new folder, so name another one")};
}

Result<void> RocksStore::lock_folder() {
  if (lock_ != nullptr) return Ok{};
  const auto status = rocksdb::Env::Default()->LockFile(path_ + "/LOCK", &lock_);
  if (!status.ok()) return opening_error(status);
  return Ok{};
}

Result<void> RocksStore::open_for_writing() {
  std::error_code failed;
  if (!std::filesystem::exists(path_ + "/CURRENT", failed)) TRY(check_new_folder(path_));
  std::filesystem::create_directories(path_, failed);
  if (failed) return Error{ErrorCode::kIo, str_cat("can't make the folder ", path_, ": ", failed.message())};
  TRY(lock_folder());
  TRY_ASSIGN(promised_, TipFile::read(path_));
  TRY(check_table_files(path_));
  const auto status = try_open(false, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  if (!status.ok()) return opening_error(status);
  TRY(check_tip());
  if (!damage_.empty()) {
    drop();
    return Error{ErrorCode::kCorrupt, str_cat("the store ", path_, " ", damage_)};
  }
  TRY_ASSIGN(tip_file_, TipFile::open(path_));
  return Ok{};
}

Result<void> RocksStore::open_for_reading() {
  std::error_code failed;
  if (!std::filesystem::exists(path_ + "/CURRENT", failed)) {
    if (std::filesystem::exists(path_ + "/" + kTipFileName, failed)) {
      return Error{ErrorCode::kCorrupt, str_cat("the store ", path_, " is cut short: its file CURRENT is missing")};
    }
    return Error{ErrorCode::kNotFound,
                 str_cat("no store at ", path_, "; `theater run` and `theater auditor start` make one, ",
                         "--store names another")};
  }
  rocksdb::Status status;
  for (int attempt = 0; attempt < kOpenAttempts; ++attempt) {
    damage_.clear();
    // Before the rest: what it promises must then be there.
    TRY_ASSIGN(promised_, TipFile::read(path_));
    TRY(check_table_files(path_));
    status = try_open(true, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
    if (status.ok()) {
      TRY(check_tip());
      if (damage_.empty()) return Ok{};
    }
    ::usleep(2000);
  }
  if (status.ok()) return Ok{};  // with damage
  const std::string first = status.ToString();
  // What follows the damage in the log tells which events are missing.
  if (try_open(true, rocksdb::WALRecoveryMode::kSkipAnyCorruptedRecords).ok()) {
    damage_ = str_cat("is damaged: ", first);
    return Ok{};
  }
  return opening_error(status);
}

// Compares what TIP promises with what the tables hold.
Result<void> RocksStore::check_tip() {
  damage_.clear();
  if (!promised_) return Ok{};
  TRY_ASSIGN(const auto row, get_locked(Table::kRows, tip_key()));
  uint64_t held = 0;
  if (row) {
    TRY_ASSIGN(const StoreTip tip, decode_row<StoreTip>(*row));
    held = tip.commit;
  }
  if (held < promised_->commit) {
    damage_ = str_cat("lacks commits ", held + 1, " to ", promised_->commit,
                      ", which were acknowledged: it was cut short or damaged");
  }
  return Ok{};
}

}  // namespace

Result<std::unique_ptr<Store>> open_rocks_store(const std::string& path, const RocksOptions& options) {
  auto store = std::make_unique<RocksStore>(path, options, true);
  TRY(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::unique_ptr<Store>> open_rocks_store_for_reading(const std::string& path) {
  auto store = std::make_unique<RocksStore>(path, RocksOptions{}, false);
  TRY(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace theater::persist
