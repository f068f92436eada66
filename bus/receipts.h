// What a node keeps of its auditors on its disk: the newest receipt of each, so that an auditor that went back in time
// is noticed even by a node that was killed. One file an auditor, which is the RECEIPT message as it came
// (docs/formats/bus.md): whoever has it can check it alone.
//
// Reads and writes the disk: never on the bus thread. One thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "bus/messages.h"

namespace theater::bus {

struct KeptReceipt {
  StreamId stream{};
  Receipt receipt;
  std::string path;  // for messages
};

// kCorrupt: it isn't a receipt, or its signature is wrong.
Result<KeptReceipt> check_receipt(BytesView message);

class ReceiptFolder {
 public:
  static Result<ReceiptFolder> open(const std::string& path);           // makes it
  explicit ReceiptFolder(std::string path) : path_(std::move(path)) {}  // to read only: it needn't be there
  // Nothing if there is none of this auditor.
  Result<std::optional<KeptReceipt>> read(const std::string& auditor_name) const;
  // Writes it if it isn't the one that was written last.
  Result<void> keep(const std::string& auditor_name, const Bytes& message);

 private:
  Result<void> make() const;
  std::string path_of(const std::string& auditor_name) const;
  std::string path_;
  std::map<std::string, Bytes> written_;
};

}  // namespace theater::bus
