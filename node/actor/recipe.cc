#include "node/actor/recipe.h"

#include "base/crypto.h"
#include "node/actor/policy.h"

namespace theater::node {
namespace {

std::shared_ptr<const Recipe> with_package(std::shared_ptr<Recipe> recipe, Bytes package) {
  if (package.empty()) return recipe;
  recipe->package = std::make_shared<const Bytes>(std::move(package));
  recipe->package_hash = sha256(*recipe->package);
  return recipe;
}

Result<std::shared_ptr<const Manifest>> read_manifest(const Hash& hash, const std::string& text,
                                                      ManifestCache* manifests) {
  if (manifests != nullptr) return manifests->get(hash, text);
  TRY_ASSIGN(auto manifest, parse_manifest(text));
  return std::make_shared<const Manifest>(std::move(manifest));
}

Result<std::shared_ptr<const Recipe>> make(Bundle bundle, size_t depth, ManifestCache* manifests) {
  if (depth > kRecipeDepthMax) {
    return Error{ErrorCode::kRefused,
                 str_cat("children of children of … : more than ", kRecipeDepthMax, " levels of supervisors")};
  }
  auto recipe = std::make_shared<Recipe>();
  recipe->text = std::make_shared<const Bytes>(to_bytes(bundle.manifest));
  recipe->text_hash = sha256(*recipe->text);
  TRY_ASSIGN(recipe->manifest, read_manifest(recipe->text_hash, bundle.manifest, manifests));
  if (bundle.package.empty() && !recipe->manifest->supervisor) {
    return Error{ErrorCode::kInvalid, str_cat("no package came with the manifest of '", recipe->manifest->name,
                                              "'; name one in it: package = \"FILE.wasm\"")};
  }
  if (!recipe->manifest->supervisor) return with_package(std::move(recipe), std::move(bundle.package));

  auto manifest = std::make_shared<Manifest>(*recipe->manifest);  // what its children are stands beside it
  for (auto& child : manifest->children()) {
    const auto attached = bundle.children.find(child.id);
    if (attached == bundle.children.end()) {
      return Error{ErrorCode::kInvalid, str_cat("the manifest of '", manifest->name, "' names the child '", child.id,
                                                "', but that one's manifest and package didn't come along")};
    }
    auto made = make(std::move(attached->second), depth + 1, manifests);
    if (!made.ok()) return Error{made.error().code, str_cat("child '", child.id, "': ", made.error().message)};
    TRY(check_grants_no_more(*(*made)->manifest, *manifest));
    child.is_supervisor = (*made)->manifest->supervisor.has_value();
    recipe->children.emplace(child.id, std::move(made).value());
  }
  recipe->manifest = std::move(manifest);
  return with_package(std::move(recipe), std::move(bundle.package));
}

}  // namespace

Result<std::shared_ptr<const Recipe>> make_recipe(Bundle bundle, ManifestCache* manifests) {
  return make(std::move(bundle), 1, manifests);
}

}  // namespace theater::node
