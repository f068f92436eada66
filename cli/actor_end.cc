// theater actor stop|kill
#include <memory>

#include "cli/commands.h"
#include "cli/node_client.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct Options {
  NodeOptions node;
  std::string actor;
  std::optional<uint64_t> grace_ms;
  std::string reason = "killed by an operator";
  bool abandon = false;
};

Result<ExitCode> stop(const Options& options) {
  const uint64_t grace_ms = options.grace_ms.value_or(10'000);
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, grace_ms + kAnswerMarginMs));
  TRY(client.call("actor.stop",
                  {{"actor", schema::Value::string(options.actor)}, {"grace-ms", schema::Value::u64(grace_ms)}}));
  note(str_cat("stopped ", options.actor));
  return ExitCode::kDone;
}

Result<ExitCode> kill(const Options& options) {
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  TRY(client.call("actor.kill", {{"actor", schema::Value::string(options.actor)},
                                 {"reason", schema::Value::string(options.reason)},
                                 {"abandon", schema::Value::boolean(options.abandon)}}));
  if (!options.abandon) {
    note(str_cat("killed ", options.actor));
    return ExitCode::kDone;
  }
  warn(str_cat("killed and abandoned ", options.actor,
               ": unless its last event was on its way already, its chain stays open"));
  return ExitCode::kFailure;
}

}  // namespace

void add_actor_end_commands(Command& noun) {
  auto stopping = std::make_shared<Options>();
  Command gently = noun.add("stop", "Lets the message in progress finish, then ends the actor");
  gently.argument("ACTOR", stopping->actor, kActorHelp);
  gently.option("--grace-ms", stopping->grace_ms, "N", "How long the message in progress may take (default: 10000)");
  add_node_options(gently, stopping->node);
  gently.runs([stopping] { return stop(*stopping); });

  auto killing = std::make_shared<Options>();
  Command now = noun.add("kill", "Ends an actor at once");
  now.argument("ACTOR", killing->actor, kActorHelp);
  now.option("--reason", killing->reason, "TEXT", "Stands in its chain");
  now.flag("--abandon", killing->abandon,
           "Don't wait until the auditors have room for its last event: the chain stays open. Exits with 1");
  add_node_options(now, killing->node);
  now.runs([killing] { return kill(*killing); });
}

}  // namespace theater::cli
