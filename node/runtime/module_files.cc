#include "node/runtime/module_files.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/crypto.h"
#include "base/file.h"

namespace theater::node {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kMagic = "theater module 1";
constexpr std::string_view kSuffix = ".module";
constexpr size_t kHeadSize = kMagic.size() + 2 * Hash::kSize;
constexpr size_t kProfileDigits = Hash::kSize;  // in names: half of them

void append(Bytes& to, BytesView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// The name of such a file, and what `after` it.
bool is_ours(std::string_view name, std::string_view after) {
  constexpr size_t kDigits = 2 * Hash::kSize, kLength = kDigits + 1 + kProfileDigits + kSuffix.size();
  return name.size() >= kLength && name.find_first_not_of("0123456789abcdef") == kDigits && name[kDigits] == '-' &&
         name.substr(kLength - kSuffix.size(), kSuffix.size()) == kSuffix && name.substr(kLength).ends_with(after) &&
         (name.size() > kLength) == !after.empty();
}

}  // namespace

Result<std::shared_ptr<ModuleFiles>> ModuleFiles::open(ModuleFilesOptions options) {
  std::error_code error;
  if (fs::create_directories(options.folder, error)) {
    fs::permissions(options.folder, fs::perms::owner_all, error);
  }
  if (error || ::access(options.folder.c_str(), W_OK | X_OK) != 0) {
    return Error{ErrorCode::kIo, str_cat("can't keep compiled packages in ", options.folder, ": ",
                                         error ? error.message() : errno_text(errno))};
  }
  std::shared_ptr<ModuleFiles> files(new ModuleFiles(std::move(options)));
  // What a node left that was killed while it wrote.
  std::vector<fs::path> left;
  for (fs::directory_iterator next(files->options_.folder, error), end; !error && next != end; next.increment(error)) {
    if (is_ours(next->path().filename().string(), ".tmp")) left.push_back(next->path());
  }
  for (const auto& path : left) fs::remove(path, error);
  return files;
}

std::string ModuleFiles::path_of(const Hash& package) const {
  return str_cat(options_.folder, "/", package.hex(), "-", options_.engine_profile.hex().substr(0, kProfileDigits),
                 kSuffix);
}

Bytes ModuleFiles::head_of(const Hash& package) const {
  Bytes head = to_bytes(kMagic);
  append(head, options_.engine_profile.bytes);
  append(head, package.bytes);
  return head;
}

// Empty if nothing is.
std::string ModuleFiles::wrong_with(BytesView file, const Hash& package) const {
  if (file.size() <= kHeadSize + Hash::kSize) return "it is too short";
  const BytesView said = file.subspan(file.size() - Hash::kSize);
  Hash seal;
  std::copy(said.begin(), said.end(), seal.bytes.begin());
  if (!equal_in_constant_time(hmac_sha256(options_.secret.bytes, file.first(file.size() - Hash::kSize)), seal)) {
    return "this node didn't write it, or not so";
  }
  const Bytes head = head_of(package);
  return std::equal(head.begin(), head.end(), file.begin()) ? "" : "it is for another package or engine";
}

std::optional<Bytes> ModuleFiles::load(const Hash& package) {
  const std::string path = path_of(package);
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (!fs::exists(status)) return std::nullopt;
  if (!fs::is_regular_file(status)) {  // a link, a pipe: not read at all
    forget(package, "it is no file");
    return std::nullopt;
  }
  auto file = read_file(path, kFileMax);
  const std::string wrong = file.ok() ? wrong_with(*file, package) : file.error().message;
  if (!wrong.empty()) {
    forget(package, wrong);
    return std::nullopt;
  }
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);  // so that trim() knows that it was used
  file->resize(file->size() - Hash::kSize);
  file->erase(file->begin(), file->begin() + static_cast<std::ptrdiff_t>(kHeadSize));
  return std::move(*file);
}

void ModuleFiles::keep(const Hash& package, BytesView code) {
  Bytes file = head_of(package);
  file.reserve(kHeadSize + code.size() + Hash::kSize);
  append(file, code);
  append(file, hmac_sha256(options_.secret.bytes, file).bytes);
  if (file.size() > std::min(options_.bytes_max, kFileMax)) {
    return say(
        str_cat("a compiled package of ", file.size(), " bytes isn't kept: modules.max is ", options_.bytes_max));
  }
  const auto written = write_file(path_of(package), file, 0600);
  if (!written.ok()) say(str_cat("a compiled package isn't kept: ", written.error().message));
  trim();
}

void ModuleFiles::forget(const Hash& package, const std::string& why) {
  const std::string path = path_of(package);
  say(str_cat("refused ", path, ": ", why, "; the package is compiled anew"));
  std::error_code error;
  fs::remove(path, error);
  if (error) say(str_cat("can't remove ", path, ": ", error.message()));
}

void ModuleFiles::trim() {
  struct Kept {
    fs::file_time_type used;
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Kept> all;
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator next(options_.folder, error), end; !error && next != end; next.increment(error)) {
    std::error_code gone;  // somebody may clean up here meanwhile
    if (!is_ours(next->path().filename().string(), "") || !next->is_regular_file(gone)) continue;
    Kept one{next->last_write_time(gone), next->file_size(gone), next->path()};
    if (gone) continue;
    bytes += one.bytes;
    all.push_back(std::move(one));
  }
  std::sort(all.begin(), all.end(), [](const Kept& a, const Kept& b) { return a.used < b.used; });
  for (size_t i = 0; i < all.size() && bytes > options_.bytes_max; ++i) {
    if (fs::remove(all[i].path, error)) bytes -= all[i].bytes;
  }
}

void ModuleFiles::say(const std::string& line) const {
  if (options_.log) options_.log("modules: " + line);
}

}  // namespace theater::node
