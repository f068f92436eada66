#include "cli/actor_tree.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "cli/output.h"

namespace theater::cli {
namespace {

constexpr size_t kIndentMax = 100;  // levels; what is deeper stands below itself

class Tree {
 public:
  explicit Tree(const std::vector<RemoteActor>& actors) : actors_(actors), printed_(actors.size(), false) {
    std::unordered_map<std::string_view, size_t> living;
    for (size_t i = 0; i < actors.size(); ++i) {
      if (actors[i].state != "ended") living.emplace(actors[i].id, i);
    }
    below_.resize(actors.size());
    for (const auto& [id, i] : living) {
      const auto above = living.find(actors[i].parent);
      (above == living.end() ? tops_ : below_[above->second]).push_back(i);
      all_.push_back(i);
    }
    sort(tops_);
    sort(all_);
    for (auto& children : below_) sort(children);
  }

  std::vector<TreeLine> all() {
    for (const size_t i : tops_) add(i);
    for (const size_t i : all_) add(i);  // circles
    return std::move(lines_);
  }
  std::vector<TreeLine> from(const std::string& top) {
    for (const size_t i : all_) {
      if (actors_[i].id == top) add(i);
    }
    return std::move(lines_);
  }

 private:
  struct Next {
    size_t actor = 0;
    size_t depth = 0;
    std::string indent;  // of what is below
    std::string branch;
  };

  void sort(std::vector<size_t>& some) const {
    std::sort(some.begin(), some.end(), [&](size_t a, size_t b) {
      const auto key = [&](size_t i) { return std::tie(actors_[i].child_id, actors_[i].name, actors_[i].id); };
      return key(a) < key(b);
    });
  }

  // Depth first, without recursion: a tree may be as deep as there are actors.
  void add(size_t top) {
    std::vector<Next> open{{top, 0, "", ""}};
    while (!open.empty()) {
      Next next = std::move(open.back());
      open.pop_back();
      if (printed_[next.actor]) continue;
      printed_[next.actor] = true;
      lines_.push_back({next.actor, next.depth, std::move(next.branch)});
      const auto& children = below_[next.actor];
      for (size_t i = children.size(); i > 0; --i) {
        const bool last = i == children.size();
        const char* below = next.depth >= kIndentMax ? "" : last ? "   " : "│  ";
        open.push_back({children[i - 1], next.depth + 1, next.indent + below, next.indent + (last ? "└─ " : "├─ ")});
      }
    }
  }

  const std::vector<RemoteActor>& actors_;
  std::vector<std::vector<size_t>> below_;
  std::vector<size_t> tops_, all_;
  std::vector<bool> printed_;
  std::vector<TreeLine> lines_;
};

}  // namespace

std::vector<TreeLine> actor_tree(const std::vector<RemoteActor>& actors, const std::string& top) {
  Tree tree(actors);
  return top.empty() ? tree.all() : tree.from(top);
}

std::string tree_text(const RemoteActor& actor) {
  std::string text;
  if (!actor.child_id.empty() && actor.child_id != actor.name) {
    text += str_cat(styled(Style::kBold, escape(as_bytes(actor.child_id))), ": ");
  }
  text += str_cat(escape(as_bytes(actor.name)), " ", short_id(actor.id));
  if (!actor.strategy.empty()) text += str_cat("  ", actor.strategy);
  text += str_cat("  ", state_text(actor));
  if (actor.restarts != 0) text += str_cat(", ", counted(actor.restarts, "restart"));
  return text;
}

}  // namespace theater::cli
