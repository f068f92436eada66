// theater actor list|show|tree
#include <algorithm>
#include <memory>

#include "cli/actor_tree.h"
#include "cli/commands.h"
#include "cli/node_client.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct ShowOptions {
  NodeOptions node;
  std::string actor;
};

struct TreeOptions {
  NodeOptions node;
  std::optional<std::string> actor;
};

Result<std::vector<RemoteActor>> all_actors(const NodeOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options));
  TRY_ASSIGN(const auto result, client.call("actor.list", {}));
  TRY_ASSIGN(auto actors, read_actors(result));
  TRY_ASSIGN(const uint64_t registered, bus::number_field(result, "registered"));
  const auto listed =
      static_cast<uint64_t>(std::ranges::count_if(actors, [](const auto& actor) { return actor.state != "ended"; }));
  if (listed < registered) {
    note(str_cat(registered - listed,
                 " more actors aren't listed, most of them passivated; theater actor show finds each by its id"));
  }
  return actors;
}

void note_no_actors() { note("no actors; one is made by: theater actor spawn MANIFEST"); }

Result<ExitCode> list(const NodeOptions& options) {
  TRY_ASSIGN(const auto actors, all_actors(options));
  if (options.json) {
    for (const auto& actor : actors) print_line(to_json(actor).str());
    return ExitCode::kDone;
  }
  if (actors.empty()) {
    note_no_actors();
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{"ACTOR", "NAME", "EVENTS", "MAILBOX", "MEMORY", "RESTARTS", "STATE"}};
  for (const auto& actor : actors) {
    rows.push_back({short_id(actor.id), escape(as_bytes(actor.name)), str_cat(actor.events), str_cat(actor.mailbox),
                    str_cat(actor.memory_bytes / 1024, " KiB"), str_cat(actor.restarts), state_text(actor)});
  }
  print_table(rows);
  return ExitCode::kDone;
}

void print_actor(const RemoteActor& actor) {
  const auto row = [](std::string_view name, const std::string& text) {
    std::string line(name);
    line.resize(10, ' ');
    print_line(line + text);
  };
  row("actor", actor.id);
  row("name", escape(as_bytes(actor.name)));
  for (const auto& name : actor.names) row("reached by", str_cat(" ", name));
  row("state", state_text(actor));
  row("events", str_cat(actor.events));
  row("head", actor.head);
  row("mailbox", str_cat(counted(actor.mailbox, "message"), ", ", actor.mailbox_bytes, " B"));
  row("memory", str_cat(actor.memory_bytes, " B"));
  row("fuel", str_cat(actor.fuel));
  if (actor.effects == "gated") {
    row("effects", str_cat("gated: ", actor.held, " held, ", actor.released, " released after ",
                           actor.released == 0 ? 0 : actor.held_us / actor.released, " us on average, ",
                           actor.discarded, " discarded"));
  }
  row("restarts", str_cat(actor.restarts));
  if (!actor.parent.empty()) {
    row("parent", str_cat(actor.parent, ", which calls it '", escape(as_bytes(actor.child_id)), "'"));
  }
  if (!actor.strategy.empty()) row("strategy", actor.strategy);
  for (const auto& child : actor.children) row("child", child);
}

Result<ExitCode> show(const ShowOptions& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result, client.call("actor.show", {{"actor", schema::Value::string(options.actor)}}));
  TRY_ASSIGN(const auto actor, read_actor(result));
  if (options.node.json) {
    print_line(to_json(actor).texts("children", actor.children).str());
  } else {
    print_actor(actor);
  }
  return ExitCode::kDone;
}

// The id of the one that is meant: the node knows names and beginnings of ids.
Result<std::string> find_top(const TreeOptions& options) {
  if (!options.actor) return std::string();
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY_ASSIGN(const auto result, client.call("actor.show", {{"actor", schema::Value::string(*options.actor)}}));
  return bus::text_field(result, "id");
}

Result<ExitCode> tree(const TreeOptions& options) {
  TRY_ASSIGN(const auto top, find_top(options));
  TRY_ASSIGN(const auto actors, all_actors(options.node));
  const auto lines = actor_tree(actors, top);
  if (lines.empty() && !top.empty()) return Error{ErrorCode::kNotFound, str_cat(short_id(top), " has ended")};
  if (lines.empty() && !options.node.json) note_no_actors();
  for (const auto& line : lines) {
    const auto& actor = actors[line.actor];
    if (options.node.json) {
      print_line(to_json(actor).number("depth", line.depth).str());
    } else {
      print_line(str_cat(styled(Style::kDim, line.branch), tree_text(actor)));
    }
  }
  return ExitCode::kDone;
}

}  // namespace

void add_actor_look_commands(Command& noun) {
  auto listing = std::make_shared<NodeOptions>();
  Command all = noun.add("list", "Prints the node's actors and what each waits for");
  add_node_options(all, *listing);
  all.runs([listing] { return list(*listing); });

  auto showing = std::make_shared<ShowOptions>();
  Command one = noun.add("show", "Prints one actor");
  one.argument("ACTOR", showing->actor, kActorHelp);
  add_node_options(one, showing->node);
  one.runs([showing] { return show(*showing); });

  auto climbing = std::make_shared<TreeOptions>();
  Command family = noun.add("tree", "Prints living actors under their supervisors");
  family.optional_argument("ACTOR", climbing->actor, "Only this one and what is below it");
  add_node_options(family, climbing->node);
  family.footer("With --json a line has its depth; who is below stands after it.");
  family.runs([climbing] { return tree(*climbing); });
}

}  // namespace theater::cli
