#include "node/actor/recipe.h"

#include "base/crypto.h"
#include "node/actor/policy.h"

namespace theater::node {
namespace {

Result<std::shared_ptr<const Recipe>> make(Bundle bundle, size_t depth) {
  if (depth > kRecipeDepthMax) {
    return Error{ErrorCode::kRefused,
                 str_cat("children of children of … : more than ", kRecipeDepthMax, " levels of supervisors")};
  }
  auto recipe = std::make_shared<Recipe>();
  TRY_ASSIGN(auto manifest, parse_manifest(bundle.manifest));
  if (bundle.package.empty() && !manifest.supervisor) {
    return Error{ErrorCode::kInvalid, str_cat("no package came with the manifest of '", manifest.name,
                                              "'; name one in it: package = \"FILE.wasm\"")};
  }
  for (auto& child : manifest.children()) {
    const auto attached = bundle.children.find(child.id);
    if (attached == bundle.children.end()) {
      return Error{ErrorCode::kInvalid, str_cat("the manifest of '", manifest.name, "' names the child '", child.id,
                                                "', but that one's manifest and package didn't come along")};
    }
    auto made = make(std::move(attached->second), depth + 1);
    if (!made.ok()) return Error{made.error().code, str_cat("child '", child.id, "': ", made.error().message)};
    TRY(check_grants_no_more(*(*made)->manifest, manifest));
    child.is_supervisor = (*made)->manifest->supervisor.has_value();
    recipe->children.emplace(child.id, std::move(made).value());
  }
  recipe->text = std::make_shared<const Bytes>(to_bytes(bundle.manifest));
  recipe->text_hash = sha256(*recipe->text);
  if (!bundle.package.empty()) {
    recipe->package = std::make_shared<const Bytes>(std::move(bundle.package));
    recipe->package_hash = sha256(*recipe->package);
  }
  recipe->manifest = std::make_shared<const Manifest>(std::move(manifest));
  return std::shared_ptr<const Recipe>(std::move(recipe));
}

}  // namespace

Result<std::shared_ptr<const Recipe>> make_recipe(Bundle bundle) { return make(std::move(bundle), 1); }

}  // namespace theater::node
