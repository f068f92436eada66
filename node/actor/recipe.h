// What lives are made from: a manifest, its package, and the same of each child that the manifest names. Parsed and
// hashed once, then shared by all lives that come of it, so that a restart costs neither.
//
// A Bundle is what comes in: whoever has the files attaches them. A Recipe is what has been checked. Immutable; any
// thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "node/actor/manifest_cache.h"

namespace theater::node {

struct Bundle {
  std::string manifest;                    // TOML text
  Bytes package;                           // the module; empty for a supervisor without code
  std::map<std::string, Bundle> children;  // by the [[child]]'s id
};

struct Recipe {
  std::shared_ptr<const Manifest> manifest;
  std::shared_ptr<const Bytes> text;     // of the manifest
  std::shared_ptr<const Bytes> package;  // none: a supervisor without code
  Hash text_hash, package_hash;
  std::map<std::string, std::shared_ptr<const Recipe>> children;
};

inline constexpr size_t kRecipeDepthMax = 8;  // of supervisors in supervisors

// kInvalid, with the place in the manifest or the child whose files didn't come along. Manifests that `manifests` (may
// be null) knows aren't parsed again.
Result<std::shared_ptr<const Recipe>> make_recipe(Bundle bundle, ManifestCache* manifests = nullptr);

}  // namespace theater::node
