// A manifest on disk and the package beside it, as `run` and `actor spawn` take them. What the manifest means is the
// node's business (node/actor/manifest.h); here only its `package` is looked at, because the path in it is relative to
// the file.
#pragma once

#include <string>

#include "base/result.h"
#include "base/text.h"
#include "node/actor/recipe.h"
#include "wasm/engine.h"

namespace theater::cli {

struct ManifestFile {
  std::string path;
  std::string package_path;  // empty if there is none, or the manifest names it by hash
  node::Bundle bundle;       // what is to be sent: text and package, and the same of each child that it names
};

// A node knows no paths: this is its error with the files that it is about.
Error about_files(const Error& error, const std::string& manifest_path, const std::string& package_path);

// `path` is a manifest or a folder with a manifest.toml. kInvalid for a bare package: it needs a manifest (see
// manifest_for); is_package() tells these apart.
Result<ManifestFile> load_manifest(const std::string& path);

// True if the file is a WebAssembly module (whatever its name). False if it can't be read.
bool is_package(const std::string& path);

// The manifest that a package needs: its name from the file, and the handlers that its imports and exports call for.
std::string manifest_for(const std::string& package_path, const wasm::Module& module);

// An --initial-state or --request argument: the text itself, @FILE's content, @- for stdin, @@… for a text that begins
// with @.
Result<Bytes> read_argument(const std::string& argument);

}  // namespace theater::cli
