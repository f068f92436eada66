// theater actor logs: what an actor logs from now on. The node keeps no past; that is in the auditors' stores.
#include <memory>

#include "cli/commands.h"
#include "cli/node_client.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct Options {
  NodeOptions node;
  std::string actor;
  bool follow = false;
};

Result<void> print_log(const schema::Value& item, bool json) {
  TRY_ASSIGN(const auto text, bus::text_field(item, "text"));
  if (!json) {
    print_line(escape(as_bytes(text)));
    return Ok{};
  }
  TRY_ASSIGN(const auto sequence, bus::number_field(item, "sequence"));
  TRY_ASSIGN(const auto event, bus::text_field(item, "event"));
  print_line(JsonLine().number("sequence", sequence).text("event", event).text("text", text).str());
  return Ok{};
}

Result<void> print_missed(const schema::Value& item, const std::string& actor, bool json) {
  TRY_ASSIGN(const auto missed, bus::number_field(item, "missed"));
  if (missed == 0) return Ok{};
  TRY_ASSIGN(const auto from, bus::number_field(item, "from"));
  TRY_ASSIGN(const auto to, bus::number_field(item, "to"));
  if (json) {
    print_line(JsonLine().number("missed", missed).number("from", from).number("to", to).str());
  } else {
    warn(str_cat(counted(missed, "line"),
                 " came faster than they were taken here and are missing; see them by: theater chain show ", actor,
                 " --from ", from, " --to ", to));
  }
  return Ok{};
}

Result<ExitCode> logs(const Options& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, kLongWaitMs));
  const bool json = options.node.json;
  Result<void> printed = Ok{};
  TRY(client.stream("actor.logs", {{"actor", schema::Value::string(options.actor)}}, [&](const schema::Value& item) {
    if (bus::find_field(item, "text") != nullptr) {
      printed = print_log(item, json);
    } else if (bus::find_field(item, "missed") != nullptr) {
      printed = print_missed(item, options.actor, json);
    } else {
      return true;  // the last one: the actor has ended
    }
    if (printed.ok()) printed = finish_stdout();
    return printed.ok();
  }));
  TRY(printed);
  return ExitCode::kDone;
}

}  // namespace

void add_actor_logs_command(Command& noun) {
  auto options = std::make_shared<Options>();
  Command verb = noun.add("logs", "Prints what an actor logs from now on, until it ends or ctrl-C");
  verb.argument("ACTOR", options->actor, kActorHelp);
  verb.flag("-f,--follow", options->follow, "What it does anyway: a node keeps nothing that is past");
  add_node_options(verb, options->node);
  verb.footer("What it logged before is in its chain: theater chain show ACTOR");
  verb.runs([options] { return logs(*options); });
}

}  // namespace theater::cli
