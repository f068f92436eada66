// Compiled packages on disk, so that a node that starts again needn't compile them again.
//
// They are native code: whoever can slip in a file could run whatever it likes in the node. So each file carries an
// HMAC under a secret that only this node has, over all of it, and over which package and which engine it is for; what
// doesn't fit is never handed to the engine. It is removed, said in the log, and compiled anew, and so is everything
// else that goes wrong here: a node without its files is slow, not broken.
//
//   file      PACKAGE-PROFILE.module, with the package's hash and the first half of the engine profile's, in
//   hexadecimal content   "theater module 1", the engine profile's hash, the package's hash, the code, the HMAC of all
//   before it
//
// Written beside its place, synced, renamed. The folder is one node's: of two that share it, each would throw the
// other's files away. Files of other names are left alone. Bounds: `bytes_max` of such files, those that weren't used
// for longest go first; a file of more than kFileMax isn't read.
//
// One thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/text.h"

namespace theater::node {

struct ModuleFilesOptions {
  std::string folder;  // made if it isn't there
  uint64_t bytes_max = uint64_t{1} << 30;
  Hash secret;
  Hash engine_profile;
  std::function<void(const std::string&)> log;  // one line for people; may be empty
};

class ModuleFiles {
 public:
  static constexpr uint64_t kFileMax = uint64_t{512} << 20;

  // Fails if the folder can't be made or written to.
  static Result<std::shared_ptr<ModuleFiles>> open(ModuleFilesOptions options);

  // The code of that package, if this node has kept it.
  std::optional<Bytes> load(const Hash& package);
  void keep(const Hash& package, BytesView code);
  // The engine wouldn't have it.
  void forget(const Hash& package, const std::string& why);

  std::string path_of(const Hash& package) const;

 private:
  explicit ModuleFiles(ModuleFilesOptions options) : options_(std::move(options)) {}

  Bytes head_of(const Hash& package) const;
  std::string wrong_with(BytesView file, const Hash& package) const;
  void trim();
  void say(const std::string& line) const;

  const ModuleFilesOptions options_;
};

}  // namespace theater::node
