#include "node/handlers/granted_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>

namespace theater::node {
namespace {

constexpr size_t kNameMax = 255;
constexpr std::string_view kTemporary = ".theater-";  // names of files that are being written

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int fd_;
};

Error says(const std::string& shown, std::string_view what, ErrorCode code = ErrorCode::kInvalid) {
  return Error{code, str_cat(quote(shown, kGuestPathMax), " ", what)};
}

// Of the call that just failed.
Error from_errno(const std::string& shown, int code = errno) {
  switch (code) {
    case ENOENT: return says(shown, "doesn't exist", ErrorCode::kNotFound);
    case EEXIST: return says(shown, "exists already");
    case ENOTDIR:
    case ELOOP: return says(shown, "leads through what is no directory (links aren't followed)");
    case EISDIR: return says(shown, "is a directory");
    case ENOTEMPTY: return says(shown, "isn't empty");
    case EACCES:
    case EPERM: return says(shown, "is closed to the node (permission denied)", ErrorCode::kRefused);
    case EXDEV: return says(shown, "is on another disk; write it there and remove it here");
    default: return says(shown, str_cat("failed: ", errno_text(code)), ErrorCode::kIo);
  }
}

Result<Descriptor> open_root(const FolderPath& path, int flags) {
  Descriptor root(open(path.root.c_str(), flags | O_DIRECTORY | O_CLOEXEC));
  if (!root.ok()) {
    return Error{ErrorCode::kIo, str_cat("the folder of ", quote(path.shown, kGuestPathMax),
                                         " can't be opened by the node: ", errno_text(errno))};
  }
  return root;
}

// The directory that holds the last component.
Result<Descriptor> open_parent(const FolderPath& path) {
  TRY_ASSIGN(auto at, open_root(path, O_PATH));
  for (size_t i = 0; i + 1 < path.parts.size(); ++i) {
    Descriptor next(openat(at.get(), path.parts[i].c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.ok()) return from_errno(path.shown);
    at = std::move(next);
  }
  return at;
}

Result<void> not_the_folder_itself(const FolderPath& path) {
  if (path.parts.empty()) return says(path.shown, "is the granted folder itself; name something in it");
  return Ok{};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISLNK(mode)) return "is a link; links aren't followed";
  if (S_ISREG(mode)) return "is a file";
  return "is neither a file nor a directory";
}

Result<void> only_plain_files(const FolderPath& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return says(path.shown, kind_of(status.st_mode));
  if (status.st_nlink > 1) {
    return says(path.shown, "has another name as well (a hard link), which may be outside of the folder",
                ErrorCode::kRefused);
  }
  return Ok{};
}

// Opens what is a plain file when it is open. It is looked at before, too, only so that opening does nothing to a
// device or a pipe that is there; a swap in between is noticed after.
Result<Descriptor> open_file(const FolderPath& path, int parent, int flags, struct stat& status) {
  const char* name = path.parts.back().c_str();
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
    TRY(only_plain_files(path, status));
  } else if (errno != ENOENT || (flags & O_CREAT) == 0) {
    return from_errno(path.shown);
  }
  Descriptor file(openat(parent, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!file.ok()) return from_errno(path.shown);
  if (fstat(file.get(), &status) != 0) return from_errno(path.shown);
  TRY(only_plain_files(path, status));
  return file;
}

Result<Descriptor> open_for_reading(const FolderPath& path, struct stat& status) {
  TRY(not_the_folder_itself(path));
  TRY_ASSIGN(const auto parent, open_parent(path));
  return open_file(path, parent.get(), O_RDONLY, status);
}

// Up to `length` bytes from `offset` on; fewer at the end of the file.
Result<Bytes> read_from(const FolderPath& path, int file, uint64_t offset, uint64_t length) {
  constexpr size_t kStep = size_t{256} << 10;
  Bytes content;
  while (content.size() < length) {
    const size_t done = content.size();
    const size_t wanted = std::min<uint64_t>(kStep, length - done);
    content.resize(done + wanted);
    const ssize_t count = pread(file, content.data() + done, wanted, static_cast<off_t>(offset + done));
    content.resize(done + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno(path.shown);
    if (count == 0) break;
  }
  return content;
}

Result<void> write_all(const FolderPath& path, int file, BytesView content) {
  while (!content.empty()) {
    const ssize_t count = write(file, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return from_errno(path.shown);
    content = content.subspan(static_cast<size_t>(count));
  }
  if (fdatasync(file) != 0) return from_errno(path.shown);
  return Ok{};
}

Result<void> sync_directory(const FolderPath& path, int directory) {
  const Descriptor open_now(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open_now.ok() || fsync(open_now.get()) != 0) return from_errno(path.shown);
  return Ok{};
}

// A new file beside the one that it is to replace.
Result<Descriptor> make_temporary(const FolderPath& path, int parent, mode_t mode, std::string& name) {
  static std::atomic<uint64_t> number{0};
  for (int tries = 0; tries < 100; ++tries) {  // names that an earlier process left
    name = str_cat(kTemporary, static_cast<int64_t>(getpid()), "-", number.fetch_add(1));
    Descriptor file(openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (file.ok() || errno != EEXIST) return file.ok() ? Result<Descriptor>(std::move(file)) : from_errno(path.shown);
  }
  return from_errno(path.shown, EEXIST);
}

uint64_t time_ns(const struct timespec& time) {
  return time.tv_sec < 0 ? 0 : static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

Result<std::unique_ptr<DIR, CloseDirectory>> open_directory(const FolderPath& path) {
  Descriptor fd;
  if (path.parts.empty()) {
    TRY_ASSIGN(fd, open_root(path, O_RDONLY));
  } else {
    TRY_ASSIGN(const auto parent, open_parent(path));
    fd = Descriptor(openat(parent.get(), path.parts.back().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!fd.ok()) return from_errno(path.shown);
  std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd.get()));
  if (directory == nullptr) return from_errno(path.shown);
  (void)fd.release();  // the directory's now
  return directory;
}

}  // namespace

Result<std::vector<std::string>> split_guest_path(std::string_view path) {
  const std::string shown(path);
  if (path.empty() || path.size() > kGuestPathMax) {
    return says(shown, str_cat("is no path: it has 1 to ", kGuestPathMax, " bytes"));
  }
  std::vector<std::string> parts;
  for (size_t from = 0; from <= path.size();) {
    const size_t end = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, end - from);
    if (part.empty() || part == "." || part == ".." || part.size() > kNameMax || part.find('\0') != part.npos ||
        part.starts_with(kTemporary)) {
      return says(shown, str_cat("is no path: ", quote(part, kNameMax),
                                 " is no name; write FOLDER/NAME, without '..', '.', '//' and a '/' in front"));
    }
    parts.emplace_back(part);
    if (parts.size() > kPathDepthMax) return says(shown, str_cat("has more than ", kPathDepthMax, " names"));
    from = end + 1;
  }
  return parts;
}

Result<Bytes> read_below(const FolderPath& path, uint64_t max) {
  struct stat status;
  TRY_ASSIGN(const auto file, open_for_reading(path, status));
  const auto too_large = [&](uint64_t size) {
    return says(path.shown, str_cat("has ", size, " bytes, more than the ", max,
                                    " that the manifest's file_bytes allows; read parts of it by read-range"));
  };
  if (static_cast<uint64_t>(status.st_size) > max) return too_large(static_cast<uint64_t>(status.st_size));
  TRY_ASSIGN(auto content, read_from(path, file.get(), 0, max + 1));  // it may be growing
  if (content.size() > max) return too_large(content.size());
  return content;
}

Result<Bytes> read_range_below(const FolderPath& path, uint64_t offset, uint64_t length) {
  struct stat status;
  TRY_ASSIGN(const auto file, open_for_reading(path, status));
  if (offset > static_cast<uint64_t>(INT64_MAX) - length) return Bytes{};  // no file is that long
  return read_from(path, file.get(), offset, length);
}

Result<std::optional<FileInfo>> stat_below(const FolderPath& path) {
  struct stat status;
  if (path.parts.empty()) {
    TRY_ASSIGN(const auto root, open_root(path, O_PATH));
    if (fstat(root.get(), &status) != 0) return from_errno(path.shown);
  } else {
    const auto parent = open_parent(path);
    if (!parent.ok()) {
      if (parent.error().code == ErrorCode::kNotFound) return std::optional<FileInfo>();
      return parent.error();
    }
    if (fstatat(parent->get(), path.parts.back().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return std::optional<FileInfo>();
      return from_errno(path.shown);
    }
  }
  if (!S_ISDIR(status.st_mode)) TRY(only_plain_files(path, status));
  const bool is_directory = S_ISDIR(status.st_mode);
  return std::optional(
      FileInfo{is_directory, is_directory ? 0 : static_cast<uint64_t>(status.st_size), time_ns(status.st_mtim)});
}

Result<FolderListing> list_below(const FolderPath& path) {
  TRY_ASSIGN(const auto directory, open_directory(path));
  FolderListing listing;
  size_t seen = 0;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr && errno != 0) return from_errno(path.shown);
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name == "." || name == ".." || name.starts_with(kTemporary)) continue;
    if (++seen > kListedMax) return says(path.shown, str_cat("has more than ", kListedMax, " entries"));
    struct stat status;
    const bool known = fstatat(dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!known && errno == ENOENT) continue;  // removed just now
    const bool is_directory = known && S_ISDIR(status.st_mode);
    if (!is_utf8(as_bytes(name)) || !known || (!is_directory && !S_ISREG(status.st_mode))) {
      ++listing.left_out;
      continue;
    }
    listing.entries.push_back(
        {std::string(name), is_directory, is_directory ? 0 : static_cast<uint64_t>(status.st_size)});
  }
  std::sort(listing.entries.begin(), listing.entries.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  return listing;
}

Result<void> write_below(const FolderPath& path, BytesView content) {
  TRY(not_the_folder_itself(path));
  TRY_ASSIGN(const auto parent, open_parent(path));
  struct stat status;
  mode_t mode = 0644;
  if (fstatat(parent.get(), path.parts.back().c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(status.st_mode)) return says(path.shown, kind_of(status.st_mode));
    mode = status.st_mode & 0777;
  } else if (errno != ENOENT) {
    return from_errno(path.shown);
  }
  std::string temporary;
  TRY_ASSIGN(const auto file, make_temporary(path, parent.get(), mode, temporary));
  auto written = write_all(path, file.get(), content);
  // Never follows what is there by now: the name itself is replaced.
  if (written.ok() && renameat(parent.get(), temporary.c_str(), parent.get(), path.parts.back().c_str()) != 0) {
    written = from_errno(path.shown);
  }
  if (!written.ok()) {
    unlinkat(parent.get(), temporary.c_str(), 0);
    return written;
  }
  return sync_directory(path, parent.get());
}

Result<void> append_below(const FolderPath& path, BytesView content, uint64_t max) {
  TRY(not_the_folder_itself(path));
  TRY_ASSIGN(const auto parent, open_parent(path));
  struct stat status;
  TRY_ASSIGN(const auto file, open_file(path, parent.get(), O_WRONLY | O_APPEND | O_CREAT, status));
  const auto before = static_cast<uint64_t>(status.st_size);
  if (before > max || content.size() > max - before) {
    return says(path.shown,
                str_cat("has ", before, " bytes; with ", content.size(), " more it would be larger than the ", max,
                        " that the manifest's file_bytes allows"));
  }
  const auto written = write_all(path, file.get(), content);
  if (!written.ok()) {
    if (ftruncate(file.get(), static_cast<off_t>(before)) != 0) return from_errno(path.shown);
    return written;
  }
  return sync_directory(path, parent.get());
}

Result<void> create_directory_below(const FolderPath& path) {
  TRY(not_the_folder_itself(path));
  TRY_ASSIGN(const auto parent, open_parent(path));
  if (mkdirat(parent.get(), path.parts.back().c_str(), 0755) != 0) return from_errno(path.shown);
  return sync_directory(path, parent.get());
}

Result<void> remove_below(const FolderPath& path) {
  TRY(not_the_folder_itself(path));
  TRY_ASSIGN(const auto parent, open_parent(path));
  const char* name = path.parts.back().c_str();
  struct stat status;
  if (fstatat(parent.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) return from_errno(path.shown);
  if (unlinkat(parent.get(), name, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0) != 0) return from_errno(path.shown);
  return sync_directory(path, parent.get());
}

Result<void> rename_below(const FolderPath& from, const FolderPath& to) {
  TRY(not_the_folder_itself(from));
  TRY(not_the_folder_itself(to));
  TRY_ASSIGN(const auto from_parent, open_parent(from));
  TRY_ASSIGN(const auto to_parent, open_parent(to));
  struct stat status;
  if (fstatat(from_parent.get(), from.parts.back().c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return from_errno(from.shown);
  }
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return says(from.shown, kind_of(status.st_mode));
  if (renameat(from_parent.get(), from.parts.back().c_str(), to_parent.get(), to.parts.back().c_str()) != 0) {
    return from_errno(to.shown);
  }
  TRY(sync_directory(to, to_parent.get()));
  return sync_directory(from, from_parent.get());
}

}  // namespace theater::node
