// What a manifest's [[handler]] tables grant beyond the handler itself: which variables, which folders. Denied by
// default: a handler without these keys grants nothing of them.
//
// Each grant can be compared: grants_at_most() says whether a child would get nothing that its parent hasn't. Plain
// data and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace theater::node {

struct EnvironmentGrant {
  std::vector<std::string> variables;  // read, and recorded
  std::vector<std::string> secrets;    // read; the record holds a commitment
  bool operator==(const EnvironmentGrant&) const = default;
};

// A variable that the parent has only as a secret isn't the child's to record.
bool grants_at_most(const EnvironmentGrant& child, const EnvironmentGrant& parent);

// What others may call of this actor. Nothing that a parent could give to a child.
struct RpcGrant {
  std::optional<std::vector<std::string>> functions;  // as exports are named; none: all
};

struct FolderGrant {
  std::string name;  // as guests write it, in front of a path
  std::string path;  // on the node; not absolute: from where the node was started
  bool writable = false;
  bool operator==(const FolderGrant&) const = default;
};

struct FilesystemGrant {
  std::vector<FolderGrant> folders;
  uint64_t file_bytes = uint64_t{4} << 20;  // the largest file that is written, or read at once
  bool operator==(const FilesystemGrant&) const = default;
};

// A folder of the child's, under whatever name, must be one of the parent's, and not one below it: a path in a manifest
// may lead over links that the parent itself can't follow. A child may not write where its parent can only read.
bool grants_at_most(const FilesystemGrant& child, const FilesystemGrant& parent);

struct StoreGrant {
  bool node_labels = false;  // labels that the node's actors share, instead of the actor's own
  bool operator==(const StoreGrant&) const = default;
};

bool grants_at_most(const StoreGrant& child, const StoreGrant& parent);

struct Permissions {
  EnvironmentGrant environment;
  RpcGrant rpc;
  FilesystemGrant filesystem;
  StoreGrant store;
};

// The handler in whose table the child has more than its parent; empty if there is none.
std::string_view handler_beyond(const Permissions& child, const Permissions& parent);

// Reads the keys that a [[handler]] of this type has beside `type`; errors go to the table.
void read_permissions(const Config::Table& handler, std::string_view type, Permissions& permissions);

}  // namespace theater::node
