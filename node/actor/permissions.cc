#include "node/actor/permissions.h"

#include <algorithm>

#include "node/handlers/granted_folder.h"
#include "wasm/functions.h"

namespace theater::node {
namespace {

constexpr size_t kVariablesMax = 256;
constexpr size_t kFoldersMax = 64;
constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;  // what one host call may carry

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> read_variables(const Config::Table& handler, const char* key,
                                        const std::vector<std::string>& others) {
  auto names = handler.texts(key);
  if (names.size() > kVariablesMax) handler.fail(key, str_cat("'", key, "' has more than ", kVariablesMax, " names"));
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      handler.fail(key, str_cat("'", escape(as_bytes(name)), "' is no name of a variable"));
    } else if (contains(others, name) || std::find(names.begin(), names.begin() + static_cast<ptrdiff_t>(i), name) !=
                                             names.begin() + static_cast<ptrdiff_t>(i)) {
      handler.fail(key, str_cat("the variable '", name, "' is granted twice"));
    }
  }
  return names;
}

std::vector<std::string> read_functions(const Config::Table& handler) {
  auto names = handler.texts("functions");
  for (const auto& name : names) {
    if (wasm::callable_function(name)) continue;
    handler.fail("functions", str_cat("'", escape(as_bytes(name)), "' is no function that others can call: those are ",
                                      "INTERFACE#FUNCTION, with an interface outside of theater:simple"));
  }
  return names;
}

FolderGrant read_folder(const Config::Table& table) {
  FolderGrant folder;
  folder.name = table.required_text("name");
  folder.path = table.required_text("path");
  folder.writable = table.choice("mode", {"read", "read-write"}, "read") == "read-write";
  const bool is_name = split_guest_path(folder.name).ok() && folder.name.find('/') == std::string::npos;
  if (!folder.name.empty() && !is_name) {
    table.fail("name",
               str_cat("'name' is the first part of each path in the folder: one name without '/'; here it is \"",
                       escape(as_bytes(folder.name)), "\""));
  }
  if (folder.path.find('\0') != std::string::npos) table.fail("path", "'path' holds a zero byte");
  return folder;
}

FilesystemGrant read_filesystem(const Config::Table& handler) {
  FilesystemGrant granted;
  granted.file_bytes = handler.size_bytes("file_bytes", granted.file_bytes, 1, kFileBytesMax);
  const auto tables = handler.tables("folder");
  if (tables.size() > kFoldersMax) handler.fail("folder", str_cat("more than ", kFoldersMax, " folders"));
  for (const auto& table : tables) {
    auto folder = read_folder(table);
    for (const auto& other : granted.folders) {
      if (other.name == folder.name) table.fail("name", str_cat("two folders are called '", folder.name, "'"));
    }
    granted.folders.push_back(std::move(folder));
  }
  return granted;
}

// Slashes at the end don't count.
bool same_folder(std::string_view a, std::string_view b) {
  while (a.size() > 1 && a.ends_with('/')) a.remove_suffix(1);
  while (b.size() > 1 && b.ends_with('/')) b.remove_suffix(1);
  return a == b;
}

}  // namespace

bool grants_at_most(const EnvironmentGrant& child, const EnvironmentGrant& parent) {
  return std::all_of(child.variables.begin(), child.variables.end(),
                     [&](const std::string& name) { return contains(parent.variables, name); }) &&
         std::all_of(child.secrets.begin(), child.secrets.end(), [&](const std::string& name) {
           return contains(parent.secrets, name) || contains(parent.variables, name);
         });
}

bool grants_at_most(const FilesystemGrant& child, const FilesystemGrant& parent) {
  if (!child.folders.empty() && child.file_bytes > parent.file_bytes) return false;
  return std::all_of(child.folders.begin(), child.folders.end(), [&](const FolderGrant& folder) {
    return std::any_of(parent.folders.begin(), parent.folders.end(), [&](const FolderGrant& of_parent) {
      return (of_parent.writable || !folder.writable) && same_folder(folder.path, of_parent.path);
    });
  });
}

bool grants_at_most(const StoreGrant& child, const StoreGrant& parent) {
  return parent.node_labels || !child.node_labels;
}

std::string_view handler_beyond(const Permissions& child, const Permissions& parent) {
  if (!grants_at_most(child.environment, parent.environment)) return "environment";
  if (!grants_at_most(child.filesystem, parent.filesystem)) return "filesystem";
  if (!grants_at_most(child.store, parent.store)) return "store";
  return "";
}

void read_permissions(const Config::Table& handler, std::string_view type, Permissions& permissions) {
  if (type == "rpc") {
    auto functions = read_functions(handler);
    if (handler.has("functions")) permissions.rpc.functions = std::move(functions);
  }
  if (type == "environment") {
    permissions.environment.variables = read_variables(handler, "variables", {});
    permissions.environment.secrets = read_variables(handler, "secrets", permissions.environment.variables);
  }
  if (type == "store") {
    permissions.store.node_labels = handler.choice("labels", {"actor", "node"}, "actor") == "node";
  }
  if (type == "filesystem") permissions.filesystem = read_filesystem(handler);
}

}  // namespace theater::node
