// The supervision tree of a node, as lines to print: who is below whom, and how the line begins. Made from a flat list,
// because a node tells of each actor who its supervisor is.
//
// Whatever the list says, the tree has each living actor exactly once: one whose supervisor has ended or isn't listed,
// or that is part of a circle, stands at the top. Siblings are in the order of their child ids, then of names and ids.
#pragma once

#include <string>
#include <vector>

#include "cli/node_client.h"

namespace theater::cli {

struct TreeLine {
  size_t actor = 0;  // index into the list
  size_t depth = 0;
  std::string branch;  // "│  └─ "
};

// `top`: the id of the one to begin with; empty: all.
std::vector<TreeLine> actor_tree(const std::vector<RemoteActor>& actors, const std::string& top = "");

// What stands behind the branch: "db: counter 1a2b3c4d5e6f  idle, 2 restarts"
std::string tree_text(const RemoteActor& actor);

}  // namespace theater::cli
