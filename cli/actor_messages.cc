// theater actor send|request
#include <memory>

#include "cli/commands.h"
#include "cli/manifest_file.h"
#include "cli/node_client.h"
#include "cli/output.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

struct Options {
  NodeOptions node;
  std::string actor, message;
  std::optional<uint64_t> timeout_ms;
  std::string request_id;
  bool raw = false;
  bool durable = false;
};

Result<ExitCode> send(const Options& options) {
  TRY_ASSIGN(auto message, read_argument(options.message));
  TRY_ASSIGN(auto client, NodeClient::connect(options.node));
  client.set_request_id(options.request_id);
  TRY(client.call("actor.send", {{"actor", schema::Value::string(options.actor)},
                                 {"message", schema::Value::bytes(std::move(message))}}));
  return ExitCode::kDone;
}

void print_reply(const schema::Value* reply, const Options& options) {
  // An option<list<u8>>: the guest may answer with nothing.
  const auto* content = reply == nullptr ? nullptr : reply->get<schema::Value::Option>();
  const auto* value = content == nullptr ? reply : content->payload.get();
  const auto* bytes = value == nullptr ? nullptr : value->get<Bytes>();
  if (options.node.json) {
    print_line(JsonLine().raw("response", bytes == nullptr ? "null" : schema::to_json(*value)).str());
  } else if (options.raw) {
    if (bytes != nullptr) print_raw(*bytes);
  } else if (bytes != nullptr) {
    print_line(escape(*bytes));
  } else {
    note("the actor answered nothing");
  }
}

Result<ExitCode> request(const Options& options) {
  TRY_ASSIGN(auto message, read_argument(options.message));
  const uint64_t timeout_ms = options.timeout_ms.value_or(30'000);
  TRY_ASSIGN(auto client, NodeClient::connect(options.node, timeout_ms + kAnswerMarginMs));
  client.set_request_id(options.request_id);
  TRY_ASSIGN(const auto result, client.call("actor.request", {{"actor", schema::Value::string(options.actor)},
                                                              {"message", schema::Value::bytes(std::move(message))},
                                                              {"timeout-ms", schema::Value::u64(timeout_ms)},
                                                              {"durable", schema::Value::boolean(options.durable)}}));
  print_reply(bus::find_field(result, "reply"), options);
  return ExitCode::kDone;
}

Result<void> check_request_id(const std::string& id) {
  if (id.size() <= bus::kRequestIdMax) return Ok{};
  return Error{ErrorCode::kInvalid,
               str_cat("a request id has at most ", bus::kRequestIdMax, " bytes, this has ", id.size())};
}

}  // namespace

void add_actor_message_commands(Command& noun) {
  auto sending = std::make_shared<Options>();
  Command one_way = noun.add("send", "Puts a message into an actor's mailbox");
  one_way.argument("ACTOR", sending->actor, kActorHelp);
  one_way.argument("MESSAGE", sending->message, "Text, or @FILE, or @- for stdin");
  one_way.option("--request-id", sending->request_id, "ID",
                 "Stands in the chain; the same one again isn't delivered twice");
  one_way.check("--request-id", {nullptr, check_request_id});
  add_node_options(one_way, sending->node);
  one_way.runs([sending] { return send(*sending); });

  auto asking = std::make_shared<Options>();
  Command with_answer = noun.add("request", "Sends a request and prints the answer");
  with_answer.argument("ACTOR", asking->actor, kActorHelp);
  with_answer.argument("MESSAGE", asking->message, "Text, or @FILE, or @- for stdin");
  with_answer.option("--timeout-ms", asking->timeout_ms, "N", "How long to wait for the answer (default: 30000)");
  with_answer.flag("--durable", asking->durable, "Answer only when every strict auditor has made it durable");
  with_answer.flag("--raw", asking->raw, "Print the answer as bytes, not escaped");
  with_answer.option("--request-id", asking->request_id, "ID",
                     "Stands in the chain; the same one again isn't run twice");
  with_answer.check("--request-id", {nullptr, check_request_id});
  add_node_options(with_answer, asking->node);
  with_answer.runs([asking] { return request(*asking); });
}

}  // namespace theater::cli
