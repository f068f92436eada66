#include "persist/tip_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/crypto.h"
#include "base/file.h"
#include "persist/rows.h"

namespace theater::persist {
namespace {

constexpr std::string_view kMagic("THTIP\1\0\0", 8);
constexpr size_t kChecksumSize = 8;
constexpr int kReadAttempts = 5;
constexpr size_t kSize = 8 + 8 + 8 + kTipChainsMax * 40 + kChecksumSize;

Bytes encode(const TipNote& tip) {
  CHECK(tip.chains.size() <= kTipChainsMax);
  Bytes out = to_bytes(kMagic);
  put_u64(out, tip.commit);
  put_u64(out, tip.chains.size());
  for (const TipNote::Chain& chain : tip.chains) {
    put_id(out, chain.actor);
    put_u64(out, chain.next_sequence);
  }
  out.resize(kSize - kChecksumSize);
  const Hash digest = sha256(out);
  out.insert(out.end(), digest.bytes.begin(), digest.bytes.begin() + kChecksumSize);
  return out;
}

std::optional<TipNote> decode(BytesView bytes) {
  if (bytes.size() != kSize || as_text(bytes.first(8)) != kMagic) return std::nullopt;
  const Hash digest = sha256(bytes.first(kSize - kChecksumSize));
  if (std::memcmp(digest.bytes.data(), bytes.data() + kSize - kChecksumSize, kChecksumSize) != 0) return std::nullopt;
  RowReader in(bytes.subspan(8));
  TipNote tip;
  tip.commit = in.u64();
  const uint64_t chains = in.u64();
  if (chains > kTipChainsMax) return std::nullopt;
  for (uint64_t i = 0; i < chains; ++i) {
    const ActorId actor = in.id<ActorId>();
    tip.chains.push_back({actor, in.u64()});
  }
  return tip;
}

}  // namespace

TipFile::~TipFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<TipFile> TipFile::open(const std::string& folder) {
  const std::string path = folder + "/" + kTipFileName;
  TipFile file;
  file.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file.fd_ < 0) return Error{ErrorCode::kIo, str_cat("can't open ", path, ": ", errno_text(errno))};
  return file;
}

Result<void> TipFile::write(const TipNote& tip) {
  const Bytes bytes = encode(tip);
  const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), 0);
  if (written != static_cast<ssize_t>(bytes.size())) {
    return Error{ErrorCode::kIo, str_cat("can't write the store's TIP file: ", errno_text(errno))};
  }
  return Ok{};
}

Result<std::optional<TipNote>> TipFile::read(const std::string& folder) {
  const std::string path = folder + "/" + kTipFileName;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    auto bytes = read_file(path, 1 << 16);
    if (!bytes.ok()) {
      if (bytes.error().code == ErrorCode::kNotFound) return std::optional<TipNote>();
      return std::move(bytes).error();
    }
    if (bytes->empty()) return std::optional<TipNote>();  // made, and then nothing was committed
    if (auto tip = decode(*bytes)) return tip;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // perhaps an auditor was in the middle of writing it
  }
  return Error{
      ErrorCode::kCorrupt,
      str_cat(path, " is damaged: it says how much was acknowledged, so the store can't be shown to be whole; ",
              "restore it from a copy, or remove it to go on without this check")};
}

}  // namespace theater::persist
