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
};

Result<ExitCode> logs(const Options& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, kLongWaitMs));
  Result<void> printed = Ok{};
  TRY(client.stream("actor.logs", {{"actor", schema::Value::string(options.actor)}}, [&](const schema::Value& item) {
    if (bus::find_field(item, "text") == nullptr) return true;  // the last one: the actor has ended
    const auto text = bus::text_field(item, "text");
    if (!text.ok()) {
      printed = text.error();
      return false;
    }
    print_line(options.node.json ? JsonLine().text("text", *text).str() : escape(as_bytes(*text)));
    printed = finish_stdout();
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
  add_node_options(verb, options->node);
  verb.footer("What it logged before is in its chain: theater chain show ACTOR");
  verb.runs([options] { return logs(*options); });
}

}  // namespace theater::cli
