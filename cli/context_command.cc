// theater context add|select|list
#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/contexts.h"
#include "cli/output.h"
#include "cli/paths.h"

namespace theater::cli {
namespace {

struct AddOptions {
  Context context;
  bool replace = false;
};

Result<ExitCode> add(const AddOptions& options) {
  TRY_ASSIGN(auto contexts, load_contexts());
  auto added = options.context;
  if (!added.node_key.empty()) {
    const auto key = read_public_key(added.node_key);
    if (!key.ok()) return Error{key.error().code, str_cat("--node-key: ", key.error().message)};
    added.node_key = key->text();
  }
  const bool exists = contexts.find(added.name) != nullptr;
  if (exists && !options.replace) {
    return Error{ErrorCode::kRefused,
                 str_cat("there is a context '", added.name, "' already; --replace overwrites it")};
  }
  std::erase_if(contexts.all, [&](const Context& context) { return context.name == added.name; });
  contexts.all.push_back(added);
  if (contexts.selected.empty()) contexts.selected = added.name;
  TRY(save_contexts(contexts));
  note(str_cat("context '", added.name, "' kept in ", contexts_path(),
               contexts.selected == added.name ? "; it is selected" : ""));
  return ExitCode::kDone;
}

Result<ExitCode> select(const std::string& name) {
  TRY_ASSIGN(auto contexts, load_contexts());
  if (contexts.find(name) == nullptr) {
    return Error{ErrorCode::kNotFound, str_cat("there is no context '", name, "'; see: theater context list")};
  }
  contexts.selected = name;
  TRY(save_contexts(contexts));
  note(str_cat("context '", name, "' is selected"));
  return ExitCode::kDone;
}

Result<ExitCode> list(bool json) {
  TRY_ASSIGN(const auto contexts, load_contexts());
  if (json) {
    for (const auto& context : contexts.all) {
      print_line(JsonLine()
                     .text("name", context.name)
                     .boolean("selected", context.name == contexts.selected)
                     .text("node", context.node)
                     .text("node_key", context.node_key)
                     .text("store", context.store)
                     .text("key", context.key)
                     .str());
    }
    return ExitCode::kDone;
  }
  if (contexts.all.empty()) {
    note("no contexts; one is made by: theater context add NAME --node ENDPOINT --store FOLDER");
    return ExitCode::kDone;
  }
  std::vector<std::vector<std::string>> rows = {{" ", "NAME", "NODE", "STORE", "KEY"}};
  const auto shown = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  for (const auto& context : contexts.all) {
    rows.push_back({context.name == contexts.selected ? "*" : " ", context.name, shown(context.node),
                    shown(context.store), shown(context.key)});
  }
  print_table(rows);
  return ExitCode::kDone;
}

}  // namespace

void add_context_commands(Command& root) {
  Command noun = root.add("context", "Named places: node, store and key");

  auto adding = std::make_shared<AddOptions>();
  Command verb = noun.add("add", "Adds a context; the first one is selected at once");
  verb.argument("NAME", adding->context.name, "How you call it");
  verb.option("--node", adding->context.node, "ENDPOINT", "unix:/path or tcp://host:port");
  verb.option("--node-key", adding->context.node_key, "tk1…|FILE", "The node's public key; needed for tcp");
  verb.option("--store", adding->context.store, "FOLDER", "The store that chain and replay read");
  verb.option("--key", adding->context.key, "FILE", "Your secret keys; needed for tcp");
  verb.flag("--replace", adding->replace, "Overwrite a context of the same name");
  verb.check("NAME", {nullptr, [](const std::string& name) -> Result<void> {
                        if (!name.empty()) return Ok{};
                        return Error{ErrorCode::kInvalid, "a context needs a name"};
                      }});
  verb.check("--node", {nullptr, check_control_endpoint});
  verb.check("--node-key", {nullptr, check_public_key});
  verb.runs([adding] { return add(*adding); });

  auto selected = std::make_shared<std::string>();
  Command selecting = noun.add("select", "Makes a context the one that commands use");
  selecting.argument("NAME", *selected, "Of the context");
  selecting.runs([selected] { return select(*selected); });

  auto json = std::make_shared<bool>(false);
  Command listing = noun.add("list", "Prints the contexts; * marks the selected one");
  listing.flag("--json", *json, kJsonHelp);
  listing.runs([json] { return list(*json); });
}

}  // namespace theater::cli
