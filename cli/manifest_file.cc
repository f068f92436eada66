#include "cli/manifest_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>

#include "base/config.h"
#include "base/file.h"
#include "cli/paths.h"
#include "node/actor/manifest.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

constexpr std::string_view kWasmMagic("\0asm", 4);

std::string name_from(const std::string& package_path) {
  std::string name = std::filesystem::path(package_path).stem().string();
  std::erase_if(name, [](char c) { return !(std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'); });
  return name.empty() ? "actor" : name;
}

Result<ManifestFile> load(const std::string& path, size_t depth) {
  if (depth > node::kRecipeDepthMax) {
    return Error{ErrorCode::kInvalid, str_cat(path, ": children of children of …: more than ", node::kRecipeDepthMax,
                                              " levels; does a manifest name itself as a child?")};
  }
  ManifestFile manifest;
  manifest.path = std::filesystem::is_directory(path) ? (std::filesystem::path(path) / "manifest.toml").string() : path;
  if (is_package(manifest.path)) {
    return Error{
        ErrorCode::kInvalid,
        str_cat(path, " is a package; an actor needs a manifest that names it. See: theater package show ", path)};
  }
  TRY_ASSIGN(const auto bytes, read_file(manifest.path, Config::kTextMax));
  manifest.bundle.manifest = as_text(bytes);
  TRY_ASSIGN(const auto parsed, node::parse_manifest(manifest.bundle.manifest, manifest.path));
  for (const auto& child : parsed.children()) {
    auto loaded = load(beside(manifest.path, std::string(as_text(child.start))), depth + 1);
    if (!loaded.ok()) {
      return Error{loaded.error().code, str_cat(manifest.path, ": child '", child.id, "': ", loaded.error().message)};
    }
    manifest.bundle.children.emplace(child.id, std::move(loaded->bundle));
  }
  if (parsed.package.empty() || parsed.package.starts_with("sha256:"))
    return manifest;  // the node says what it thinks of that
  const auto& package_path = manifest.package_path = beside(manifest.path, parsed.package);
  auto content = read_file(package_path);
  if (!content.ok()) {
    return Error{content.error().code, str_cat(manifest.path, ": the package it names: ", content.error().message)};
  }
  if (content->empty()) return Error{ErrorCode::kInvalid, str_cat(package_path, " is empty, not a WebAssembly module")};
  manifest.bundle.package = std::move(*content);
  return manifest;
}

}  // namespace

bool is_package(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(kWasmMagic.size(), ' ');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return file && start == kWasmMagic;
}

Result<ManifestFile> load_manifest(const std::string& path) { return load(path, 1); }

Error about_files(const Error& error, const std::string& manifest_path, const std::string& package_path) {
  if (error.code != ErrorCode::kInvalid) return error;
  return Error{error.code, package_path.empty()
                               ? str_cat(manifest_path, ": ", error.message)
                               : str_cat(manifest_path, " with the package ", package_path, ": ", error.message)};
}

std::string manifest_for(const std::string& package_path, const wasm::Module& module) {
  std::set<std::string> handlers;
  for (const auto* function : module.imports()) {
    if (!function->handler.empty()) handlers.emplace(function->handler);
  }
  if (module.exports(wasm::handle_request_function()) || module.exports(wasm::handle_send_function())) {
    handlers.emplace("message-server");
  }
  std::string text =
      str_cat("name = ", schema::json_string(name_from(package_path)),
              "\npackage = ", schema::json_string(std::filesystem::path(package_path).filename().string()), "\n");
  for (const auto& handler : handlers) text += str_cat("\n[[handler]]\ntype = ", schema::json_string(handler), "\n");
  return text;
}

Result<Bytes> read_argument(const std::string& argument) {
  if (!argument.starts_with('@')) return to_bytes(argument);
  if (argument.starts_with("@@")) return to_bytes(std::string_view(argument).substr(1));
  if (argument == "@-") {
    const std::string all{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
    return to_bytes(all);
  }
  return read_file(argument.substr(1));
}

}  // namespace theater::cli
