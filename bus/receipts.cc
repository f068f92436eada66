#include "bus/receipts.h"

#include <filesystem>

#include "base/file.h"

namespace theater::bus {

Result<KeptReceipt> check_receipt(BytesView message) {
  TRY_ASSIGN(const LinkMessage decoded, decode_link(message));
  const auto* receipt = std::get_if<Receipt>(&decoded.body);
  if (receipt == nullptr) return Error{ErrorCode::kCorrupt, "it is another message of a link"};
  if (!verify_receipt(decoded.stream, *receipt)) return Error{ErrorCode::kCorrupt, "its signature is wrong"};
  return KeptReceipt{decoded.stream, *receipt, {}};
}

Result<ReceiptFolder> ReceiptFolder::open(const std::string& path) {
  ReceiptFolder folder(path);
  TRY(folder.make());
  return folder;
}

Result<void> ReceiptFolder::make() const {
  std::error_code failed;
  std::filesystem::create_directories(path_, failed);
  if (!failed) return Ok{};
  return Error{ErrorCode::kIo, str_cat("can't make the folder ", path_, " for the auditors' receipts: ",
                                       failed.message(), "; name another one by `receipts` in the configuration")};
}

// An auditor's name is the operator's, and may hold what a file's name can't.
std::string ReceiptFolder::path_of(const std::string& auditor_name) const {
  std::string file;
  for (const char c : auditor_name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    file += plain ? std::string(1, c) : "%" + to_hex(as_bytes(std::string_view(&c, 1)));
  }
  return str_cat(path_, "/", file, ".receipt");
}

Result<std::optional<KeptReceipt>> ReceiptFolder::read(const std::string& auditor_name) const {
  const std::string path = path_of(auditor_name);
  const auto bytes = read_file(path, kLinkMessageMax);
  if (!bytes.ok() && bytes.error().code == ErrorCode::kNotFound) return std::optional<KeptReceipt>();
  auto checked = bytes.ok() ? check_receipt(*bytes) : Result<KeptReceipt>(bytes.error());
  if (!checked.ok()) {
    return Error{checked.error().code, str_cat(path, " isn't an auditor's receipt: ", checked.error().message,
                                               ". Move it away to start without it")};
  }
  checked->path = path;
  return std::optional<KeptReceipt>(std::move(*checked));
}

Result<void> ReceiptFolder::keep(const std::string& auditor_name, const Bytes& message) {
  Bytes& written = written_[auditor_name];
  if (message.empty() || message == written) return Ok{};
  TRY(make());  // somebody may have moved it away
  TRY(write_file(path_of(auditor_name), message));
  written = message;
  return Ok{};
}

}  // namespace theater::bus
