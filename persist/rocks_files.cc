#include "persist/rocks_files.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <algorithm>

namespace theater::persist {
namespace {

class LogFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  LogFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, int descriptor)
      : FSWritableFileOwnerWrapper(std::move(file)), descriptor_(descriptor) {}
  ~LogFile() override { ::close(descriptor_); }

  using FSWritableFileOwnerWrapper::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    fill_ahead(data.size());
    return appended(data.size(), FSWritableFileOwnerWrapper::Append(data, options, context));
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& verification,
                           rocksdb::IODebugContext* context) override {
    fill_ahead(data.size());
    return appended(data.size(), FSWritableFileOwnerWrapper::Append(data, options, verification, context));
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* context) override {
    const auto status = FSWritableFileOwnerWrapper::Close(options, context);
    if (status.ok() && filled_ > size_ && ::ftruncate(descriptor_, size_) != 0) {
      return rocksdb::IOStatus::IOError("a log can't be cut to its length");
    }
    return status;
  }

 private:
  // What can't be filled, the write itself will find out.
  void fill_ahead(size_t bytes) {
    static constexpr char kZeros[kLogAhead + kLogSmallWrite] = {};
    const off_t end = size_ + static_cast<off_t>(bytes);
    if (bytes > kLogSmallWrite || end <= filled_) return;
    const off_t from = std::max(size_, filled_);
    const size_t length = std::min<size_t>(static_cast<size_t>(end - from) + kLogAhead, sizeof kZeros);
    const ssize_t written = ::pwrite(descriptor_, kZeros, length, from);
    if (written > 0) filled_ = from + written;
  }
  rocksdb::IOStatus appended(size_t bytes, rocksdb::IOStatus status) {
    if (status.ok()) size_ += static_cast<off_t>(bytes);
    return status;
  }

  const int descriptor_;
  off_t size_ = 0, filled_ = 0;  // what RocksDB wrote; the end of the file
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  Files() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "theater"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* context) override {
    auto status = FileSystemWrapper::NewWritableFile(path, options, file, context);
    if (!status.ok() || !path.ends_with(".log")) return status;
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0) *file = std::make_unique<LogFile>(std::move(*file), descriptor);
    return status;
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> make_rocks_env() { return rocksdb::NewCompositeEnv(std::make_shared<Files>()); }

}  // namespace theater::persist
