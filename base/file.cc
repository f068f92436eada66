#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace theater {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error os_error(std::string_view doing, const std::string& path) {
  const int code = errno;
  return Error{code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               str_cat("can't ", doing, " ", path, ": ", errno_text(code))};
}

}  // namespace

Result<Bytes> read_file(const std::string& path, size_t size_max) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return os_error("open", path);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return os_error("stat", path);
  if (S_ISDIR(status.st_mode)) return Error{ErrorCode::kInvalid, str_cat(path, " is a folder; a file was expected")};
  Bytes content;
  for (;;) {
    const size_t done = content.size();
    content.resize(done + 65536);
    const ssize_t count = read(file.get(), content.data() + done, 65536);
    if (count < 0 && errno == EINTR) {
      content.resize(done);
      continue;
    }
    if (count < 0) return os_error("read", path);
    content.resize(done + static_cast<size_t>(count));
    if (count == 0) return content;
    if (content.size() > size_max) {
      return Error{ErrorCode::kInvalid, str_cat(path, " is larger than ", size_max, " B, the limit for such a file")};
    }
  }
}

namespace {

Result<void> write_and_sync(const std::string& path, BytesView content, unsigned mode) {
  const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (file.get() < 0) return os_error("create", path);
  while (!content.empty()) {
    const ssize_t count = write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return os_error("write", path);
    content = content.subspan(static_cast<size_t>(count));
  }
  if (fchmod(file.get(), mode) != 0) return os_error("set the mode of", path);
  if (fsync(file.get()) != 0) return os_error("sync", path);
  return Ok{};
}

}  // namespace

Result<void> write_file(const std::string& path, BytesView content, unsigned mode) {
  struct stat there{};
  if (lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
    return Error{ErrorCode::kInvalid, str_cat(path, " is there already and is no regular file; it stays as it is")};
  }
  const std::string beside = str_cat(path, ".", getpid(), ".tmp");
  auto written = write_and_sync(beside, content, mode);
  if (written.ok() && rename(beside.c_str(), path.c_str()) != 0) written = os_error("replace", path);
  if (!written.ok()) {
    unlink(beside.c_str());
    return written;
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor directory(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || fsync(directory.get()) != 0) return os_error("sync", folder);
  return Ok{};
}

}  // namespace theater
